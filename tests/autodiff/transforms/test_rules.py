"""custom_rule and checkpoint."""

import pickle
import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, check_grads, checkpoint, custom_rule, grad, hessian, jvp
from autodiff.core import trees


@custom_rule(vjp=lambda g, out, x, power=3: g * power * x ** (power - 1))
def by_vjp(x, power=3):
    """x to a power."""
    return x**power


by_jvp = custom_rule(jvp=lambda t, out, x, power=3: t * power * x ** (power - 1))(
    lambda x, power=3: x**power
)
by_partials = custom_rule(partials=lambda out, x: 3 * x**2)(lambda x: x**3)
product = custom_rule(
    jvp=(lambda t, out, x, y: t @ y, lambda t, out, x, y: x @ t),
)(lambda x, y: np.matmul(x, y))


@pytest.mark.parametrize("cube", [by_vjp, by_jvp, by_partials])
@given(st.floats(-2, 2))
def test_one_statement_gives_both_modes_and_every_order(cube, x):
    assert cube(x) == x**3
    d = cube
    for expected in (3 * x**2, 6 * x, 6.0, 0.0):
        d = grad(d)
        assert d(x) == pytest.approx(expected)
    assert jvp(cube, (x,), (2.0,))[1] == pytest.approx(6 * x**2)
    assert jvp(grad(cube), (x,), (2.0,))[1] == pytest.approx(12 * x)
    assert grad(lambda x: jvp(cube, (x,), (2.0,))[1])(x) == pytest.approx(12 * x)
    check_grads(cube, np.array([x, 1.0]), order=2)


def test_custom_rules():
    assert isinstance(by_partials(Value(2.0)), Value)
    assert isinstance(by_vjp(Value(2.0)), Tensor)
    assert by_vjp(Tensor([2.0]), power=2).data == [4.0]
    assert grad(lambda x: by_vjp(x, power=2))(3.0) == 6.0
    assert by_vjp.__doc__ == "x to a power."
    assert pickle.loads(pickle.dumps(by_vjp)) is by_vjp
    rng = np.random.default_rng(0)
    check_grads(product, rng.standard_normal((2, 3)), rng.standard_normal((3, 4)), order=2)
    wrong = custom_rule(vjp=lambda g, out, x: 2 * g * x**2)(lambda x: x**3)
    with pytest.raises(AssertionError, match="disagree"):
        check_grads(wrong, 2.0)
    for told in ({}, {"partials": 1.0, "vjp": lambda g, out, x: g}):
        with pytest.raises(TypeError, match="partials="):
            custom_rule(**told)


@pytest.mark.parametrize(
    "rule",
    [lambda *args: args[0], lambda g: g, lambda g, out: g, partial(lambda g, out, x: g), 2.0],
)
@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_rules_name_their_arguments(rule, mode):
    with pytest.raises(TypeError, match=r"a rule of double .* such as \(g, out, x\)"):

        @custom_rule(**{mode: rule})
        def double(x):
            return 2 * x


def test_several_results():
    @custom_rule(jvp=lambda t, out, x: (np.cos(x) * t, -np.sin(x) * t))
    def sin_and_cos(x):
        return np.sin(x), np.cos(x)

    x = np.array([0.3, 1.2])
    check_grads(lambda x: sin_and_cos(x)[0] * sin_and_cos(x)[1] ** 2, x, order=2)
    np.testing.assert_allclose(
        ad.jacobian(lambda x: sin_and_cos(x)[1])(x), -np.diag(np.sin(x)), atol=1e-15
    )


def both(x, y):
    return x * y, np.sum(x, keepdims=True) * y


# a rule for each mode; the results differ in shape
SEVERAL = {
    "vjp": custom_rule(
        vjp=(
            lambda g, out, x, y: np.sum(g[0] * y, axis=0) + np.sum(g[1] * y),
            lambda g, out, x, y: np.sum(g[0] * x, axis=1, keepdims=True) + g[1] * np.sum(x),
        )
    )(both),
    "jvp": custom_rule(
        jvp=(
            lambda t, out, x, y: (t * y, np.sum(t) * y),
            lambda t, out, x, y: (x * t, np.sum(x) * t),
        )
    )(both),
}


@pytest.mark.parametrize("mode", SEVERAL)
@pytest.mark.parametrize(
    "read",
    [
        lambda u, v: np.sum(u * u),
        lambda u, v: np.sum(v**3),
        lambda u, v: np.sum(np.sin(u) * v),
        lambda u, v: (u, v),
    ],
)
def test_a_function_may_return_a_tuple(mode, read):
    x, y = np.array([0.3, 1.2, -0.5]), np.array([[0.7], [1.1]])
    check_grads(lambda x, y: read(*SEVERAL[mode](x, y)), x, y, order=2)  # both modes


