"""What the steps of a program cost: operations, bytes moved, and memory.

The rules stand in two tables, `RULES` for operations and `VIEWS` for results that share memory.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isqrt, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.core import trees
from autodiff.core.columns import table
from autodiff.ops.table import chain
from autodiff.programs.passes.rewriting import is_elementwise
from autodiff.programs.source import HELPERS, called_as
from autodiff.programs.trace import Guard, Kind, Method, Slot, Step, mapped, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program

LONGEST = 60
"""The table cuts a longer line of the user's."""


class Call(NamedTuple):
    """What a rule counts by: the arguments, their shapes, and the elements of all results."""

    args: tuple[Any, ...]
    shapes: Sequence[tuple[int, ...]]
    results: int


Rule = Callable[[Call], int | None]
"""Returns the floating-point operations of a call, or None if it cannot count them."""


def _each_element(call: Call) -> int:
    return prod(call.shapes[0])


def _product(call: Call) -> int:
    """Count 2mnk: a multiplication and an addition for each term of each result."""
    return 2 * call.results * call.shapes[0][-1] if all(call.shapes[:2]) else call.results


def _contraction(call: Call) -> int:
    """Count 2mnk for m·k and k·n elements that make m·n."""
    return 2 * isqrt(prod(call.shapes[0]) * prod(call.shapes[1]) * call.results)


def _einsum(call: Call) -> int | None:
    """Count 1 for each operand at each combination of indices, as without `optimize`."""
    subscripts, shapes = call.args[0], call.shapes[1:]
    if not isinstance(subscripts, str) or "." in subscripts:
        return None
    terms = subscripts.replace(" ", "").partition("->")[0].split(",")
    sizes = dict(zip("".join(terms), (n for shape in shapes for n in shape), strict=True))
    return len(terms) * prod(sizes.values())


def _matrices(operations: Callable[[int, int], float]) -> Rule:
    """Count by the size of square matrices and the number of right-hand sides, for a stack."""

    def rule(call: Call) -> int:
        *stack, n, _ = call.shapes[0]
        right = call.shapes[1] if len(call.shapes) > 1 else ()
        return round(prod(stack) * operations(n, right[-1] if len(right) > 1 else 1))

    return rule


ALIKE = {np.zeros_like, np.ones_like, np.full_like, np.empty_like}
"""Functions that read no more of their argument than its shape and dtype."""

RULES: dict[Any, Rule] = {
    **dict.fromkeys((np.clip, np.nan_to_num, np.round, np.sinc, np.angle), lambda c: c.results),
    # two comparisons, an or, a product and a choice
    chain.function: lambda c: 5 * c.results,
    **dict.fromkeys((np.matmul, np.dot, np.inner, np.vdot, np.vecdot), _product),
    np.outer: lambda c: c.results,
    np.tensordot: _contraction,
    np.einsum: _einsum,
    **dict.fromkeys(
        (
            np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min, np.any, np.all, np.nansum,
            np.nanprod, np.nanmean, np.nanmax, np.nanmin, np.argmax, np.argmin, np.cumsum,
            np.cumprod, np.ptp, np.count_nonzero, np.linalg.norm,
        ),
        _each_element,
    ),
    np.trace: lambda c: c.shapes[0][0],
    np.diff: lambda c: c.results,
    np.linalg.solve: _matrices(lambda n, m: 2 / 3 * n**3 + 2 * n**2 * m),
    np.linalg.inv: _matrices(lambda n, _: 2 * n**3),
    np.linalg.det: _matrices(lambda n, _: 2 / 3 * n**3),
    np.linalg.cholesky: _matrices(lambda n, _: n**3 / 3),
    **dict.fromkeys(
        (
            operator.getitem, operator.setitem, np.copy, np.array, np.asarray, Method("astype"),
            Method("fill"), np.copyto, np.put, np.put_along_axis, np.fill_diagonal, np.place,
            np.putmask, np.zeros, np.ones, np.full, np.empty, *ALIKE, np.arange, np.eye,
            np.identity, np.transpose, np.swapaxes, np.moveaxis, np.reshape, np.ravel,
            Method("flatten"), np.squeeze, np.expand_dims, np.broadcast_to, np.broadcast_arrays,
            np.atleast_1d, np.atleast_2d, np.atleast_3d, np.concatenate, np.stack, np.vstack,
            np.hstack, np.split, np.array_split, np.tile, np.repeat, np.flip, np.roll, np.rot90,
            np.take, np.take_along_axis, np.diag, np.diagonal, np.tril, np.triu, np.pad,
            np.real, np.imag,
        ),
        lambda c: 0,
    ),
}  # fmt: skip
"""Operations of each function; an elementwise one, `exp` or `sin` too, takes 1 for each result."""

