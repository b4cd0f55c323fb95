"""A recorded run of a function as a program: NumPy calls that can be run, read and saved."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Node
from autodiff.programs.passes import PASSES
from autodiff.programs.source import USED, Source, source_of
from autodiff.programs.trace import Guard, Kind, Slot, Step, Trace, Traced, layout
from autodiff.transforms.results import Function, name_of


@dataclass(frozen=True)
class Program:
    """The NumPy calls of one run of a function, in their order; made by `program`.

    `str(p)` is its source, plain Python over NumPy, and `p(*args)` runs it.

    Attributes
    ----------
    name : str
        The function's name.
    signature : inspect.Signature
        The function's signature, without arguments that were left out.
    arguments : dict
        The arguments by name, with a slot in place of each number and array.
    steps : tuple of Step and Guard
        The calls, and the decisions that data took between them.
    outputs : container
        The result, with slots.
    kinds : sequence of Kind
        Shape and dtype of the value of each slot.
    names : dict
        Names of slots in the user's functions.
    written : frozenset of Slot
        Slots of arrays that share memory with one that a step changes in place.
    """

    name: str
    signature: inspect.Signature
    arguments: dict[str, Any]
    steps: tuple[Step | Guard, ...]
    outputs: Any
    kinds: Sequence[Kind]
    names: Mapping[Slot, str]
    written: frozenset[Slot]

    @cached_property
    def source(self) -> Source:
        """The source, and the arrays that it refers to by a name."""
        return source_of(self)

    def __str__(self) -> str:
        return self.source.text

    def __repr__(self) -> str:
        calls = sum(isinstance(step, Step) for step in self.steps)
        return f"<program {self.name}: {calls} calls of NumPy>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program.

        Parameters
        ----------
        *args, **kwargs
            Arguments of the function, of the shapes and dtypes that it was traced with.

        Returns
        -------
        container
            What the function returns. Its arrays are the caller's own.

        Raises
        ------
        TypeError
            If an argument differs in structure, shape or dtype.
        ValueError
            If the data take another branch than in the traced run.
        """
        bound = self.signature.bind(*args, **kwargs)
        self._check(bound.arguments)
        if self.written:
            self._check_memory(bound.arguments)
        bound.arguments.update(trees.mapped(_number, dict(bound.arguments)))
        with np.errstate(all="ignore"):
            result = self._function(*bound.args, **bound.kwargs)
        return self._own(result, trees.leaves(dict(bound.arguments)))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the source to a file that needs nothing but NumPy.

        Arrays that it refers to by a name go to a file of the same name with the suffix ".npz".
        """
        path = Path(path)
        lines = [f'"""The calls of NumPy in {self.name}."""\n', "import numpy as np\n"]
        if self.source.constants:
            data = path.with_suffix(".npz")
            np.savez(data, **self.source.constants)
            lines.insert(1, "from pathlib import Path\n")
            lines.append(f"_arrays = np.load(Path(__file__).parent / {data.name!r})")
            lines += [f"{name} = _arrays[{name!r}]" for name in self.source.constants]
            lines.append("")
        path.write_text("\n".join([*lines, "", self.source.text]), encoding="utf-8")

    @cached_property
    def _function(self) -> Callable[..., Any]:
        space = {"np": np, **self.source.constants}
        exec(compile(self.source.text, f"<program {self.name}>", "exec"), space)
        made: Callable[..., Any] = space[self.source.name]
        return made

    def _check(self, given: Mapping[str, Any]) -> None:
        """Raise a TypeError if arguments differ from the traced ones in anything but numbers."""
        for name, traced in self.arguments.items():
            if name not in given:
                raise TypeError(f"{self.name}: the program needs the argument {name!r}")
            expected = [self._described(slot) for slot in trees.leaves(traced)]
            found = [_described(leaf) for leaf in trees.leaves(given[name])]
            if trees.paths(traced) != trees.paths(given[name]) or expected != found:
                raise TypeError(
                    f"{self.name}: {name!r} is {', '.join(found) or type(given[name]).__name__}, "
                    f"but the program was traced with {', '.join(expected) or 'a constant'}: "
                    "make another program for it"
                )
            rest = [trees.mapped(lambda _: 0, tree) for tree in (traced, given[name])]
            if rest[0] != rest[1]:
                raise TypeError(
                    f"{self.name}: {name!r} is {rest[1]!r:.40}, but the program was traced with "
                    f"{rest[0]!r:.40}: make another program for it"
                )

    def _check_memory(self, given: Mapping[str, Any]) -> None:
        """Raise a TypeError if arrays that the program may change share memory otherwise."""
        slots = trees.leaves(self.arguments)
        arrays = trees.leaves({name: given[name] for name in self.arguments})
        for k, (slot, array) in enumerate(zip(slots, arrays, strict=True)):
            if isinstance(array, np.ndarray) and layout(array) != self.kinds[slot].layout:
                raise TypeError(
                    f"{self.name} changes arrays in place, and an argument of shape {array.shape} "
                    "lies otherwise in memory than the traced one: pass a copy"
                )
            if any(np.shares_memory(array, other) for other in arrays[:k]):
                raise TypeError(
                    f"{self.name} changes arrays in place, and two arguments share memory: pass a "
                    "copy of one"
                )

    def _described(self, slot: Slot) -> str:
        kind = self.kinds[slot]
        return "a number" if kind.weak else f"{kind.dtype} of shape {kind.shape}"

    def _own(self, result: Any, arguments: Sequence[Any]) -> Any:
        """Return the result in the function's containers, with arrays that the caller may change.

        Weak numbers are Python's.
        """
        made: list[Any] = []
        slots, leaves = trees.leaves(self.outputs), trees.leaves(result)
        for slot, leaf in zip(slots, leaves, strict=True):
            if type(slot) is Slot and self.kinds[slot].weak:
                leaf = np.asarray(leaf).item()
            elif isinstance(leaf, np.ndarray):
                shared = type(slot) is not Slot or leaf.base is not None
                if shared or any(leaf is x for x in [*arguments, *made]):
                    leaf = np.array(leaf)
            made.append(leaf)
        return trees.rebuilt(self.outputs, made)


def program(f: Function, *args: Any, **kwargs: Any) -> Program:
    """Return the NumPy calls of one run of a function as a program.

    The function, its derivatives and transforms included, runs once on arrays that write down each
    call. Whatever it reads besides its arguments is a constant of the program, with the numbers
    that it had then. Where data decide (`if x[0] > 0`), the program raises an error if
    later data decide otherwise.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays and containers of them, such as `grad(loss)`.
    *args, **kwargs
        Arguments to run it on. Their shapes and dtypes are those of the program.

    Returns
    -------
    Program
        `print(p)` shows its source, `p(*args)` runs it, `p.save("gradient.py")` writes a file that
        needs nothing but NumPy.

    Raises
    ------
    TypeError
        If the function turns a traced array into a plain number (`float(x)`), writes to an array
        that is not traced, or returns something other than numbers and arrays.

    Examples
    --------
    >>> from autodiff import grad, log, program, sin
    >>> p = program(grad(lambda x1, x2: log(x1) + x1 * x2 - sin(x2), (0, 1)), 2.0, 5.0)
    >>> print(p)
    def program(x1, x2):
        return x2 + 1 / x1, -np.cos(x2) + x1
    <BLANKLINE>
    >>> p(2.0, 5.0)
    (5.5, 1.7163378145367738)
    """
    trace = Trace()
    bound = inspect.signature(f).bind(*args, **kwargs)
    signature = bound.signature.replace(
        parameters=[
            parameter.replace(default=Parameter.empty, annotation=Parameter.empty)
            for name, parameter in bound.signature.parameters.items()
            if name in bound.arguments
        ],
        return_annotation=Parameter.empty,
    )
    if hidden := {*bound.arguments} & {*USED}:
        raise ValueError(f"a program needs the name {hidden.pop()!r} itself: rename the argument")
    arguments: dict[str, Any] = dict(bound.arguments)
    traced = trees.mapped(trace.argument, arguments)
    bound.arguments.update(traced)
    try:
        result = f(*bound.args, **bound.kwargs)
    finally:
        trace.open = False
    found = Program(
        name_of(f),
        signature,
        trees.mapped(_slot, traced),
        tuple(trace.steps),
        trees.mapped(_slot, result, lambda part: _constant(part, name_of(f))),
        trace.kinds(),
        trace.names,
        trace.written(),
    )
    for change in PASSES:
        found = change(found)
    return found


def _number(leaf: Any) -> Any:
    """Return a number that follows IEEE arithmetic, as arrays do."""
    return leaf if hasattr(leaf, "dtype") else np.result_type(leaf).type(leaf)


def _slot(x: Any) -> Any:
    if isinstance(x, Node):
        raise TypeError("a program returns numbers and arrays, not nodes: return x.data")
    return x.slot if type(x) is Traced else x


def _constant(x: Any, name: str) -> Any:
    if x is None or isinstance(x, bool | str):
        return x
    raise TypeError(
        f"{name} returned {x!r:.40} of type {type(x).__name__}: a program returns numbers, arrays, "
        "and lists, tuples and dicts of them"
    )


def _described(leaf: Any) -> str:
    if hasattr(leaf, "dtype"):
        return f"{leaf.dtype} of shape {leaf.shape}"
    return "a number"
