"""Random sequences of building, sharing, assigning and differentiating, against a naive reference.

The reference carries all first and second derivatives forward.
"""

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
        return Naive(change(self.data), change(self.slope), change(self.bend))

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
        return self.each(lambda a: a.sum(axis=0)) if self.data.ndim else self


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
    """A state machine over 0-d and 1-d Tensors."""

    nodes = Bundle("nodes")
    scalar = False

    def made(self, pair):
        """Return a node with its naive twin, scaled down if its numbers grow."""
        node, naive = pair
        equal(node.data, naive.data)
        if max(np.max(np.abs(part)) for part in (naive.data, naive.slope, naive.bend)) > 50:
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


class Tensors(Machine):
    nodes = Machine.nodes

    @rule(target=nodes, x=nodes)
    def sum(self, x):
        return self.made((ad.sum(x[0]), x[1].total()))

    @rule(target=nodes, x=nodes, i=places)
    def element(self, x, i):
        node, naive = x
        return (node[i], naive.each(lambda a: a[i])) if naive.data.ndim else x

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


class Values(Machine):
    scalar = True
    nodes = Machine.nodes


few = settings(max_examples=30, stateful_step_count=20)
TestTensors, TestValues = Tensors.TestCase, Values.TestCase
TestTensors.settings = TestValues.settings = few

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
