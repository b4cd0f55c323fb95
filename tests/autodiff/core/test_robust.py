"""Deep, wide, shared and concurrent graphs. `python -m tests.large` tries larger ones."""

import asyncio
import multiprocessing
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier, Event

import numpy as np
import pytest
from large import GRAPHS, chain, everything, fan, in_small_stack, uncollected

from autodiff import Tensor, Value, gradients, no_grad
from autodiff.core.graph import ancestors

SIZE = 9_000


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("build", GRAPHS)
def test_large_graphs(build, kind):
    deep = build in (chain, fan) and kind is Value
    with uncollected():
        everything(build, kind, SIZE if deep else SIZE // 3)


@pytest.mark.parametrize("build", [chain, fan])
def test_large_graphs_on_a_small_stack(build):
    in_small_stack(everything, build, Value, SIZE)


def work(seed):
    """Train a little, with unrecorded evaluations in between; return the numbers."""
    rng = np.random.default_rng(seed)
    w, v = Tensor(rng.normal(size=(3, 3))), Value(float(seed))
    for _ in range(10):
        loss = np.sum(np.tanh(w @ w) * v) + v * v
        loss.backward()
        with no_grad():
            frozen = w * v
            assert frozen.op is None
        (slope,) = gradients(np.sum(np.exp(w * 0.1)), [w], record=True)
        assert slope.op is not None
        w.data -= 0.01 * (w.grad + slope.data)
        v.data -= 0.01 * v.grad
    return w.data.tolist(), v.data


@pytest.fixture
def eight_threads():
    """A pool of threads that switch as often as possible."""
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            yield pool
    finally:
        sys.setswitchinterval(switch)


def test_threads_give_the_answers_of_one(eight_threads):
    assert list(eight_threads.map(work, range(8))) == [work(seed) for seed in range(8)]


def test_serial_numbers_are_increasing_and_unique(eight_threads):
    together = Barrier(8)

    def numbers(_):
        together.wait()
        return [Value(0.0).serial for _ in range(3000)]

    found = list(eight_threads.map(numbers, range(8)))
    assert all(serials == sorted(serials) for serials in found)
    assert len(set().union(*found)) == 8 * 3000


def test_no_grad_holds_for_one_thread(eight_threads):
    started = Barrier(9)
    entered, left = Event(), Event()

    def suspend():
        started.wait()
        with no_grad():
            entered.set()
            left.wait()

    def record():
        started.wait()
        entered.wait()
        return (Value(1.0) * 2.0).op

    suspended = eight_threads.submit(suspend)
    recorders = [eight_threads.submit(record) for _ in range(7)]
    started.wait()
    wait(recorders)
    left.set()
    suspended.result()
    assert None not in [recorder.result() for recorder in recorders]


def test_threads_share_a_graph(eight_threads):
    """Threads read, extend, differentiate and pickle a graph built by one of them."""
    constant = np.linspace(0.0, 1.0, 3)
    x, t = Value(2.0), Tensor(constant)
    y = x
    for _ in range(150):
        y = y + x * x

    def read(k, together):
        together.wait()
        x2, y2 = pickle.loads(pickle.dumps((x, y)))
        assert len(ancestors(y2)) == len(ancestors(y)) == 301
        z = np.sum(t * constant * y) * k
        return gradients(y2, [x2]), gradients(z, [x]), gradients(z, [t])[0].tolist()

    expected = [read(k, Barrier(1)) for k in range(8)]
    for _ in range(5):
        assert list(eight_threads.map(read, range(8), [Barrier(8)] * 8)) == expected


def test_tasks_give_the_answers_of_one():
    async def stepwise(power):
        x = Value(3.0)
        y = x
        for _ in range(power):
            with no_grad():
                await asyncio.sleep(0)
                assert (x * x).op is None
            await asyncio.sleep(0)
            y = y * x
        await asyncio.sleep(0)
        return gradients(y, [x])

    async def main():
        return await asyncio.gather(*[stepwise(power) for power in range(1, 6)])

    assert asyncio.run(main()) == [[(n + 1) * 3.0**n] for n in range(1, 6)]


def test_a_task_records_after_no_grad_has_ended():
    """Even while another task is inside its own no_grad."""

    async def late(closed):
        await closed.wait()
        return (Value(1.0) * 2.0).op

    async def suspend(entered, done):
        with no_grad():
            entered.set()
            await done.wait()

    async def main():
        closed, entered, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        other = asyncio.create_task(suspend(entered, done))
        await entered.wait()
        with no_grad():
            task = asyncio.create_task(late(closed))
        closed.set()
        op = await task
        done.set()
        await other
        return op

    assert asyncio.run(main()) is not None


def _in_child(graph, connection):
    x, y = graph
    y.backward()
    connection.send((x.grad, work(3)))


@pytest.mark.filterwarnings("ignore:.*fork")  # Python warns of fork with threads, JAX always
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    x = Value(3.0)
    child = context.Process(target=_in_child, args=((x, x * x), theirs))
    child.start()
    theirs.close()
    slope, trained = ours.recv()
    child.join()
    assert child.exitcode == 0
    assert slope == 6.0
    assert trained == work(3)
    assert x.grad is None
