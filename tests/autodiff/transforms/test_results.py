"""Results of functions: object arrays of Values are arrays; other objects are refused by name."""

import inspect
import re
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, grad, gradients, hessian, jacobian, jvp, stop_gradient, vjp

TRANSFORMS = {
    "grad": lambda f: grad(f)(2.0),
    "value_and_grad": lambda f: ad.value_and_grad(f)(2.0),
    "elementwise_grad": lambda f: ad.elementwise_grad(f)(2.0),
    "vjp": lambda f: vjp(f, 2.0),
    "jvp": lambda f: jvp(f, (2.0,), (1.0,)),
    "hvp": lambda f: ad.hvp(f, (2.0,), (1.0,)),
    "jacobian": lambda f: jacobian(f)(2.0),
    "jacobian forward": lambda f: jacobian(f, mode="forward")(2.0),
    "jacobian of jacobian": lambda f: jacobian(jacobian(f))(2.0),
    "hessian": lambda f: hessian(f)(2.0),
    "has_aux": lambda f: grad(lambda x: (f(x), "aux"), has_aux=True)(2.0),
    "checkpoint": lambda f: ad.checkpoint(f)(Value(2.0)),
    "custom_rule": lambda f: ad.custom_rule(vjp=lambda g, out, x: g)(lambda x: f(x))(Tensor(2.0)),
    "check_grads": lambda f: ad.check_grads(f, 2.0),
}


def filled(*parts):
    array = np.empty(len(parts), object)
    for i, part in enumerate(parts):
        array[i] = part
    return array


def hashable(x):
    return float(x) if isinstance(x, np.ndarray) else x


