"""Whatever is built, shared, assigned, dropped and differentiated in whatever order, the gradients
are those of a deliberately naive reference: numbers that carry their whole Jacobian along."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

import autodiff as ad
from autodiff import Tensor, Value, gradients

SIZE = 3
numbers = st.integers(-16, 16).map(lambda n: n / 8)
vectors = st.lists(numbers, min_size=SIZE, max_size=SIZE).map(np.array)
places = st.integers(0, SIZE - 1)


class Naive:
    """Some numbers, and the derivative of each by every number of every leaf."""

    def __init__(self, data, slopes):
        self.data, self.slopes = np.asarray(data, float), slopes

    def map(self, data, change):
        """What has these numbers and, by each leaf, these changes of the derivatives."""
        return Naive(data, {leaf: change(slope) for leaf, slope in self.slopes.items()})

    def __add__(self, other):
        shape = np.broadcast_shapes(self.data.shape, other.data.shape)
        slopes = {}
        for part in (self, other):
            for leaf, slope in part.slopes.items():
                wide = (
                    slope
                    if part.data.shape == shape
                    else np.broadcast_to(slope, (SIZE, *slope.shape))
                )
                slopes[leaf] = slopes.get(leaf, 0) + wide
        return Naive(self.data + other.data, slopes)

    def times(self, factor):
        """By constant numbers, element by element."""
        shape = np.broadcast_shapes(self.data.shape, np.shape(factor))
        wide = np.broadcast_to(factor, shape)[..., None]
        return self.map(self.data * factor, lambda slope: wide * slope)

    def __mul__(self, other):
        total = self.times(other.data) + other.times(self.data)
        return Naive(self.data * other.data, total.slopes)


def total(naive):
    """The sum of all its numbers."""
    axes = tuple(range(naive.data.ndim))
    return naive.map(naive.data.sum(), lambda slope: slope.sum(axis=axes))


UNARY = {
    "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "negative": (np.negative, lambda x: -np.ones_like(x)),
    "square": (np.square, lambda x: 2 * x),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
}
BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x + y.times(-1.0),
    "multiply": lambda x, y: x * y,
}


class Machine(RuleBasedStateMachine):
    """With Tensors of one axis and of none, mixed."""

    nodes = Bundle("nodes")

    def made(self, pair):
        """A node with its naive twin, tamed so that no number grows out of sight."""
        node, naive = pair
        np.testing.assert_allclose(node.data, naive.data, rtol=1e-9, atol=1e-9)
        if np.max(np.abs(naive.data)) > 50 or any(
            np.max(np.abs(slope)) > 1e6 for slope in naive.slopes.values()
        ):
            return node * 0.0, naive.times(0.0)
        return pair

    def leaf(self, data):
        node = Value(data) if self.scalar else Tensor(data)
        slope = np.eye(np.size(data)).reshape(*np.shape(data), np.size(data))
        self.leaves.append(node)
        return node, Naive(data, {len(self.leaves) - 1: slope})

    scalar = False

    @initialize(target=nodes, number=numbers)
    def begin(self, number):
        self.leaves = []
        return self.leaf(number)

    @rule(target=nodes, data=numbers | vectors)
    def new(self, data):
        return self.leaf(float(np.ravel(data)[0]) if self.scalar else data)

    @rule(target=nodes, name=st.sampled_from(sorted(UNARY)), x=nodes)
    def unary(self, name, x):
        node, naive = x
        f, slope = UNARY[name]
        return self.made(
            (getattr(ad, name)(node), Naive(f(naive.data), naive.times(slope(naive.data)).slopes))
        )

    @rule(target=nodes, name=st.sampled_from(sorted(BINARY)), x=nodes, y=nodes)
    def binary(self, name, x, y):
        return self.made((getattr(ad, name)(x[0], y[0]), BINARY[name](x[1], y[1])))

    @rule(
        target=nodes,
        names=st.tuples(*map(st.sampled_from, map(sorted, (UNARY, BINARY, BINARY)))),
        x=nodes,
        y=nodes,
        first=st.booleans(),
    )
    def shared(self, names, x, y, first):
        """Read twice, as rarely happens by chance, the simpler reader made first or last."""
        unary, inner, outer = names
        one = self.unary(unary, x) if first else self.binary(inner, x, y)
        two = self.binary(inner, x, y) if first else self.unary(unary, x)
        return self.binary(outer, one, two)

    @rule(target=nodes, x=nodes, number=numbers, left=st.booleans())
    def with_a_number(self, x, number, left):
        node, naive = x
        mixed = number * node + number if left else node * number + number
        return self.made((mixed, naive.times(number) + Naive(number, {})))

    def slopes(self, node, naive, seed):
        weights = np.broadcast_to(seed, naive.data.shape)
        return {
            leaf: np.tensordot(weights, slope, weights.ndim).reshape(
                np.shape(self.leaves[leaf].data)
            )
            for leaf, slope in naive.slopes.items()
        }

    @rule(x=nodes, seed=numbers)
    def backward_twice(self, x, seed):
        node, naive = x
        expected = self.slopes(node, naive, seed)
        for _ in range(2):
            node.backward(seed if self.scalar else np.full(naive.data.shape, seed))
            for leaf, slope in expected.items():
                np.testing.assert_allclose(self.leaves[leaf].grad, slope, rtol=1e-9, atol=1e-9)

    @rule(x=nodes)
    def gradients_by_every_leaf(self, x):
        node, naive = x
        before = [leaf.grad for leaf in self.leaves]
        expected = self.slopes(node, naive, 1.0)
        found = gradients(node, self.leaves, 1.0 if self.scalar else np.ones(naive.data.shape))
        for leaf, slope in enumerate(found):
            np.testing.assert_allclose(slope, expected.get(leaf, 0.0), rtol=1e-9, atol=1e-9)
        assert all(leaf.grad is grad for leaf, grad in zip(self.leaves, before, strict=True))

    @rule(x=consumes(nodes))
    def drop(self, x):
        """What was computed from it must not miss it."""


class Tensors(Machine):
    nodes = Machine.nodes

    @rule(target=nodes, x=nodes)
    def sum(self, x):
        return self.made((ad.sum(x[0]), total(x[1])))

    @rule(target=nodes, x=nodes, i=places)
    def element(self, x, i):
        node, naive = x
        if not naive.data.ndim:
            return x
        return node[i], naive.map(naive.data[i], lambda slope: slope[i])

    @rule(target=nodes, x=nodes, y=nodes, i=places)
    def assign(self, x, y, i):
        """To what nothing has read; after that, it is an error."""
        wide = Naive(np.zeros(SIZE), {})
        node, naive = x[0] + wide.data, x[1] + wide
        one, its = ad.sum(y[0]), total(y[1])
        node[i] = one
        kept = np.arange(SIZE) != i
        assigned = naive.times(kept) + (its + wide).times(~kept)
        reader = ad.sin(node)
        node[i] = 0.0
        with pytest.raises(RuntimeError, match="assigned after"):
            reader.backward(np.ones(SIZE))
        again = x[0] + wide.data
        again[i] = one
        return self.made((again, assigned))


class Values(Machine):
    scalar = True
    nodes = Machine.nodes


few = settings(max_examples=30, stateful_step_count=20)
TestTensors, TestValues = Tensors.TestCase, Values.TestCase
TestTensors.settings = TestValues.settings = few
