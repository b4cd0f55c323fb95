"""Value: operators, constants, comparisons, refusals, NumPy functions of it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value
from autodiff.core import graph
from autodiff.ops.elementwise import elementwise

numbers = st.floats(0.1, 3.0)


@given(numbers, numbers)
def test_operators_compute_what_floats_do(a, b):
    x, y = Value(a), Value(b)
    for f in (
        lambda x, y: x + y,
        lambda x, y: x - y,
        lambda x, y: x * y,
        lambda x, y: x / y,
        lambda x, y: x**y,
        lambda x, y: -x + (+y),
        lambda x, y: abs(x - y),
    ):
        expected = f(a, b)
        for result in (f(x, y), f(x, b), f(a, y)):
            assert isinstance(result, Value)
            assert result.data == expected


@given(numbers, numbers)
def test_derivatives_in_closed_form(a, b):
    x, y = Value(a), Value(b)
    for result, dx, dy in (
        (x + y, 1, 1),
        (x - y, 1, -1),
        (x * y, b, a),
        (x / y, 1 / b, -a / b / b),
        (x**y, b * a ** (b - 1), a**b * math.log(a)),
        (b - x, -1, None),
        (b / x, -b / a / a, None),
        (b**x, b**a * math.log(b), None),
        (2 - y, None, -1),
        (x * x, 2 * a, None),
    ):
        slopes = ad.gradients(result, [x, y])
        assert slopes[0] == pytest.approx(dx or 0, rel=1e-14)
        assert slopes[1] == pytest.approx(dy or 0, rel=1e-14)


@pytest.mark.usefixtures("own_rows")
def test_partials_may_be_any_constants():
    twist = elementwise(lambda x, y: 2.5 * x + y * y, 2.5, lambda out, x, y: 2 * y, name="twist")
    turned = elementwise(lambda x, y: x * x - y, lambda out, x, y: 2 * x, -1, name="turned")
    degrees = elementwise(np.deg2rad, math.pi / 180)
    x, y = Value(3.0), Value(5.0)
    assert ad.gradients(twist(x, y), [x, y]) == [2.5, 10.0]
    assert ad.gradients(turned(x, y), [x, y]) == [6.0, -1.0]
    assert ad.gradients(degrees(x), [x]) == [math.pi / 180]


def test_a_number_costs_no_node():
    x = Value(2.0)
    y = 3 * x + 1
    assert [type(arg) for arg in y.inputs] == [Value, int]
    assert len(graph.ancestors(y)) == 3


@pytest.mark.parametrize(
    "number",
    [3, 3.0, True, np.float32(3), np.int8(3), np.bool_(True), Fraction(1, 3), np.array(2.0)],
)
def test_any_real_number_makes_one(number):
    assert Value(number).data == float(number)
    assert type(Value(number).data) is float
    if not isinstance(number, np.ndarray):
        assert (Value(2) * number).data == 2.0 * float(number)
        assert (number * Value(2)).data == 2.0 * float(number)
        assert isinstance(number * Value(2), Value)


@pytest.mark.parametrize("wrong", ["2", None, 1j, [1.0], np.ones(2), object()])
def test_only_real_numbers_are_accepted(wrong):
    with pytest.raises(TypeError, match="one real number"):
        Value(wrong)


@pytest.mark.parametrize("wrong", ["2", None, [1.0], {}, b"a"])
def test_operands_other_than_numbers_are_refused_by_name(wrong):
    x = Value(2.0)
    for f in (lambda: x + wrong, lambda: wrong * x, lambda: ad.maximum(x, wrong), lambda: x**wrong):
        with pytest.raises(TypeError, match=f"cannot take {type(wrong).__name__}"):
            f()


def test_other_classes_may_take_over():
    class Friend:
        def __radd__(self, other):
            return "friend"

    assert Value(1.0) + Friend() == "friend"
    with pytest.raises(TypeError, match="unsupported operand"):
        Value(1.0) * Friend()


@pytest.mark.parametrize(
    "leave",
    [
        float,
        int,
        complex,
        math.sin,
        math.sqrt,
        lambda v: [1, 2, 3][v],
        lambda v: np.array(v, float),
    ],
)
def test_implicit_conversion_is_refused(leave):
    with pytest.raises(TypeError, match=r"x\.data"):
        leave(Value(1.0))


def test_a_node_is_not_copied_implicitly():
    with pytest.raises(TypeError, match=r"Value\(x\.data\)"):
        Value(Value(1.0))
    with pytest.raises(TypeError, match=r"Value\(x\.data\)"):
        Value(Tensor(1.0))


def test_comparisons_look_at_numbers():
    x, y = Value(2.0), Value(3.0)
    assert x < y
    assert x <= 2
    assert y > x
    assert y >= 3.0
    assert x == 2
    assert x == Value(2.0)
    assert x != y
    assert (x == "2") is False
    assert bool(Value(0.0)) is False
    assert len({x, Value(2.0)}) == 2  # hash is identity
    with pytest.raises(TypeError):
        _ = x < "3"


def test_numpy_functions_and_object_arrays():
    x, y = Value(0.5), Value(0.25)
    assert isinstance(np.exp(x), Value)
    array = np.array([x, y])
    assert array.dtype == object
    for result in (
        np.exp(array),
        ad.exp(array),
        array * x,
        x * array,
        array + np.ones(2),
        ad.relu(array),
    ):
        assert all(isinstance(v, Value) for v in result)
    total = np.sum(np.tanh(array) * array)
    total.backward()
    assert x.grad == pytest.approx(np.tanh(0.5) + 0.5 / np.cosh(0.5) ** 2, rel=1e-14)


def test_a_value_among_arrays_is_a_tensors_variable():
    x = Value(2.0)
    y = (x * np.array([1.0, 2.0, 3.0]) + x).sum()
    assert isinstance(y, Tensor)
    y.backward()
    assert x.grad == 9.0
    assert type(x.grad) is float
    z = np.array([1.0, 2.0]) @ (x * np.array([3.0, 4.0]))
    assert ad.gradients(z, [x]) == [11.0]


@pytest.mark.parametrize(
    "f",
    [
        ad.sum,
        ad.mean,
        ad.max,
        ad.logsumexp,
        ad.ravel,
        lambda x: ad.reshape(x, (1, 1)),
        lambda x: ad.astype(x, np.float32),
        lambda x: ad.stack([x, x]) / 2,
        lambda x: ad.broadcast_to(x, (4,)) / 4,
        lambda x: ad.concatenate([ad.expand_dims(x, 0), np.ones(2)]),
    ],
)
def test_a_value_is_an_array_of_no_dimensions(f):
    x = Value(2.0)
    y = f(x)
    assert isinstance(y, Tensor)
    np.testing.assert_array_equal(y.data, f(2.0))
    y.backward(np.ones(y.shape))
    assert x.grad == 1.0
    (slope,) = ad.gradients(y, [x], np.ones(y.shape), record=True)
    assert getattr(slope, "data", slope) == 1.0


def test_functions_on_plain_numbers_stay_plain():
    assert ad.exp(0) == 1.0
    assert type(ad.exp(0.5)) is float
    assert ad.maximum(2, 3) == 3
    assert ad.where(True, 1.0, 2.0) == 1.0
    assert isinstance(ad.where(Value(1.0) > 0, Value(2.0), 3.0), Value)
    np.testing.assert_array_equal(ad.relu(np.array([-1, 2])), [0, 2])


def test_repr_and_format():
    y = Value(11.652071455, name="y")
    assert repr(y) == "Value(11.6521, name='y')"
    y.backward()
    assert repr(y) == "Value(11.6521, grad=1, name='y')"
    assert f"{y:.2f}" == "11.65"
    assert str(y) == repr(y) == f"{y}"


def test_subclasses_are_refused():
    with pytest.raises(TypeError, match="is final"):

        class _(Value):
            pass


def test_results_cannot_be_assigned():
    y = Value(1.0) + 1.0
    with pytest.raises(AttributeError, match="result of add"):
        y.data = 2.0


@pytest.mark.parametrize("kind", [Value, ad.Tensor])
def test_quotient_and_remainder(kind):
    x = kind(-7.5)
    for y in (divmod(x, 2), (x // 2, x % 2)):
        assert [float(part.data) for part in y] == [-4.0, 0.5]
        assert ad.gradients(y[1], [x]) == [1.0]
    assert [float(part.data) for part in divmod(-7.5, kind(2.0))] == [-4.0, 0.5]
    assert float((9 // kind(2.0)).data) == 4.0
    assert ad.gradients(9 % (z := kind(2.0)), [z]) == [-4.0]


@pytest.mark.parametrize("join", [np.dot, np.inner, np.outer, np.append, np.convolve])
def test_an_array_of_values_goes_with_a_value(join):
    x, y = Value(2.0), Value(3.0)
    joined = join(np.array([x, y]), x)
    found = ad.gradients(ad.sum(joined), [x, y])
    assert found == ([2.0, 1.0] if join is np.append else [7.0, 2.0])


def test_an_array_of_values_has_a_bessel_function_with_a_slope_at_zero():
    x, y = Value(0.0), Value(-0.0)
    slopes = ad.gradients(ad.sum(ad.bessel_i(np.array([x, y]), 1)), [x, y])
    assert slopes == [0.5, 0.5]


def test_an_array_like_one_of_values_is_filled_with_a_value():
    x = Value(2.0)
    filled = ad.full_like(np.array([x, x]), x)
    assert ad.gradients(np.sum(filled * filled), [x]) == [8.0]


@pytest.mark.parametrize("f", [ad.sin, lambda x: ad.logaddexp(x, x), lambda x: ad.maximum(x, 3.0)])
@pytest.mark.parametrize("x", [-0.5, 0.5, 4.0])
def test_a_slope_is_a_python_float(f, x):
    variable = ad.Value(x)
    f(variable).backward()
    assert type(variable.grad) is float
    assert type(ad.grad(f)(x)) is float
