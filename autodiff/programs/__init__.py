"""Runs of functions recorded as programs of NumPy calls.

Read `trace.py` first: arrays that write down the calls made on them. `reading.py` walks through all
that a function can read and writes the check of a program, `results.py` records what it gives back,
and `record.py` makes a program of a run with both. `passes/` shortens the program (`stages.py`
shows how), `source.py` writes it as Python, `cost.py` counts its operations and bytes, and a file
of `backends/` makes a function of it. `jit.py` keeps programs of a function and runs the one that
fits.
"""
