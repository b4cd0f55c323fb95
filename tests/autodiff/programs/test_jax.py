"""Compiled functions through `jax.numpy`: NumPy's numbers, dtypes, errors, and warnings."""

import sys
import warnings

import numpy as np
import pytest
from cases import CASES
from functions import FUNCTIONS, one_array
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import grad, hessian, jit, value_and_grad
from autodiff.core import trees
from autodiff.testing import expressions

jax = pytest.importorskip("jax")

X = np.array([0.5, -1.25, 2.0])
A = np.arange(9.0).reshape(3, 3) / 7
DEEP = settings().max_examples > 5
ROUNDING = {"polydiv"}
"""Functions in which rounding errors decide a branch."""
SAMPLE = sorted(FUNCTIONS.keys() - ROUNDING)[:: 1 if DEEP else 9]
"""Names of functions; XLA takes a tenth of a second for each of their derivatives."""
one_each = settings(max_examples=max(1, settings().max_examples // 10))


def compiled(f, **options):
    return jit(f, backend="jax", **options)


def like(found, expected, rtol=1e-13):
    """Check that two results have the same structure, shapes and dtypes, and equal numbers."""
    assert trees.paths(found) == trees.paths(expected)
    for mine, theirs in zip(trees.leaves(found), trees.leaves(expected), strict=True):
        assert not isinstance(mine, jax.Array)
        assert np.shape(mine) == np.shape(theirs)
        assert np.result_type(mine) == np.result_type(theirs)
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)


def on_device(found, expected, rtol=1e-13):
    """Check that results are arrays of JAX with the given numbers and dtypes."""
    for mine, theirs in zip(trees.leaves(found), trees.leaves(expected), strict=True):
        assert isinstance(mine, jax.Array)
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(np.asarray(mine), theirs, rtol=rtol, atol=rtol)


def holds(f, *calls, rtol=1e-13):
    """Check a compiled function on several arguments, twice; return it."""
    made = compiled(f)
    for args in [*calls, *calls]:
        mine, theirs = ([np.copy(x) if np.ndim(x) else x for x in args] for _ in range(2))
        like(made(*mine), f(*theirs), rtol)
        like(mine, theirs)  # which the function may have changed
    return made


def by_xla(made):
    """Return whether XLA computes all programs of a compiled function."""
    functions = [program._compiled.function.__self__ for program in made._programs]
    return all(x.jitted is not None and not x.refused for x in functions)


@pytest.mark.parametrize("name", SAMPLE)
@one_each
@given(st.data(), st.sampled_from([np.float64, np.float32]))
def test_gradients_of_functions(name, draw, dtype):
    case = draw.draw(CASES[name])
    one, other = (case.arrays(np.random.default_rng(seed), dtype) for seed in (1, 2))
    ours = FUNCTIONS[name].ours

    def total(*arrays):
        result = one_array(case(ours, [*arrays]))
        return ad.sum(result * np.cos(np.arange(result.size)).astype(dtype))

    f = grad(total, argnums=tuple(range(len(one))))
    made = compiled(f).program(*one)
    slack = 1000 * max(case.slack, 1) * np.finfo(dtype).eps
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", ".*NumPy computes this program")
        like(made(*one), f(*one), slack)
        try:
            found = made(*other)
        except ValueError as error:
            if "other branch" not in str(error):
                raise
        else:
            like(found, f(*other), slack)


@pytest.mark.parametrize("tensors", [False, True])
@settings(max_examples=max(4, settings().max_examples))
@given(st.data())
def test_random_programs(tensors, draw):
    drawn = draw.draw(expressions(tensors=tensors))

    def total(*inputs):
        out = drawn(*inputs)
        return ad.sum(out) if tensors else out

    f = value_and_grad(total, argnums=tuple(range(len(drawn.point))))
    made = compiled(f)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", ".*NumPy computes this program")
        for scale in (1.0, 1.001):
            point = [x * scale for x in drawn.point]
            like(made(*point), f(*point), 1e-11)


def loss(w, b, x):
    h = np.maximum(x @ w + b, 0)
    return np.mean(h**2) + ad.logsumexp(h)


def halved(x):
    while np.sum(x * x) > 1:
        x = x / 2
    return x


FUNCTIONS_OF_ARRAYS = {
    "a network": (value_and_grad(loss, argnums=(0, 1)), (A, X, A + 1), (A + 1, X, A)),
    "a hessian": (hessian(lambda x: np.sum(np.sin(x) ** 2 * x[0])), (X,), (X + 1,)),
    "complex": (grad(lambda z: np.sum(ad.real(np.exp(z) * z))), (X + 1j,), (X - 1j,)),
    "a branch": (lambda x: x * 2 if x[0] > 0 else x * 3, (X,), (-X,)),
    "a loop": (grad(lambda x: np.sum(halved(x) ** 3)), (X,), (10 * X,), (20 * X,)),
    "a mask": (grad(lambda x: np.sum(x[x > 0] ** 2)), (X,), (-X,), (X + 3,)),
    "masked rows": (lambda x: x[x[:, 0] > 0.5] * 2, (A,), (A + 1,), (A - 1,)),
    "nonzero": (lambda x: np.nonzero(x > 0)[0] * 2, (X,), (-X,)),
    "allclose": (lambda x: x if np.allclose(x, X) else -x, (X,), (X + 1,)),
    "a place as an index": (lambda x: [1.0, 2.0, 3.0][np.argmax(x)] * x, (X,), (-X,)),
    "an index": (lambda x: x[np.argmax(x)] * x, (X,), (-X,)),
    "indices": (lambda x: np.take(x, np.argsort(x)) + x[np.argsort(-x)], (X,), (-X,)),
    "triangles": (lambda a: (np.linalg.cholesky(a), np.linalg.eigh(a)[0]), (A + 3 * np.eye(3),)),
    "the upper one": (lambda a: np.linalg.eigvalsh(a, "U") + np.linalg.eigh(a, UPLO="U")[0], (A,)),
    "zeros": (lambda x: (np.sign(x), np.copysign(1, x % 2), np.copysign(1, -x % -2)), (0 * X,)),
    "numbers": (lambda x, n: (x * n, n + 1, x.sum(), x.shape[0]), (X, 2), (X, 3)),
    "outer products": (lambda x: (np.add.outer(x, x), np.multiply.reduce(x)), (X,)),
    "running": (lambda x: (np.add.accumulate(x), np.add.reduce(x, 1, None, None, True)), (A,)),
    "reductions": (lambda x: (np.add.reduce(x), np.maximum.reduce(x, axis=None)), (A,)),
}


@pytest.mark.parametrize("name", FUNCTIONS_OF_ARRAYS)
def test_functions_of_arrays(name):
    f, *calls = FUNCTIONS_OF_ARRAYS[name]
    assert by_xla(holds(f, *calls))


def views(x):
    y = x.copy()
    row, column, corner = y[1], y.T[0], y[1:, 1:].reshape(-1)[:1]
    row *= 2
    column += 1
    y[0] = row
    corner[...] = 7
    return y, row, column, y.reshape(-1)[::2] * 1


def assignments(x):
    y = np.zeros_like(x)
    y[1:] = x[:-1]
    y[:, 0] = 5
    y[y > 4] = 0.5
    y[np.array([0, 1]), np.array([1, 2])] = [2.0, 3.0]
    np.add.at(y, [0, 0], 1.0)
    np.maximum.at(y, ([0, 1], [0, 0]), 2.0)
    np.copyto(y, -1.0, where=x > 1)
    y[np.argsort(x[0])] += x
    y[np.argmax(x[:, 0])] = x[0]
    np.multiply(y, 2, out=y)
    np.sum(y, axis=0, out=y[0])
    y.sort(axis=0)
    return y


def in_place(x):
    before = np.sum(x)
    x[0] = 5
    x += 1
    return before * x


def recurrence(x):
    y = ad.zeros_like(x)
    for i in range(1, 3):
        y[i] = y[i - 1] * 0.5 + x[i] ** 2
    return np.sum(y * x)


@pytest.mark.parametrize("f", [views, assignments, in_place, grad(lambda x: recurrence(x[0]))])
def test_code_in_place(f):
    assert by_xla(holds(f, (A,), (A[::-1].copy(),)))


def test_an_index_that_names_an_element_twice_counts_the_last_number():
    def f(x):
        y = 0 * x
        y[np.minimum(np.argsort(x), 1)] = x
        return y

    assert by_xla(holds(f, (X,), (-X,)))

    def constant(x):
        y = 0 * x
        y[np.array([0, 0, 1])] = x
        return y

    with pytest.warns(UserWarning, match="an index names an element twice"):
        holds(constant, (X,))


def test_arrays_stay_unchanged_where_another_branch_is_taken():
    def f(x):
        x += 1
        return x * 2 if x[0] > 0 else x * 3

    holds(f, (X,), (-X - 1,), (X,))


def test_the_first_decision_that_differs_is_named():
    def f(x):
        y = x * 2 if x[0] > 0 else x * 3
        return y if x[1] < 0 else -y

    program = compiled(f).program(X)
    like(program(2 * X), f(2 * X))
    with pytest.raises(ValueError, match=r"other branch of: line .* if x\[0\] > 0"):
        program(-X)
    with pytest.raises(ValueError, match=r"other branch of: line .* if x\[1\] < 0"):
        program(np.abs(X))


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "uint8", "bool", "complex64"])
def test_dtypes(dtype):
    x, n = np.array([1, 0, 3], dtype), np.arange(3)

    def f(x, n, c):
        double = x * np.float64(2)
        return [x * 2, x + c, double, x / 3, x + n, np.sum(x), np.mean(x), x == n, np.sqrt(x * 1.0)]

    def sums(x):
        return [np.cumsum(x), np.prod(x), np.where(x == 0, x, 1), x.astype(int), x.sum(dtype="f8")]

    assert by_xla(holds(f, (x, n, 2.5), (x, n, 0.25), rtol=1e-6))
    if dtype != "complex64":
        assert by_xla(holds(sums, (x,), rtol=1e-6))


