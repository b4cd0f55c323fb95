"""The back end of native code: NumPy's numbers, warnings, errors and decisions."""

import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

pytest.importorskip("llvmlite")
pytest.importorskip("platformdirs")

from dataclasses import replace
from typing import Any

from cases import CASES
from functions import FUNCTIONS, one_array
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autodiff as ad
from autodiff import grad, jit, program, value_and_grad
from autodiff.core import trees
from autodiff.programs.backends.llvm import disk
from autodiff.programs.backends.llvm.calling import check
from autodiff.programs.backends.llvm.elementwise import BOOLS, FLOATS, WHOLE
from autodiff.programs.backends.llvm.grouping import grouped
from autodiff.programs.compiled import Native
from autodiff.programs.trace import Step
from autodiff.testing import expressions

RANDOM = np.random.default_rng(0)
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, np.inf, -np.inf, np.nan, 5e-324, 1e-310, 1e308, 710.0]
few = settings(max_examples=max(2, settings().max_examples // 10))  # LLVM compiles each


@pytest.fixture(scope="module", autouse=True)
def directory(tmp_path_factory):
    """A cache of its own, which the tests share."""
    where = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(disk.VARIABLE, str(where))
        yield where / "llvm"


def native(f, *args):
    """Return the program of a call, to be computed by native code."""
    return replace(program(f, *args), backend="llvm")


def is_whole(made):
    """Return whether one block computes a program."""
    steps = grouped(made).steps
    return len(steps) == 1 and isinstance(steps[0].function, Native)


def like(found, expected, rtol=1e-13):
    """Check that two containers have the same structure and types, and equal numbers."""
    assert trees.paths(found) == trees.paths(expected)
    for mine, theirs in zip(trees.leaves(found), trees.leaves(expected), strict=True):
        assert np.shape(mine) == np.shape(theirs)
        assert np.result_type(mine) == np.result_type(theirs)
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)


def like_or_refused(made, f, args, rtol):
    """Check a program on other data, which it may refuse since they decide otherwise."""
    try:
        found = made(*args)
    except ValueError as error:
        if "other branch" not in str(error):
            raise
    else:
        like(found, f(*args), rtol)


def same(f, *args, whole=True, rtol=1e-13):
    """Check the native program of `f`, which is one block if `whole`."""
    made = native(f, *args)
    assert is_whole(made) == whole
    with np.errstate(all="ignore"):
        like(made(*args), f(*args), rtol)
    return made


@pytest.mark.parametrize("name", sorted({*FLOATS, *WHOLE, *BOOLS} - {"chain"}))
@pytest.mark.parametrize("size", [1, 3, 300])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.bool_])
def test_elementwise_functions_are_numpys(name, size, dtype):
    function = getattr(np, name)
    random = np.random.default_rng(1)
    pool = np.array(SPECIAL if dtype in (np.float64, np.float32) else [0, 1, -1, 2, -7, 2**62])
    with np.errstate(all="ignore"):
        arrays = [random.choice(pool, size).astype(dtype) for _ in range(function.nin)]
    calm = [np.ones_like(x) for x in arrays]
    if dtype is np.bool_ and name in ("subtract", "negative", "sign"):
        return  # not defined
    try:
        with np.errstate(all="ignore"):
            function(*arrays)
    except (TypeError, ValueError):
        return
    made = native(lambda *x: [function(*x), x[0] == x[-1]], *calm)
    slack = 1e-13 if dtype is np.float64 else 1e-6
    with np.errstate(all="ignore"):
        for given_args in (calm, arrays):
            expected = function(*given_args)
            found = made(*given_args)[0]
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=slack)
            np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


REDUCTIONS = [np.sum, np.prod, np.max, np.min, np.mean, np.any, np.all]


