"""A program as the source of a Python function over NumPy."""

from __future__ import annotations

import keyword
import linecache
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from inspect import Parameter, Signature
from itertools import chain as joined
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.core import trees
from autodiff.ops.table import chain
from autodiff.programs.compiled import Native
from autodiff.programs.passes.rewriting import with_pending
from autodiff.programs.results import LOST, Known, form
from autodiff.programs.trace import NARROW, Guard, Line, Method, Slot, Step, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program

BINARY = {
    np.power: ("**", 14), np.multiply: ("*", 12), np.divide: ("/", 12), np.matmul: ("@", 12),
    np.floor_divide: ("//", 12), np.remainder: ("%", 12), np.add: ("+", 11),
    np.subtract: ("-", 11), np.bitwise_and: ("&", 9), np.bitwise_or: ("|", 7), np.less: ("<", 6),
    np.less_equal: ("<=", 6), np.greater: (">", 6), np.greater_equal: (">=", 6),
    np.equal: ("==", 6), np.not_equal: ("!=", 6),
}  # fmt: skip
"""Python's operators for ufuncs, with their precedence."""
UNARY = {np.negative: "-", np.invert: "~"}
COMPARISON, SIGN, CALL, ATOM = 6, 13, 16, 17
USED = ("np", "bool", "int", "float", "complex", "chain")
"""Names that the source refers to."""
LONGEST = 60
"""An expression that is longer gets a line of its own."""
SMALL = 20
"""An array with more elements is not written out."""


HELPERS = {
    chain.function: (
        "chain",
        """\
def chain(g, partial, out=None):
    \"\"\"Return g * partial, and 0 where either is 0, even if the other is infinite.\"\"\"
    product = np.multiply(g, partial, out=out)
    if np.isnan(np.vdot(product, product)):  # as 0 * inf is
        return np.where((g == 0) | (partial == 0), product.dtype.type(0), product)
    return product
""",
    ),
}
"""Functions that are not NumPy's: their names and definitions."""


class Source(NamedTuple):
    """The text of a function, its name, and the arrays that it refers to by a name.

    `captured` has the names of parameters for what the function captured; `saved` is the text with
    defaults for them.
    """

    text: str
    name: str
    constants: dict[str, Any]
    captured: dict[str, Any]
    saved: str


def source_of(program: Program, flat: bool = False, buffers: Sequence[Slot] = ()) -> Source:
    """Return the source of a function that computes a program's outputs.

    Its parameters are the function's own, with what it captured as keywords. A `flat` one takes all
    inputs one by one, and buffers after them, and returns a list of the values of all slots of the
    outputs.
    """
    writer = _Writer(program, flat, buffers)
    body = "\n".join(f"    {line}" for line in writer.body())
    small = "".join(f"{name} = {written}\n" for name, written in writer.small.items())
    text, saved = (
        "\n\n".join(filter(None, [small, *writer.helpers, f"def {writer.name}{head}:\n{body}\n"]))
        for head in (writer.parameters(False), writer.parameters(True))
    )
    return Source(text, writer.name, writer.constants, writer.captured, saved)


