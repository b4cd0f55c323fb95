"""Checks that a derivative must survive, for use in anyone's tests."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autodiff.core import trees
from autodiff.core.graph import Node, Op, Params, ancestors, current, data_of
from autodiff.ops.elementwise import real
from autodiff.ops.reductions import sum
from autodiff.ops.table import conj, is_complex, shape_of
from autodiff.testing.kinks import KinkError, kink_of
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
from autodiff.transforms.checkpoints import Checkpoint
from autodiff.transforms.results import Function, name_of
from autodiff.transforms.runs import run_on_variables

Vector = list[Any]
"""An array for each leaf of a container."""


class Check(NamedTuple):
    """One comparison: the derivative of ⟨w, f⟩ along v, three ways."""

    order: int
    argument: int
    reverse: float
    forward: float
    numerical: float
    error: float
    """What the numerical derivative may be off by, plus the rounding of the analytic ones."""
    rounding: float
    """What the two analytic ones may be apart."""
    at: str
    """Along what: a random direction of the argument, or an element of it."""
    method: str
    """How the numerical derivative was found: "richardson" or "complex"."""
    step: float
    """The (longest) step of that."""

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


def check_grads(
    f: Function,
    *args: Any,
    order: int = 1,
    directions: int = 2,
    seed: int = 0,
    elementwise: bool = False,
) -> list[Check]:
    """Compare the derivatives of `f`, both modes, with numerical differentiation.

    For every argument and a few random directions v in its space (and w in the result's) the
    derivative of ⟨w, f⟩ along v is taken by reverse mode, ⟨v, Jᵀw⟩, by forward mode, ⟨Jv, w⟩, and
    by extrapolated central differences or, where it takes complex numbers and is analytic, by the
    complex step. The first two must be equal but for rounding, and both be within the bound that
    the third states for itself. Higher orders do the same to the sum of both modes' derivatives.

    Besides, `f` must return the same bits when it is called again and leave its arguments alone,
    and the derivatives must have the shapes and dtypes of what they belong to.

    Parameters
    ----------
    f : callable
        Takes numbers, arrays and nested containers of them, real or complex, and returns the like;
        smooth around the point.
    *args : numbers, arrays and containers
        The point. It is not changed. What holds no number is passed on as it is.
    order : int
        The highest derivative to check.
    directions : int
        How many random directions per argument.
    seed : int
        Of the random directions.
    elementwise : bool
        Whether to compare each element of the result by each element of the arguments instead
        (at orders above the first, the derivatives along a random direction).

    Returns
    -------
    list of Check
        What was compared, with error bounds.

    Raises
    ------
    AssertionError
        If any two disagree. The message names the argument and, where it can be told, the element
        of it, the three values and the bound, and the smallest operation whose own rule
        disagrees when it is checked alone on the inputs that it had.
    KinkError
        If the point is at a kink or a jump, so that there is nothing to compare with.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import check_grads
    >>> checks = check_grads(lambda x, y: np.sum(np.exp(x) * y), np.ones(3), 2.0, order=2)
    >>> max(check.error for check in checks) < 1e-7
    True
    >>> for check in check_grads(lambda p: p["a"] ** 2, {"a": np.array([1.0, 3.0])},
    ...                          elementwise=True):
    ...     print(check.at, round(check.reverse))
    p['a'][0] → [0] 2
    p['a'][0] → [1] 0
    p['a'][1] → [0] 0
    p['a'][1] → [1] 6
    """
    args = trees.mapped(_copied, args)
    names = _argument_names(f, args)
    chosen = [k for k, arg in enumerate(args) if trees.leaves(arg)]
    if not chosen:
        raise TypeError("check_grads: the arguments hold no number to differentiate by")
    for k in chosen:
        _require_repeatable(f, args, k, names)
    checks = []
    for trial in _trials(f, args, names, order, directions, seed, elementwise):
        for found in _compared(trial):
            check = found.checks[0]
            if not check.passed:
                culprit = None if found.kink else _culprit(f, args, check.order)
                # a function that is not quite analytic is no fault of any rule
                check = found.checks[-1]
                if found.kink or culprit or not check.passed:
                    raise _complaint(name_of(f), trial, found, culprit)
            checks.append(check)
    return checks


def _copied(leaf: Any) -> Any:
    leaf = current(leaf)
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _argument_names(f: Callable[..., Any], args: tuple[Any, ...]) -> list[str]:
    try:
        bound = inspect.signature(f).bind(*args)
    except (TypeError, ValueError):
        return [f"args[{k}]" for k in range(len(args))]
    names = []
    for name, value in bound.arguments.items():
        several = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}[{i}]" for i in range(len(value))] if several else [name]
    return names


def _require_repeatable(
    f: Callable[..., Any], args: tuple[Any, ...], k: int, names: list[str]
) -> None:
    given = (*args[:k], Point(args[k]).tree, *args[k + 1 :])
    before = _bits(given)
    first, second = (_bits(f(*given)) for _ in range(2))
    paths = [path for arg, name in zip(args, names, strict=True) for path in trees.paths(arg, name)]
    for path, one, other in zip(paths, before, _bits(given), strict=True):
        if one != other:
            raise AssertionError(
                f"{name_of(f)} changed its argument {path} in place: let it work on a copy"
            )
    if first != second:
        raise AssertionError(
            f"{name_of(f)} returned something else when it was called again with the same "
            "arguments, so it has no derivative to check: fix the seed of what is random in it"
        )


def _bits(tree: Any) -> list[Any]:
    arrays = [np.asarray(leaf) for leaf in trees.leaves(tree)]
    return [(x.dtype, x.shape, x.tobytes()) for x in arrays]


class _Compared(NamedTuple):
    """The derivative along one direction, compared; the sharpest comparison first."""

    checks: list[Check]
    direction: Vector
    kink: bool


class _Trial(NamedTuple):
    """What to compare the derivatives of, and along which directions."""

    f: Callable[..., Any]
    args: tuple[Any, ...]
    names: list[str]
    order: int
    argument: int
    directions: list[tuple[str, Vector]]
    weights: Callable[[Point], list[tuple[str, Vector]]]


def _trials(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    names: list[str],
    order: int,
    directions: int,
    seed: int,
    elementwise: bool,
    depth: int = 1,
) -> Iterator[_Trial]:
    """The function, and after it its derivatives."""
    random = np.random.default_rng(seed)
    for k, arg in enumerate(args):
        point = Point(arg)
        if not point.leaves:
            continue
        if elementwise:
            yield _Trial(f, args, names, depth, k, _units(point, names[k]), _units)
            continue
        for _ in range(directions):
            lines = [(names[k], point.random(random))]
            weights = partial(_random_weights, _drawn(random))
            yield _Trial(f, args, names, depth, k, lines, weights)
    if depth < order:
        for k, arg in enumerate(args):
            point = Point(arg)
            if point.leaves:
                slope = _slope(f, k, point.random(random), _drawn(random))
                yield from _trials(
                    slope, args, names, order, directions, seed + 1, elementwise, depth + 1
                )


def _drawn(random: np.random.Generator) -> int:
    """A seed, so that weights have nothing to do with directions."""
    return int(random.integers(2**32))


def _random_weights(seed: int, output: Point) -> list[tuple[str, Vector]]:
    return [("", output.random(np.random.default_rng(seed)))]


def _units(point: Point, name: str = "") -> list[tuple[str, Vector]]:
    """Each element's name and unit vector."""
    names = [
        part + element
        for element, leaf in _elements(point, name)
        for part in (("Re ", "Im ") if leaf.dtype.kind == "c" else ("",))
    ]
    return [(at, unit) for at, (_, unit) in zip(names, point.units(), strict=True)]


def _elements(point: Point, name: str) -> Iterator[tuple[str, Any]]:
    """How to write each element, and the leaf that it belongs to."""
    for path, leaf in zip(trees.paths(point.tree, name), point.leaves, strict=True):
        for index in np.ndindex(leaf.shape):
            yield f"{path}[{', '.join(map(str, index))}]" if index else path, leaf


def _inner(one: Any, other: Any) -> Any:
    """The real inner product of two containers of the same make; the first may hold nodes."""
    total: Any = 0.0
    for a, b in zip(trees.leaves(one), trees.leaves(other), strict=True):
        product = conj(a) * b
        product = real(product) if is_complex(product) else product
        total = total + (sum(product) if shape_of(product) else product)
    return total


def _slope(f: Callable[..., Any], k: int, v: Vector, seed: int) -> Callable[..., Any]:
    """The derivative of ⟨w, f⟩ by argument k along v, as a function to be checked in turn.

    On nodes it is the mean of both modes, to be differentiated as such; the values of the two have
    been compared by then, so that for numbers one will do.
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


def _compared(trial: _Trial) -> list[_Compared]:
    """Each direction with each of the result's weights."""
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
                found.append(_Compared(checks, v, kink))
    return found


def _estimates(line: Line, eps: float, real_and_first: bool) -> list[tuple[str, Estimate]]:
    """The numerical derivatives along a line: by differences, and by complex step if it agrees.

    A second derivative has conj in it wherever it is taken by reverse mode: it is not analytic.
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
    used = w != 0  # the others may have no derivative
    w, value, error = w[used], estimate.value[used], estimate.error[used]
    return float(np.sum((np.conj(w) * value).real)), float(np.sum(abs(w) * error))


def _length(tree: Any) -> float:
    return float(np.linalg.norm(flat(tree)))


def _require_like(what: str, found: Vector, tree: Any, dtypes: bool = True) -> None:
    """Shapes, and dtypes where it is not Python's numbers, are those of a container's leaves."""
    for x, leaf in zip(found, trees.leaves(tree), strict=True):
        x, like = np.asarray(x), np.asarray(leaf)
        expected = like.dtype if like.dtype.kind in "fc" else np.dtype(float)
        same = not dtypes or not isinstance(leaf, np.ndarray) or x.dtype == expected
        if x.shape != like.shape or not same:
            raise AssertionError(
                f"{what} has shape {x.shape} and dtype {x.dtype}, but what it belongs to has "
                f"shape {like.shape} and dtype {like.dtype}"
            )


def _complaint(
    name: str, trial: _Trial, found: _Compared, culprit: str | None
) -> AssertionError | KinkError:
    """One message: where, what, by how much, and whose fault."""
    k = trial.argument
    found = _narrowed(trial, found)
    check = found.checks[0]
    leaves = [np.asarray(leaf) for leaf in trees.leaves(trial.args[k])]
    kinds = "; ".join(f"shape {leaf.shape}, {leaf.dtype}" for leaf in leaves[:3])
    kinds += "; …" if len(leaves) > 3 else ""
    alone = np.count_nonzero(flat(found.direction)) == 1
    where = f"argument {k} ({'' if alone else 'a random direction of '}{check.at}: {kinds})"
    order = f" at order {check.order}" if check.order > 1 else ""
    if not found.kink and not np.isfinite(check.error):
        return AssertionError(
            f"{name} has no numerical derivative{order} for {where} to compare with: a value of it "
            "near the point is not finite"
        )
    kink = None if culprit else kink_of(trial.f, trial.args, k)
    if found.kink:
        return KinkError(
            f"{name} has a kink or a jump{order} at this point, or nearer than the finest step of "
            f"the differences, for {where}: there is no derivative to compare with; reverse mode "
            f"says {check.reverse!r}, forward mode {check.forward!r}. Check at another point"
            + (f"\n{kink}" if kink else "")
        )
    disagree = f"derivatives of {name}{order} disagree for {where}: {check}; "
    if kink:
        return KinkError(f"{disagree}they pass a point without a derivative\n{kink}")
    blame = culprit or (
        "each operation's own rule agrees on the inputs that it had: look for what left the graph "
        "(.data, stop_gradient, a number kept from another call), and for a matrix that is moved "
        "where it is no longer Hermitian, though cholesky, eigh or eigvalsh takes it for that"
    )
    return AssertionError(disagree + blame)


def _narrowed(trial: _Trial, found: _Compared) -> _Compared:
    """The same for one element, if halving the direction again and again leads to one."""
    point, name = Point(trial.args[trial.argument]), trial.names[trial.argument]
    places = np.flatnonzero(flat(found.direction))
    while places.size > 1:
        for half in np.array_split(places, 2):
            at = next(islice(_elements(point, name), half[0], None))[0] if half.size == 1 else name
            direction = _only(found.direction, half)
            (part,) = _compared(trial._replace(directions=[(at, direction)]))
            if part.kink or not part.checks[0].passed:
                places, found = half, part
                break
        else:
            break
    return found


def _only(direction: Vector, places: NDArray[Any]) -> Vector:
    """A direction without all but some of its elements."""
    kept = np.zeros(flat(direction).shape, bool)
    kept[places] = True
    ends = np.cumsum([x.size for x in direction])[:-1]
    parts = zip(direction, np.split(kept, ends), strict=True)
    return [np.where(part.reshape(x.shape), x, np.zeros_like(x)) for x, part in parts]


def _culprit(f: Callable[..., Any], args: tuple[Any, ...], order: int) -> str | None:
    """The first operation, from the inputs on, that does not pass this check by itself."""
    chosen = [k for k, arg in enumerate(args) if trees.leaves(arg)]
    with run_on_variables(f, chosen, args, {}) as run:
        nodes = _steps(run.nodes)
    for number, node in enumerate(nodes, 1):
        op, inputs = node.op, [data_of(x) for x in node.inputs]
        which = [i for i, x in enumerate(node.inputs) if isinstance(x, Node)]
        if op is None or any(isinstance(inputs[i], tuple) for i in which):
            continue  # one of several results, which are checked together
        alone = partial(_operation, op, node.params, inputs, which)
        names = [f"input {i}" for i in which]
        try:
            trials = _trials(alone, tuple(inputs[i] for i in which), names, order, 1, 0, False)
            bad = next((found for t in trials for found in _compared(t) if _blamed(found)), None)
        except Exception:  # what cannot be run alone cannot be blamed
            continue
        if bad and not bad.kink and np.isfinite(bad.checks[0].error):
            shapes = ", ".join(str(np.shape(x)) for x in inputs)
            check = bad.checks[0]
            return (
                f"the smallest operation whose own rule disagrees is {op.name}, number {number} of "
                f"{len(nodes)} from the inputs, on inputs of shape {shapes}, by its {check.at}: "
                f"{check}"
            )
    return None


def _blamed(found: _Compared) -> bool:
    """Whether the rule of one operation is wrong, and not its complex step.

    LAPACK stops an SVD, whose complex step then is off by some hundred units in the last place of
    the norm, at all neighbouring points alike: the step's own bound does not show it.
    """
    check = found.checks[0]
    off = max(abs(analytic - check.numerical) for analytic in (check.reverse, check.forward))
    return not check.passed and (off > check.rounding or not found.checks[-1].passed)


def _steps(outputs: list[Node]) -> list[Node]:
    """All operations from the inputs on, with those of a checkpoint in its place."""
    steps, waiting = [], ancestors(*outputs)
    while waiting:
        node = waiting.pop()
        if isinstance(node.op, Checkpoint):
            waiting += node.op.inside(node.inputs, node.params)
        elif node.op:
            steps.append(node)
    return steps


def _operation(op: Op, params: Params, inputs: list[Any], which: list[int], *given: Any) -> Any:
    """An operation as a function of those of its inputs that were nodes."""
    inputs = list(inputs)
    hermitian = params.get("hermitian", getattr(op, "hermitian", False))
    for i, x in zip(which, given, strict=True):
        inputs[i] = (x + np.conj(np.swapaxes(x, -1, -2))) / 2 if hermitian else x
    return op(inputs, **params) if op.arity < 0 else op(*inputs, **params)