@pytest.mark.parametrize("function", REDUCTIONS)
@few
@given(st.data())
def test_reductions_are_numpys(function, data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=40))
    axis = data.draw(st.none() | hnp.valid_tuple_axes(len(shape), min_size=1))
    keepdims = data.draw(st.booleans())
    x = RANDOM.uniform(0.9, 1.1, size=shape)
    f = lambda x: function(x * 1.5 - 0.5, axis=axis, keepdims=keepdims)  # noqa: E731
    same(lambda x: f(x) * 1, x, whole=True, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_many_numbers_are_nearly_exact(dtype):
    x = np.full(2_000_001, 0.1, dtype)  # rounded in one direction wherever a sum is long
    made = native(lambda x: np.sum(x * 3) + np.sum(x), x)
    exact = x.size * float(dtype(3) * x[0]) + x.size * float(x[0])
    assert abs(float(made(x)) - exact) <= 100 * float(np.finfo(dtype).eps) * exact


MOVES = {
    "slices": lambda x: x[1:, ::-2] + x[:-1, ::-2],
    "broadcast": lambda x: x[:, None, :1] * x[None, :, :],
    "transpose": lambda x: x.T * 2 + np.swapaxes(x, 0, 1),
    "reshape": lambda x: np.reshape(x, (-1,)) * 2 - x.ravel(),
    "reshape of a transpose": lambda x: np.reshape(x.T * 2, (-1,)) + 1,
    "stack": lambda x: np.stack([x, x * 2, -x], axis=1) * 3,
    "concatenate": lambda x: np.concatenate([x, x[:1] * 2]) - 1,
    "rows and columns": lambda x: (np.sum(x, 0) + np.sum(x, 1)[: x.shape[1]]) * 2,
    "standardized": lambda x: (x - np.mean(x, axis=1, keepdims=True)) / np.max(x, 0),
    "where": lambda x: np.where(x > 0.2, x * 2, np.exp(x)) + np.where(x == x, 1, 0),
    "softmax": lambda x: np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x))),
    "an element": lambda x: x[0, 1] * x[-1, -1] + x,
    "expand_dims": lambda x: np.expand_dims(x, 1) * np.squeeze(x[:, :1]),
}


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("side", [3, 20])
def test_moved_numbers(name, side):
    x = RANDOM.normal(size=(side, side))
    made = same(MOVES[name], x)
    for other in (x.T, x[::-1], np.asfortranarray(x), RANDOM.normal(size=(side, 2 * side))[:, ::2]):
        like(made(other), MOVES[name](other))


@pytest.mark.parametrize("side", [3, 40])
def test_products_and_numpy_between_blocks(side):
    a, b = RANDOM.normal(size=(2, side, side))
    f = lambda a, b: np.tanh(a + 1) @ (b * 2) @ a[0] + np.linalg.solve(a, b)[0]  # noqa: E731
    made = native(f, a, b)
    like(made(a, b), f(a, b), 1e-10)


@pytest.mark.parametrize("size", [4, 400])
def test_writes_in_place(size):
    def f(x):
        y = x * 2
        row = y[1:]
        row *= 3
        y[0] = row[1]
        np.add.at(y, [0, 0], 1.0)
        z = ad.zeros_like(x)
        z[1:-1] = y[2:] - y[:-2]
        z[:2] += x[-2:]
        return y * z, row

    x = RANDOM.normal(size=size)
    like(native(f, x)(x), f(x))
    g = grad(lambda x: np.sum(f(x)[0]))
    like(native(g, x)(x), g(x), 1e-12)


def test_the_callers_array_is_changed_once():
    def f(x):
        y = np.log(x) * 2 + 1
        x += 1
        return y + x

    made = native(f, np.ones(3))
    for start in (np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0])):
        one, other = start.copy(), start.copy()
        with np.errstate(all="ignore"):
            like(made(one), f(other))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", [3, 300])
def test_warnings_are_the_functions_own(size):
    f = jit(lambda x: np.log(x) * 2 - x, backend="llvm")
    x = np.ones(size)
    f(x)
    like(f(x + 1), np.log(x + 1) * 2 - x - 1)
    x[1] = 0
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        f(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(x + 1)
        with np.errstate(all="ignore"):
            found = f(-x)
    assert np.isnan(found[0])


def test_decisions_are_data():
    f = jit(lambda x: x * 2 + 1 if np.sum(x) > 0 else x * 3 - 1, backend="llvm")
    x = np.array([1.0, 2.0, 3.0])
    for k in range(3):
        for sign in (1, -1):
            y = sign * x + k
            expected = y * 2 + 1 if np.sum(y) > 0 else y * 3 - 1
            like(f(y), expected)
    with pytest.raises(ValueError, match=r"traced for the other branch of: line .*np\.sum"):
        native(lambda x: x * 2 + 1 if np.sum(x) > 0 else -x, x)(-x)


def test_scalars_are_of_the_functions_own_types():
    same(lambda x, n, y: (x * n + 1, np.sin(x) * n, y * 2 + n), 0.5, 3, np.float32(2.0))
    f = lambda x, n: {"a": x * n, "b": (x > 0.3) & (n > 2), "c": n * 2 + 1}  # noqa: E731
    made = native(f, 0.5, 3)
    for args in ((0.5, 3), (-2.5, 7), (0.1, -1)):
        found, expected = made(*args), f(*args)
        assert found == expected
    assert native(lambda x, n: (x * n - x, n * n), 0.5, 3)(0.5, 2**40) == (2.0**39 - 0.5, 2**80)


def test_whole_numbers_wrap_around():
    x = np.array([2**62, -(2**63), 5])
    same(lambda x: x * 3 + x, x)


def test_threads_share_a_program():
    size = 1000
    f = lambda x: np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x)))  # noqa: E731
    made = native(f, np.ones(size))
    wrong: list[Any] = []

    def work(seed):
        x = np.random.default_rng(seed).normal(size=size)
        wrong.extend(seed for _ in range(50) if not np.allclose(made(x), f(x), rtol=1e-12))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_results_are_the_callers_own():
    made = native(lambda x: (x * 2 + 1, np.sum(x * 2), x), np.ones(300))
    first, _, same_x = made(x := np.ones(300))
    first[...] = 0
    same_x[...] = 5
    assert np.all(x == 1)
    assert np.all(made(x)[0] == 3)


