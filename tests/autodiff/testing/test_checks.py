"""`check_grads`: what it accepts, and its reports of wrong derivatives."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autodiff import KinkError, check_grads, checkpoint, custom_rule, relu
from autodiff.ops.elementwise import elementwise, exp
from autodiff.transforms.runs import Run


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


def message(f, *args, error=AssertionError, **options):
    with pytest.raises(error) as raised:
        check_grads(f, *args, **options)
    return str(raised.value)


wrong_sine = custom_rule(partials=lambda out, x: np.cos(x) * 1.0001)(np.sin)
wrong_second = custom_rule(vjp=lambda g, out, x: g * np.exp(getattr(x, "data", x)))(np.exp)
second_by_push = custom_rule(
    vjp=lambda g, out, x: g * np.exp(x), jvp=lambda t, out, x: t * np.exp(getattr(x, "data", x))
)(np.exp)
one_way = custom_rule(
    vjp=lambda g, out, x: g * 50 * np.cos(50 * x),
    jvp=lambda t, out, x: t * 50 * np.cos(50 * x) * (1 + 1e-11),
)(lambda x: np.sin(50 * np.abs(x)))


class Layer(NamedTuple):
    weights: Any
    bias: Any


def test_the_message_names_the_input_the_element_and_the_operation():
    def loss(params, x):
        hidden = np.tanh(params["first"].weights @ x) + params["first"].bias
        scaled = hidden * np.array([0.0, 0.0, 1.0])
        return np.sum(wrong_sine(scaled) * 3.0)

    params = {"first": Layer(np.ones((3, 2)), np.array([0.1, 0.2, 0.3]))}
    said = message(loss, params, np.array([0.5, 0.6]))
    for part in (
        "derivatives of loss disagree",
        "argument 0 (params['first'].weights[2, ",
        "reverse mode",
        "±",
        "step",
        "the smallest operation whose own rule disagrees is sin, number 5 of 7",
        "input 0",
    ):
        assert part in said
    assert "\n" not in said


def test_a_wrong_second_derivative_is_found_and_its_operation_named():
    def f(x):
        return np.sum(wrong_second(x * 2.0) * x)

    assert check_grads(f, np.array([0.5, 1.0]))
    said = message(f, np.array([0.5, 1.0]), order=2)
    assert "at order 2" in said
    assert "disagrees is exp" in said
    assert "at order 2" in message(second_by_push, 0.5, order=2)


def test_both_modes_are_held_against_each_other():
    """A difference of float64 would not see this error."""
    assert "disagree" in message(one_way, np.array([0.5, 1.0]))


def test_the_operation_to_blame_is_found_inside_a_checkpoint():
    inner = checkpoint(lambda x: np.exp(wrong_sine(x) * 2.0))
    said = message(lambda x: np.sum(checkpoint(lambda x: inner(x) + x)(x)), np.array([0.5, 1.0]))
    assert "disagrees is sin, number " in said


def test_a_matrix_that_is_not_kept_hermitian_is_no_fault_of_eigvalsh():
    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    said = message(lambda a: np.linalg.eigvalsh(a), a)
    assert "cholesky, eigh or eigvalsh" in said
    assert check_grads(lambda a: np.linalg.eigvalsh((a + a.T) / 2), a)
    blamed = message(lambda a: wrong_sine(np.linalg.eigvalsh((a + a.T) / 2)), a)
    assert "disagrees is sin" in blamed


def test_a_rule_that_loses_digits_is_found():
    f = custom_rule(partials=lambda out, x: (np.cos(x) + 1e6) - 1e6)(np.sin)
    assert "disagree" in message(f, np.array([0.5, 1.0]))


def test_an_inaccurate_svd_of_lapack_is_no_failure_of_pinv():
    for seed in 263, 900, 1131:  # the complex step is less accurate there than it claims
        assert check_grads(np.linalg.pinv, np.random.default_rng(seed).standard_normal((3, 3)))
    almost = custom_rule(vjp=lambda g, out, x: -(1 + 1e-11) * out.T @ g @ out.T)(np.linalg.inv)
    assert "operation whose own rule disagrees is inv" in message(almost, np.eye(3) + 0.3)


def test_a_derivative_lost_outside_the_graph_blames_no_rule():
    said = message(lambda x: x * getattr(x, "data", x), np.array([1.0, 2.0]))
    assert "each operation's own rule agrees" in said


@given(st.floats(1e-3, 1.0), st.integers(0, 3))
def test_any_wrong_element_is_found_by_either_way(factor, place):
    off = np.zeros(4)
    off[place] = factor
    f = custom_rule(partials=lambda out, x: 3 * x**2 + off)(lambda x: x**3)
    for each in (False, True):
        assert f"(x[{place}]" in message(lambda x: f(x), np.ones(4), elementwise=each)


def test_elements_one_by_one():
    checks = check_grads(lambda z: np.array([[0.0, 1.0]]).T * z, np.ones(1, complex),
                         elementwise=True)  # fmt: skip
    slopes = {check.at: round(check.forward, 9) for check in checks}
    assert slopes["Re z[0] → Re [1, 0]"] == slopes["Im z[0] → Im [1, 0]"] == 1
    assert np.sum(list(slopes.values())) == 2
    assert len(slopes) == 8


@given(hnp.arrays(complex, 3, elements=st.complex_numbers(min_magnitude=0.5, max_magnitude=2)))
def test_complex_functions_in_both_modes_and_orders(z):
    check_grads(
        lambda z: {"a": np.exp(z) * np.conj(z), "b": (abs(z[0]), np.fft.fft(z))}, z, order=2
    )


def test_a_complex_derivative_that_forgets_to_conjugate():
    op = custom_rule(vjp=lambda g, out, z: g * z * 2)(np.square)
    assert "disagrees is square" in message(op, np.array([1 + 2j]))


@given(st.sampled_from([relu, np.abs, np.floor, np.sign]), st.floats(-1e-7, 1e-7), st.booleans())
def test_a_kink_is_distinguished_from_a_failure(f, distance, each):
    x = np.array([1.5, distance, 0.5])
    said = message(lambda x: f(x) * 2.0, x, error=KinkError, elementwise=each)
    assert "kink" in said
    assert "(x[1]" in said


def test_a_kink_of_the_derivative():
    assert check_grads(lambda x: x * abs(x), 0.0)
    assert "at order 2" in message(lambda x: x * abs(x), 0.0, error=KinkError, order=2)


def test_the_complex_step_is_used_where_the_function_allows():
    (check,) = check_grads(lambda x: np.sum(np.sin(x)), np.ones(3), directions=1)
    assert check.method == "complex"
    assert check.error < 1e-12
    for f in (np.abs, lambda x: np.sin(x) + 1e-3 * np.abs(x), lambda x: np.linalg.norm(x)):
        (check,) = check_grads(f, np.ones(3), directions=1)
        assert check.method == "richardson"


def test_a_small_non_analytic_part_is_no_failure():
    """Too little for differences to see, so that the complex step seems to be allowed."""
    assert check_grads(lambda x: np.sin(x) + 1e-11 * abs(x), np.array([0.7, -0.3]))


def test_functions_that_change_their_argument_or_are_random():
    def changes(p):
        if isinstance(p["x"], np.ndarray):
            p["x"][1] = 7.0
        return np.sum(p["x"])

    x = np.ones(2)
    assert "changed its argument p['x'] in place" in message(changes, {"x": x})
    np.testing.assert_array_equal(x, 1)
    rng = np.random.default_rng(0)
    assert "called again" in message(lambda x: x * rng.random(), 1.0)


def test_shapes_and_dtypes_are_checked(monkeypatch):
    monkeypatch.setattr(Run, "push", lambda run, t: np.zeros(2, np.float32))
    assert "shape (2,) and dtype float32" in message(np.sin, np.ones(2))


def test_arguments_without_numbers_are_passed_on():
    f = lambda x, how, none=None: np.sum(x) if how == "sum" else x  # noqa: E731
    assert {check.argument for check in check_grads(f, 2.0, "sum", None)} == {0}
    with pytest.raises(TypeError, match="no number"):
        check_grads(f, "x", "sum")


def test_the_first_culprit_in_a_chain_is_named():
    def f(*xs):
        y = xs[0]
        for _ in range(20):
            y = wrong_sine(y * 0.5 + xs[1])
        return y

    said = message(f, 1.0, 0.5)
    assert "argument 0 (xs[0]" in said
    assert "disagrees is sin, number 3 of 60" in said
