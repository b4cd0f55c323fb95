"""Walks over the graph: order, sharing, depth, staleness, recording."""

import asyncio
import copy
import gc
import io
import pickle
import subprocess
import sys
import threading
import tracemalloc
import weakref
from itertools import accumulate, cycle, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Tensor, Value, exp, gradients, no_grad, trace
from autodiff.core.copies import Blocks
from autodiff.core.graph import ancestors
from autodiff.core.walks import push

kinds = pytest.mark.parametrize("kind", [Value, Tensor])


@kinds
def test_order_is_newest_first_and_shared_nodes_come_once(kind):
    x, y = kind(2.0), kind(3.0)
    product = x * y
    total = product + x
    assert [id(n) for n in ancestors(total)] == [id(n) for n in (total, product, y, x)]


@kinds
def test_backward_sets_rather_than_adds(kind):
    x = kind(3.0)
    y = x * x + x
    for _ in range(2):
        y.backward()
        assert x.grad == 7.0
        assert y.grad == 1.0
    z = x * 2.0
    z.backward()
    assert x.grad == 2.0


@kinds
def test_every_node_that_took_part_gets_a_gradient(kind):
    x, y = kind(3.0), kind(4.0)
    a = x * y
    b = exp(a) * 0.0 + y
    b.backward()
    assert (a.grad, x.grad, y.grad, b.grad) == (0.0, 0.0, 1.0, 1.0)


@kinds
def test_deep_chains_need_no_stack_no_collector_and_leave_nothing(kind):
    depth = 50_000 if kind is Value else 10_000
    gc.collect()
    gc.disable()
    try:
        x = kind(1.0)
        y = x
        for _ in range(depth):
            y = y * 1.0 + 0.0
        y.backward()
        assert x.grad == 1.0
        assert gradients(y, [x])[0] == 1.0
        assert push({x: 1.0 if kind is Value else np.ones(())}, [y]) == {y: 1.0}
        repr(y)
        middle = weakref.ref(y.inputs[0])
        del y
        assert middle() is None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_deep_chains_in_a_thread_with_a_small_stack():
    result = []

    def work():
        x = Value(1.0)
        y = x
        for _ in range(100_000):
            y = y * 1.0
        y.backward()
        # freed by the main thread, since CPython 3.13 nests up to 10,000 deallocations
        result.append((x.grad, y))

    old = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
    assert result.pop()[0] == 1.0


@kinds
def test_wide_graphs(kind):
    x = kind(1.0)
    total = kind(0.0)
    for _ in range(20_000):
        total = total + x
    total.backward()
    assert x.grad == 20_000


@kinds
def test_assignment_after_reading_is_an_error(kind):
    x = kind(2.0, name="weight")
    y = x * x
    x.data = 3.0
    with pytest.raises(RuntimeError, match="'weight' was assigned after multiply"):
        y.backward()
    with pytest.raises(RuntimeError, match="compute the expression again"):
        gradients(y, [x])
    z = x * x
    z.backward()
    assert x.grad == 6.0


def test_descent_by_augmented_assignment():
    v, t = Value(4.0), Tensor([4.0, 2.0])
    for x in (v, t):
        for _ in range(3):
            y = x * x if x is v else (x * x).sum()
            y.backward()
            x.data -= 0.25 * x.grad
    assert v.data == 0.5
    np.testing.assert_array_equal(t.data, [0.5, 0.25])


def test_constants_and_indices_can_be_changed_after_they_were_read():
    x = Tensor([1.0, 2.0, 3.0])
    constant, index, mask = (
        np.array([1.0, 2.0, 3.0]),
        np.array([0, 2]),
        np.array([True, False, True]),
    )
    pairs = [[0, 1], [1, 2]]
    matrix = np.eye(3)
    results = [
        x * constant,
        np.where(mask, x, 0.0),
        x[index],
        x[(index,)],
        x[mask],
        x[pairs],
        matrix @ x,
        constant - x,
    ]
    before = [gradients(y.sum(), [x])[0] for y in results]
    constant[:] = matrix[:] = 9.0
    index[:] = 1
    mask[:] = True
    pairs[0][0] = 2
    for y, slope in zip(results, before, strict=True):
        np.testing.assert_array_equal(gradients(y.sum(), [x])[0], slope)


def test_an_array_taken_from_a_variable_is_not_changed_later():
    x = Tensor([1.0, 2.0])
    mine = x.data
    x.data -= 1.0
    mine[0] = 5.0
    np.testing.assert_array_equal((x * 1.0).data, [5.0, 1.0])
    x.data = [3.0, 3.0]  # a new array; the old one belongs to the user
    mine[0] = 7.0
    np.testing.assert_array_equal((x * 1.0).data, [3.0, 3.0])


