"""Runs of functions recorded as programs of NumPy calls.

Read `trace.py` first: arrays that write down the calls made on them. `program.py` makes a program
of the calls, `passes.py` shortens it, and `source.py` writes it as Python.
"""
