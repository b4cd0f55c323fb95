"""Arrays of other libraries: every function of the table on one as strict as CuPy's."""

import copy
from pathlib import Path

import arrays
import numpy as np
import pytest
from arrays import LACKS, PARTLY, outcomes
from functions import FUNCTIONS
from strict import FUNCTIONS as CUPYS
from strict import Missing, Strict, get

import autodiff as ad
from autodiff import (
    Tensor,
    checkpoint,
    custom_rule,
    elementwise_grad,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

X = np.array([[1.0, 2.0, 0.5], [-0.3, 0.7, 1.1]])


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_computes_in_the_library_of_its_arrays(name):
    found = outcomes(FUNCTIONS[name])
    failed = [outcome for outcome in found if outcome.error]
    for outcome in failed:
        assert not outcome.has, outcome.error
    if name in LACKS.split():
        assert len(failed) == len(found)
    elif failed:
        assert any(name in group.split() for group in PARTLY.values())


@pytest.mark.skipif(not hasattr(np, "matvec"), reason="NumPy before 2.2 has fewer functions")
def test_the_page_says_so():
    page = Path(__file__).parents[3] / "docs" / "arrays.md"
    assert page.read_text() == arrays.page({*FUNCTIONS})


def test_the_stand_in_is_strict():
    s = Strict(X)
    for refused in (
        lambda: np.asarray(s),
        lambda: np.array([s, s]),
        lambda: s + X,
        lambda: X * s,
        lambda: np.concatenate([s, X]),
        lambda: np.where(X > 0, s, 0),
        lambda: np.sum(s, where=X > 0),
        lambda: np.linalg.vector_norm(s),
        lambda: np.sum(s, initial=1.0),
        lambda: s.argsort(kind="stable"),
        lambda: np.maximum.reduce(s),
        lambda: np.equal(s, s, order="C"),
    ):
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(ValueError, match="fill"):
        s[0] = X[0]
    with pytest.raises(Missing, match=r"no linalg\.eig"):
        np.linalg.eig(s[:, :2])
    assert isinstance(np.sum(s), Strict)
    assert isinstance(s[0] * 2.0 + np.float32(1), Strict)
    assert [*CUPYS["sort"].parameters] == ["a", "axis", "kind"]


def f(x):
    kept = np.sum(np.sort(x)[:, :2]) + np.linalg.norm(x) + np.sum(np.abs(np.fft.rfft(x)) ** 2)
    return np.sum(np.tanh(x @ np.swapaxes(x, 0, 1)) ** 2) + kept


def running(x):
    return np.cumsum(x, axis=1) * np.sum(x)


def in_place(x):
    y, z = np.zeros_like(x), x * 1.0
    y[0] = x[1] ** 2
    y[1] += 2 * x[0]
    y *= x
    for row in y:
        row /= 2
    y[:, [0, 1]] = y[:, [1, 0]]
    y.T[2] += x[:, 0]
    z[z > 1] = 0
    return np.sum(y**2) + np.sum(z * y)


def triple(x):
    return 3 * x


def descended(x):
    t = Tensor(x)
    for _ in range(3):
        f(t).backward()
        t.data -= 0.01 * t.grad
    return t.data


def seeded(x):
    t = Tensor(x)
    return gradients(t**2, [t], seed=x)[0]


@pytest.mark.parametrize(
    "use",
    [
        lambda x: grad(f)(x),
        lambda x: value_and_grad(f)(x),
        lambda x: jvp(f, (x,), (x,)),
        lambda x: vjp(running, x)[1](x),
        lambda x: jacobian(running)(x),
        lambda x: jacobian(running, mode="forward")(x),
        lambda x: jacobian(np.tanh)(x),
        lambda x: hessian(f)(x),
        lambda x: hvp(f, (x,), (x,)),
        lambda x: grad(lambda x: np.sum(grad(f)(x) ** 2))(x),
        lambda x: grad(in_place)(x),
        lambda x: jvp(in_place, (x,), (x,)),
        lambda x: elementwise_grad(np.tanh)(x),
        lambda x: grad(checkpoint(f))(x),
        lambda x: grad(lambda y: np.sum(custom_rule(vjp=lambda g, out, x: 3 * g)(triple)(y)))(x),
        lambda x: grad(lambda y: np.sum(x * y * x + y @ x.T @ y))(x),
        lambda x: grad(lambda d: np.sum(d["a"] * d["b"][0]))({"a": x, "b": [x]})["a"],
        lambda x: grad(lambda y: np.sum(y[x > 0.6] ** 2))(x),
        lambda x: grad(lambda y: np.sum(np.where(y > 0.6, y**2, 0)))(x),
        lambda x: grad(lambda y: np.sum(y[np.argsort(y[0]) % 2]))(x),
        lambda x: ad.ones_like(Tensor(x)).data,
        lambda x: np.argmax(Tensor(x)),
        lambda x: np.floor(Tensor(x)).astype(int),
        lambda x: copy.deepcopy(np.sum(Tensor(x) ** 2)).data,
        descended,
        seeded,
    ],
)
def test_transforms_and_writes_do_as_well(use):
    expected, found = use(X), use(Strict(X))
    if not isinstance(expected, tuple):
        expected, found = (expected,), (found,)
    for numpys, theirs in zip(expected, found, strict=True):
        assert isinstance(theirs, Strict)
        np.testing.assert_allclose(get(theirs), numpys, rtol=1e-12, atol=1e-12)


def test_an_element_is_a_view_in_a_library_without_scalars():
    x, theirs = Tensor(Strict(X)), Strict(X.copy())
    y = x * 1.0
    for array in (y, theirs):
        element = array[0, 0, ...] if array is theirs else array[0, 0]
        element += 1
        array[0, 1] = element
    np.testing.assert_array_equal(get(y.data), get(theirs))
    y.sum().backward()
    np.testing.assert_array_equal(get(x.grad), [[2, 0, 1], [1, 1, 1]])


def test_arrays_do_not_mix():
    for mixed in (lambda x: x * X, lambda x: X @ x.T, lambda x: np.concatenate([x, X])):
        with pytest.raises(TypeError, match=r"Unsupported type <class 'numpy\.ndarray'>"):
            mixed(Tensor(Strict(X)))


def test_coinciding_singular_values_of_another_library():
    eye = np.eye(2)

    def values(x):
        return np.sum(np.linalg.svd(x)[1] ** 2)

    np.testing.assert_allclose(get(grad(values)(Strict(eye))), 2 * eye)
    np.testing.assert_allclose(get(jvp(values, (Strict(eye),), (Strict(eye),))[1]), 4)

    def polar(x):
        u, _, vh = np.linalg.svd(x)
        return u @ vh

    with pytest.raises(np.linalg.LinAlgError, match="svd has no derivative"):
        grad(lambda x: np.sum(polar(x)))(Strict(eye))
    assert np.isnan(get(jvp(polar, (Strict(eye),), (Strict(eye + 1),))[1])).all()
