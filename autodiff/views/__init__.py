"""Ways to look at a graph; each reads it and changes nothing.

Read `scene.py` first: what there is to draw. `draw.py` and `render.py` make a picture of it,
`explorer.py` a page; `formulas.py` and `notation.py` write a graph as a formula, `trace.py` as a
table, and `tree.py` as indented text.
"""