ODD = {
    "set": lambda x: {hashable(x)},
    "frozenset": lambda x: frozenset([hashable(x)]),
    "iterator": lambda x: iter([x]),
    "generator": lambda x: (part for part in [x]),
    "map": lambda x: map(abs, [x]),
    "range": lambda x: range(3),
    "str": lambda x: "abc",
    "bytes": lambda x: b"abc",
    "None": lambda x: None,
    "bool": lambda x: True,
    "function": lambda x: abs,
    "object": lambda x: object(),
    "dict values": lambda x: {"a": x}.values(),
    "text array": lambda x: np.array(["a"]),
    "dates": lambda x: np.array(["2020-01-01"], "M8[D]"),
    "object array of strangers": lambda x: filled(x, None),
    "object array of text": lambda x: filled("a"),
    "object array of vectors": lambda x: filled(Tensor([1.0, 2.0]), Tensor([1.0, 2.0])),
    "list of sets": lambda x: [x, {hashable(x)}],
    "dict of iterators": lambda x: {"a": iter([x])},
    "tuple of object arrays": lambda x: (filled(x, "a"),),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("odd", ODD)
def test_a_result_without_a_derivative_is_refused_by_name(transform, odd):
    result, words = ODD[odd](2.0), []
    while isinstance(result, list | tuple | dict):
        words.append(type(result).__name__)
        result = [*(result.values() if isinstance(result, dict) else result)][-1]
    words.append("object array" if hasattr(result, "shape") else type(result).__name__)
    if hasattr(result, "shape"):
        words.append(str(result.dtype))
    with pytest.raises(TypeError, match="|".join(map(re.escape, words))):
        TRANSFORMS[transform](ODD[odd])


def test_no_transform_is_forgotten():
    public = {name for name in ad.__all__ if inspect.isfunction(getattr(ad, name))}
    found = {
        name for name in public if getattr(ad, name).__module__.startswith("autodiff.transforms")
    }
    # the first takes a node; the second has its own test below
    assert found <= {*TRANSFORMS} | {"gradients", "stop_gradient"}


@pytest.mark.parametrize("odd", [{Value(1.0)}, iter([Value(1.0)]), [{1.0}], filled(None)])
def test_stop_gradient_refuses_unknown_results(odd):
    with pytest.raises(TypeError, match="stop_gradient was given"):
        stop_gradient(odd)


def test_stop_gradient_stops_an_object_array():
    def f(x):
        return np.sum(np.array([x, x * x]) * stop_gradient(np.array([x, 3.0 * x])))

    assert grad(f)(2.0) == 2 + 4 * 6
    assert stop_gradient([None, "text", True, abs]) == [None, "text", True, abs]
    assert stop_gradient("text") == "text"


def pair(t):
    """Return an object array of Values and numbers."""
    return np.array([[t * t, 3 * t], [5.0, t * t * t]])


def test_an_object_array_of_values_is_an_ordinary_result():
    slopes = [[4.0, 3.0], [0.0, 12.0]]
    assert jacobian(lambda t: np.array([t * t, 3 * t]))(2.0).tolist() == [4.0, 3.0]
    for mode in ("reverse", "forward"):
        assert jacobian(pair, mode=mode)(2.0).tolist() == slopes
    output, tangent = jvp(pair, (2.0,), (10.0,))
    assert output.tolist() == [[4.0, 6.0], [5.0, 8.0]]
    assert output.dtype == tangent.dtype == float
    assert tangent.tolist() == [[40.0, 30.0], [0.0, 120.0]]
    output, pullback = vjp(pair, 2.0)
    assert output.dtype == float
    assert pullback(np.array([[1.0, 10.0], [100.0, 1000.0]])) == (4.0 + 30.0 + 12000.0,)
    assert ad.elementwise_grad(pair)(2.0) == 19.0
    assert jacobian(jacobian(pair))(2.0).tolist() == [[2.0, 0.0], [0.0, 12.0]]
    assert jacobian(jacobian(jacobian(pair)))(2.0).tolist() == [[0.0, 0.0], [0.0, 6.0]]
    assert hessian(lambda t: np.array([t**3]))(2.0) == 12.0
    assert grad(lambda t: np.array(t**3))(2.0) == 12.0
    assert ad.value_and_grad(lambda t: np.array([[t**3]]))(2.0)[1] == 12.0
    assert jacobian(lambda t: np.array([t, 1j * 0 + 2], object))(2.0).tolist() == [1.0, 0.0]
    assert jacobian(lambda t: np.empty((0, 2), object))(2.0).shape == (0, 2)
    ad.check_grads(pair, 2.0, order=2)


def test_a_gradient_of_several_values_names_the_jacobian():
    with pytest.raises(ValueError, match="jacobian"):
        grad(pair)(2.0)


def test_object_arrays_stand_in_containers():
    @dataclass
    class Result:
        parts: object
        label: str

    found = jacobian(lambda t: {"a": [pair(t), t], "b": Result(np.array([t * t]), "text")})(2.0)
    assert found["a"][0].tolist() == [[4.0, 3.0], [0.0, 12.0]]
    assert found["a"][1] == 1.0
    assert found["b"].parts.tolist() == [4.0]
    assert found["b"].label == "text"


def test_an_object_array_as_aux_is_plain_where_it_can_be():
    slope, aux = grad(lambda t: (t * t, np.array([t, "text", None])), has_aux=True)(2.0)
    assert slope == 4.0
    assert aux.tolist() == [2.0, "text", None]
    assert type(aux[0]) is float


def test_results_that_depend_on_outer_variables_stay_nodes():
    x = Value(3.0)
    found = jacobian(lambda t: np.array([t * x, t * t]))(2.0)
    assert isinstance(found, Tensor)
    assert gradients(found[0], [x]) == [1.0]


def test_an_object_array_of_values_is_an_ordinary_argument():
    x, y = Value(2.0), Value(3.0)
    output, pullback = vjp(lambda a, b: a[0] * a[1] * b, np.array([x, y]), 5.0)
    slopes, by_b = pullback(1.0)
    assert output.data == 30.0
    assert slopes.data.tolist() == [15.0, 10.0]
    assert by_b.data == 6.0
    assert gradients(slopes[0], [y]) == [5.0]
    assert ad.checkpoint(lambda a: a[0] * a[1])(np.array([x, y])).data == 6.0


@given(st.integers(0, 3), st.integers(1, 3), st.floats(-2, 2), st.sampled_from([1, 2, 3]))
def test_an_object_array_is_the_array_of_its_values(rows, columns, x, order):
    def entries(t):
        return [[(i + 1) * t ** (j + 2) for j in range(columns)] for i in range(rows)]

    by_values, by_array = (
        lambda t: np.array(entries(t), object).reshape(rows, columns),
        lambda t: ad.array(entries(t)).reshape(rows, columns),
    )
    for _ in range(order):
        by_values, by_array = jacobian(by_values), jacobian(by_array)
    found = by_values(x)
    assert found.dtype == float
    np.testing.assert_array_equal(found, by_array(x))
    powers = [[np.prod(np.arange(j + 3 - order, j + 3)) for j in range(columns)]] * rows
    for i in range(rows):
        for j in range(columns):
            expected = (i + 1) * powers[i][j] * x ** max(j + 2 - order, 0)
            assert found[i, j] == pytest.approx(expected)
