"""Functions of functions, and ranges: cases beyond the test of the table."""

import numpy as np
import pytest

import autodiff as ad
from autodiff import Tensor, Value

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


def test_functions_are_called_on_nodes_with_all_arguments():
    seen = []

    def norm(v, scale, shift=0.0):
        seen.append(type(v))
        return ad.sqrt(np.sum(v * v)) * scale + shift

    x = Tensor(X)
    y = np.apply_along_axis(norm, 1, x, 2.0, shift=1.0)
    assert set(seen) == {Tensor}
    np.testing.assert_allclose(y.data, 2 * np.linalg.norm(X, axis=1) + 1)
    y.backward([1.0, 1.0])
    np.testing.assert_allclose(x.grad, 2 * X / np.linalg.norm(X, axis=1, keepdims=True))


def test_plain_results_of_a_function_stay_plain():
    places = np.apply_along_axis(np.argmax, 0, Tensor(X))
    assert type(places) is np.ndarray
    np.testing.assert_array_equal(places, np.argmax(X, axis=0))


def test_constant_pieces_and_pieces_not_taken_have_derivative_0():
    x = Tensor([-1.0, 0.0, 4.0])
    step = np.piecewise(x, [x < 0, x >= 0], [-1, 1])
    step.backward(np.ones(3))
    np.testing.assert_array_equal(step.data, [-1, 1, 1])
    np.testing.assert_array_equal(x.grad, [0, 0, 0])
    root = np.piecewise(x, [x > 0], [ad.sqrt, lambda v, *_: v * 0])
    root.backward(np.ones(3))
    np.testing.assert_array_equal(x.grad, [0, 0, 0.25])


def test_the_last_condition_that_holds_decides_and_pieces_may_be_nodes():
    x, level = Tensor([1.0, 2.0]), Tensor(5.0)
    y = np.piecewise(x, [x > 0, x > 1], [lambda v, k: k * v, level], 3.0)
    y.backward([1.0, 1.0])
    np.testing.assert_array_equal(y.data, [3.0, 5.0])
    np.testing.assert_array_equal(x.grad, [3.0, 0.0])
    assert level.grad == 1
    v = Value(2.0)
    ad.piecewise(v, [v < 0, v >= 0], [0, ad.square]).backward()
    assert v.grad == 4


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: np.apply_along_axis(np.sum, 0, x[:, :0]), ValueError, r"\(2, 0\)"),
        (lambda x: np.apply_along_axis(np.sum, 2, x), np.exceptions.AxisError, "axis 2"),
        (lambda x: np.apply_over_axes(lambda a, _: np.sum(a), x, [0]), ValueError, "0 dimensions"),
        (lambda x: np.piecewise(x, [x > 0], [1, 2, 3]), ValueError, "each of its 1 cond.* got 3"),
        (lambda x: np.geomspace(x, 0.0), ValueError, "zero"),
        (lambda x: np.linspace(x, 1.0, retstep=True), TypeError, "linspace.*'retstep'"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(Tensor(X))


@pytest.mark.parametrize("space", [np.linspace, np.logspace, np.geomspace])
@pytest.mark.parametrize("ends", [(-8.0, -0.5), (-1.0, -1.0), (np.array([1.0, -2.0]), -0.5)])
def test_ends_of_any_sign(space, ends):
    if space is np.geomspace and np.ndim(ends[0]):
        ends = np.abs(ends[0]), 0.5
    ours = space(*map(Tensor, ends), 5)
    np.testing.assert_allclose(ours.data, space(*ends, 5), rtol=1e-14)


def test_the_ends_of_a_range_share_its_derivative():
    start, stop = Value(1.0), Value(3.0)
    np.sum(np.linspace(start, stop, 5)).backward()
    assert (start.grad, stop.grad) == (2.5, 2.5)
    np.linspace(start, stop, 1)[0].backward()
    assert (start.grad, stop.grad) == (1, 0)
