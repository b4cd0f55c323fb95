"""The graph, which knows no NumPy and no function.

Read `graph.py` first: operations and nodes. `modes.py` says whether operations are recorded,
`walks.py` carries derivatives along a graph, `copies.py` makes deep copies and pickles of one,
`groups.py` remembers which operations belong together, and `trees.py` walks nested containers.
`about.py` has the package's version, `missing.py` what to write for functions that are not here,
and `tracebacks.py` leaves our frames out of tracebacks.
"""
