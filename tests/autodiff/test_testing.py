"""Checks of derivatives, and what they say of wrong ones."""

import numpy as np
import pytest

from autodiff import check_grads, relu
from autodiff.ops.elementwise import elementwise, exp


def test_check_grads_passes_and_reports():
    checks = check_grads(lambda x, y: np.sum(exp(x) * y), np.ones(3), 2.0, order=2)
    assert {(c.order, c.argument) for c in checks} == {(1, 0), (1, 1), (2, 0), (2, 1)}
    assert all(abs(c.reverse - c.numerical) <= c.error for c in checks)
    assert max(c.error for c in checks) < 1e-9


def test_check_grads_in_float32():
    (first, *_) = check_grads(lambda x: np.sum(exp(x)), np.ones(3, np.float32))
    assert 1e-9 < first.error < 0.05


@pytest.mark.usefixtures("own_rows")
def test_check_grads_finds_wrong_derivatives():
    for op in (
        elementwise(np.cbrt, lambda out, x: 1.001 / (3 * out * out), name="factor"),
        elementwise(np.exp2, lambda out, x: out * 0.6931, name="digits"),
        elementwise(np.arcsinh, lambda out, x: -1 / (1 + x * x) ** 0.5, name="sign_"),
    ):
        with pytest.raises(AssertionError, match=r"argument 0.*reverse mode.*numerical"):
            check_grads(op, np.array([0.5, 1.5]))


def test_check_grads_with_a_kink_nearby():
    check_grads(lambda x: np.sum(relu(x)), np.array([1e-4, -1e-4, 1.0]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_check_grads_where_values_are_not_finite():
    with pytest.raises(AssertionError, match="not finite"):
        check_grads(lambda x: 1 / x, 0.0)
