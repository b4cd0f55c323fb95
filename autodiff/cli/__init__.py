"""The command line and the REPL.

Read `command.py` first. `parser.py` parses expressions, `report.py` computes and prints their
derivatives, and `repl.py` runs the REPL.
"""
