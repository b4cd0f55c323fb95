"""The two kinds of node: an array and a float.

Read `tensor.py` first, then `value.py`. `protocols.py` and `ufuncs.py` say what NumPy's functions
and the methods of its ufuncs do when they are called on nodes.
"""
