"""What the rows around the softmax are tried with."""

import numpy as np

from cases.case import Case, listed, reduction

CASES = {
    "logsumexp": reduction(slack=4),
    "softmax": reduction(keepdims=False),
    "log_softmax": reduction(keepdims=False),
    "cross_entropy": listed(
        Case([(3, 4)], {"labels": np.array([0, 2, 2])}), Case([(2, 3)], {"labels": [2, 0]})
    ),
}