def test_every_order_of_a_tuple():
    sin_cos = custom_rule(vjp=lambda g, out, x: g[0] * np.cos(x) - g[1] * np.sin(x))(
        lambda x: (np.sin(x), np.cos(x))
    )
    first, x = grad(lambda x: sin_cos(x)[0]), 0.4
    second = grad(first)
    third = grad(second)
    found = [first(x), second(x), third(x), grad(third)(x)]
    assert found == pytest.approx([np.cos(x), -np.sin(x), -np.cos(x), np.sin(x)])


@pytest.mark.parametrize("gave", [lambda t: t, lambda t: (t,), lambda t: (t, t, t)])
def test_a_rule_must_return_a_tangent_for_each_result(gave):
    pair = custom_rule(jvp=lambda t, out, x: gave(t))(lambda x: (x, 2 * x))
    with pytest.raises(TypeError, match="a tuple of 2 tangents, one for each result"):
        jvp(pair, (np.ones(3),), (np.ones(3),))


def test_the_shapes_of_several_results_are_checked():
    pair = custom_rule(vjp=lambda g, out, x: g[0][:2], jvp=lambda t, out, x: (t, t[:2]))(
        lambda x: (x, 2 * x)
    )
    with pytest.raises(ValueError, match=r"returned shape \(2,\), but must return shape \(3,\)"):
        jvp(pair, (np.ones(3),), (np.ones(3),))
    with pytest.raises(ValueError, match=r"returned shape \(2,\), but must return shape \(3,\)"):
        grad(lambda x: np.sum(pair(x)[0]))(np.ones(3))


def test_a_rule_may_leave_broadcasting_to_the_engine():
    def by_x(g, out, x, y):
        return np.reshape(g * y, np.shape(out))

    times = custom_rule(vjp=(by_x, lambda g, out, x, y: g * x))(np.multiply)
    check_grads(times, np.array([1.0, 2.0, 3.0]), np.ones((2, 3)), order=2)
    check_grads(times, np.array(2.0), np.ones((2, 3)), order=2)


def test_one_node_may_stand_for_several_results():
    def twice(t, out, x):
        tangent = 3 * t
        return tangent, tangent

    tripled = custom_rule(jvp=twice)(lambda x: (3 * x, 3 * x))
    x = np.array([1.0, 2.0])
    check_grads(lambda x: (lambda y: np.sum(y[0] * y[1]))(tripled(x)), x, order=2)
    pair = checkpoint(lambda x: (y := x * x, y))
    slope = grad(lambda x: np.sum(pair(x)[0] + 10 * pair(x)[1]))(x)
    np.testing.assert_array_equal(slope, 22 * x)
    slope = grad(lambda x: (lambda y: np.sum(y[0] + 10 * y[1]))(pair(x)))(x)
    np.testing.assert_array_equal(slope, 22 * x)


@checkpoint
def block(x, options):
    y = np.tanh(x * options["scale"]) * np.exp(-x)
    return {"y": y, "total": np.sum(y * y)}


def test_checkpoints_change_no_derivative():
    def f(x, scale, block=block):
        inner = block(x, {"scale": scale, "name": "inner"})
        outer = block(inner["y"], {"scale": 2.0})
        return outer["total"] + inner["total"] * np.sum(outer["y"])

    def plain(x, scale):
        return f(x, scale, block.__wrapped__)

    x = np.array([0.5, -1.0, 0.2])
    for by in (0, 1, (0, 1)):
        ours, theirs = grad(f, by)(x, 1.5), grad(plain, by)(x, 1.5)
        for a, b in zip(trees.leaves(ours), trees.leaves(theirs), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)
    np.testing.assert_allclose(hessian(f)(x, 1.5), hessian(plain)(x, 1.5), rtol=1e-12)
    check_grads(f, x, 1.5, order=2)
    assert f(x, 1.5) == plain(x, 1.5)


def test_a_checkpoint_needs_all_nodes_as_arguments():
    w = Value(2.0)
    with pytest.raises(TypeError, match="not among its arguments"):
        grad(lambda x: checkpoint(lambda x: w * x)(x))(1.0)


def test_a_checkpoint_keeps_its_arguments_as_they_were():
    constant = np.array([2.0, 3.0])
    x = Tensor([1.0, 1.0])
    y = checkpoint(lambda x, c: x * x * c)(x, constant).sum()
    constant[:] = 0
    y.backward()
    np.testing.assert_array_equal(x.grad, [4.0, 6.0])


def test_checkpoints_save_memory():
    def deep(x):
        for _ in range(10):
            x = np.sin(np.exp(-x * x))
        return x

    def peak(part):
        x = Tensor(np.linspace(0, 1, 20_000))
        tracemalloc.start()
        y = x
        for _ in range(10):
            y = part(y)
        y.sum().backward()
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size, x.grad

    (plain, slope), (saved, same) = peak(deep), peak(checkpoint(deep))
    np.testing.assert_allclose(slope, same, rtol=1e-12)
    assert saved < plain / 3
