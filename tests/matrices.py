"""Matrices and derivatives for tests of linear algebra."""

import numpy as np

from autodiff import Tensor, gradients
from autodiff.core.walks import push


def slope(f, x):
    """Return the gradient of sum(f(x)), which must be the same in both modes."""
    x = Tensor(x)
    y = f(x)
    pulled = gradients(y, [x], seed=np.ones(y.shape, y.dtype))[0]
    pushed = []
    for index in np.ndindex(x.shape):
        t = np.zeros(x.shape)
        t[index] = 1
        with np.errstate(all="ignore"):
            pushed.append(np.sum(push({x: t}, [y])[y]).real)
    np.testing.assert_allclose(pulled, np.reshape(pushed, x.shape), rtol=1e-12, atol=1e-14)
    return pulled
