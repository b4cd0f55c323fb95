"""The graph, independent of NumPy and of any particular function.

Read `graph.py` first: operations and nodes. `modes.py` switches recording on and off, `walks.py`
carries derivatives along a graph, `copies.py` makes deep copies and pickles, `groups.py` groups
operations for pictures, `trees.py` walks nested containers, and `columns.py` prints tables.
`about.py` has the version, `missing.py` advice for functions that are not here yet, and
`tracebacks.py` hides our frames in tracebacks.
"""
