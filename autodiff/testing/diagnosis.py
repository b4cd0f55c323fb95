"""The error of a failed gradient check: which element, and which operation or kink."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff.core import trees
from autodiff.core.graph import Node, Op, Params, ancestors, data_of
from autodiff.testing.comparisons import Comparison, Trial, Vector, compare, elements, trials
from autodiff.testing.kinks import KinkError, kink_of
from autodiff.testing.numerical import Point, flat
from autodiff.transforms.checkpoints import Checkpoint
from autodiff.transforms.runs import run_on_variables


def failure(
    name: str, trial: Trial, found: Comparison, culprit: str | None
) -> AssertionError | KinkError:
    """Return the error with argument, element, the three values and the cause.

    `culprit` describes the operation at fault, if `faulty_operation` has found one.
    """
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
            f"{name} has no numerical derivative{order} for {where} to compare with: a value near "
            "the point is not finite"
        )
    kink = None if culprit else kink_of(trial.f, trial.args, k)
    if found.kink:
        return KinkError(
            f"{name} has a kink or a jump{order} at this point, or within the finest step of the "
            f"differences, for {where}: there is no derivative to compare with; reverse mode says "
            f"{check.reverse!r}, forward mode {check.forward!r}. Check at another point"
            + (f"\n{kink}" if kink else "")
        )
    disagree = f"derivatives of {name}{order} disagree for {where}: {check}; "
    if kink:
        return KinkError(f"{disagree}they pass a point without a derivative\n{kink}")
    blame = culprit or (
        "each operation's own rule agrees on its inputs: look for numbers outside the graph "
        "(.data, stop_gradient, a number kept from another call), and for cholesky, eigh or "
        "eigvalsh of a matrix that is Hermitian at the point but not next to it"
    )
    return AssertionError(disagree + blame)


def _narrowed(trial: Trial, found: Comparison) -> Comparison:
    """Return a failing comparison for fewer elements, by bisecting the direction."""
    point, name = Point(trial.args[trial.argument]), trial.names[trial.argument]
    places = np.flatnonzero(flat(found.direction))
    while places.size > 1:
        for half in np.array_split(places, 2):
            at = next(islice(elements(point, name), half[0], None))[0] if half.size == 1 else name
            direction = _only(found.direction, half)
            (part,) = compare(trial._replace(directions=[(at, direction)]))
            if part.kink or not part.checks[0].passed:
                places, found = half, part
                break
        else:
            break
    return found


def _only(direction: Vector, places: NDArray[Any]) -> Vector:
    """Return a direction with all elements zero except those at the given flat indices."""
    kept = np.zeros(flat(direction).shape, bool)
    kept[places] = True
    ends = np.cumsum([x.size for x in direction])[:-1]
    parts = zip(direction, np.split(kept, ends), strict=True)
    return [np.where(part.reshape(x.shape), x, np.zeros_like(x)) for x, part in parts]


def faulty_operation(f: Callable[..., Any], args: tuple[Any, ...], order: int) -> str | None:
    """Describe the first operation, from the inputs on, that fails the check by itself, if any."""
    chosen = [k for k, arg in enumerate(args) if trees.leaves(arg)]
    with run_on_variables(f, chosen, args, {}) as run:
        nodes = _steps(run.nodes)
    for number, node in enumerate(nodes, 1):
        op, inputs = node.op, [data_of(x) for x in node.inputs]
        which = [i for i, x in enumerate(node.inputs) if isinstance(x, Node)]
        if op is None or any(isinstance(inputs[i], tuple) for i in which):
            continue  # an item of several results; their operation is checked as a whole
        alone = partial(_operation, op, node.params, inputs, which)
        names = [f"input {i}" for i in which]
        try:
            made = trials(alone, tuple(inputs[i] for i in which), names, order, 1, 0, False)
            compared = (found for trial in made for found in compare(trial))
            bad = next(filter(_is_faulty, compared), None)
        except Exception:  # an operation that cannot run by itself cannot be checked
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


def _is_faulty(found: Comparison) -> bool:
    """Return whether the rule of an operation is wrong, rather than its complex step.

    LAPACK's SVD stops early, so its complex step has an error of some hundred ulp of the norm. The
    error is the same at neighbouring points, so the bound of the complex step does not include it.
    """
    check = found.checks[0]
    off = max(abs(analytic - check.numerical) for analytic in (check.reverse, check.forward))
    return not check.passed and (off > check.rounding or not found.checks[-1].passed)


def _steps(outputs: list[Node]) -> list[Node]:
    """Return all operations from the inputs on; a checkpoint is replaced by its operations."""
    steps, waiting = [], ancestors(*outputs)
    while waiting:
        node = waiting.pop()
        if isinstance(node.op, Checkpoint):
            waiting += node.op.inside(node.inputs, node.params)
        elif node.op:
            steps.append(node)
    return steps


def _operation(op: Op, params: Params, inputs: list[Any], which: list[int], *given: Any) -> Any:
    """Call an operation with new values for the inputs `which`, symmetrised if it needs that."""
    inputs = list(inputs)
    hermitian = params.get("hermitian", getattr(op, "hermitian", False))
    for i, x in zip(which, given, strict=True):
        inputs[i] = (x + np.conj(np.swapaxes(x, -1, -2))) / 2 if hermitian else x
    return op(inputs, **params) if op.arity < 0 else op(*inputs, **params)
