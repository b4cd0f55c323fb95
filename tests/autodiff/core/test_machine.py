"""Random sequences of building, sharing, writing and differentiating, against a naive reference.

The reference carries all first and second derivatives forward, in NumPy arrays.
"""

from copy import copy

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

import autodiff as ad
from autodiff import Tensor, Value, gradients
from autodiff.core.walks import pull, push

SIZE, ALL = 3, 12
numbers = st.integers(-16, 16).map(lambda n: n / 8)
vectors = st.lists(numbers, min_size=SIZE, max_size=SIZE).map(np.array)
places = st.integers(0, SIZE - 1)


class Naive:
    """Numbers with their first and second derivatives by each of ALL elements of leaves."""

    def __init__(self, data, slope=0.0, bend=0.0):
        self.data = np.asarray(data, float)
        self.slope = np.broadcast_to(slope, (*self.data.shape, ALL))
        self.bend = np.broadcast_to(bend, (*self.data.shape, ALL, ALL))

    def each(self, change):
        made = copy(self)  # not by __init__, so that views stay writable views
        made.data, made.slope, made.bend = map(change, (self.data, self.slope, self.bend))
        return made

    def __add__(self, other):
        return Naive(self.data + other.data, self.slope + other.slope, self.bend + other.bend)

    def __mul__(self, other):
        (x, dx, ddx), (y, dy, ddy) = self.parts(), other.parts()
        mixed = dx[..., None] * dy[..., None, :]
        bend = ddx * y[..., None] + x[..., None] * ddy + mixed + mixed.swapaxes(-1, -2)
        return Naive(self.data * other.data, dx * y + x * dy, bend)

    def parts(self):
        return self.data[..., None], self.slope, self.bend

    def through(self, f, df, ddf):
        x, dx, ddx = self.parts()
        squared = dx[..., None] * dx[..., None, :]
        bend = df(x)[..., None] * ddx + ddf(x)[..., None] * squared
        return Naive(f(self.data), df(x) * dx, bend)

    def total(self):
        return self.each(lambda a: a.sum(axis=tuple(range(self.data.ndim))))

    def __getitem__(self, index):
        return self.each(lambda a: a[index])

    def __setitem__(self, index, value):
        self.data[index], self.slope[index] = value.data, value.slope
        self.bend[index] = value.bend

    def largest(self):
        return max(np.max(np.abs(part)) for part in (self.data, self.slope, self.bend))


UNARY = {
    "sin": (np.sin, np.cos, lambda x: -np.sin(x)),
    "tanh": (
        np.tanh,
        lambda x: 1 - np.tanh(x) ** 2,
        lambda x: -2 * np.tanh(x) * (1 - np.tanh(x) ** 2),
    ),
    "negative": (np.negative, lambda x: -np.ones_like(x), np.zeros_like),
    "square": (np.square, lambda x: 2 * x, lambda x: 2 * np.ones_like(x)),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0, np.zeros_like),
}
BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x + y * Naive(-1.0),
    "multiply": lambda x, y: x * y,
}


def equal(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-8)