class _Writer:
    def __init__(self, program: Program, flat: bool, buffers: Sequence[Slot]) -> None:
        self.program, self.flat, self.buffers = program, flat, buffers
        self.captured: dict[str, Any] = {}
        self.given: list[str] = []
        self.constants: dict[str, Any] = {}
        self.beside_narrow = False
        self.arrays: dict[str, Any] = {}
        self.small: dict[str, str] = {}
        self.helpers: list[str] = []
        self.expressions: dict[Slot, tuple[str, int]] = {}
        self.uses = Counter(slots_in([*map(_read, program.steps), trees.leaves(program.outputs)]))
        self.by_numpy = {*slots_in([_read(step) for step in program.steps if not _is_native(step)])}
        self.name = program.name if program.name.isidentifier() else "program"
        self.taken = {*keyword.kwlist, *USED, self.name, *program.signature.parameters}

    def parameters(self, defaults: bool) -> str:
        """Return the parameters, in parentheses."""
        if self.flat:
            return f"({', '.join(self.given)})"
        own = [x.replace(name=_free(x.name)) for x in self.program.signature.parameters.values()]
        more = own.pop() if own and own[-1].kind is Parameter.VAR_KEYWORD else None
        for name in self.captured:
            default = _Name(name) if defaults else Parameter.empty
            own.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default))
        return str(Signature([*own, more] if more else own))

    def body(self) -> Iterator[str]:
        yield from self._unpacked()
        line: Line | None = None
        for step, pending in with_pending(self.program):
            if isinstance(step, Guard):
                yield from self._guard(step)
                continue
            expression, precedence = self._call(step)
            slots = slots_in(step.out)
            if self._inlines(step, expression, pending):
                self.expressions[step.out] = expression, precedence
                continue
            if step.line != line and (source := _source(step.line)):
                line = step.line
                yield f"# {source}"
            if all(slot in self.expressions for slot in slots):  # changed in place, or nothing
                yield expression
                continue
            yield f"{self._target(step.out)} = {expression}{self._kinds(slots)}"
        self.beside_narrow = False
        yield from self._returned()

    def _returned(self) -> Iterator[str]:
        program = self.program
        leaves = trees.leaves(program.outputs)
        if self.flat:
            yield f"return [{', '.join(self._text(x) for x in leaves if type(x) is Slot)}]"
            return
        outputs = program.outputs
        if program.changes:
            outputs, values = outputs
            for change, value in zip(program.changes, values, strict=True):
                text = self._text(_as_tuples(value)) if value is not LOST else "deleted"
                yield f"# sets {change.label}: {text}"
        yield f"return {self._result(_as_tuples(outputs))}"

    def _unpacked(self) -> Iterator[str]:
        """Name the inputs: parameters, and what is inside of them."""
        program = self.program
        for x in program.inputs:
            label = _free(x.label)
            if self.flat or x.captured:
                wanted = re.findall(r"[^\W\d]\w*", label)[-1]
                name = wanted if self.flat and wanted not in self.taken else self._new(wanted)
                self.taken.add(name)
                self.expressions[x.slot] = name, ATOM
                self.given.append(name)
                # Python's whole numbers have no bounds; its other numbers do not follow IEEE
                kind = program.kinds[x.slot]
                if self.flat and kind.weak and kind.dtype != int and x.slot in self.by_numpy:
                    yield f"{name} = np.{program.kinds[x.slot].dtype.name}({name})"
                if x.captured:
                    self.captured[name] = x
            elif label.isidentifier():
                self.expressions[x.slot] = label, ATOM
            elif self.uses[x.slot]:
                name = self._new(re.findall(r"[^\W\d]\w*", label)[-1])
                self.expressions[x.slot] = name, ATOM
                yield f"{name} = {label}{self._kinds([x.slot])}"
        for k, slot in enumerate(self.buffers):
            self.given.append(f"b{k}_")
            self.expressions[slot] = f"b{k}_", ATOM

    def _inlines(self, step: Step, expression: str, pending: AbstractSet[Slot]) -> bool:
        program, out = self.program, step.out
        return (
            type(out) is Slot
            and self.uses[out] == 1
            and out not in program.names
            and len(expression) <= LONGEST
            # what is changed later must be read where it was read
            and pending.isdisjoint([out, *slots_in([step.args, step.kwargs])])
        )

    def _target(self, out: Any) -> str:
        if type(out) is Slot:
            name = self._new(self.program.names.get(out, ""))
            self.expressions[out] = name, ATOM
            return name
        return ", ".join(self._target(part) for part in out) + ("," if len(out) == 1 else "")

    def _new(self, wanted: str) -> str:
        numbered = (f"{wanted or 't'}{k}" for k in count(1))
        name = next(name for name in joined([wanted], numbered) if name and name not in self.taken)
        self.taken.add(name)
        return name

    def _kinds(self, slots: list[Slot]) -> str:
        kinds = [str(self.program.kinds[slot]) for slot in slots]
        return f"  # {', '.join(kinds)}" if any(kinds) else ""

    def _guard(self, guard: Guard) -> Iterator[str]:
        self.beside_narrow = False
        expression, precedence = self.expressions[guard.slot]
        if type(guard.held) is str:
            expression = f"{self._operand(guard.slot, CALL)}.dtype != {guard.held!r}"
        elif type(guard.held) is tuple:
            expression = f"{self._operand(guard.slot, CALL)}.shape != {guard.held}"
        elif type(guard.held) is int:
            expression = (
                f"{expression if precedence > COMPARISON else f'({expression})'} != {guard.held}"
            )
        elif guard.held:
            expression = f"not {expression if precedence > COMPARISON else f'({expression})'}"
        yield f"if {expression}:"
        yield f"    raise ValueError({divergence(guard)!r})"

    def _call(self, step: Step) -> tuple[str, int]:
        """Return the expression of a step, and its precedence."""
        function, args = step.function, step.args
        kinds = self.program.kinds
        # among constants alone, NumPy's numbers stay NumPy's, as their result must be
        self.beside_narrow = not slots_in([args, step.kwargs]) or any(
            type(x) is Slot and not kinds[x].weak and kinds[x].dtype in NARROW for x in args
        )
        sequences = any(isinstance(x, list | tuple) for x in args)  # with operators of their own
        if function in BINARY and len(args) == 2 and not step.kwargs and not sequences:
            symbol, own = BINARY[function]
            # powers bind to the right, comparisons to neither side
            left = self._operand(args[0], own + (symbol == "**" or own == COMPARISON))
            right = self._operand(args[1], own + (symbol != "**"))
            return f"{left}**{right}" if symbol == "**" else f"{left} {symbol} {right}", own
        if function in UNARY and not step.kwargs:
            return f"{UNARY[function]}{self._operand(args[0], SIGN)}", SIGN
        if function is operator.setitem:
            target, index, value = args
            return f"{self._operand(target, CALL)}[{self._index(index)}] = {self._text(value)}", 0
        if function is operator.getitem:
            return f"{self._array(args[0])}[{self._index(args[1])}]", CALL
        if isinstance(function, Method):
            called, args = f"{self._array(args[0])}.{function.__name__}", args[1:]
        elif isinstance(function, Native):
            called = self._new("native")
            self.constants[called] = function.run
        elif function in HELPERS:
            called, text = HELPERS[function]
            self.helpers += [text] if text not in self.helpers else []
        else:
            called = called_as(function)
        given = [self._text(arg) for arg in args]
        given += [f"{name}={self._text(arg)}" for name, arg in step.kwargs.items()]
        return f"{called}({', '.join(given)})", CALL

    def _array(self, x: Any) -> str:
        return repr(x) if isinstance(x, np.generic) else self._operand(x, CALL)

    def _operand(self, x: Any, least: int) -> str:
        text, precedence = self._expression(x)
        return text if precedence >= least else f"({text})"

    def _text(self, x: Any) -> str:
        return self._expression(x)[0]

    def _result(self, x: Any) -> str:
        if isinstance(x, tuple) and not isinstance(x, Known):
            return ", ".join(map(self._text, x)) + ("," if len(x) == 1 else "")
        return self._text(x)

    def _expression(self, x: Any) -> tuple[str, int]:
        if type(x) is Slot:
            text, precedence = self.expressions[x]
            kind = self.program.kinds[x]
            if self.beside_narrow and kind.weak:  # which would widen the others
                return form(True, False, kind.dtype).format(text), CALL
            return text, precedence
        if isinstance(x, Known):
            return self.program.check.tests[int(x.variable[1:])].label, ATOM
        if isinstance(x, tuple):
            inside = ", ".join(map(self._text, x)) + ("," if len(x) == 1 else "")
            return f"({inside})", ATOM
        if isinstance(x, list):
            return f"[{', '.join(map(self._text, x))}]", ATOM
        if isinstance(x, dict):
            parts = (f"{key!r}: {self._text(part)}" for key, part in x.items())
            return f"{{{', '.join(parts)}}}", ATOM
        if isinstance(x, np.ndarray):
            return self._constant(x), CALL
        if x is Ellipsis:
            return "...", ATOM
        if isinstance(x, np.dtype):
            return f"np.dtype({x.str!r})", CALL
        if isinstance(x, float | np.floating) and not np.isfinite(x):
            number = f'float("{x}")'
            return f"np.{x.dtype.name}({number})" if isinstance(x, np.generic) else number, CALL
        if isinstance(x, np.generic):
            if isinstance(x, float) and not self.beside_narrow:
                return self._expression(float(x))
            return repr(x), CALL
        if isinstance(x, type):
            return (f"np.{x.__name__}" if issubclass(x, np.generic) else x.__name__), ATOM
        text = repr(x)
        return text, SIGN if text.startswith("-") else ATOM

    def _constant(self, array: Any) -> str:
        """Return the name of a constant array; define it by its elements if they are few."""
        for name, known in self.arrays.items():
            if known is array:
                return name
        name = self._new("c")
        self.arrays[name] = array
        if (text := written_out(array)) is not None:
            self.small[name] = text
        else:
            self.constants[name] = array
        return name

    def _index(self, index: Any) -> str:
        if isinstance(index, tuple) and index:
            return ", ".join(map(self._index_part, index)) + ("," if len(index) == 1 else "")
        return self._index_part(index)

    def _index_part(self, part: Any) -> str:
        if not isinstance(part, slice):
            return self._text(part)
        ends = [
            "" if end is None else self._text(end) for end in (part.start, part.stop, part.step)
        ]
        return ":".join(ends if ends[2] else ends[:2])