def test_in_place_changes_never_reach_what_was_recorded():
    source = np.array([1.0, 2.0])
    x = Tensor(source)
    y = (x * x).sum()
    source[:] = 100.0
    x.data[:] = 50.0  # affects only what is computed from now on
    y.backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])
    z = (x * x).sum()
    z.backward()
    np.testing.assert_array_equal(x.grad, [100.0, 100.0])
    with pytest.raises(RuntimeError, match="assigned after"):
        y.backward()
    with pytest.raises(ValueError, match="read-only"):
        z.data[...] = 0.0
    with pytest.raises(AttributeError, match="result of sum"):
        z.data = 0.0


def test_the_caller_may_change_gradients():
    x, y = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    seed = np.ones(2)
    one, other = gradients(x + y, [x, y], seed=seed)
    one *= 7
    np.testing.assert_array_equal(other, [1.0, 1.0])
    np.testing.assert_array_equal(seed, [1.0, 1.0])


def test_a_gradient_is_never_a_constant_of_the_expression():
    constant, weights = np.array(5.0), np.array([0.5, 0.5])
    x = Tensor(2.0)
    (slope,) = gradients(((x * constant) * weights).sum(), [x])
    slope += 1.0
    assert constant == 5.0
    (slope,) = gradients(x * constant, [x])
    slope += 1.0
    assert constant == 5.0


def test_gradients_of_unused_variables_are_zeros():
    x, unrelated, t = Value(1.0), Value(2.0), Tensor(np.ones((2, 2), np.float32))
    y = x * 3.0
    assert gradients(y, [unrelated, x]) == [0.0, 3.0]
    (zero,) = gradients(y, [t])
    assert zero.shape == (2, 2)
    assert zero.dtype == np.float32
    with pytest.raises(TypeError, match=r"gradients: the output 3.0 is a float"):
        gradients(3.0, [x])
    for alone in (x, t):
        with pytest.raises(TypeError, match=r"a list of nodes, \[x\]"):
            gradients(y, alone)
    with pytest.raises(TypeError, match="gradients: the input"):
        gradients(y, [2.0])


def test_gradients_touch_no_grad_and_reach_intermediate_results():
    x = Value(3.0)
    square = x * x
    y = square * square
    assert gradients(y, [square, x]) == [18.0, 108.0]
    assert x.grad is None


@kinds
def test_no_grad(kind):
    x = kind(3.0)
    with no_grad():
        y = x * x
        with no_grad():
            pass
        z = exp(y)
    assert y.op is None
    assert z.op is None
    assert (x * x).op is not None

    @no_grad()
    def f(x):
        return x * 2.0

    assert f(x).op is None
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (x * x).op is not None


def test_no_grad_holds_in_its_thread_only():
    inside, done = threading.Event(), threading.Event()

    def suspend():
        with no_grad():
            inside.set()
            done.wait()

    thread = threading.Thread(target=suspend)
    thread.start()
    inside.wait()
    x = Value(3.0)
    recorded = (x * x).op is not None
    done.set()
    thread.join()
    assert recorded


def test_no_grad_holds_in_its_task_only():
    async def suspended(start, stop):
        with no_grad():
            start.set()
            await stop.wait()
            return (Value(1.0) * 2.0).op

    async def recording(start, stop):
        await start.wait()
        op = (Value(1.0) * 2.0).op
        stop.set()
        return op

    async def both():
        start, stop = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(suspended(start, stop), recording(start, stop))

    off, on = asyncio.run(both())
    assert off is None
    assert on is not None


def test_threads_differentiate_shared_variables_independently():
    x = Value(3.0)
    found = []

    def work(power):
        for _ in range(200):
            y = x**power
            found.append(gradients(y, [x]) == [power * 3.0 ** (power - 1)])

    threads = [threading.Thread(target=work, args=(n,)) for n in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found)


@given(st.lists(st.sampled_from("+*x"), max_size=12), st.floats(-1.5, 1.5))
def test_second_derivatives_of_random_programs(steps, at):
    """A polynomial built step by step, against numpy.polynomial."""
    x = Value(at)
    node, exact = x, np.polynomial.Polynomial([0, 1])
    for step in steps:
        if step == "+":
            node, exact = node + x, exact + np.polynomial.Polynomial([0, 1])
        elif step == "*":
            node, exact = node * x, exact * np.polynomial.Polynomial([0, 1])
        else:
            node, exact = (
                node * 0.5 - node * x,
                exact * 0.5 - exact * np.polynomial.Polynomial([0, 1]),
            )
    (first,) = gradients(node, [x], record=True)
    second = gradients(first, [x])[0] if not isinstance(first, float) else 0.0
    size = sum(abs(exact.coef)) * 12**2 * 2.0**12
    assert (
        abs(float(first.data if hasattr(first, "data") else first) - exact.deriv()(at))
        <= 1e-15 * size
    )
    assert abs(second - exact.deriv(2)(at)) <= 1e-15 * size


def test_a_value_is_small():
    tracemalloc.start()
    x = Value(1.0)
    before = tracemalloc.get_traced_memory()[0]
    nodes = [x * 2.0 for _ in range(1000)]
    per_node = (tracemalloc.get_traced_memory()[0] - before) / len(nodes)
    tracemalloc.stop()
    assert per_node < 260
    assert not hasattr(nodes[0], "__dict__")
    assert sys.getsizeof(nodes[0]) < 130


