"""Views of a graph: pictures, pages, formulas, tables. A view reads the graph and never changes it.

Read `scene.py` first: it selects the nodes and edges to draw. `programs.py` makes such nodes of a
compiled program. `draw.py` and `render.py` make a picture, `explorer.py` a page; `formulas.py` and
`notation.py` write a formula, `trace.py` a table, and `tree.py` indented text.
"""
