"""Programs of numbers as Python source on floats, which takes a tenth of the time of NumPy's.

Python's numbers raise errors where NumPy's are infinite or NaN. On an error, and where a number
that is not finite appears, the program gives up, and NumPy's own calls decide.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.ops.table import chain
from autodiff.programs.trace import Guard, Kind, Slot, Step, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program

LONGEST = 200
"""A longer expression gets a line of its own."""
LONGEST_SUM = 50
"""Python's compiler gives up on sums of some thousand terms."""


FORMS: dict[Callable[..., Any], str] = {
    np.add: "({0} + {1})",
    np.subtract: "({0} - {1})",
    np.multiply: "({0} * {1})",
    np.divide: "({0} / {1})",
    np.negative: "(-{0})",
    np.positive: "{0}",
    np.absolute: "abs({0})",
    np.square: "({0} * {0})",
    np.reciprocal: "(1.0 / {0})",
    np.power: "pow({0}, {1})",
    np.less: "({0} < {1})",
    np.less_equal: "({0} <= {1})",
    np.greater: "({0} > {1})",
    np.greater_equal: "({0} >= {1})",
    np.equal: "({0} == {1})",
    np.not_equal: "({0} != {1})",
    np.bitwise_and: "({0} & {1})",
    np.bitwise_or: "({0} | {1})",
    np.logical_and: "(bool({0}) & bool({1}))",
    np.logical_or: "(bool({0}) | bool({1}))",
    np.logical_not: "(not {0})",
    np.invert: "(not {0})",
    np.maximum: "({0} if {0} >= {1} or {0} != {0} else {1})",
    np.minimum: "({0} if {0} <= {1} or {0} != {0} else {1})",
    np.where: "({1} if {0} else {2})",
    chain.function: "({0} * {1} if {0} and {1} else 0.0)",
    np.arctan2: "atan2({0}, {1})",
    np.hypot: "hypot({0}, {1})",
    np.exp: "exp({0})",
    np.expm1: "expm1({0})",
    np.log: "log({0})",
    np.log1p: "log1p({0})",
    np.log2: "log2({0})",
    np.log10: "log10({0})",
    np.sqrt: "sqrt({0})",
    np.cbrt: "cbrt({0})",
    np.sin: "sin({0})",
    np.cos: "cos({0})",
    np.tan: "tan({0})",
    np.arcsin: "asin({0})",
    np.arccos: "acos({0})",
    np.arctan: "atan({0})",
    np.sinh: "sinh({0})",
    np.cosh: "cosh({0})",
    np.tanh: "tanh({0})",
    np.arcsinh: "asinh({0})",
    np.arccosh: "acosh({0})",
    np.arctanh: "atanh({0})",
}
"""Calls as expressions: `{0}`, `{1}` and `{2}` stand for the arguments."""
OVERFLOWING = {np.add, np.subtract, np.multiply, np.divide, np.square, np.reciprocal}
"""Calls that make an infinity of finite numbers, where Python raises no error."""
PASSING = {np.add, np.subtract, np.multiply, np.square, np.negative, np.positive, np.absolute}
"""Calls that never make a finite number of an infinite one."""
COUNTING = {np.add, np.maximum, np.minimum, np.equal, np.not_equal}
"""Calls that whole numbers take, which are counts of truth values."""
SPACE = {name: x for name, x in vars(math).items() if not name.startswith("_")}
ERRORS = (ArithmeticError, ValueError)


class Floats(NamedTuple):
    """The source of a function of a program's inputs, and what it refers to.

    It computes the program, or returns `careful` of the inputs where floats cannot tell.
    """

    name: str
    text: str
    space: dict[str, Any]


class Unwritable(Exception):
    """A call has no form on floats."""


def floats(program: Program, results: Sequence[tuple[Any, str]]) -> Floats | None:
    """Return the source of a program of numbers; None if it has other calls.

    `results` has what the function returns: slots and constants, each with its form.
    """
    writer = _Writer(program, results)
    try:
        body = [*writer.body()]
    except Unwritable:
        return None
    given = ", ".join(f"x{x.slot:d}" for x in program.inputs)
    lines = [f"def program({given}):", "    try:", *[f"        {line}" for line in body]]
    lines += ["    except ERRORS:", "        pass", f"    return careful({given})"]
    return Floats(
        "program", "\n".join(lines), {**SPACE, **writer.constants, "ERRORS": ERRORS, "np": np}
    )


