"""Functions that turn a function into its derivative.

Read `runs.py` first: one run of a function on fresh variables. `results.py` converts what the
function returned, `gradients.py` has `grad`, `vjp`, `jvp` and their kin, `jacobians.py` all first
and second derivatives, `rules.py` primitives of the user's own, and `checkpoints.py` functions
that are run again rather than remembered.
"""
