"""Derivatives compared: both modes with numerical differentiation, along chosen directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autodiff.core import trees
from autodiff.core.graph import data_of
from autodiff.ops.elementwise import real
from autodiff.ops.reductions import sum
from autodiff.ops.table import conj, is_complex, shape_of
from autodiff.testing.numerical import (
    Estimate,
    Line,
    Point,
    agree,
    complex_step,
    directional_derivative,
    flat,
    normal,
    precision,
)
from autodiff.transforms.results import name_of
from autodiff.transforms.runs import run_on_variables

Vector = list[Any]
"""An array for each leaf of a container."""


class Check(NamedTuple):
    """One comparison: the derivative of ⟨w, f⟩ along v, computed in three ways."""

    order: int
    argument: int
    reverse: float
    forward: float
    numerical: float
    error: float
    """Bound on the error of the numerical derivative, plus the rounding of the other two."""
    rounding: float
    """Bound on the difference between reverse and forward mode."""
    at: str
    """The direction v: an argument (a random direction) or one of its elements."""
    method: str
    """The numerical method: "richardson" or "complex"."""
    step: float
    """The longest step of the numerical method."""

    @property
    def passed(self) -> bool:
        """Whether all three agree."""
        return (
            abs(self.reverse - self.numerical) <= self.error < np.inf
            and abs(self.forward - self.numerical) <= self.error
            and abs(self.reverse - self.forward) <= self.rounding
        )

    def __str__(self) -> str:
        return (
            f"reverse mode {self.reverse!r}, forward mode {self.forward!r}, numerical "
            f"{self.numerical!r} ± {self.error:.2g} ({self.method}, step {self.step:.2g})"
        )


class Comparison(NamedTuple):
    """The checks of the derivative along one direction, the one with the least bound first."""

    checks: list[Check]
    direction: Vector
    kink: bool


class Trial(NamedTuple):
    """A function whose derivatives are compared, with the directions and weights."""

    f: Callable[..., Any]
    args: tuple[Any, ...]
    names: list[str]
    order: int
    argument: int
    directions: list[tuple[str, Vector]]
    weights: Callable[[Point], list[tuple[str, Vector]]]


def trials(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    names: list[str],
    order: int,
    directions: int,
    seed: int,
    elementwise: bool,
    depth: int = 1,
) -> Iterator[Trial]:
    """Yield trials of the function, then of its derivatives up to `order`."""
    random = np.random.default_rng(seed)
    for k, arg in enumerate(args):
        point = Point(arg)
        if not point.leaves:
            continue
        if elementwise:
            yield Trial(f, args, names, depth, k, _units(point, names[k]), _units)
            continue
        for _ in range(directions):
            lines = [(names[k], point.random(random))]
            weights = partial(_random_weights, _drawn(random))
            yield Trial(f, args, names, depth, k, lines, weights)
    if depth < order:
        for k, arg in enumerate(args):
            point = Point(arg)
            if point.leaves:
                slope = _derivative_along(f, k, point.random(random), _drawn(random))
                yield from trials(
                    slope, args, names, order, directions, seed + 1, elementwise, depth + 1
                )


def _drawn(random: np.random.Generator) -> int:
    """Draw a seed for weights, so that they are independent of directions."""
    return int(random.integers(2**32))


def _random_weights(seed: int, output: Point) -> list[tuple[str, Vector]]:
    return [("", output.random(np.random.default_rng(seed)))]


def _units(point: Point, name: str = "") -> list[tuple[str, Vector]]:
    """Return the name and unit vector of each element."""
    names = [
        part + element
        for element, leaf in elements(point, name)
        for part in (("Re ", "Im ") if leaf.dtype.kind == "c" else ("",))
    ]
    return [(at, unit) for at, (_, unit) in zip(names, point.units(), strict=True)]


def elements(point: Point, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the path of each element, as in p['a'][0], and its leaf."""
    for path, leaf in zip(trees.paths(point.tree, name), point.leaves, strict=True):
        for index in np.ndindex(leaf.shape):
            yield f"{path}[{', '.join(map(str, index))}]" if index else path, leaf


def _inner(one: Any, other: Any) -> Any:
    """Return the real inner product of two equal structures; the first may contain nodes."""
    total: Any = 0.0
    for a, b in zip(trees.leaves(one), trees.leaves(other), strict=True):
        product = conj(a) * b
        product = real(product) if is_complex(product) else product
        total = total + (sum(product) if shape_of(product) else product)
    return total


