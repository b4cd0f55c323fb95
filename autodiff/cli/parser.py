"""Turn expressions in text into functions, with Python's parser but without `eval`.

An expression has numbers, names, operators, lists, elements `x[0]`, and calls of functions of the
table. The tokens are checked before Python parses the text: other syntax (attributes, strings,
comprehensions) and texts that would overload the parser (deep brackets, long numbers) are refused.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn

import numpy as np

from autodiff.core.columns import width
from autodiff.core.graph import Node, Op
from autodiff.ops import (
    elementwise,
    linalg,
    probability,
    products,
    quantiles,
    reductions,
    scans,
    special,
    statistics,
)
from autodiff.ops.registry import shape_of
from autodiff.ops.shapes import getitem, stack
from autodiff.ops.table import Elementwise
from autodiff.views.text import printable

LONGEST = 10_000  # most characters of a text
DEEPEST = 100  # most nested brackets
LARGEST = 2**25  # most numbers of one evaluation: a quarter of a gigabyte
HIGHEST = 1000  # largest integer parameter, such as an axis
SHOWN = 60  # characters of the text in an error message

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
BINARY: dict[type[ast.operator], Op] = {
    ast.Add: elementwise.add,
    ast.Sub: elementwise.subtract,
    ast.Mult: elementwise.multiply,
    ast.Div: elementwise.divide,
    ast.FloorDiv: elementwise.floor_divide,
    ast.Mod: elementwise.remainder,
    ast.Pow: elementwise.power,
    ast.MatMult: products.matmul,
}
UNARY: dict[type[ast.unaryop], Op] = {
    ast.USub: elementwise.negative,
    ast.UAdd: elementwise.positive,
}
OPERATORS = {*BINARY.values(), *UNARY.values()} - {products.matmul}
# Families whose results are no larger than the product of their operands' sizes.
FAMILIES = (
    elementwise,
    special,
    probability,
    reductions,
    scans,
    statistics,
    products,
    quantiles,
    linalg,
)


def _inputs_of(function: Callable[..., Any]) -> int:
    """Return the number of leading array arguments; 0 if the function is not supported."""
    if isinstance(function, Op):
        return max(function.arity, 0)
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 0
    return sum(p.default is p.empty and p.annotation in ("Any", Any) for p in parameters)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: function
    for family in FAMILIES
    for name in family.__all__
    if _inputs_of(function := getattr(family, name))
}
"""The functions of expressions by NumPy's names, and ln for log."""
FUNCTIONS["ln"] = elementwise.log

TOKEN = re.compile(
    r"(?P<space> +)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>\w+)"
    r"|(?P<operator>\*\*|//|[-+*/%@,=])"
    r"|(?P<open>[(\[])|(?P<close>[)\]])"
    r"|(?P<other>.)",
    re.DOTALL,
)
OPERANDS = ("number", "name", "close")  # kinds of token that end an operand
HINTS = (
    ("^²³", "write ** for a power"),
    ("×·⋅∙∗", "write * for a product"),
    ("÷∕⁄", "write / for a quotient"),
    ("−–—", "write - for a minus sign"),
    (".", "attributes are not supported: write sum(x), not x.sum()"),
    ("'\"`", "strings are not supported: write functions and variables without quotes"),
    (":", "slices are not supported: write elements as x[0]"),
    ("<>!&|~", "comparisons are not supported: use maximum, minimum or heaviside"),
    ("{};#\\", "an expression has numbers, names, operators, calls and lists only"),
)