class Machine(RuleBasedStateMachine):
    """A state machine over variables, which checks the derivatives of nodes by them."""

    nodes = Bundle("nodes")
    scalar = False

    def made(self, pair):
        """Return a node with its naive twin, scaled down if its numbers grow."""
        node, naive = pair
        equal(node.data, naive.data)
        if naive.largest() > 50:
            pair = node * 0.0, naive * Naive(0.0)
        self.last = pair
        return pair

    @initialize(target=nodes, number=numbers)
    def begin(self, number):
        self.leaves, self.starts = [], [0]
        self.last = self.new(number)
        return self.last

    @rule(target=nodes, data=numbers | vectors)
    def new(self, data):
        data = float(np.ravel(data)[0]) if self.scalar else data
        start, end = self.starts[-1], self.starts[-1] + np.size(data)
        if end > ALL:  # then a constant
            return (Value(data) if self.scalar else Tensor(data)), Naive(data)
        self.leaves.append(Value(data) if self.scalar else Tensor(data))
        self.starts.append(end)
        return self.leaves[-1], Naive(data, np.eye(ALL)[start:end].reshape(*np.shape(data), ALL))

    def by_leaf(self, slope):
        """Split a derivative by all elements into one for each leaf."""
        parts = np.split(slope, self.starts[1:])
        return [part.reshape(np.shape(x.data)) for x, part in zip(self.leaves, parts, strict=False)]

    def directions(self, seed):
        """Return a tangent for each leaf, and for all their elements together."""
        whole = np.cos(seed + np.arange(ALL))
        tangents = dict(zip(self.leaves, self.by_leaf(whole), strict=True))
        return {x: float(t) if self.scalar else t for x, t in tangents.items()}, whole

    def weights(self, naive, seed):
        return seed if self.scalar else np.full(naive.data.shape, seed)

    @rule(x=nodes, y=nodes, seed=numbers)
    def differentiate(self, x, y, seed):
        self.backward_twice(x, seed)
        self.gradients_by_every_leaf(x)
        self.gradients_of_two(x, y, seed)
        self.forward_mode(x, y, seed)
        self.second_derivatives(x, seed)

    def teardown(self):
        """Check the newest node at the end of every run."""
        self.differentiate(self.last, self.last, 0.75)

    def backward_twice(self, x, seed):
        node, naive = x
        expected = self.by_leaf((naive.total() * Naive(seed)).slope)
        for _ in range(2):
            for leaf in self.leaves:
                leaf.grad = None
            node.backward(self.weights(naive, seed))
            equal(node.grad, self.weights(naive, seed))
            for leaf, slope in zip(self.leaves, expected, strict=True):
                equal(0.0 if leaf.grad is None else leaf.grad, slope)

    def gradients_by_every_leaf(self, x):
        node, naive = x
        before = [leaf.grad for leaf in self.leaves]
        found = gradients(node, self.leaves, self.weights(naive, 1.0))
        for one, slope in zip(found, self.by_leaf(naive.total().slope), strict=True):
            equal(one, slope)
        assert all(leaf.grad is grad for leaf, grad in zip(self.leaves, before, strict=True))

    def gradients_of_two(self, x, y, seed):
        """Differentiate two nodes at once, each with its own weight."""
        naive = x[1].total() * Naive(seed) + y[1].total() * Naive(-1.5)
        given = {x[0]: self.weights(x[1], seed)}
        given[y[0]] = given.get(y[0], 0.0) + self.weights(y[1], -1.5)
        found = pull(given, self.leaves)
        for leaf, slope in zip(self.leaves, self.by_leaf(naive.slope), strict=True):
            equal(found[leaf], slope)

    def forward_mode(self, x, y, seed):
        tangents, whole = self.directions(seed)
        found = push(tangents, [x[0], y[0]])
        for node, naive in (x, y):
            equal(found[node], naive.slope @ whole)

    def second_derivatives(self, x, seed):
        """Differentiate recorded results of either mode in reverse mode."""
        node, naive = x
        tangents, whole = self.directions(seed)
        pushed = push(tangents, [node], record=True)[node]
        pulled = gradients(node, self.leaves, self.weights(naive, 1.0), record=True)
        slopes = [g * tangents[leaf] for leaf, g in zip(self.leaves, pulled, strict=True)]
        expected = self.by_leaf(naive.total().bend @ whole)
        for changes in ([pushed], slopes):
            parts = [ad.sum(x) for x in changes if isinstance(x, Tensor | Value)]
            bends = [gradients(part, self.leaves) for part in parts]
            for k, bend in enumerate(expected):
                equal(sum((by_leaf[k] for by_leaf in bends), np.zeros(bend.shape)), bend)

    @rule(x=consumes(nodes))
    def drop(self, x):
        """Drop a name; nodes computed from it must not need it."""


class Expressions(Machine):
    """A state machine over nodes computed from others."""

    nodes = Machine.nodes

    @rule(target=nodes, name=st.sampled_from(sorted(UNARY)), x=nodes)
    def unary(self, name, x):
        return self.made((getattr(ad, name)(x[0]), x[1].through(*UNARY[name])))

    @rule(target=nodes, name=st.sampled_from(sorted(BINARY)), x=nodes, y=nodes)
    def binary(self, name, x, y):
        return self.made((getattr(ad, name)(x[0], y[0]), BINARY[name](x[1], y[1])))

    @rule(
        target=nodes,
        names=st.tuples(*map(st.sampled_from, map(sorted, (UNARY, BINARY, BINARY)))),
        x=nodes,
        y=nodes,
        first=st.booleans(),
        which=st.integers(0, 1),
    )
    def shared(self, names, x, y, first, which):
        """Read a node twice, the simpler reader first or last; random programs rarely do."""
        unary, inner, outer = names
        again = (x, y)[which]
        one = self.unary(unary, again) if first else self.binary(inner, x, y)
        two = self.binary(inner, x, y) if first else self.unary(unary, again)
        return self.binary(outer, one, two)

    @rule(target=nodes, x=nodes, number=numbers, left=st.booleans())
    def with_a_number(self, x, number, left):
        node, naive = x
        mixed = number * node + number if left else node * number + number
        return self.made((mixed, naive * Naive(number) + Naive(number)))


