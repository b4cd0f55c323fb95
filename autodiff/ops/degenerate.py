"""Derivatives through eigh and svd where values coincide, if the function as a whole is smooth.

Vectors of coinciding values are determined up to a rotation of the space that they span. A change
of the matrix, however small, picks one of the rotations, so the vectors have no derivative there.
A function such as u @ diag(s) @ vh has one, since it is the same for all rotations. So the rest of
the graph, which follows the decomposition, is recomputed after some rotations and differentiated
there. The function is smooth if

- its value and its derivatives by all but the coinciding values are the same after each rotation;
- one matrix H gives its derivatives by these values after all rotations, as Re(x* H y) for the left
  vector x and the right vector y of a value.

H is then the derivative for changes within the space. Random rotations verify both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from autodiff.core.graph import Args, Node, Params, Parts, ancestors, by_serial, data_of
from autodiff.core.modes import conventions, watcher
from autodiff.core.replays import replayed
from autodiff.core.walks import dependents, pull, push
from autodiff.ops.alike import foreign
from autodiff.ops.elementwise import where
from autodiff.ops.general import General, general, transposed
from autodiff.ops.matrices import hermitian_part
from autodiff.ops.spaces import Array, Space, Turn


class Degeneracy(NamedTuple):
    """A decomposition's results and rule, for the points where values coincide.

    Attributes
    ----------
    rule : callable
        The rule for tangents `(t, out, a, **params)` of functions that are the same however the
        vectors of a space are turned. Its tangents of coinciding values are a convention.
    free : callable
        `free(out, a)` is a mask of the values (..., k) whose vectors have no derivative.
    spaces : callable
        `spaces(out, a)` lists the spaces of all matrices.
    vectors : tuple of int
        Indices of the left and the right vectors in the result; one index if they are the same.
    unpacked, packed : callable
        From a result, or from cotangents that may be None, to left vectors, values and right
        vectors; and back.
    """

    rule: Callable[..., Any]
    free: Callable[[Any, Any], Any]
    spaces: Callable[[Any, Any], list[Space]]
    vectors: tuple[int, ...]
    unpacked: Callable[[Any], tuple[Any, Any, Any]]
    packed: Callable[[Any, Any, Any], tuple[Any, ...]]


class Decomposition(General):
    """A row of left vectors, values and right vectors, some of which may coincide.

    Where some do, the walk is given NaN, and then `resolve_pulled` and `resolve_pushed` find out
    whether there is a derivative. The rule alone cannot tell: cotangents may cancel, or a value 0
    absorb them, where a change of the vectors matters.
    """

    degeneracy: Degeneracy

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        share = super().vjp(k, g, out, args, params)
        if not isinstance(data_of(out), tuple):
            return share
        if foreign(args[0]):
            self._refuse_vectors(g, out, args)
            return share
        return self._marked(share, out, args[0], True)

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        found = super().jvp(k, t, out, args, params)
        if not isinstance(found, tuple):
            return found
        moved = isinstance(t, Node) or np.any(t != 0, axis=(-2, -1))
        marked = self.degeneracy.vectors if foreign(args[0]) else range(len(found))
        return Parts(
            [
                self._marked(part, out, args[0], moved) if k in marked else part
                for k, part in enumerate(found)
            ]
        )

    def _marked(self, x: Any, out: Any, a: Any, moved: Any) -> Any:
        """Return a cotangent or tangent with NaN for the matrices `moved` where values coincide."""
        free = self.degeneracy.free(data_of(out), a).any(axis=-1) & moved
        if not free.any():
            return x
        return where(free.reshape(*free.shape, *[1] * (x.ndim - free.ndim)), np.nan, x)

    def _refuse_vectors(self, g: Any, out: Any, args: Args) -> None:
        """Raise if a cotangent of vectors without a derivative is not 0.

        For arrays of other libraries, which walks do not search for NaN.
        """
        free = self.degeneracy.free(data_of(out), args[0])
        u, _, v = self.degeneracy.unpacked(g)
        for vectors in (u, v):
            if vectors is not None:
                used = data_of(vectors)[..., : free.shape[-1]] != 0
                if np.any(used & free[..., None, :]):
                    raise self.no_derivative(args)

    def resolve_pulled(self, reader: Node, g: Any, share: Any, outputs: Mapping[Node, Any]) -> Any:
        found = _Point(self.degeneracy, reader, outputs).pulled(g, outputs)
        return share if found is None else found

    def resolve_pushed(
        self, reader: Node, t: Any, share: Any, outputs: Sequence[Node]
    ) -> tuple[Any, Mapping[Node, Any]]:
        found = _Point(self.degeneracy, reader, outputs).pushed(t, outputs)
        if found is None and watcher() is None:
            # now, since an operation may absorb NaN, by a partial that is 0 at this point only
            raise self.no_derivative(reader.inputs)
        return found or (share, {})


def decomposition(
    function: Callable[..., Any], degeneracy: Degeneracy, **rules_and_labels: Any
) -> Decomposition:
    """Make a row as `general` does, for a function whose values may coincide."""
    op = general(function, kind=Decomposition, **rules_and_labels)
    assert isinstance(op, Decomposition)
    op.degeneracy = degeneracy
    return op


class _Pulled(NamedTuple):
    """Derivatives of the seeded sum of the outputs after some rotation."""

    total: Array  # the sum itself
    slopes: Array  # by the values
    vectors: Array  # by the vectors of the spaces
    share: Array  # by the matrix, but for the coinciding values
    others: list[Array]  # by the other inputs of the rest of the graph


_SIGNS = ((-1, 1), (1, -1))  # a single real vector can only change its sign
_NOTHING: Mapping[Node, Any] = {}


class _Point:
    """A node of a decomposition where values coincide, and the graph that follows it."""

    def __init__(self, degeneracy: Degeneracy, reader: Node, outputs: Iterable[Node]) -> None:
        self.degeneracy, self.reader = degeneracy, reader
        self.a, self.out = data_of(reader.inputs[0]), reader._data
        self.u, self.s, self.v = degeneracy.unpacked(self.out)
        self.hermitian = reader.params.get("hermitian", False)
        self._look_at(ancestors(*outputs, since=reader.serial))
        self.values = np.zeros(self.s.shape, bool)  # which coincide
        for space in self.spaces:
            self.values[(*space.at, space.values)] = True
        self.rng = np.random.default_rng(0)
        self.still = [space.still() for space in self.spaces]
        self.turns = [
            self.still,
            *[[space.random(self.rng, signs) for space in self.spaces] for signs in _SIGNS],
        ]

    def _look_at(self, nodes: list[Node]) -> None:
        """Find the spaces whose vectors are used, and the other inputs that depend on the matrix.

        A single real vector of a value 0 is determined up to its sign, as other vectors are, if
        that of the other side is not used.
        """
        rest = dependents(nodes, {self.reader}) - {self.reader}
        used = {node.params["index"] for node in rest if node.inputs[0] is self.reader}
        sides = [k for k, index in enumerate(self.degeneracy.vectors) if index in used]
        self.spaces = [
            space
            for space in (self._all_spaces() if sides else [])
            if not (len(sides) == 1 and space.is_determined(sides[0]))
        ]
        inputs = {arg for node in rest for arg in node.inputs if isinstance(arg, Node)}
        inputs -= rest | {self.reader}
        variables = {node for node in ancestors(self.reader) if not node.inputs}
        dependent = dependents(ancestors(*inputs), variables)
        self.others = sorted(inputs & dependent, key=by_serial)

    def _all_spaces(self) -> list[Space]:
        return self.degeneracy.spaces(self.out, self.a)

    # Reverse mode

    def pulled(self, g: Parts, outputs: Mapping[Node, Any]) -> Any:
        """Return the cotangent of the input; None if no derivative exists."""
        if not self.spaces:
            gs = self.degeneracy.unpacked(g)[1]
            allowed = conventions() or gs is None or self._smooth(data_of(gs))
            return self._by_rule(g) if allowed else None
        seeds = {node: data_of(seed) for node, seed in outputs.items()}
        runs = [self._pulled(turns, seeds) for turns in self.turns]
        still, *turned = runs
        largest = _size(self.s) or np.inf
        scale = max(max(_size(x.slopes), _size(x.vectors) / largest) for x in runs)
        of_total = scale * _size(self.s)  # how far rounding can change the sum, at eps = 1
        of_share = max(scale, *[_size(x.share) for x in runs])
        of_others = [
            max(_size(g), of_total / (_size(node._data) or np.inf))
            for node, g in zip(self.others, still.others, strict=True)
        ]
        for x in turned:
            if not (
                self._equal(x.total, still.total, max(_size(still.total), of_total))
                and self._equal(x.share, still.share, of_share)
                and all(map(self._equal, x.others, still.others, of_others))
            ):
                return None
        if not any(np.any(x.vectors) for x in runs) and all(
            self._equal(x.slopes, still.slopes, scale) for x in turned
        ):
            # a function of the values and of other vectors
            return self._by_rule(g) if conventions() or self._smooth(still.slopes) else None
        if any(isinstance(part, Node) for part in g):
            return None  # H is known at this point only, not as a function of the matrix
        return self._with_spaces(still.share, runs, scale, seeds)

    def _smooth(self, slopes: Array) -> bool:
        """Return whether a function of coinciding values with these derivatives is smooth."""
        return all(
            self._equal(of_space, np.mean(of_space) if space.tied else 0.0, _size(slopes))
            for space in self._all_spaces()
            for of_space in [slopes[(*space.at, space.values)]]
            if of_space.size
        )

    def _with_spaces(
        self, share: Array, runs: Sequence[_Pulled], scale: float, seeds: Mapping[Node, Any]
    ) -> Any:
        """Add the cotangents within the spaces; None if the derivatives have no common H."""
        rounds = [space.rounds() for space in self.spaces]
        measured = [
            self._pulled(
                [turn or still for turn, still in zip(turns, self.still, strict=True)], seeds
            ).slopes
            for turns in zip_longest(*rounds)
        ]
        share = np.array(share)
        for k, space in enumerate(self.spaces):
            place = (*space.at, space.values)
            slopes = [slope[place] for slope in measured[: len(rounds[k])]]
            h = space.solved(runs[0].slopes[place], slopes)
            for run, turns in zip(runs, self.turns, strict=True):
                left, right = turns[k]
                expected = np.diagonal(left.conj().T @ h @ right).real
                if not self._equal(expected, run.slopes[place], scale):
                    return None
            left, right = space.sides
            share[space.at] += self._symmetric(left @ h @ right.conj().T)
        return share

    def _pulled(self, turns: Sequence[Turn], seeds: Mapping[Node, Any]) -> _Pulled:
        out = self._turned(turns)
        twins = replayed(self.reader, out, seeds)
        seeded = {twins[node]: seed for node, seed in seeds.items() if node in twins}
        source = twins[self.reader]
        found = pull(seeded, [source, *self.others])
        gu, gs, gv = self.degeneracy.unpacked(found[source])
        gs = np.zeros_like(self.s) if gs is None else gs
        rest = self.degeneracy.packed(gu, np.where(self.values, 0, gs), gv)
        vectors = [
            side[space.at][:, columns].ravel()
            for space in self.spaces
            for side, columns in zip((gu, gv), space.columns, strict=True)
            if side is not None
        ]
        return _Pulled(
            np.sum([np.vdot(seed, node._data).real for node, seed in seeded.items()]),
            gs,
            np.concatenate(vectors or [[]]),
            transposed(
                lambda t: self.degeneracy.rule(t, out, self.a, **self.reader.params),
                self.a,
                out,
                rest,
            ),
            [found[node] for node in self.others],
        )

    def _by_rule(self, g: Parts) -> Any:
        record = any(isinstance(part, Node) for part in g)
        out, a = (self.reader, self.reader.inputs[0]) if record else (self.out, self.a)
        return transposed(
            lambda t: self.degeneracy.rule(t, out, a, **self.reader.params), a, out, g
        )

    # Forward mode

    def pushed(self, t: Any, outputs: Sequence[Node]) -> tuple[Any, Mapping[Node, Any]] | None:
        """Return the tangent of the result, and what to add to those of the outputs.

        None if no derivative exists.
        """
        record = isinstance(t, Node)
        out, a = (self.reader, self.reader.inputs[0]) if record else (self.out, self.a)
        u, s, v = self.degeneracy.unpacked(self.degeneracy.rule(t, out, a, **self.reader.params))
        if self.spaces and not self._is_same(outputs):
            return None
        if not self.spaces or not self._depends_on_vectors(outputs):
            return (Parts(self.degeneracy.packed(u, s, v)), {}) if conventions() else None
        if record:
            return None
        inner = [space.inner(self._symmetric(t)) for space in self.spaces]
        part = [space.inner(self._symmetric(self._random(t))) for space in self.spaces]
        rest = [x - y for x, y in zip(inner, part, strict=True)]
        whole, *parts = (self._along(each, outputs) for each in (inner, part, rest))
        change = max(map(_size, inner + part)) / (_size(self.s) or np.inf)
        for node, tangent in whole.items():
            added = parts[0][node] + parts[1][node]
            scale = max(_size(node._data) * change, _size(parts[0][node]), _size(tangent))
            if not self._equal(tangent, added, scale):
                return None
        return Parts(self.degeneracy.packed(u, np.where(self.values, 0, s), v)), whole

    def _is_same(self, outputs: Sequence[Node]) -> bool:
        """Return whether rotations change no value and no tangent but by the values."""
        t = self._symmetric(self._random(self.a))
        others = {node: node.spread(self._random(node._data)) for node in self.others}
        still: dict[Node, tuple[Any, Any]] = {}
        for turns in self.turns:
            out = self._turned(turns)
            u, s, v = self.degeneracy.unpacked(
                self.degeneracy.rule(t, out, self.a, **self.reader.params)
            )
            moved = self._pushed(out, (u, np.where(self.values, 0, s), v), outputs, others)
            still = still or moved
            for node, (value, tangent) in moved.items():
                scales = map(_size, still[node])
                if not all(map(self._equal, (value, tangent), still[node], scales)):
                    return False
        return True

    def _depends_on_vectors(self, outputs: Sequence[Node]) -> bool:
        """Return whether the outputs depend on the vectors of the spaces."""
        u, v = np.zeros_like(self.u), np.zeros_like(self.v)
        for space in self.spaces:
            for vectors, columns in zip((u, v), space.columns, strict=True):
                vectors[space.at][:, columns] = self._random(vectors[space.at][:, columns])
        values = self._random(self.s)
        slopes: list[list[Any]] = []
        for turns in self.turns:
            out = self._turned(turns)
            moved = self._pushed(out, (u, 0 * self.s, v), outputs).values()
            if any(np.any(tangent) for _, tangent in moved):
                return True
            moved = self._pushed(out, (0 * u, values, 0 * v), outputs).values()
            slopes.append([tangent for _, tangent in moved])
        return not all(
            self._equal(still, other, _size(still))
            for still, *turned in zip(*slopes, strict=True)
            for other in turned
        )

    def _along(self, inner: Sequence[Array], outputs: Sequence[Node]) -> dict[Node, Any]:
        """Return the tangents of outputs for a change within the spaces."""
        picked = [space.picked(each) for space, each in zip(self.spaces, inner, strict=True)]
        values = np.zeros_like(self.s)
        for space, (_, tangents) in zip(self.spaces, picked, strict=True):
            values[(*space.at, space.values)] = tangents
        out = self._turned([turn for turn, _ in picked])
        moved = self._pushed(out, (0 * self.u, values, 0 * self.v), outputs)
        return {node: tangent for node, (_, tangent) in moved.items()}

    def _pushed(
        self, out: Any, tangent: Any, outputs: Sequence[Node], others: Mapping[Node, Any] = _NOTHING
    ) -> dict[Node, tuple[Any, Any]]:
        """Return the values and the tangents of outputs for a turned result."""
        twins = replayed(self.reader, out, outputs)
        nodes = [node for node in outputs if node in twins]
        given = {twins[self.reader]: Parts(self.degeneracy.packed(*tangent)), **others}
        found = push(given, [twins[node] for node in nodes])
        return {node: (twins[node]._data, found[twins[node]]) for node in nodes}

    def _turned(self, turns: Sequence[Turn]) -> tuple[Any, ...]:
        """Return the result with the vectors of each space turned."""
        both = np.array(self.u), np.array(self.v)
        for space, turn in zip(self.spaces, turns, strict=True):
            for vectors, columns, side, q in zip(
                both, space.columns, space.sides, turn, strict=True
            ):
                vectors[space.at][:, columns] = (side @ q)[:, : len(columns)]
        return self.degeneracy.packed(both[0], self.s, both[1])

    def _symmetric(self, x: Array) -> Array:
        return hermitian_part(x) if self.hermitian else x

    def _random(self, like: Array) -> Array:
        found = self.rng.normal(size=np.shape(like))
        if np.iscomplexobj(like):
            found = found + 1j * self.rng.normal(size=np.shape(like))
        return found

    def _equal(self, x: Array, y: Array, scale: float) -> bool:
        """Return whether two arrays differ by less than about 1e-6 (float64) of a scale."""
        return bool(_size(x - y) <= np.finfo(self.s.dtype).eps ** 0.4 * scale)


def _size(x: Array) -> float:
    return float(np.max(np.abs(x), initial=0))
