"""Deep, wide, shared and concurrent graphs. `python test_robust.py 1000000` runs them larger."""

import asyncio
import copy
import gc
import multiprocessing
import pickle
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from autodiff import Tensor, Value, draw, gradients, no_grad
from autodiff.graph import push

SIZE = 15_000


def chain(kind, size):
    """x + n x², step by step."""
    x = kind(1.0)
    y = x
    for _ in range(size // 3):
        y = y * 1.0 + x * x
    return x, y, 1.0 + 2.0 * (size // 3), 2.0 * (size // 3)


def fan(kind, size):
    """n/2 x² as the sum of n readers of one node."""
    x = kind(1.0)
    square = x * x
    y = sum([square * 0.5 for _ in range(size // 2)], kind(0.0))
    return x, y, float(size // 2), float(size // 2)


def everything(build, kind, size):
    """All that can be done with a graph, and that it is gone afterwards."""
    x, y, slope, curvature = build(kind, size)
    y.backward()
    assert x.grad == slope
    (first,) = gradients(y, [x], record=True)
    assert first.data == slope
    assert gradients(first, [x])[0] == curvature
    assert push({x: x.seed()}, [y])[y] == slope
    assert repr(y)
    assert len(draw(y, max_nodes=20).source) < 50_000
    for x2, y2 in (copy.deepcopy((x, y)), pickle.loads(pickle.dumps((x, y)))):
        y2.backward()
        assert x2.grad == slope
    gone = [weakref.ref(y), weakref.ref(y.inputs[0]), weakref.ref(first)]
    del y, first, x2, y2
    assert [ref() for ref in gone] == [None] * 3


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("build", [chain, fan])
def test_large_graphs(build, kind):
    gc.collect()
    gc.disable()
    try:
        everything(build, kind, SIZE if kind is Value else SIZE // 4)
    finally:
        gc.enable()


def in_small_stack(function, *args):
    """What a function returns, run in a thread with a stack of 256 KiB."""
    old = threading.stack_size(256 * 1024)
    try:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(function, *args).result()
    finally:
        threading.stack_size(old)


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 13),
    reason="CPython 3.13 nests up to 10,000 deallocations of any objects, whatever the stack",
)
@pytest.mark.parametrize("build", [chain, fan])
def test_large_graphs_on_a_small_stack(build):
    in_small_stack(everything, build, Value, SIZE)


def work(seed):
    """Some training, with what must not be recorded in between: the same numbers every time."""
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


def test_threads_give_the_answers_of_one():
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(work, range(8)))
    finally:
        sys.setswitchinterval(switch)
    assert found == [work(seed) for seed in range(8)]


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


def test_a_task_that_outlives_no_grad_records():
    """Also while another task is inside a no_grad of its own."""

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


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
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


if __name__ == "__main__":
    for build in (chain, fan):
        for kind in (Value, Tensor):
            everything(build, kind, int(sys.argv[1]))
        if sys.version_info[:2] != (3, 13):
            in_small_stack(everything, build, Value, int(sys.argv[1]))
        print(build.__name__, "of", sys.argv[1], "done")
