"""Conversion of a node to a plain number: the error names the call and what to write instead."""

import math
from math import sqrt

import numpy as np
import pytest

import autodiff as ad
from autodiff import Tensor, Value, gradients

X = Tensor([1.0, 2.0])
V = Value(3.0)
PLAIN = np.zeros(3)
rng = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("use", "call", "advice"),
    [
        (lambda: np.array([X[0], X[1]]), "np.array([X[0], X[1]])", "call autodiff.array"),
        (lambda: np.array([V, X[1]]), "np.array([V, X[1]])", "call autodiff.array"),
        (lambda: np.asarray(X), "np.asarray(X)", "autodiff.array([x, y])"),
        (lambda: np.r_[X, 1.0], "np.r_[X, 1.0]", "autodiff.concatenate([x, [1.0]])"),
        (lambda: np.c_[X, X], "np.c_[X, X]", "autodiff.column_stack([x, y])"),
        (
            lambda: np.vectorize(math.exp)(X),
            "np.vectorize(math.exp)(X)",
            "autodiff.array([f(element) for element in x])",
        ),
        (lambda: np.random.normal(0, V), "np.random.normal(0, V)", "mean + scale * rng"),  # noqa: NPY002
        (lambda: rng.normal(0, X), "rng.normal(0, X)", "mean + scale * rng"),
        (lambda: rng.uniform(V), "rng.uniform(V)", "mean + scale * rng"),
        (lambda: rng.choice(X), "rng.choice(X)", "x[rng.integers(len(x))]"),
        (lambda: math.sqrt(V), "math.sqrt(V)", "call autodiff.sqrt"),
        (lambda: sqrt(X[0]), "sqrt(X[0])", "call autodiff.sqrt, or"),
        (lambda: math.fsum([V]), "math.fsum([V])", "autodiff.array([x, y])"),
        (lambda: np.sum([X[0], V]), "np.sum([X[0], V])", "call autodiff.sum"),
        (lambda: np.full(3, X), "np.full(3, X)", "call autodiff.full"),
        (lambda: np.ones(2).dot(X), "np.ones(2).dot(X)", "call autodiff.dot"),
        (lambda: float(V), "float(V)", "read x.data"),
        (lambda: [1, 2, 3][V], "[1, 2, 3][V]", "read x.data"),
        (lambda: "%f" % V, '"%f" % V', "read x.data"),  # noqa: UP031
        (lambda: PLAIN.__setitem__(0, V), "PLAIN.__setitem__(0, V)", "read x.data"),
        (lambda: ad.exp([X[0], V]), "ad.exp([X[0], V])", "autodiff.array([x, y])"),
        (lambda: np.float64(V) + 1.0, "np.float64(V)", "read x.data"),
        (
            lambda: np.array(
                [X[0], X[1], *[X[1], X[1], X[1], X[1]], *[X[1], X[1], X[1], X[1], X[1], X[1]]]
            ),
            "np.array( [X[0], X[1], *[X[1],",
            "...: a Tensor",
        ),
    ],
)
def test_the_error_names_the_call_and_what_to_write(use, call, advice):
    with pytest.raises(TypeError) as caught:
        use()
    message = str(caught.value)
    assert message.startswith(call)
    assert advice in message
    assert "read x.data to leave the graph" in message


def test_an_assignment_to_a_plain_array_names_the_array_to_write_into():
    with pytest.raises(TypeError, match=r"^PLAIN\[0\]: a Value .*autodiff\.zeros\(shape\)"):
        PLAIN[0] = V
    with pytest.raises(TypeError, match=r"^PLAIN\[:2\]: a Tensor .*autodiff\.zeros\(shape\)"):
        PLAIN[:2] = X
    with pytest.raises(
        ValueError, match="array element"
    ) as caught:  # NumPy's error, caused by ours
        PLAIN[0] = X[0]
    assert "autodiff.zeros(shape)" in str(caught.value.__cause__)


def test_the_error_without_source_omits_the_call():
    with pytest.raises(TypeError, match=r"^a Value does not turn"):
        eval("float(V)")


def test_non_ascii_source_is_cut_at_the_right_place():
    π = V
    with pytest.raises(TypeError, match=r"^math\.sqrt\(π\): "):
        _ = ("äöü", math.sqrt(π))


def test_what_works_instead():
    x, v = Tensor([1.0, 2.0]), Value(3.0)

    def draws(mean):
        return mean + 2.0 * np.random.default_rng(0).standard_normal(4)

    for made, slope in (
        (ad.array([x[0], x[1]]), [1.0, 1.0]),
        (ad.concatenate([x, [1.0]]), [1.0, 1.0]),
        (ad.column_stack([x, x]), [2.0, 2.0]),
        (ad.array([part * part for part in x]), [2.0, 4.0]),
        (draws(x[0]), [4.0, 0.0]),
        (ad.full((2, 2), x), [2.0, 2.0]),
        (x[np.random.default_rng(0).integers(2, size=5)] * 0.0 + x.sum(), [5.0, 5.0]),
    ):
        np.testing.assert_allclose(gradients(made.sum(), [x])[0], slope)
    # these work on Values, in object arrays
    for made, slope in (
        (np.array([v, 1.0]), 1.0),
        (np.r_[v, 1.0], 1.0),
        (np.vectorize(lambda y: y * y)(np.array([v, v])), 12.0),
        (np.full(3, v), 3.0),
    ):
        assert gradients(np.sum(made), [v]) == [slope]