class Tensors(Expressions):
    nodes = Machine.nodes

    @rule(target=nodes, x=nodes)
    def sum(self, x):
        return self.made((ad.sum(x[0]), x[1].total()))

    @rule(target=nodes, x=nodes, i=places)
    def element(self, x, i):
        node, naive = x
        return (node[i], naive[i]) if naive.data.ndim else x

    @rule(target=nodes, x=nodes, y=nodes, i=places)
    def assign(self, x, y, i):
        """Assign to an element; earlier readers keep their version."""
        wide = np.zeros(SIZE)
        node, naive = x[0] + wide, x[1] + Naive(wide)
        one, its = ad.sum(y[0]), y[1].total()
        node[i] = one
        at = np.arange(SIZE) == i
        assigned = naive * Naive(~at) + its * Naive(at)
        reader = ad.sin(node)
        node[i] = 0.0
        self.made((node, assigned * Naive(~at)))
        return self.made((reader, assigned.through(*UNARY["sin"])))


class Values(Expressions):
    scalar = True
    nodes = Machine.nodes


# Each view: the number of axes it needs, and a function of an array and the number of its axes. The
# arrays of the reference have the axes of derivatives behind those.
VIEWS = {
    "whole": (1, lambda a, n: a[...]),
    "row": (2, lambda a, n: a[-1]),
    "column": (2, lambda a, n: a[:, -1]),
    "start": (1, lambda a, n: a[:2]),
    "end": (1, lambda a, n: a[-2:]),
    "inside": (2, lambda a, n: a[:, -2:]),
    "alternate": (1, lambda a, n: a[::2]),
    "reversed": (1, lambda a, n: a[::-1]),
    "expanded": (1, lambda a, n: a[:, None]),
    "transposed": (2, lambda a, n: a.swapaxes(0, 1)),
    "flat": (1, lambda a, n: a.reshape(-1, *a.shape[n:])),
    "folded": (1, lambda a, n: a.reshape(a.shape[0], 1, -1, *a.shape[n:])),
    "diagonal": (2, lambda a, n: np.moveaxis(a.diagonal(0, 0, 1), -1, 0)),  # read-only
}
INDICES = (0, -1, slice(None), slice(0, 2), slice(None, None, -1), [0, -1], [0, 0])


def assign(x, index, value):
    x[index] = value


def add(x, index, value):
    x[index] += value


def scale(x, index, value):
    x *= value


def scale_by_out(x, index, value):
    np.multiply(x, value, out=x)


def scale_elements(x, index, value):
    x[...] *= value


def add_where(x, index, value):
    np.add(x, value, out=x, where=chosen(x.shape, index))


def add_chosen(x, index, value):
    x[...] += value * Naive(chosen(x.data.shape, index))


def multiply_at(x, index, value):
    np.multiply.at(x, index, value)


def multiply_repeatedly(x, index, value):
    for each in index if isinstance(index, list) else [index]:
        x[each] *= value


def chosen(shape, index):
    mask = np.zeros(shape, bool)
    mask[index] = True
    return mask


# Each write, and what it does to the reference.
WRITES = {
    assign: assign,
    add: add,
    scale: scale_elements,
    scale_by_out: scale_elements,
    add_where: add_chosen,
    multiply_at: multiply_repeatedly,
}
writes = st.sampled_from(sorted(WRITES, key=lambda write: write.__name__))


def mean_of(x):
    return ad.mean(x[0]), x[1].total() * Naive(1 / x[1].data.size)


