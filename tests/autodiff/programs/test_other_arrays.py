"""Compiled functions on arrays of other libraries that speak NumPy's protocols."""

import numpy as np
import pytest
from strict import Strict, get

import autodiff as ad
from autodiff import grad, jit, value_and_grad
from autodiff.core import trees

A = np.arange(9.0).reshape(3, 3) / 7


def strict(array):
    return Strict(array.copy())


def dask(array):
    return pytest.importorskip("dask.array").from_array(array, chunks=len(array) // 2 + 1)


KINDS = {strict: get, dask: np.asarray}

FUNCTIONS = {
    "a sum": (grad(lambda x: np.sum(np.sin(x) ** 2)), A),
    "a network": (value_and_grad(lambda w, x: np.mean(np.tanh(x @ w) ** 2)), A, A + 1),
    "logsumexp": (value_and_grad(ad.logsumexp), A),
    "several results": (lambda x, n: {"x": x * n, "sum": x.sum()}, A, 2.0),
    "numbers": (lambda x: x[0] * x[1], A[0]),
    "a kink": (grad(lambda x: np.sum(np.maximum(x - 0.5, 0) * np.sqrt(x + 1))), A),
    "a large array": (grad(lambda x: np.sum(np.exp(x) * np.sin(x))), np.linspace(0, 1, 100_000)),
    "a branch": (lambda x: x * 2 if x[0, 0] > 0 else x * 3, A),
}


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_are_arrays_of_the_same_library(make, name):
    f, *args = FUNCTIONS[name]
    compiled = jit(f)
    for shift in (0, 1, 0):
        numbers = [x + shift if np.ndim(x) else x for x in args]
        found = compiled(*[make(x) if np.ndim(x) else x for x in numbers])
        if name != "a branch":
            compiled.__jitted__ = None  # only the program runs from now on
        expected = f(*numbers)
        for mine, theirs in zip(trees.leaves(found), trees.leaves(expected), strict=True):
            assert type(mine) is type(make(A))
            assert mine.dtype == theirs.dtype
            np.testing.assert_allclose(KINDS[make](mine), theirs, rtol=1e-13)
    assert len(compiled._programs) == 1 + (name == "a branch")


@pytest.mark.parametrize("make", KINDS)
def test_arrays_that_are_changed_are_so_once(make):
    def f(x):
        x[0] = x[0] + 1
        return np.sum(x)

    array, expected = make(A), A.copy()
    total = f(expected)
    with pytest.warns(UserWarning, match="uncompiled, since f changes arrays in place, which are"):
        found = jit(f)(array)
    np.testing.assert_allclose(KINDS[make](found), total)
    np.testing.assert_allclose(KINDS[make](array), expected)


def test_dask_arrays_stay_lazy():
    array = dask(A)
    compiled = jit(grad(lambda x: np.sum(np.exp(x))))
    compiled(array)
    computed = []
    lazy = array.map_blocks(lambda block: computed.append(1) or block, dtype=float)
    computed.clear()  # Dask has tried the function
    found = compiled(lazy)
    assert not computed
    np.testing.assert_allclose(np.asarray(found), np.exp(A))
    assert computed


def test_the_jax_back_end_leaves_them_to_themselves():
    pytest.importorskip("jax")
    compiled = jit(FUNCTIONS["a sum"][0], backend="jax")
    for _ in range(2):
        assert type(compiled(strict(A))) is Strict