class ExpressionError(ValueError):
    """An expression that cannot be parsed or computed, with the place of the error.

    Attributes
    ----------
    reason : str
        The fault, and what to write instead.
    text : str
        The expression.
    start, end : int
        The faulty characters of `text`.
    """

    def __init__(self, reason: str, text: str, start: int, end: int) -> None:
        super().__init__(reason, text, start, end)
        self.reason, self.text, self.start, self.end = reason, text, start, end

    def __str__(self) -> str:
        if not self.text:
            return self.reason
        first = max(0, min(self.start - SHOWN // 2, len(self.text) - SHOWN))
        last = first + SHOWN
        before = printable(("…" if first else "") + self.text[first : self.start])
        marked = printable(self.text[self.start : min(self.end, last)])
        after = printable(self.text[self.end : last]) + ("…" if last < len(self.text) else "")
        caret = " " * width(before) + "^" * max(1, width(marked))
        return f"{self.reason}\n    {before}{marked}{after}\n    {caret}"


class Step(NamedTuple):
    """One step of an evaluation on a stack: it replaces the last `inputs` results by its own."""

    compute: Callable[..., Any] | str
    """A function, or the name of a variable."""
    inputs: int
    start: int
    end: int


class Function:
    """The function of an expression in text; see `parse`.

    Attributes
    ----------
    text : str
        The expression.
    variables : tuple of str
        Their names, in order of first use.
    """

    def __init__(self, text: str, steps: Sequence[Step]) -> None:
        self.text = self.__name__ = text
        self._steps = steps
        # a dict is a set that keeps its order
        self.variables = tuple(dict.fromkeys(s.compute for s in steps if type(s.compute) is str))
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(v, kind) for v in self.variables])

    def __repr__(self) -> str:
        return f"<{self.text}, a function of ({', '.join(self.variables)})>"

    def in_order(self, values: Mapping[str, Any]) -> list[Any]:
        """Return named values in the order of `variables`; raise TypeError if the names differ."""
        missing = [name for name in self.variables if name not in values]
        unknown = [name for name in values if name not in self.variables]
        if missing:
            hints = [f"; {name} is a function: {name}(…)" for name in missing if name in FUNCTIONS]
            raise TypeError(
                f"no value for {', '.join(missing)}: give {missing[0]}=…{''.join(hints[:1])}"
            )
        if unknown:
            constants = [name for name in unknown if name in CONSTANTS]
            raise TypeError(
                f"{constants[0]} is a constant: rename the variable"
                if constants
                else f"{', '.join(unknown)} is not in the expression: its variables are "
                f"{', '.join(self.variables) or 'none'}"
            )
        return [values[name] for name in self.variables]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        values = self.__signature__.bind(*args, **kwargs).arguments
        results: list[Any] = []
        held = 0
        for step in self._steps:
            if isinstance(step.compute, str):
                results.append(values[step.compute])
                continue
            cut = len(results) - step.inputs
            inputs = results[cut:]
            result = self._computed(step, step.compute, inputs, LARGEST - held)
            held += math.prod(shape_of(result))
            results[cut:] = [result]
        return results[0]

    def _computed(
        self, step: Step, compute: Callable[..., Any], inputs: list[Any], room: int
    ) -> Any:
        try:
            if len(inputs) > 1 and _largest_size(compute, inputs) > room:
                raise ValueError(
                    f"this could need more than {LARGEST:,} numbers, the most of an expression: "
                    "write it in Python"
                )
            result = compute(*inputs)
            if isinstance(result, tuple):
                raise ValueError("this function has several results: an expression needs one")
        except Exception as error:  # report any error of a function at its place in the text
            reason = str(error) or type(error).__name__
            raise ExpressionError(reason, self.text, step.start, step.end) from error
        return result


def _largest_size(compute: Callable[..., Any], inputs: list[Any]) -> int:
    """Return an upper bound of the size of the result."""
    shapes = [shape_of(x) for x in inputs]
    if isinstance(compute, Elementwise):
        return math.prod(np.broadcast_shapes(*shapes))
    if compute is _list:
        return sum(map(math.prod, shapes))
    return math.prod(map(math.prod, shapes))


def parse(text: str) -> Function:
    """Return the function of an expression in text.

    An expression has numbers (floats), the operators `+ - * / // % ** @`, parentheses, the
    constants `pi`, `e`, `inf` and `nan`, lists for arrays, elements `x[0]`, and functions of
    `autodiff` under NumPy's names: elementwise functions, reductions, scans, products and linear
    algebra. Parameters are numbers: `sum(x, axis=0)`. Nothing is passed to `eval`.

    Parameters
    ----------
    text : str
        For example `"log(x1) + x1*x2 - sin(x2)"`.

    Returns
    -------
    Function
        Takes numbers, arrays, Values and Tensors, by position or by name.

    Raises
    ------
    ExpressionError
        If the text cannot be parsed; the message marks the place and says what to write.

    Examples
    --------
    >>> from autodiff import grad
    >>> from autodiff.cli.parser import parse
    >>> f = parse("log(x1) + x1*x2 - sin(x2)")
    >>> f.variables
    ('x1', 'x2')
    >>> grad(f, (0, 1))(2.0, 5.0)
    (5.5, 1.7163378145367738)
    >>> parse("sine(x)")
    Traceback (most recent call last):
        ...
    autodiff.cli.parser.ExpressionError: there is no function 'sine': did you mean sin or sinh?
        sine(x)
        ^^^^
    """
    return _Parser(text).function()


