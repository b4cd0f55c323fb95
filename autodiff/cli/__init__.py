"""The command line and the REPL.

Read `command.py` first. `parser.py` reads an expression from text, `report.py` computes and prints
what the command line shows of it, and `repl.py` shows the derivatives of each result.
"""