def called_as(function: Callable[..., Any]) -> str:
    """Return the expression for a function of NumPy."""
    if isinstance(function, np.ufunc):
        return f"np.{function.__name__}"
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        return f"np.{owner.__name__}.{function.__name__}"
    module = function.__module__.replace("numpy", "np", 1)
    return f"{module}.{function.__name__}"


def _free(label: str) -> str:
    """Return an expression for an argument that does not hide a name that the source needs."""
    root = re.match(r"\w*", label)[0]  # type: ignore[index]
    return f"{root}_{label[len(root) :]}" if root in USED else label


def written_out(array: Any) -> str | None:
    """Return the expression of a small array of finite numbers; None for others."""
    if not array.size:
        return f"np.zeros({array.shape}, {array.dtype.str!r})"
    if array.size <= SMALL and array.dtype.kind in "biufc" and np.all(np.isfinite(array)):
        return f"np.array({array.tolist()!r}, {array.dtype.str!r})"
    return None


class _Name:
    """A default that is written as a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _as_tuples(outputs: Any) -> Any:
    """Return outputs with a plain tuple in place of each dataclass and namedtuple."""
    if isinstance(outputs, Known) or trees.is_leaf(outputs):
        return outputs
    if isinstance(outputs, dict):
        return {key: _as_tuples(part) for key, part in outputs.items()}
    if hasattr(type(outputs), "__dataclass_fields__"):
        parts = [getattr(outputs, name) for name in type(outputs).__dataclass_fields__]
    elif isinstance(outputs, list | tuple):
        parts = list(outputs)
    else:
        return outputs
    made = [_as_tuples(part) for part in parts]
    return made if isinstance(outputs, list) else tuple(made)


def _read(step: Step | Guard) -> Any:
    return step.slot if isinstance(step, Guard) else [step.args, step.kwargs]


def divergence(guard: Guard) -> str:
    """Return the message of the error that data decide otherwise than a guard says."""
    return f"traced for the other branch of: {_source(guard.line) or 'a decision'}"


def _is_native(step: Step | Guard) -> bool:
    return isinstance(step, Step) and isinstance(step.function, Native)


def _source(line: Line) -> str:
    text = linecache.getline(line.file, line.number).strip()
    return f"line {line.number}: {text}" if text else ""