class _Parser:
    """The parser of one text."""

    def __init__(self, text: str) -> None:
        text = unicodedata.normalize("NFC", text)
        self.text = re.sub(r"[ \t\r\n]", " ", text).strip(" ")

    def refuse(self, reason: str, start: int, end: int) -> NoReturn:
        raise ExpressionError(reason, self.text, start, end) from None

    def function(self) -> Function:
        if len(self.text) > LONGEST:
            self.refuse(f"an expression has at most {LONGEST:,} characters", LONGEST, LONGEST + 1)
        self.check_tokens()
        try:
            body = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            at = min((error.offset or 1) - 1, len(self.text))
            self.refuse("an expression cannot continue like this", at, at + 1)
        except (RecursionError, MemoryError):
            self.refuse("this is nested too deeply", 0, len(self.text))
        steps, todo = [], [body]
        while todo:  # in reverse: each step before its inputs, the last input first
            step, parts = self.step(todo.pop())
            steps.append(step)
            todo += parts
        self.refuse_huge(steps[::-1])
        return Function(self.text, steps[::-1])

    def refuse_huge(self, steps: list[Step]) -> None:
        """Refuse operations on constants that overflow."""
        results: list[float] = []  # NaN where the value depends on a variable
        for step in steps:
            inputs = [results.pop() for _ in range(step.inputs)][::-1]
            result = math.nan
            if callable(step.compute) and all(map(math.isfinite, inputs)):
                if not inputs or step.compute in OPERATORS:
                    with np.errstate(all="ignore"):
                        result = step.compute(*inputs)
                if math.isinf(result) and step.compute is elementwise.power and inputs[0]:
                    self.refuse("this power is too large for a float", step.start, step.end)
            results.append(result)

    def check_tokens(self) -> None:
        """Refuse tokens that no expression has, and texts that would overload Python's parser."""
        opened: list[tuple[str, int]] = []
        before = last = ""  # the kind of the previous token, and the token
        for match in TOKEN.finditer(self.text):
            kind, token, (start, end) = match.lastgroup or "", match.group(), match.span()
            if kind == "space":
                continue
            if kind == "other":
                self.refuse(_character_error(token), start, end)
            if before in OPERANDS:
                if kind in ("number", "name") or (token == "(" and before != "name"):
                    self.refuse("an operator is missing here: write * for a product", start, end)
            elif (kind == "operator" and token not in "+-") or (
                kind == "close" and before == "operator" and last != ","
            ):
                self.refuse(f"an operand is missing before this {token}", start, end)
            if kind == "number" and math.isinf(float(token)):
                self.refuse("this number is too large for a float", start, end)
            if kind == "name":
                self.check_name(token, start, end)
            if kind == "open":
                opened.append((token, start))
                if len(opened) > DEEPEST:
                    self.refuse(f"brackets are nested more than {DEEPEST} deep", start, end)
            if kind == "close" and (not opened or opened.pop()[0] + token not in ("()", "[]")):
                self.refuse(f"this {token} has no opening bracket", start, end)
            before, last = kind, token
        if before not in OPERANDS and not opened:
            self.refuse(
                "the expression is incomplete" if before else "the expression is empty",
                len(self.text),
                len(self.text) + 1,
            )
        if opened:
            token, start = opened[-1]
            self.refuse(f"this {token} is not closed", start, start + 1)

    def check_name(self, name: str, start: int, end: int) -> None:
        usual = unicodedata.normalize("NFKC", name)  # as Python reads it
        if any(unicodedata.decomposition(c).startswith("<super>") for c in name):
            self.refuse("write ** for a power", start, end)
        if usual != name:
            self.refuse(f"write {usual:.40} for {name:.40}", start, end)
        if not name.isidentifier():
            self.refuse(f"{name!r:.40} is not a name", start, end)
        if keyword.iskeyword(name) and name not in ("True", "False", "None"):
            self.refuse(f"{name} is a keyword of Python: it cannot be a name", start, end)

    def step(self, node: ast.expr) -> tuple[Step, Sequence[ast.expr]]:
        """Return the step of a piece of the expression, and its parts."""
        start, end = self.span(node)
        compute: Callable[..., Any] | str
        parts: Sequence[ast.expr] = ()
        match node:
            case ast.Constant(value=int() | float() as number) if type(number) is not bool:
                compute = _constant(float(number))
            case ast.Name(id=name):
                compute = _constant(CONSTANTS[name]) if name in CONSTANTS else name
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in UNARY:
                compute, parts = UNARY[type(sign)], [operand]
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in BINARY:
                compute, parts = BINARY[type(operator)], [left, right]
            case ast.List(elts=[_, *_] as parts):
                compute = _list
            case ast.Subscript(value=value, slice=index):
                compute, parts = _element(self.literal(index, "an index")), [value]
            case ast.Call(func=ast.Name(id=name) as called):
                compute, parts = self.call(node, name, self.span(called))
            case ast.Tuple():
                self.refuse("write an array in square brackets: [1, 2]", start, end)
            case _:
                self.refuse("this is not part of an expression", start, end)
        return Step(compute, len(parts), start, end), parts

    def call(
        self, node: ast.Call, name: str, span: tuple[int, int]
    ) -> tuple[Callable[..., Any], Sequence[ast.expr]]:
        """Return the function of a call with its parameters applied, and its inputs."""
        function = FUNCTIONS.get(name)
        if function is None:
            self.refuse(f"there is no function {name!r:.40}{_name_hint(name)}", *span)
        count = _inputs_of(function)
        inputs, further = node.args[:count], node.args[count:]
        names = () if isinstance(function, Elementwise) else _parameters(function, count)
        if len(inputs) < count or len(further) > len(names):
            takes = f"{count} argument{'s' * (count > 1)}" + (
                f" and parameters ({', '.join(names)})" if names else ""
            )
            self.refuse(f"{name} takes {takes}", *self.span(node))
        parameters: dict[str, Any] = {}
        for key, given in [
            *zip(names, further, strict=False),
            *((str(given.arg), given.value) for given in node.keywords),
        ]:
            if key not in names or key in parameters:
                choice = f": it has {', '.join(names)}" if names else " at all"
                why = "twice the parameter" if key in parameters else "no parameter"
                self.refuse(f"{name} has {why} {key!r:.40}{choice}", *self.span(given))
            parameters[key] = self.literal(given, f"{name}'s {key}")
        return _bind(function, parameters), inputs

    def literal(self, node: ast.expr, what: str) -> Any:
        """Return a parameter: a number, or a tuple of numbers."""
        match node:
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return tuple(self.literal(part, what) for part in parts)
            case ast.Constant(value=bool() | None as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                value = -value
            case ast.Constant(value=int() | float() as value):
                pass
            case _:
                self.refuse(f"{what} must be a number or a list of numbers", *self.span(node))
        if isinstance(value, int) and abs(value) > HIGHEST:
            self.refuse(f"{what} must be at most {HIGHEST}", *self.span(node))
        return value

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Return the start and end of a node in characters; Python's offsets are in bytes."""
        line = self.text.encode()
        end = node.col_offset if node.end_col_offset is None else node.end_col_offset
        return len(line[: node.col_offset].decode()), len(line[:end].decode())


def _character_error(char: str) -> str:
    """Return the error message for a character that no expression has."""
    for chars, hint in HINTS:
        if char in chars:
            return hint
    return f"{unicodedata.name(char, repr(char))} is not part of an expression"


def _name_hint(name: str) -> str:
    """Return a hint for the name of an unknown function."""
    close = get_close_matches(name, FUNCTIONS, n=2)
    foreign = [c for c in name if not c.isascii()]
    spelt = f" (which has a {unicodedata.name(foreign[0], repr(foreign[0]))})" if foreign else ""
    if close:
        return f"{spelt}: did you mean {' or '.join(close)}?"
    return f"{spelt}: the functions are NumPy's, and * is a product"


def _parameters(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    """Return the names of a function's parameters, without its inputs."""
    if isinstance(function, Op):
        return function.parameters
    return tuple(inspect.signature(function).parameters)[count:]


def _bind(function: Callable[..., Any], parameters: Mapping[str, Any]) -> Callable[..., Any]:
    return (lambda *inputs: function(*inputs, **parameters)) if parameters else function


def _constant(value: float) -> Callable[..., Any]:
    return lambda: value


def _element(index: Any) -> Callable[..., Any]:
    def element(x: Any) -> Any:
        return getitem(x, index) if isinstance(x, Node) else np.asarray(x)[index]

    return element


def _list(*parts: Any) -> Any:
    return stack(parts) if any(isinstance(part, Node) for part in parts) else np.array(parts)
