"""vjp, jvp, hvp, hessian and both modes of jacobian, against each other and nested."""

import dataclasses
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import (
    Tensor,
    Value,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)
from autodiff.core import trees

Point = namedtuple("Point", "x y")


@dataclasses.dataclass(frozen=True)
class Layer:
    weight: object
    bias: object
    activation: str = "tanh"


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def curvature(x):
    """Return the Hessian of Rosenbrock's function in closed form."""
    n = len(x)
    H = np.zeros((n, n))
    for i in range(n - 1):
        H[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        H[i, i + 1] = H[i + 1, i] = -400 * x[i]
        H[i + 1, i + 1] += 200
    return H


points = st.integers(2, 5).flatmap(
    lambda n: st.lists(st.floats(-2, 2), min_size=n, max_size=n).map(np.array)
)


@given(points, st.integers(0, 9))
def test_second_order_four_ways(x, seed):
    H = curvature(x)
    v = np.random.default_rng(seed).standard_normal(len(x))
    close = {"rtol": 1e-12, "atol": 1e-9}
    np.testing.assert_allclose(hessian(rosenbrock)(x), H, **close)
    np.testing.assert_allclose(hvp(rosenbrock, (x,), (v,))[0], H @ v, **close)
    for outer in ("reverse", "forward"):
        np.testing.assert_allclose(jacobian(grad(rosenbrock), mode=outer)(x), H, **close)

    def slope(x):  # forward mode inside
        return jvp(rosenbrock, (x,), (v,))[1]

    np.testing.assert_allclose(grad(slope)(x), H @ v, **close)  # reverse over forward
    np.testing.assert_allclose(jvp(slope, (x,), (v,))[1], v @ H @ v, **close)  # forward twice
    np.testing.assert_allclose(
        vjp(grad(rosenbrock), x)[1](v)[0], v @ H, **close
    )  # reverse over reverse


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_perturbations_are_not_confused_in_any_nesting(x, y):
    def reverse(f):
        return grad(f)

    def forward(f):
        return lambda x: jvp(f, (x,), (1.0,))[1]

    for outer in (reverse, forward):
        for inner in (reverse, forward):
            # d/dx of x · d(x + y)/dy is 1 (Siskind and Pearlmutter 2005)
            assert outer(lambda x, inner=inner: x * inner(lambda y: x + y)(y))(x) == 1.0
            assert outer(lambda x, inner=inner: x * inner(lambda y: x * x * y)(x))(
                x
            ) == pytest.approx(3 * x * x)
            third = outer(inner(outer(lambda x: np.sin(x) * x)))
            assert third(x) == pytest.approx(-3 * np.sin(x) - x * np.cos(x))


def test_the_two_modes_and_the_jacobian_agree():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((3, 4))

    def f(x, y):
        return {"product": np.tanh(A @ x) * y, "sum": (np.sum(x * x), y)}

    x, y = rng.standard_normal(4), rng.standard_normal(3)
    J = {mode: jacobian(f, (0, 1), mode=mode)(x, y) for mode in ("reverse", "forward")}
    for a, b in zip(trees.leaves(J["reverse"]), trees.leaves(J["forward"]), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)
    output, pullback = vjp(f, x, y)
    v = rng.standard_normal(4), rng.standard_normal(3)
    pushed_output, pushed = jvp(f, (x, y), v)
    w = trees.mapped(lambda leaf: rng.standard_normal(np.shape(leaf)), output)
    pulled = pullback(w)
    assert list(pushed) == list(output) == list(pushed_output)
    inner = sum(np.sum(a * b) for a, b in zip(trees.leaves(w), trees.leaves(pushed), strict=True))
    assert inner == pytest.approx(sum(np.sum(a * b) for a, b in zip(pulled, v, strict=True)))
    for part, (by_x, by_y) in (
        (pushed["product"], J["reverse"]["product"]),
        (pushed["sum"][0], J["reverse"]["sum"][0]),
    ):
        np.testing.assert_allclose(part, by_x @ v[0] + by_y @ v[1])
    np.testing.assert_array_equal(J["reverse"]["sum"][1][0], np.zeros((3, 4)))


def test_containers_of_every_kind():
    def loss(model, scale):
        hidden = np.tanh(model["layer"].weight @ model["point"].x + model["layer"].bias)
        return scale * np.sum(hidden) + model["list"][0] * model["point"].y

    model = OrderedDict(
        layer=Layer(np.ones((2, 3)), np.zeros(2)),
        point=Point(np.arange(3.0), 2.0),
        list=[3.0, (None, "name", True)],
    )
    value, slope = value_and_grad(loss)(model, 1.0)
    assert type(value) is np.float64
    assert type(slope) is OrderedDict
    assert slope["layer"].activation == "tanh"
    assert slope["layer"].weight.shape == (2, 3)
    assert type(slope["point"]) is Point
    assert slope["point"].y == 3.0
    assert slope["list"] == [2.0, (None, "name", True)]
    assert model["point"].y == 2.0
    np.testing.assert_allclose(slope["layer"].bias, 1 / np.cosh(3.0) ** 2)
    blocks = hessian(loss)(model, 1.0)
    assert blocks["point"].y["list"][0] == 1.0
    assert blocks["layer"].weight["point"].x.shape == (2, 3, 3)


def test_arguments_by_name():
    def f(x, y, *, scale=1.0):
        return scale * x * y**2

    assert grad(f, "y")(2.0, 3.0) == 12.0
    assert grad(f, "y")(2.0, y=3.0) == 12.0
    assert grad(f, ("scale", 0))(2.0, 3.0, scale=1.0) == (18.0, 9.0)
    assert hessian(f, "x")(2.0, 3.0) == 0.0
    for wrong in ("z", "scale"):
        with pytest.raises(TypeError, match=f"no argument {wrong!r}"):
            grad(f, wrong)(2.0, 3.0)


def test_auxiliary_results_are_plain():
    def f(x):
        y = x * x
        return np.sum(y), {"y": y, "label": "run"}

    x = np.array([1.0, 2.0])
    slope, aux = grad(f, has_aux=True)(x)
    np.testing.assert_array_equal(slope, 2 * x)
    assert type(aux["y"]) is np.ndarray
    assert aux["label"] == "run"
    (value, _), _ = value_and_grad(f, has_aux=True)(x)
    assert value == 5.0
    assert hessian(f, has_aux=True)(x)[1]["label"] == "run"
    assert jacobian(f, has_aux=True)(x)[0].tolist() == [2.0, 4.0]
    assert len(vjp(f, x, has_aux=True)) == len(jvp(f, (x,), (x,), has_aux=True)) == 3
    with pytest.raises(TypeError, match="pair"):
        grad(lambda x: x, has_aux=True)(1.0)


def test_results_are_plain_unless_nodes_go_in():
    x = np.array([1.0, 2.0])
    output, pullback = vjp(lambda x: x * x, x)
    assert type(output) is type(pullback(x)[0]) is np.ndarray
    w = Tensor([1.0, 2.0])
    output, pullback = vjp(lambda x: w * x * x, x)
    assert isinstance(output, Tensor)
    (slope,) = ad.gradients(pullback(np.ones(2))[0].sum(), [w])
    np.testing.assert_array_equal(slope, 2 * x)
    # a cotangent may be a node too, and the pullback is linear in it
    _, pullback = vjp(lambda x: x**3, x)
    cotangent = Tensor([1.0, 1.0])
    (slope,) = ad.gradients(pullback(cotangent)[0].sum(), [cotangent])
    np.testing.assert_array_equal(slope, 3 * x**2)
    assert grad(lambda t: np.sum(jvp(lambda x: x**3, (x,), (t,))[1]))(x).tolist() == [3.0, 12.0]


def test_number_types():
    half = np.ones(2, np.float32)
    output, tangent = jvp(lambda x: x * 2.0, (half,), (half,))
    assert output.dtype == tangent.dtype == np.float32
    assert hessian(lambda x: np.sum(x**3))(half).dtype == np.float32
    assert jacobian(lambda x: x**2, mode="forward")(half).dtype == np.float32
    assert grad(lambda x: x**2)(np.float32(3)).dtype == np.float32
    for mode in ("reverse", "forward"):
        constant = jacobian(lambda x: np.ones(3, np.float32), mode=mode)(half)
        assert constant.dtype == np.float32
        assert constant.shape == (3, 2)
    assert jvp(lambda x: np.ones(3, np.float32), (half,), (half,))[1].dtype == np.float32
    assert type(grad(lambda x: x**2)(3)) is float


def test_complex_numbers():
    z = np.array([1.0 + 2.0j, -0.5j])
    # steepest descent: the gradient of |z|² is 2z
    np.testing.assert_allclose(grad(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * z)
    np.testing.assert_allclose(jacobian(np.exp)(z), np.diag(np.exp(z)))
    np.testing.assert_allclose(
        jacobian(lambda x: np.exp(1j * x))(np.array([0.5])), [[1j * np.exp(0.5j)]]
    )
    x = np.array([0.5, 0.7])
    np.testing.assert_allclose(
        jacobian(lambda x: np.exp(1j * x))(x), np.diag(1j * np.exp(1j * x)), rtol=1e-14
    )
    np.testing.assert_allclose(jvp(np.exp, (z,), (1j * z,))[1], 1j * z * np.exp(z))
    with pytest.raises(TypeError, match="not holomorphic"):
        jacobian(lambda z: np.conj(z) * z[::-1])(z)
    with pytest.raises(ValueError, match=r"complex.*autodiff\.real"):
        grad(lambda z: np.sum(z))(z)


@given(points)
def test_the_jacobian_of_an_elementwise_function_is_found_in_one_pass(x):
    calls = []
    ours = ad.custom_rule(partials=lambda out, x: calls.append(1) or 3 * x**2)(lambda x: x**3)
    J = jacobian(lambda x: np.sin(ours(x)) * x)(x)
    assert len(calls) == 1
    np.testing.assert_allclose(J, np.diag(np.sin(x**3) + 3 * x**3 * np.cos(x**3)), atol=1e-12)
    # a function that is elementwise at one point only is not
    J = jacobian(lambda x: np.sin(x) * x[::-1])(x)
    n = len(x)
    expected = np.diag(np.cos(x) * x[::-1])
    expected[range(n), range(n - 1, -1, -1)] += np.sin(x)
    np.testing.assert_allclose(J, expected, atol=1e-14)
    np.testing.assert_allclose(hessian(lambda x: np.sum(x**4))(x), np.diag(12 * x**2))


def test_constant_results():
    assert grad(lambda x: 5.0)(3.0) == 0.0
    np.testing.assert_array_equal(jacobian(lambda x: np.ones(2))(np.ones(3)), np.zeros((2, 3)))
    assert jvp(lambda x: 5.0, (1.0,), (1.0,)) == (5.0, 0.0)
    assert vjp(lambda x: 5.0, 1.0)[1](1.0) == (0.0,)
    assert elementwise_grad(lambda x: np.ones(2))(np.ones(2)).tolist() == [0.0, 0.0]
    assert jacobian(lambda x: x * 2)(np.ones(0)).shape == (0, 0)
    assert jacobian(lambda x: np.sum(x))(np.ones(0)).shape == (0,)
    assert jacobian(lambda x: x[:0])(np.ones(2)).shape == (0, 2)


def test_the_same_result_twice():
    _, pullback = vjp(lambda x: (x * x, x * x, x), 3.0)
    assert pullback((1.0, 10.0, 100.0)) == (166.0,)

    def shared(x):
        y = x * x
        return y, y

    _, pullback = vjp(shared, 3.0)
    assert pullback((1.0, 10.0)) == (66.0,)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: jvp(np.sin, 1.0, 1.0), TypeError, "tuples"),
        (lambda: jvp(np.sin, (1.0,), (1.0, 2.0)), ValueError, "1 primals but 2 tangents"),
        (
            lambda: jvp(np.sin, (np.ones(2),), (np.ones(3),)),
            ValueError,
            r"shapes \[\(3,\)\].*\(2,\)",
        ),
        (lambda: vjp(np.sin, np.ones(2))[1](1.0), ValueError, r"shapes \[\(\)\].*\(2,\)"),
        (lambda: grad(lambda x: "a")(1.0), TypeError, "returned .a. of type str"),
        (lambda: grad(lambda x: (x, x))(1.0), TypeError, "returned tuple.*vjp"),
        (lambda: grad(lambda x: x)("a"), TypeError, "no number or array to differentiate by.*str"),
        (lambda: jacobian(np.sin, mode="both"), ValueError, "'both'"),
        (lambda: elementwise_grad(lambda x: x * 1j)(np.ones(2)), TypeError, "complex.*jvp"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_function_may_write_to_its_argument_but_not_assign_its_data():
    def f(x):
        x[0] = 5.0 * x[1]
        return np.sum(x * x)

    given = np.ones(2)
    assert grad(f)(given).tolist() == [0.0, 52.0]
    assert hessian(f)(given).tolist() == [[0.0, 0.0], [0.0, 52.0]]
    assert jvp(f, (given,), (np.ones(2),))[1] == 52.0
    assert given.tolist() == [1.0, 1.0]

    def assigns(x):
        y = np.sum(x * x)
        x.data = np.zeros(2)
        return y

    with pytest.raises(RuntimeError, match=r"assigns assigned.*x\.copy\(\)"):
        grad(assigns)(given)

    def on_a_copy(x):
        y = x + 0
        y[0] = x[1] * 2
        return np.sum(y * y)

    assert grad(on_a_copy)(np.ones(2)).tolist() == [0.0, 10.0]


def test_stop_gradient():
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0
    assert stop_gradient({"a": Value(2.0), "b": "text"}) == {"a": 2.0, "b": "text"}


def test_an_assignment_to_a_leaked_variable_is_an_error():
    let_out = []

    def f(x):
        let_out.append(x * x)
        return np.sum(let_out[0] * 3)

    _, pullback = vjp(f, np.ones(2))
    let_out[0][0] = 5.0
    (slope,) = pullback(1.0)
    np.testing.assert_array_equal(slope, 6.0)