def test_numbers_that_are_not_whole_are_cut_off_as_by_numpy():
    made = holds(lambda x: (x.astype(int), x.astype("i1")), (X,), (-2 * X,))
    assert by_xla(made)
    with np.errstate(invalid="ignore"):
        holds(lambda x: x.astype(int), (X,), (X * [np.nan, 1e30, 1],))
    with pytest.warns(UserWarning, match="JAX's remainder may give other whole numbers"):
        holds(lambda x: np.remainder(x.astype(int), 2), (X,))


def test_results_are_the_callers_own():
    made = compiled(lambda x: (x, x, x[:2], x * 2, A))
    for _ in range(2):
        results = made(X)
        for k, array in enumerate(results):
            array[...] = 0
            assert all(np.any(other) for other in (X, A, *results[k + 1 :]))


def test_warnings_of_results_that_are_not_finite():
    f = grad(lambda x: np.sum(np.log(x)))
    g = compiled(lambda x: np.log(x))
    np.testing.assert_array_equal(compiled(f)(X + 2), f(X + 2))
    positive, zero = np.abs(X), np.abs(X) * [0, 1, 1]
    g(positive)
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="divide by zero encountered in log"):
            assert g(zero)[0] == -np.inf
    with np.errstate(divide="ignore"):
        assert g(zero)[0] == -np.inf
    with pytest.raises(FloatingPointError), np.errstate(divide="raise"):
        g(zero)
    assert np.isnan(g(positive * [np.nan, 1, 1])[0])  # without a warning
    inside = compiled(lambda x: 1 / (1 + np.exp(x)))
    inside(X)
    assert inside(1000 * np.abs(X))[0] < 1e-200  # NumPy's own warning is not given