def _derivative_along(f: Callable[..., Any], k: int, v: Vector, seed: int) -> Callable[..., Any]:
    """Return `x ↦ ⟨w, ∂f/∂x_k · v⟩`, so that the next order can be checked the same way.

    On nodes, return the mean of both modes, so that both are differentiated. On numbers reverse
    mode is enough, since the two have been compared already.
    """

    def slope(*args: Any) -> Any:
        with run_on_variables(f, k, args, {}) as run:
            random = np.random.default_rng(seed)
            w = [normal(random, data_of(leaf)) for leaf in trees.leaves(run.output)]
            by_reverse = _inner(run.pull(trees.rebuilt(run.output, w)), v)
            if not run.record:
                return by_reverse
            return (by_reverse + _inner(run.push(trees.rebuilt(run.arguments, v)), w)) / 2

    return slope


def compare(trial: Trial) -> list[Comparison]:
    """Compare the derivatives along each direction with each of the weights."""
    f, args, k = trial.f, trial.args, trial.argument
    point = Point(args[k])

    def by_one(x: Any) -> Any:
        return f(*args[:k], x, *args[k + 1 :])

    plain = by_one(point.tree)
    found = []
    with run_on_variables(f, k, (*args[:k], point.tree, *args[k + 1 :]), {}) as run:
        output = Point(trees.mapped(data_of, run.output))
        _require_like(f"the result of {name_of(f)} on nodes", output.leaves, plain, dtypes=False)
        eps = max(point.eps, precision(plain))
        by_complex = any(map(is_complex, [*point.leaves, *output.leaves]))
        rows = []
        for label, w in trial.weights(output):
            pulled = [data_of(x) for x in trees.leaves(run.pull(trees.rebuilt(run.output, w)))]
            _require_like(f"the cotangent of {trial.names[k]}", pulled, args[k])
            rows.append((label, w, pulled))
        for name, v in trial.directions:
            tangent = run.push(trees.rebuilt(run.arguments, v))
            pushed = [data_of(x) for x in trees.leaves(tangent)]
            _require_like(f"the tangent of {name_of(f)}", pushed, output.tree)
            line = Line(by_one, point, v)
            estimates = _estimates(line, eps, trial.order == 1 and not by_complex)
            for label, w, pulled in rows:
                reverse, forward = float(_inner(pulled, v)), float(_inner(pushed, w))
                lengths = _length(pulled) * _length(v) + _length(w) * _length(pushed)
                rounding = 512 * eps * (lengths + _length(w) * _length(plain) / line.scale)
                analytic = 32 * eps * float(np.sum(abs(flat(pulled) * flat(v))))
                at = f"{name} → {label}" if label else name
                checks = []
                for method, estimate in estimates:
                    numerical, error = _weighted(estimate, flat(w))
                    values = reverse, forward, numerical, error + analytic, rounding
                    checks.append(Check(trial.order, k, *values, at, method, estimate.step))
                checks.sort(key=lambda check: check.error)
                kink = bool(np.any(estimates[0][1].kink & (flat(w) != 0)))
                found.append(Comparison(checks, v, kink))
    return found


def _estimates(line: Line, eps: float, real_and_first: bool) -> list[tuple[str, Estimate]]:
    """Return numerical derivatives along a line: by differences, and by complex step if they agree.

    The complex step is for first derivatives: reverse mode uses conj, which is not analytic.
    """
    difference = directional_derivative(line, line.scale, eps)
    estimates = [("richardson", difference)]
    if real_and_first and np.all(np.isfinite(difference.error)):
        try:
            step = complex_step(line, eps)
        except TypeError:
            return estimates
        if agree(step, difference):
            estimates.append(("complex", step))
    return estimates


def _weighted(estimate: Estimate, w: NDArray[Any]) -> tuple[float, float]:
    used = w != 0  # elements without weight may have no derivative
    w, value, error = w[used], estimate.value[used], estimate.error[used]
    return float(np.sum((np.conj(w) * value).real)), float(np.sum(abs(w) * error))


def _length(tree: Any) -> float:
    return float(np.linalg.norm(flat(tree)))


def _require_like(what: str, found: Vector, tree: Any, dtypes: bool = True) -> None:
    """Raise an AssertionError unless shapes, and dtypes of arrays, match the leaves of a tree."""
    for x, leaf in zip(found, trees.leaves(tree), strict=True):
        x, like = np.asarray(x), np.asarray(leaf)
        expected = like.dtype if like.dtype.kind in "fc" else np.dtype(float)
        same = not dtypes or not isinstance(leaf, np.ndarray) or x.dtype == expected
        if x.shape != like.shape or not same:
            raise AssertionError(
                f"{what} has shape {x.shape} and dtype {x.dtype}; expected shape {like.shape} and "
                f"dtype {expected}"
            )