UFUNC_METHODS: dict[str, Rule] = {
    "reduce": _each_element,
    "accumulate": _each_element,
    "reduceat": _each_element,
    "outer": lambda c: c.results,
    "at": lambda c: prod(c.shapes[1]),
}

VIEWS = {
    np.transpose, np.swapaxes, np.moveaxis, np.reshape, np.ravel, np.squeeze, np.expand_dims,
    np.broadcast_to, np.broadcast_arrays, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.split,
    np.array_split, np.flip, np.rot90, np.diagonal, np.real, np.imag,
}  # fmt: skip
"""Functions that move no bytes: the result shares the memory of the argument."""


def _function(step: Step) -> Any:
    """Return the function that a rule is listed under: NumPy's own for a method of arrays."""
    function = step.function
    if isinstance(function, Method) and function not in RULES:
        return getattr(np, function.__name__, function)
    return function


def _is_view(step: Step) -> bool:
    if step.function is not operator.getitem:
        return _function(step) in VIEWS
    parts = step.args[1] if isinstance(step.args[1], tuple) else (step.args[1],)
    basic = int, np.integer, slice, type(None), type(...)  # a slot is a whole number, too
    return all(isinstance(part, basic) for part in parts) and not slots_in(step.args[1])


@dataclass(frozen=True)
class StepCost:
    """The cost of a step.

    Attributes
    ----------
    step : Step
    operations : int or None
        Floating-point operations; None if there is no rule for the function.
    read, written : int
        Bytes of the arguments and of the results; 0 where a result is a view.
    alive : int
        Bytes of all values that the program holds during the step: those that steps have made, up
        to their last use.
    call : str
        The function, and the shapes of its arguments and results.
    """

    step: Step
    operations: int | None
    read: int
    written: int
    alive: int
    call: str


@dataclass(frozen=True)
class Cost:
    """The cost of a program; prints as a table.

    Attributes
    ----------
    steps : sequence of StepCost
    """

    steps: Sequence[StepCost]

    @property
    def operations(self) -> int:
        """Floating-point operations of all steps that have a rule."""
        return sum(cost.operations or 0 for cost in self.steps)

    @property
    def uncounted(self) -> int:
        """The number of steps whose operations have no rule."""
        return sum(cost.operations is None for cost in self.steps)

    @property
    def read(self) -> int:
        """Bytes of all arguments."""
        return sum(cost.read for cost in self.steps)

    @property
    def written(self) -> int:
        """Bytes of all results."""
        return sum(cost.written for cost in self.steps)

    @property
    def peak(self) -> int:
        """The largest number of bytes held at once, apart from inputs and constants.

        Each value counts until its last use, though Python may free it later.
        """
        return max((cost.alive for cost in self.steps), default=0)

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("", "operations", "bytes read", "written", "alive", "")]
        for cost in self.steps:
            counts = (cost.operations, cost.read, cost.written, cost.alive)
            line = cost.step.line.text
            line = line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
            rows.append((cost.call, *map(_counted, counts), line))
        totals = (self.operations, self.read, self.written, self.peak)
        left = f"without {self.uncounted} not counted" if self.uncounted else ""
        rows.append(("total; peak", *map(_counted, totals), left))
        return table(rows, "<>>>><")


def _counted(n: int | None) -> str:
    return "not counted" if n is None else f"{n:,}"


def cost_of(program: Program) -> Cost:
    """Return the cost of a program's steps by the rules of this module."""
    steps = [(k, step) for k, step in enumerate(program.steps) if isinstance(step, Step)]
    alive = _alive(program)
    found = []
    for k, step in steps:
        shapes = [_shape(x, program.kinds) for x in step.args]
        results = [program.kinds[slot] for slot in slots_in(step.out)]
        size = sum(prod(kind.shape) for kind in results)
        read, written = _moved(step, program.kinds)
        words = ", ".join(map(str, filter(None, shapes)))
        made = ", ".join(str(kind.shape) for kind in results if kind.shape)
        call = f"{_named(step.function)} {words}{f' → {made}' if made else ''}".strip()
        operations = _operations(step, Call(step.args, shapes, size))
        found.append(StepCost(step, operations, read, written, alive[k], call))
    return Cost(found)


