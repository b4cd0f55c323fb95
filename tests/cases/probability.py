"""Test cases of the softmax and related functions."""

import numpy as np

from cases.case import Case, listed, reduction

CASES = {
    "logsumexp": reduction(slack=4, complex=True),
    "softmax": reduction(keepdims=False, complex=True),
    "log_softmax": reduction(keepdims=False, complex=True),
    "cross_entropy": listed(
        Case([(3, 4)], {"labels": np.array([0, 2, 2])}, complex=True),
        Case([(2, 3)], {"labels": [2, 0]}),
    ),
}