ERRORS = {
    "an index": (lambda x, i: x[i], (X, np.array(1)), (X, np.array(3)), IndexError),
    "indices": (lambda x, i: x[:, i], (A, np.array([1])), (A, np.array([-4])), IndexError),
    "an index of take": (np.take, (X, np.array(1)), (X, np.array(3)), IndexError),
    "a place": (lambda x, i: _set(x, i), (X, np.array(1)), (X, np.array(3)), IndexError),
    "a matrix": (np.linalg.inv, (A + np.eye(3),), (np.zeros((3, 3)),), np.linalg.LinAlgError),
    "no root": (np.linalg.cholesky, (np.eye(3),), (-np.eye(3),), np.linalg.LinAlgError),
}


def _set(x, i):
    y = x * 2
    y[i] = 0
    return y


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_numpys(name):
    f, good, bad, kind = ERRORS[name]
    made = holds(f, good)
    assert by_xla(made)
    with pytest.raises(kind):
        made(*bad)
    with pytest.raises(kind):
        made.program(*good)(*bad)
    arrays = [*map(jax.device_put, good)], [*map(jax.device_put, bad)]
    made(*arrays[0])
    with pytest.raises(kind):
        made(*arrays[1])
    like(made(*good), f(*good))


def test_what_jax_lacks_is_computed_by_numpy():
    made = compiled(lambda a, x: np.linalg.lstsq(a, x, rcond=None)[0])
    a = A + np.eye(3)
    made(a, X)
    with pytest.warns(UserWarning, match=r"NumPy computes .* numpy.linalg.lstsq may give") as heard:
        np.testing.assert_allclose(made(a, X), np.linalg.solve(a, X))
    assert len(heard) == 1
    np.testing.assert_allclose(made(a, 2 * X), np.linalg.solve(a, 2 * X))
    with pytest.warns(UserWarning, match="JAX returns float32 of shape .* NumPy returns float64"):
        holds(np.dot, (np.arange(3), np.float32(X)))
    with pytest.warns(UserWarning, match="JAX has no arrays of"):
        holds(lambda x: x * 2, (X.astype(np.longdouble),))


