"""Functions that turn a function into its derivative.

Read `runs.py` first: one run of a function on fresh variables. `results.py` converts its result,
`gradients.py` has `grad`, `vjp`, `jvp` and others, `jacobians.py` has `jacobian` and `hessian`,
`rules.py` has `custom_rule`, and `checkpoints.py` has `checkpoint`.
"""
