"""The two kinds of node: `Tensor` for an array, `Value` for a float.

Read `tensor.py` first, then `value.py`. `protocols.py` dispatches NumPy's functions on nodes, and
`ufuncs.py` the methods of its ufuncs. `places.py` and `writing.py` modify Tensors in place.
"""