def test_arrays_of_jax_stay_arrays_of_jax():
    f = value_and_grad(loss, argnums=(0, 1))
    made = compiled(f)
    before = jax.config.jax_enable_x64
    args = [np.float32(x) for x in (A, X, A + 1)]
    for _ in range(3):
        on_device(made(*map(jax.device_put, args)), f(*args), 1e-6)
    assert by_xla(made)
    assert jax.config.jax_enable_x64 == before
    assert jax.numpy.ones(3).dtype == (np.float64 if before else np.float32)
    doubles = compiled(lambda x: x * np.ones(3))
    for _ in range(2):
        on_device(doubles(jax.device_put(np.float32(X))), np.float64(X))
    branch = compiled(lambda tree: tree["x"] * 2 if tree["x"][0] > 0 else tree["x"] * 3)
    for x in (X, -X, X, -X):
        x = np.float32(x)
        on_device(branch({"x": jax.device_put(x)}), x * 2 if x[0] > 0 else x * 3, 1e-6)
    like(branch({"x": X}), X * 2)  # a program of its own
    no_warnings = compiled(lambda x: np.log(x))
    for _ in range(2):
        assert np.asarray(no_warnings(jax.numpy.zeros(3)))[0] == -np.inf


def test_special_values():
    special = np.array([0.0, -0.0, 1.0, -1.0, 2.5, -2.5, np.inf, -np.inf, np.nan, 0.5, 3.0])

    def unary(x):
        return [x % 2, np.sign(x), np.exp(x), np.log(x), np.sqrt(x), np.tanh(x), np.abs(x)]

    def binary(x, y):
        both = [np.maximum, np.minimum, np.power, np.hypot, np.arctan2, np.logaddexp, np.remainder]
        return [f(x, y) for f in both]

    def slope(x):
        return grad(lambda x: np.sum(np.where(x > 0, np.sqrt(np.abs(x)), 0) * np.log1p(x)))(x)

    for f, points in [
        (unary, [special]),
        (binary, np.meshgrid(special, special)),
        (slope, [special]),
    ]:
        made = compiled(f)
        args = [np.float32(x) for x in points]
        with np.errstate(all="ignore"):
            expected = f(*args)
        for _ in range(2):
            found = made(*map(jax.device_put, args))
            on_device(found, expected, 1e-5)
            for mine, theirs in zip(trees.leaves(found), trees.leaves(expected), strict=True):
                known = (theirs == 0) & (f is not binary)  # maximum(0, -0) is either zero
                signs = np.signbit(np.asarray(mine)) == np.signbit(theirs)
                assert np.all(signs[known])
        assert by_xla(made)


def test_arrays_of_jax_that_cannot_be_taken():
    array = jax.device_put(np.float32(X))
    with pytest.raises(TypeError, match=r"in_place changes x in place, but a jax.* copy it first"):
        compiled(in_place)(array)
    with pytest.warns(UserWarning, match=r"runs uncompiled, since x is a jax.*backend=\"jax\""):
        jit(lambda x: np.sum(x))(array)
    with pytest.warns(UserWarning, match="runs uncompiled, since array is a jax"):
        compiled(lambda x: np.sum(x * np.asarray(array)))(X)


def test_without_jax(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ImportError, match=r"backend='jax' needs jax, .*: pip install jax"):
        compiled(np.sin)
