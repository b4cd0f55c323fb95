"""Spaces of vectors whose values coincide, and the rotations within them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autodiff.ops.matrices import hermitian_part

Array = Any
Turn = tuple[Array, Array]  # a unitary matrix for each side


class Space(NamedTuple):
    """The vectors of coinciding values of one matrix.

    Attributes
    ----------
    at : tuple of int
        Index of the matrix in its stack.
    values : array of int
        Indices of the coinciding values; none for vectors that only complete a basis.
    columns : pair of arrays of int
        Indices of the left and the right vectors in the result.
    sides : pair of arrays
        Orthonormal left vectors (m, p) and right vectors (n, q), first those in the result. Both
        are the eigenvectors for eigh.
    tied : bool
        Whether both sides turn together. Those of singular values 0 do not.
    """

    at: tuple[int, ...]
    values: Array
    columns: Turn
    sides: Turn
    tied: bool

    @property
    def shape(self) -> tuple[int, int]:
        left, right = self.sides
        return left.shape[1], right.shape[1]

    @property
    def _phases(self) -> tuple[complex, ...]:
        return (1, 1j) if np.iscomplexobj(self.sides[0]) else (1,)

    def is_determined(self, side: int) -> bool:
        """Return whether the vector of one side alone is determined, up to its sign."""
        return not self.tied and self.shape[side] == 1 and not np.iscomplexobj(self.sides[0])

    def inner(self, t: Array) -> Array:
        """Return the part (p, q) of a tangent of the matrices that acts within this space."""
        left, right = self.sides
        found = left.conj().T @ t[self.at] @ right
        return hermitian_part(found) if self.tied else found

    def picked(self, inner: Array) -> tuple[Turn, Array]:
        """Return the rotation that a change `inner` picks, and the tangents of the values."""
        if self.tied:
            tangents, turn = np.linalg.eigh(inner)
            return (turn, turn), tangents
        left, tangents, right = np.linalg.svd(inner)
        return (left, right.conj().T), tangents

    def still(self) -> Turn:
        p, q = self.shape
        return np.eye(p), np.eye(q)

    def random(self, rng: np.random.Generator, signs: tuple[int, int]) -> Turn:
        p, q = self.shape
        left = signs[0] * _unitary(rng, p, len(self._phases) > 1)
        return left, left if self.tied else signs[1] * _unitary(rng, q, len(self._phases) > 1)

    def rounds(self) -> list[Turn]:
        """Return rotations that determine H: those of `solved`."""
        p, q = self.shape
        if not self.values.size:
            return []
        if self.tied:
            turns = [_paired(p, r, phase) for r in range(p) for phase in self._phases]
            return [(turn, turn) for turn in turns]
        still = np.eye(p), np.eye(q)
        return [
            (phase * np.roll(still[0], r, axis=0), still[1])
            if p >= q
            else (phase * still[0], np.roll(still[1], r, axis=0))
            for r in range(max(p, q))
            for phase in self._phases
        ]

    def solved(self, still: Array, slopes: Sequence[Array]) -> Array:
        """Return H from the derivatives by the values, unturned and after each of `rounds`."""
        p, q = self.shape
        h = np.zeros((p, q), self.sides[0].dtype)
        if self.tied:
            np.fill_diagonal(h, still)
        k = np.arange(min(p, q))
        for n, slope in enumerate(slopes):
            r, phase = n // len(self._phases), self._phases[n % len(self._phases)]
            if self.tied:
                i, j = _pairs(p, r)
                h[i, j] += np.conj(phase) * (slope[i] - slope[j]) / 2
                h[j, i] = h[i, j].conj()
            else:
                i, j = ((k + r) % p, k) if p >= q else (k, (k + r) % q)
                h[i, j] += phase * slope
        return h


def _unitary(rng: np.random.Generator, n: int, complex: bool) -> Array:
    a = rng.normal(size=(n, n))
    return np.linalg.qr(a + 1j * rng.normal(size=(n, n)) if complex else a)[0]


def _pairs(n: int, r: int) -> Turn:
    """Return the pairs i < j below n with (i + j) % n == r; no index is in two of them."""
    i = np.arange(n)
    j = (r - i) % n
    return i[i < j], j[i < j]


def _paired(n: int, r: int, phase: complex) -> Array:
    """Return the rotation that makes (e_i ± phase e_j) / √2 of each of `_pairs`."""
    turn = np.eye(n, dtype=type(phase * 1.0))
    i, j = _pairs(n, r)
    turn[i, i] = turn[i, j] = np.sqrt(0.5)
    turn[j, i], turn[j, j] = phase * np.sqrt(0.5), -phase * np.sqrt(0.5)
    return turn


def space_of(at: tuple[int, ...], values: Array, zero: bool, u: Array, s: Array, v: Array) -> Space:
    """Return the space of the values at the indices `values` of one matrix.

    The vectors of values 0 turn with all that complete the basis, in the result or not.
    """
    columns, sides = [], []
    for vectors in (u[at], v[at]):
        more = np.arange(s.shape[-1], vectors.shape[1]) if zero else values[:0]
        columns.append(np.concatenate([values, more]))
        basis = vectors[:, columns[-1]]
        if zero and len(vectors) > vectors.shape[1]:
            rest = np.linalg.qr(vectors, mode="complete")[0][:, vectors.shape[1] :]
            basis = np.concatenate([basis, rest], axis=1)
        sides.append(basis)
    return Space(at, values, (columns[0], columns[1]), (sides[0], sides[1]), not zero)