class Arrays(Machine):
    """A state machine over Tensors that are written in place, and their views."""

    nodes = Machine.nodes
    arrays = Bundle("arrays")

    @initialize(target=arrays, data=vectors)
    def begin(self, data):
        self.leaves, self.starts, self.held = [], [0], []
        self.last = self.new(data)
        return self.copy(self.last, (9, SIZE))

    def hold(self, array):
        self.held.append(array)
        return array

    @rule(target=arrays, x=nodes, shape=st.sampled_from([(SIZE,), (SIZE, SIZE), (9, SIZE)]))
    def copy(self, x, shape):
        """Make an array to write to. Leaves are not written: gradients are by their last version.

        A few rows of the largest are a view with data of its own (see `places.compact`).
        """
        factors = np.linspace(0.5, 1.5, np.prod(shape)).reshape(shape)
        return self.hold((x[0] * factors, (x[1] * Naive(factors)).each(np.array)))

    @rule(target=arrays, x=arrays, name=st.sampled_from(sorted(VIEWS)))
    def view(self, x, name):
        (node, naive), (axes, of) = x, VIEWS[name]
        n = node.ndim
        return self.hold((of(node, n), naive.each(lambda a: of(a, n)))) if n >= axes else x

    @rule(
        target=nodes,
        x=arrays,
        y=arrays,
        write=writes,
        index=st.sampled_from(INDICES) | st.just("positive"),
    )
    def write(self, x, y, write, index):
        """Write one number to some elements; return an earlier reader."""
        before = self.read(x, "sin")
        index = x[1].data > 0 if isinstance(index, str) else index
        self.written(write, x, index, mean_of(y))
        return before

    @rule(x=arrays, y=arrays, write=writes)
    def combine(self, x, y, write):
        """Write an array to a whole array, which may share its memory."""
        lengths = zip(x[0].shape[::-1], y[0].shape[::-1], strict=False)
        if y[0].ndim > x[0].ndim or any(theirs not in (1, ours) for ours, theirs in lengths):
            y = x[0][::-1], x[1][::-1]
        self.written(write, x, ..., y)

    def written(self, write, x, index, value):
        (node, naive), (new, its) = x, value
        if not naive.data.flags.writeable:
            with pytest.raises(ValueError, match="read-only"):
                write(node, index, new)
            return
        write(node, index, new)
        WRITES[write](naive, index, its)
        if naive.largest() > 50:
            smaller = 2.0 ** -np.ceil(np.log2(naive.largest()))
            scale(node, ..., smaller)
            scale_elements(naive, ..., Naive(smaller))

    @rule(target=nodes, x=arrays, name=st.sampled_from(sorted(UNARY)))
    def read(self, x, name):
        """Compute a number that keeps the version it has read."""
        equal(x[0].data, x[1].data)
        return self.made(mean_of((getattr(ad, name)(x[0]), x[1].through(*UNARY[name]))))

    def teardown(self):
        """Check all arrays at the end, those made last first."""
        for x in reversed(self.held):
            equal(x[0].data, x[1].data)
            self.differentiate(x, self.last, 0.75)


few = settings(max_examples=30, stateful_step_count=20)
TestTensors, TestValues, TestArrays = Tensors.TestCase, Values.TestCase, Arrays.TestCase
TestTensors.settings = TestValues.settings = few
TestArrays.settings = settings(few, max_examples=50)

READERS = {
    "one of one": lambda x, c: ad.sin(x),
    "left of constant slope": lambda x, c: x - c,
    "right of constant slope": lambda x, c: c - x,
    "left of two": lambda x, c: x * c,
    "right of two": lambda x, c: c * x,
    "left of a number": lambda x, c: x**3,
    "right of a number": lambda x, c: 2.0**x,
    "both": lambda x, c: x * x,
    "both of constant slope": lambda x, c: x + x,
    "one of three": lambda x, c: ad.where(True, x, c),
}


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize("name", sorted(READERS))
def test_every_reader_adds_to_the_gradient_of_newer_readers(name, kind):
    x, c = kind(0.7), kind(1.3)
    slope = (READERS[name](0.7 + 1e-6, 1.3) - READERS[name](0.7 - 1e-6, 1.3)) / 2e-6
    older = READERS[name](x, c)
    y = older * x
    expected = pytest.approx(older.data + 0.7 * slope, rel=1e-8)
    assert gradients(y, [x]) == [expected]
    assert pull({y: 1.0}, [x])[x] == expected
    assert push({x: 1.0}, [y])[y] == expected
    (again,) = gradients(y, [x], record=True)
    assert again.data == expected
    y.backward()
    assert x.grad == expected


def test_a_given_tangent_is_not_replaced():
    x = Value(0.7)
    y = ad.sin(x)
    z = x * y
    assert push({x: 1.0, y: 3.0}, [z])[z] == y.data + 3.0 * x.data


def test_tangents_of_several_results_add_up():
    a, b = Tensor(np.eye(3)[:, :2] + 0.3), Tensor([1.0, 2.0, 4.0])
    tangents = {a: np.cos(np.arange(6.0)).reshape(3, 2), b: np.sin(np.arange(3.0))}
    solution, residual, _, _ = ad.linalg.lstsq(a, b)
    for out in (solution, residual):
        parts = [push({x: t}, [out])[out] for x, t in tangents.items()]
        np.testing.assert_allclose(push(tangents, [out])[out], parts[0] + parts[1], rtol=1e-12)