def test_forward_mode_and_traces_at_singular_points():
    x = Value(0.0)
    with pytest.warns(RuntimeWarning):
        y = 1 / x
    assert push({x: 1.0}, [y])[y] == -np.inf
    assert "−inf" in str(trace(y))


duplicates = pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)


@duplicates
def test_copies_are_graphs_of_their_own(duplicate):
    x, t = Value(2.0, "x"), Tensor([1.0, 2.0], "t")
    y = (t * exp(x) * t).sum()
    (x2, t2), y2 = duplicate(((x, t), y))
    y2.backward()
    assert x2.grad == gradients(y, [x])[0]
    np.testing.assert_array_equal(t2.grad, gradients(y, [t])[0])
    assert (x.grad, t.grad) == (None, None)
    assert y2.op is y.op
    with pytest.raises(ValueError, match="read-only"):
        y2.data[...] = 0.0
    (y2 * x2).backward()  # in the right order
    x.data = 3.0
    with pytest.raises(RuntimeError, match="assigned after"):
        duplicate(y)


@kinds
def test_deep_graphs_are_copied_and_pickled(kind):
    x = kind(1.0, "x")
    y = x
    for _ in range(20_000):
        y = y * 1.0 + x
    for x2, y2 in (copy.deepcopy((x, y)), pickle.loads(pickle.dumps((x, y)))):
        y2.backward()
        assert x2.grad == 20_001.0
    assert x.grad is None
    y3 = copy.copy(y)
    assert gradients(y3, [x]) == [20_001.0]
    assert not Blocks.current()


@duplicates
@given(
    st.lists(st.floats(width=16), min_size=2, max_size=5),
    st.sampled_from([[np.float16], [np.float32], [float, np.complex64]]),
    st.sampled_from([(), (1,)]),
)
def test_copies_have_the_same_arrays(duplicate, numbers, dtypes, shape):
    inputs = [
        Tensor(np.full(shape, number, dtype))
        for number, dtype in zip(numbers, cycle(dtypes), strict=False)
    ]
    y = sum(inputs, Tensor(np.ones(shape, dtypes[0])))
    for node, copied in zip(ancestors(y), ancestors(duplicate(y)), strict=True):
        array, same = node.current(), copied.current()
        assert type(same) is np.ndarray
        assert (same.dtype, same.shape) == (array.dtype, array.shape)
        assert same.tobytes() == array.tobytes()
        assert not same.flags.writeable


@duplicates
def test_all_nodes_of_a_graph_are_copied_together(duplicate):
    """Each in one graph with those copied before and after."""
    nodes = list(accumulate([Value(1.0)] * 5_000))
    assert len(pickle.dumps(nodes)) < 5_000 * 200
    for listed in (nodes, nodes[::-1]):
        copied = duplicate(listed)
        newest = max(copied, key=lambda node: node.data)
        assert len({*ancestors(newest)} & {*copied}) == 5_000
        assert gradients(newest, [min(copied, key=lambda node: node.data)]) == [5_000.0]


@duplicates
def test_a_gradient_that_reads_its_variable_is_copied_with_it(duplicate):
    x = Value(3.0)
    y = x**4.0
    (x.grad,) = gradients(y, [x], record=True)
    for nodes in permutations({"x": x, "y": y, "slope": x.grad}.items()):
        copied = duplicate(dict(nodes))
        assert copied["x"].grad is copied["slope"]
        assert gradients(copied["y"], [copied["x"]]) == [108.0]
        assert gradients(copied["slope"], [copied["x"]]) == [108.0]


def test_a_change_after_pickling_is_in_the_next_pickle():
    """Also by a pickler that has pickled it before."""
    pickler = pickle.Pickler(io.BytesIO())
    x, z = Tensor([1.0, 2.0]), Tensor(5.0)
    y = x * 2.0
    pickler.dump(y)
    x[0] = z * 3.0
    x2, z2 = pickle.loads(pickle.dumps((x, z)))
    assert x2.data.tolist() == [15.0, 2.0]
    assert gradients(x2.sum(), [z2]) == [3.0]
    y2 = pickle.loads(pickle.dumps(y))
    assert y2.data.tolist() == [2.0, 4.0]
    w3, x3 = pickle.loads(pickle.dumps((y * x, x)))
    assert gradients(w3.sum(), [x3])[0].tolist() == [2.0, 4.0]


def test_a_pickle_from_a_longer_session_can_be_built_on():
    code = (
        "import pickle, sys; from autodiff import Value; [Value(0.0) for _ in range(10_000)];"
        "x = Value(3.0); sys.stdout.buffer.write(pickle.dumps((x, x * x)))"
    )
    x, y = pickle.loads(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    )
    (y * x).backward()
    assert x.grad == 27.0