def wave(x):
    return np.sin(x) * np.exp(x) + np.log(x) * np.sum(x[::2])


def test_machine_code_is_kept_for_other_processes(directory, tmp_path):
    code = (
        "import numpy as np, dataclasses\n"
        "from autodiff import program\n"
        "def wave(x):\n    return np.sin(x) * np.exp(x) + np.log(x) * np.sum(x[::2])\n"
        "p = dataclasses.replace(program(wave, np.ones(3)), backend='llvm')\n"
        "print(p(np.ones(3)).tolist())"
    )
    printed = []
    for seed in ("1", "2"):
        here = {**os.environ, disk.VARIABLE: str(tmp_path), "PYTHONHASHSEED": seed}
        run = [sys.executable, "-c", code]
        done = subprocess.run(run, env=here, capture_output=True, text=True, check=True)
        printed.append(done.stdout)
        assert len([*(tmp_path / "llvm").iterdir()]) == 1
    assert printed[0] == printed[1]
    np.testing.assert_allclose(eval(printed[0]), wave(np.ones(3)), rtol=1e-15)


def test_damaged_machine_code_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv(disk.VARIABLE, str(tmp_path))
    x = np.array([1.0, 2.0, 3.0])
    for damage in (lambda data: data[:-1], lambda data: b"", lambda data: data[:40] + data[41:]):
        like(native(wave, x)(x), wave(x))
        (file,) = (tmp_path / "llvm").iterdir()
        whole = file.read_bytes()
        file.write_bytes(damage(whole))
        like(native(wave, x)(x), wave(x))
        assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_warns_once(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(disk.VARIABLE, str(tmp_path / "file"))
    x = np.array([1.0, 2.0])
    with pytest.warns(UserWarning, match="compiled code is not kept in"):
        like(native(wave, x)(x), wave(x))
    like(native(wave, x)(x), wave(x))
    monkeypatch.setenv(disk.VARIABLE, "off")
    assert disk.directory() is None
    like(native(wave, x)(x), wave(x))


def test_memory_is_laid_out_as_expected():
    check()


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@settings(max_examples=1)
@given(st.data())
def test_gradients_of_every_function(name, draw):
    case = draw.draw(CASES[name])
    one, other = (case.arrays(np.random.default_rng(seed), np.float64) for seed in (1, 2))
    ours = FUNCTIONS[name].ours

    def total(*arrays):
        result = one_array(case(ours, [*arrays]))
        return ad.sum(result * np.cos(np.arange(result.size)))

    f = grad(total, argnums=tuple(range(len(one))))
    made = native(f, *one)
    slack = 100 * max(case.slack, 1) * np.finfo(float).eps
    like(made(*one), f(*one), slack)
    like_or_refused(made, f, other, slack)


@few
@given(st.data(), st.booleans())
def test_random_programs(draw, tensors):
    drawn = draw.draw(expressions(tensors=tensors))

    def total(*inputs):
        out = drawn(*inputs)
        return ad.sum(out) if tensors else out

    f = value_and_grad(total, argnums=tuple(range(len(drawn.point))))
    made = native(f, *drawn.point)
    for scale in (1.0, 1.001):
        point = [x * scale for x in drawn.point]
        like_or_refused(made, f, point, 1e-11)


def test_the_gradient_of_a_network_is_one_block():
    def loss(w, v, x):
        return np.mean((np.tanh(x @ w) @ v - 1) ** 2)

    w, v, x = RANDOM.normal(size=(3, 4)), RANDOM.normal(size=4), RANDOM.normal(size=(5, 3))
    made = same(grad(loss, argnums=(0, 1)), w, v, x, rtol=1e-12)
    assert sum(isinstance(step, Step) for step in made.steps) > 10
