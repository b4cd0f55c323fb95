"""What rows that move elements are tried with."""

import numpy as np

from cases.case import Case, elementwise, listed, sequence

CASES = {
    "reshape": listed(
        Case([(2, 3)], {"shape": (3, 2)}), Case([(2, 3)], {"shape": -1, "order": "F"})
    ),
    "transpose": listed(Case([(2, 3, 4)]), Case([(2, 3, 4)], {"axes": (1, 2, 0)})),
    "swapaxes": listed(Case([(2, 3, 4)], {"axis1": 0, "axis2": -1})),
    "expand_dims": listed(Case([(2, 3)], {"axis": 1}), Case([(2,)], {"axis": (0, 2)})),
    "squeeze": listed(Case([(2, 1, 3)]), Case([(1, 2, 1)], {"axis": 0})),
    "ravel": listed(Case([(2, 3)]), Case([(2, 3)], {"order": "F"})),
    "broadcast_to": listed(Case([(3,)], {"shape": (2, 3)}), Case([()], {"shape": (2,)})),
    "astype": listed(Case([(2, 3)], {"dtype": np.float64})),
    "getitem": listed(
        Case([(4, 3)], {"index": (slice(1, None, 2), 0)}),
        Case([(4,)], {"index": np.array([0, 2, 2, -1])}),
        Case([(2, 3)], {"index": np.array([[True, False, True], [False, True, False]])}),
        Case([(4, 3)], {"index": (np.array([0, 0, 3]), np.array([1, 1, 2]))}),
        Case([(2, 3)], {"index": (None, ..., slice(None, None, -1))}),
    ),
    "scatter": listed(Case([(3,)], {"index": np.array([0, 2, 2]), "shape": (4,)})),
    "setitem": listed(
        Case([(4, 3), (3,)], {"index": 1}),
        Case([(4, 3), ()], {"index": (slice(None), 0)}),
        Case([(4,), (3,)], {"index": np.array([0, 2, 2])}),
        Case([(2, 2), ()], {"index": np.array([[True, False], [True, True]])}),
    ),
    "tensor": elementwise(1),
    "concatenate": listed(
        Case([(2, 3), (1, 3)], call=sequence),
        Case([(2, 1), (2, 2), (2, 1)], {"axis": -1}, call=sequence),
    ),
    "stack": listed(
        Case([(2, 3), (2, 3)], call=sequence), Case([(2,), (2,)], {"axis": -1}, call=sequence)
    ),
}
