"""nn.threads: BLAS uses one thread for small matrices, and its former number afterwards."""

import contextlib
import sys

import numpy as np
import pytest

from nn import SGD, TwoLayerNet, threads, train
from nn.training import threads_for  # pytest may have imported nn.threads under another name

threadpoolctl = pytest.importorskip("threadpoolctl")


@pytest.fixture(autouse=True)
def blas(monkeypatch):
    """A function that returns the thread numbers of BLAS; they are set to 3, without settings."""
    for name in threads.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers

    def numbers():
        return {library.num_threads for library in libraries}

    before = [library.num_threads for library in libraries]
    for library in libraries:
        library.set_num_threads(3)
    if numbers() != {3}:
        pytest.skip("a BLAS whose threads cannot be set")
    yield numbers
    assert numbers() == {3}  # restored
    for library, number in zip(libraries, before, strict=True):
        library.set_num_threads(number)


def training(blas, **settings):
    """Train a little; return the thread numbers at each step."""
    x = np.random.default_rng(0).standard_normal((12, 5))
    seen = []

    def progress(steps):
        for step in steps:
            seen.append(blas())
            yield step

    data = x, np.arange(12) % 3
    settings = {"iterations": 2, "batch_size": 4, "rng": 0, "progress": progress, **settings}
    train(TwoLayerNet(5, 6, 3, rng=0), data, data, **settings)
    return seen


def test_training_on_small_matrices_uses_one_thread(blas):
    assert training(blas) == [{1}] * 2


def test_training_on_large_matrices_uses_all_threads(blas, monkeypatch):
    monkeypatch.setitem(threads_for.__globals__, "SMALL", 4 * 5 * 6)  # the largest product of these
    assert training(blas) == [{1}] * 2
    monkeypatch.setitem(threads_for.__globals__, "SMALL", 4 * 5 * 6 - 1)
    assert training(blas) == [{3}] * 2


@pytest.mark.parametrize("name", ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_variable_of_the_environment_wins(blas, monkeypatch, name):
    monkeypatch.setenv(name, "3")
    assert training(blas) == [{3}] * 2
    monkeypatch.setenv(name, "")
    assert training(blas) == [{1}] * 2


@pytest.mark.parametrize("number", [2, 3])  # also the number in use already
def test_an_enclosing_limit_wins(blas, number):
    with threadpoolctl.threadpool_limits(number):
        assert training(blas) == [{number}] * 2
    with threadpoolctl.ThreadpoolController().limit(limits=number):
        assert training(blas) == [{number}] * 2
    limited = threadpoolctl.threadpool_limits.wrap(limits=number)(training)
    assert limited(blas) == [{number}] * 2
    del limited
    assert training(blas) == [{1}] * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, FloatingPointError])
def test_thread_numbers_are_restored_after_any_end(blas, error):
    def report(row):
        assert blas() == {1}
        raise error

    with contextlib.suppress(OSError, FloatingPointError):
        training(blas, report=report)
    assert blas() == {3}


def test_trainings_nest(blas):
    def report(row):
        assert training(blas) == [{1}] * 2
        assert blas() == {1}

    assert training(blas, report=report) == [{1}] * 2


def test_without_threadpoolctl_training_goes_on(blas, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert training(blas, optimiser=SGD(0.2)) == [{3}] * 2