def _operations(step: Step, call: Call) -> int | None:
    function = _function(step)
    if isinstance(getattr(function, "__self__", None), np.ufunc):
        rule = UFUNC_METHODS.get(function.__name__)
    elif (rule := RULES.get(function)) is None and is_elementwise(function):
        return call.results
    return rule and rule(call)


def _shape(x: Any, kinds: Sequence[Kind]) -> tuple[int, ...]:
    if type(x) is Slot:
        return kinds[x].shape
    return x.shape if isinstance(x, np.ndarray) else ()


def _moved(step: Step, kinds: Sequence[Kind]) -> tuple[int, int]:
    """Return the bytes that a step reads and writes."""
    if _is_view(step):
        return 0, 0
    function, args = step.function, step.args
    if function is operator.setitem:
        target, index, value = args
        return sum(_bytes([index, value], kinds)), _elements(index, kinds[target], kinds)
    changed = step.writes or slots_in(step.out)
    written = sum(_bytes(changed, kinds))
    if function in ALIKE:
        return 0, written
    if function is operator.getitem:  # which reads the elements that it takes
        return written + sum(_bytes(args[1], kinds)), written
    return sum(_bytes([args, step.kwargs], kinds)), written


def _bytes(x: Any, kinds: Sequence[Kind]) -> Iterator[int]:
    """Iterate over the sizes in bytes of all slots and constant arrays in nested arguments."""
    found: list[Any] = []
    mapped(found.append, x)
    seen = {id(part): part for part in found}  # an array that is read twice is read once
    slots = {part for part in found if type(part) is Slot}
    yield from (prod(kinds[slot].shape) * kinds[slot].dtype.itemsize for slot in slots)
    yield from (part.nbytes for part in seen.values() if isinstance(part, np.ndarray))


def _elements(index: Any, target: Kind, kinds: Sequence[Kind]) -> int:
    """Return the bytes of the elements of an array at an index; at most, for a mask."""

    def some(x: Any) -> Any:
        if type(x) is not Slot:
            return x
        return np.full(kinds[x].shape, kinds[x].dtype == bool, kinds[x].dtype)[()]

    whole = np.broadcast_to(np.zeros((), target.dtype), target.shape)
    size: int = whole[mapped(some, index)].size * target.dtype.itemsize
    return size


def _alive(program: Program) -> list[int]:
    """Return the bytes of values made by steps that are alive during each step."""
    end = len(program.steps)
    owner = {x.slot: x.slot for x in program.inputs}
    size = dict.fromkeys(owner, 0)
    born = dict.fromkeys(owner, 0)
    last = dict.fromkeys(owner, 0)
    for k, step in enumerate(program.steps):
        if isinstance(step, Guard):
            last[owner[step.slot]] = k
            continue
        read = slots_in([step.args, step.kwargs])
        last.update((owner[slot], k) for slot in read)
        for slot in slots_in(step.out):
            if slot in owner:  # changed in place
                continue
            if _is_view(step) and read:
                owner[slot] = owner[read[0]]
            else:  # memory of its own, except for a view of a constant
                owner[slot], born[slot] = slot, k
                size[slot] = 0 if _is_view(step) else sum(_bytes(slot, program.kinds))
            last[owner[slot]] = k
    last.update((owner[slot], end) for slot in slots_in(trees.leaves(program.outputs)))
    change = [0] * (end + 2)
    for slot, k in last.items():
        change[born[slot]] += size[slot]
        change[k + 1] -= size[slot]
    return [*accumulate(change)]


def _named(function: Any) -> str:
    """Return the name of a function for the table."""
    if function in (operator.getitem, operator.setitem):
        return "[…]" if function is operator.getitem else "[…] ="
    if isinstance(function, Method):
        return f".{function.__name__}"
    return HELPERS[function][0] if function in HELPERS else called_as(function)