class _Writer:
    def __init__(self, program: Program, results: Sequence[tuple[Any, str]]) -> None:
        self.program, self.kinds, self.results = program, program.kinds, results
        self.texts: dict[Slot, str] = {}
        self.constants: dict[str, Any] = {}
        self.uses, self.watched = _uses(program, [x for x, _ in results])

    def body(self) -> Iterator[str]:
        for x in self.program.inputs:
            yield from self._input(x.slot)
        for step in self.program.steps:
            if isinstance(step, Guard):
                yield from self._guard(step)
            else:
                yield from self._call(step)
        names = [*map(self._text, self.watched)]
        sums = (" + ".join(names[k : k + LONGEST_SUM]) for k in range(0, len(names), LONGEST_SUM))
        finite = " and ".join(f"isfinite({each})" for each in sums) or "True"
        yield f"if {finite}:"
        yield f"    return [{', '.join(self._result(*result) for result in self.results)}]"

    def _input(self, x: Slot) -> Iterator[str]:
        kind = self.kinds[x]
        if kind.dtype != float:
            raise Unwritable
        self.texts[x] = f"x{x:d}"
        if not kind.weak:
            self.texts[x] = f"t{x:d}"
            yield f"t{x:d} = {f'x{x:d}.tolist()' if kind.shape else f'float(x{x:d})'}"

    def _guard(self, guard: Guard) -> Iterator[str]:
        if self.kinds[guard.slot].shape or not isinstance(guard.held, bool | int):
            raise Unwritable
        test = "not " * (guard.held is True) + self._text(guard.slot)
        test = test if isinstance(guard.held, bool) else f"{test} != {guard.held}"
        yield f"if {test}: raise ValueError"

    def _call(self, step: Step) -> Iterator[str]:
        function, args, out = step.function, step.args, step.out
        if type(out) is not Slot or step.writes:
            raise Unwritable
        kind = self.kinds[out]
        if function is operator.getitem:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if kind.shape or not all(type(k) is int for k in index):
                raise Unwritable
            text = self._text(args[0]) + "".join(f"[{k}]" for k in index)
        elif function is np.array and kind.dtype == float:
            text = f"np.array({self._nested(args[0])})"
        else:
            text = self._form(step, kind)
        if self.uses[out] == 1 and len(text) <= LONGEST:
            self.texts[out] = text
        else:
            self.texts[out] = f"t{out:d}"
            yield f"t{out:d} = {text}"

    def _form(self, step: Step, kind: Kind) -> str:
        function, args = step.function, step.args
        dtype = step.kwargs.get("dtype", kind.dtype)
        if function not in FORMS or kind.shape or step.kwargs.keys() - {"dtype"}:
            raise Unwritable
        kinds = [self.kinds[x].dtype.kind if type(x) is Slot else "" for x in args]
        if dtype != kind.dtype or kind.dtype.kind not in "bif":
            raise Unwritable
        if "i" in kinds or kind.dtype.kind == "i":
            counts = function is np.multiply and any(type(x) is not Slot and x == 1 for x in args)
            if not (function in COUNTING or counts or function is np.divide):
                raise Unwritable
        if function is np.power and type(args[1]) is not Slot and args[1] == 2:
            function, args = np.square, args[:1]
        return FORMS[function].format(*map(self._text, args))

    def _result(self, x: Any, form: str) -> str:
        if np.ndim(x):
            name = f"c{len(self.constants)}"
            self.constants[name] = x
            return f"{name}.copy()"
        text = self._text(x)
        if form.startswith(("float", "bool", "int")) or (type(x) is Slot and self.kinds[x].shape):
            return text
        dtype = (self.kinds[x].dtype if type(x) is Slot else np.result_type(x)).name
        return f"np.array({text}, np.{dtype})" if form == "{}" else f"np.{dtype}({text})"

    def _nested(self, x: Any) -> str:
        if isinstance(x, list):
            return f"[{', '.join(map(self._nested, x))}]"
        return self._text(x)

    def _text(self, x: Any) -> str:
        if type(x) is Slot:
            return self.texts[x]
        if not isinstance(x, bool | int | float | np.bool_ | np.integer | np.floating):
            raise Unwritable
        text = repr(x.item() if isinstance(x, np.generic) else x)
        return f"({text})" if text.startswith("-") else text


def _uses(program: Program, results: list[Any]) -> tuple[Counter[Slot], dict[Slot, None]]:
    """Return how often each slot is written out, and those of numbers that must be finite.

    These are the ones that NumPy would warn of, where no later one would be infinite with them.
    """
    uses: Counter[Slot] = Counter()
    made: set[Slot] = set()
    watched: dict[Slot, None] = {}

    def watch(x: Any) -> None:
        if x in made:
            watched[x] = None

    for step in program.steps:
        if isinstance(step, Guard):
            uses[step.slot] += 1
            continue
        function, out = step.function, step.out
        form = FORMS.get(function, "")
        for k, x in enumerate(step.args):
            for slot in slots_in([x]):
                # a branch is computed, even if the other one is taken
                uses[slot] += 2 if function is np.where else max(form.count(f"{{{k}}}"), 1)
                if not (step.warns and function in PASSING):
                    watch(slot)
        if step.warns and type(out) is Slot and function in {*OVERFLOWING, *PASSING}:
            made.add(out)
    for x in results:
        if type(x) is Slot:
            uses[x] += 1
            watch(x)
    uses.update(dict.fromkeys(watched, 1))
    return uses, watched
