"""Notation of formulas, as text and in LaTeX: numbers, names, operations, parentheses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autodiff.core.graph import Node, Op, Params
from autodiff.ops.registry import TABLE
from autodiff.views.text import printable

SMALL = 6  # most elements of an array written as numbers; a larger one is written as its shape
MANY = 8  # most operands that are all written out

# Precedence of a formula's outermost operation. An operand of lower precedence than its place needs
# is put in parentheses; between delimiters, any precedence will do.
ENCLOSED, SUM, MATMUL, QUOTIENT, PRODUCT, POWER, ATOM = range(7)


class Term(NamedTuple):
    """A formula with the precedence of its outermost operation."""

    text: str
    level: int = ATOM


class Form(NamedTuple):
    """The notation of one operation.

    `template` has a %s for each operand, and § for the parameters if they can be shown; `needs` is
    the precedence that each operand needs.
    """

    template: str
    level: int
    needs: tuple[int, ...]


def shown(inputs: Sequence[Any]) -> list[int]:
    """Return the positions of the inputs to write out: all, or the first three and the last."""
    n = len(inputs)
    return list(range(n)) if n <= MANY else [0, 1, 2, n - 1]


def is_small(x: Any, most: int = SMALL) -> bool:
    """Return whether `x` is written as numbers: a scalar, or an array of up to `most` elements."""
    if not hasattr(x, "shape"):
        return True
    return isinstance(x, np.ndarray | np.generic) and (x.ndim == 0 or 0 < x.size <= most)


class Notation:
    """The common part of text and LaTeX; the subclasses write names, calls and numbers."""

    minus: str
    by: str  # between an adjoint or tangent and its factor
    dots: str
    becomes: str  # between an index and what is assigned there
    arrows: dict[str, str]
    forms: dict[str, Form]

    def name(self, name: str) -> str:
        """Format a user's name."""
        raise NotImplementedError

    def named(self, name: str) -> Term:
        """Return a name as an operand."""
        return Term(name)

    def accented(self, name: str, accent: str) -> str:
        """Put a "bar" or a "dot" on a name."""
        raise NotImplementedError

    def grouped(self, text: str) -> str:
        """Put a formula in parentheses."""
        raise NotImplementedError

    def call(self, name: str, args: str) -> str:
        """Format a function call."""
        raise NotImplementedError

    def words(self, text: str) -> str:
        """Format plain text within a formula."""
        raise NotImplementedError

    def ratio(self, above: str, below: str) -> str:
        """Format ∂above/∂below."""
        raise NotImplementedError

    def float(self, text: str) -> str:
        """Format a number that Python printed."""
        raise NotImplementedError

    def matrix(self, rows: list[list[str]]) -> str:
        """Format a small matrix."""
        raise NotImplementedError

    def operand(self, term: Term, need: int, first: bool = False) -> str:
        """Format a term as an operand; a minus sign needs parentheses unless it is first."""
        signed = term.text.startswith(self.minus) and need > ENCLOSED and not first
        return self.grouped(term.text) if term.level < need or signed else term.text

    def fill(self, form: Form, *args: Term, given: str = "") -> Term:
        """Fill a form with operands and parameters."""
        leads = form.template.startswith("%s")
        operands = tuple(
            self.operand(arg, need, leads and k == 0)
            for k, (arg, need) in enumerate(zip(args, form.needs, strict=True))
        )
        template, mark, end = form.template.partition("§")
        below = self.subscript(given).replace("%", "%%") if mark else ""
        return Term((template + below + end) % operands, form.level)

    def subscript(self, given: str) -> str:
        """Format the parameters of a form."""
        raise NotImplementedError

    def operation(self, op: Op, args: list[Term], params: Params) -> Term:
        """Format an operation on terms; an ellipsis stands for inputs that `shown` omits."""
        if op.name in ("getitem", "item"):
            index = readable(params.get("index", ()), top=True)
            return Term(f"{self.operand(args[0], ATOM)}[{self.words(index)}]")
        if op.name == "setitem" and len(args) == 2:
            index = self.words(readable(params.get("index", ()), top=True))
            return Term(f"{self.operand(args[0], ATOM)}[{index} {self.becomes} {args[1].text}]")
        if op.name == "tensor":  # a Value as a Tensor
            return args[0]
        if op.name == "pack":
            return Term(self.grouped(", ".join(arg.text for arg in args)))
        given = ", ".join(
            f"{key}={readable(value)}"
            for key, value in params.items()
            if key != "call" and value is not None and (key, value) not in UNSAID
        )
        form = self.forms.get(op.name) if TABLE.get(op.name) is op else None
        if form and len(form.needs) == len(args) and (not given or "§" in form.template):
            term = self.fill(form, *args, given=given)
            # in a quotient −x needs no more parentheses than a negative number
            return (
                Term(term.text, POWER) if op.name == "negative" and args[0].level >= POWER else term
            )
        texts = [arg.text for arg in args]
        if len(args) > MANY:
            texts = [args[k].text for k in shown(args)]
            texts.insert(-1, self.dots)
        if given:
            texts.append(self.words(given))
        return Term(self.call(op.name, ", ".join(texts)))

    def product(self, left: Term, right: Term, brief: bool = False) -> Term:
        """Format a product of the chain rule; if brief, without a factor of 1."""
        if brief and right.text == "1":
            return left
        if brief and right.text == f"{self.minus}1":
            return self.fill(self.forms["negative"], left)
        template, level, (first, _) = self.forms["multiply"]
        factors = self.operand(left, first, first=True), self.operand(right, QUOTIENT)
        return Term(template % factors, level)

    def sum(self, terms: list[Term]) -> str:
        """Format a sum; a negative term is subtracted."""
        text = terms[0].text
        for term in terms[1:]:
            part = self.operand(term, MATMUL, first=True)
            signed = part.startswith(self.minus)
            text += f" {self.minus} {part[len(self.minus) :]}" if signed else f" + {part}"
        return text

    def constant(self, x: Any, digits: int | None = 6) -> Term:
        """Format a number or array as an operand."""
        return self.number(x, digits) if is_small(x) else Term(self.call("array", _sizes(x)))

    def number(self, x: Any, digits: int | None = 6) -> Term:
        """Format a number or array in `digits` digits (None: all); a large one as its shape."""
        if isinstance(x, tuple):  # the several results of one operation
            parts = ["0" if part is None else self.number(part, digits).text for part in x]
            return Term(self.grouped(", ".join(parts)))
        if not is_small(x):
            return Term(self.words(f"({_sizes(x)}) {x.dtype}"), SUM)
        if getattr(x, "ndim", 0) == 0:
            text = self.float(_digits(x, digits))
            if "j" in str(x):
                return Term(text, SUM)
            level = POWER if text.startswith(self.minus) else ATOM
            return Term(text, PRODUCT if " " in text else level)
        items = [self.float(_digits(item, digits)) for item in x.ravel()]
        if x.ndim == 2:
            return Term(
                self.matrix([items[i : i + x.shape[1]] for i in range(0, x.size, x.shape[1])])
            )
        for n in x.shape[:0:-1]:
            items = [f"[{', '.join(items[i : i + n])}]" for i in range(0, len(items), n)]
        return Term(f"[{', '.join(items)}]")


def _sizes(x: Any) -> str:
    return str(tuple(x.shape))[1:-1]


def _digits(x: Any, digits: int | None) -> str:
    """Print a number in that many digits; None for all."""
    if isinstance(x, bool | np.bool_):
        return str(bool(x))
    if digits is not None:
        return f"{(x.item() if hasattr(x, 'item') else x) + 0:.{digits}g}"  # no −0
    return re.sub(r"\.0(?=$|e)", "", str(x)).strip("()")


def symbol_of(node: Node) -> str:
    """Return the symbol of a node's operation; that of an access to elements shows the index."""
    op = node.op
    assert op is not None
    symbol: str = op.symbol
    if not op.access:
        return symbol
    index = readable(node.params.get("index", ()), top=True).replace("-", "−")
    return symbol.replace(" ", index if len(index) <= LONGEST else "…")


LONGEST = 12  # index in a symbol
UNSAID = [("keepdims", False), ("order", "C")]


def readable(x: Any, top: bool = False) -> str:
    """Format a parameter or an index; an ellipsis stands for any other object."""
    if x is None or x is Ellipsis:
        return "None" if x is None else "..."
    if isinstance(x, slice):
        ends = ["" if end is None else readable(end) for end in (x.start, x.stop, x.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if isinstance(x, tuple | list):
        parts = [readable(part) for part in x[:MANY]] + ["…"] * (len(x) > MANY)
        text = ", ".join(parts)
        return text if top else f"[{text}]" if isinstance(x, list) else f"({text})"
    if isinstance(x, np.ndarray):
        return readable(x.tolist()) if x.size <= SMALL else f"array{x.shape}"
    if isinstance(x, str | bool | int | float | complex | np.generic | np.dtype):
        return printable(str(x))[:40]
    name = getattr(x, "__name__", "…")
    return printable(name)[:40] if isinstance(name, str) else "…"


_SUBSCRIPTS = str.maketrans("-0123456789", "₋₀₁₂₃₄₅₆₇₈₉")
_DIGITS = str.maketrans("₋₀₁₂₃₄₅₆₇₈₉", "-0123456789")
_ACCENTS = {"bar": "\N{COMBINING MACRON}", "dot": "\N{COMBINING DOT ABOVE}"}


def subscripted(letter: str, index: int) -> str:
    """Return a letter with a Unicode subscript: v₋₁."""
    return letter + str(index).translate(_SUBSCRIPTS)


class Text(Notation):
    """Formulas as Unicode text, with functions under their names in Python."""

    minus, by, dots, becomes = "−", "·", "…", "↦"
    arrows = {"down": "↓", "up": "↑"}  # noqa: RUF012 (never assigned)
    forms = {  # noqa: RUF012 (never assigned)
        "add": Form("%s + %s", SUM, (SUM, MATMUL)),
        "subtract": Form("%s − %s", SUM, (SUM, MATMUL)),
        "negative": Form("−%s", PRODUCT, (MATMUL,)),
        "matmul": Form("%s @ %s", MATMUL, (MATMUL, POWER)),
        "affine": Form("%s @ %s + %s", SUM, (MATMUL, POWER, MATMUL)),
        "multiply": Form("%s × %s", PRODUCT, (PRODUCT, POWER)),
        "chain": Form("%s × %s", PRODUCT, (PRODUCT, POWER)),
        "divide": Form("%s/%s", QUOTIENT, (POWER, POWER)),
        "reciprocal": Form("1/%s", QUOTIENT, (POWER,)),
        "power": Form("%s^%s", POWER, (ATOM, ATOM)),
        "float_power": Form("%s^%s", POWER, (ATOM, ATOM)),
        "square": Form("%s^2", POWER, (ATOM,)),
        "transpose": Form("%sᵀ", POWER, (ATOM,)),
        "absolute": Form("abs(%s)", ATOM, (ENCLOSED,)),
        "fabs": Form("abs(%s)", ATOM, (ENCLOSED,)),
    }

    def name(self, name: str) -> str:
        return printable(name)

    def named(self, name: str) -> Term:
        one_word = all(char.isalnum() or char in "_.₋'′" for char in name)
        return Term(name, ATOM if one_word else SUM)

    def accented(self, name: str, accent: str) -> str:
        return unicodedata.normalize("NFC", name[0] + _ACCENTS[accent]) + name[1:]

    def grouped(self, text: str) -> str:
        return f"({text})"

    def call(self, name: str, args: str) -> str:
        return f"{printable(name)}({args})"

    def words(self, text: str) -> str:
        return text.replace("-", self.minus)

    def subscript(self, given: str) -> str:
        raise NotImplementedError

    def ratio(self, above: str, below: str) -> str:
        return f"∂{above}/∂{below}"

    def float(self, text: str) -> str:
        return text.replace("-", self.minus)

    def matrix(self, rows: list[list[str]]) -> str:
        return f"[{', '.join(f'[{text}]' for text in map(', '.join, rows))}]"


_LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
_GREEK = {}
for _word in _LETTERS.split():
    _case = "SMALL" if _word.islower() else "CAPITAL"
    _letter = unicodedata.lookup(f"GREEK {_case} LETTER {_word.upper().replace('LAMBDA', 'LAMDA')}")
    _GREEK[_word] = _GREEK[_letter] = f"\\{_word}"

_ESCAPES = {char: f"\\{char}" for char in "$&#%_{}"} | {
    "\\": r"{\backslash}",
    "^": r"{\wedge}",
    "~": r"{\sim}",
    "<": "{<}",  # braces keep HTML pages from reading a tag
    ">": "{>}",
    "[": "{[}",  # after \\, a bare one begins an optional length
    "]": "{]}",
    " ": r"\ ",
}
_ESCAPES |= {char: f"\\text{{{char}}}" for char in "-'\"`*"}


_FUNCTIONS = "sin cos tan sinh cosh tanh arcsin arccos arctan max min det"


def _escaped(text: str) -> str:
    """Escape a text for LaTeX."""
    return "".join(_ESCAPES.get(char, char) for char in printable(text))


def _upright(text: str) -> str:
    """Format a word upright."""
    return f"\\mathrm{{{_escaped(text)}}}"


def _identifier(word: str) -> str:
    """Format an identifier: a Greek letter as a command, one letter in italics, a word upright."""
    if word in _GREEK:
        return _GREEK[word]
    return word if len(word) == 1 and word.isalpha() else _upright(word)


class Latex(Notation):
    """Formulas in LaTeX, for math mode with amsmath, or MathJax."""

    minus, by, dots, becomes = "-", r" \, ", r"\dots", r"\mapsto"
    arrows = {"down": r"\downarrow", "up": r"\uparrow"}  # noqa: RUF012 (never assigned)
    forms = {  # noqa: RUF012 (never assigned)
        "add": Form("%s + %s", SUM, (SUM, MATMUL)),
        "subtract": Form("%s - %s", SUM, (SUM, MATMUL)),
        "negative": Form("-%s", PRODUCT, (MATMUL,)),
        "matmul": Form(r"%s \, %s", MATMUL, (MATMUL, POWER)),
        "affine": Form(r"%s \, %s + %s", SUM, (MATMUL, POWER, MATMUL)),
        "multiply": Form(r"%s \cdot %s", PRODUCT, (PRODUCT, POWER)),
        "chain": Form(r"%s \cdot %s", PRODUCT, (PRODUCT, POWER)),
        "divide": Form(r"\frac{%s}{%s}", POWER, (ENCLOSED, ENCLOSED)),
        "reciprocal": Form(r"\frac{1}{%s}", POWER, (ENCLOSED,)),
        "power": Form("%s^{%s}", POWER, (ATOM, ENCLOSED)),
        "float_power": Form("%s^{%s}", POWER, (ATOM, ENCLOSED)),
        "square": Form("%s^{2}", POWER, (ATOM,)),
        "exp": Form("e^{%s}", POWER, (ENCLOSED,)),
        "exp2": Form("2^{%s}", POWER, (ENCLOSED,)),
        "sqrt": Form(r"\sqrt{%s}", ATOM, (ENCLOSED,)),
        "cbrt": Form(r"\sqrt[3]{%s}", ATOM, (ENCLOSED,)),
        "absolute": Form(r"\left|%s\right|", ATOM, (ENCLOSED,)),
        "fabs": Form(r"\left|%s\right|", ATOM, (ENCLOSED,)),
        "floor": Form(r"\left\lfloor %s\right\rfloor", ATOM, (ENCLOSED,)),
        "ceil": Form(r"\left\lceil %s\right\rceil", ATOM, (ENCLOSED,)),
        "conjugate": Form(r"\overline{%s}", ATOM, (ENCLOSED,)),
        "transpose": Form(r"%s^{\mathsf{T}}", POWER, (ATOM,)),
        "inv": Form("%s^{-1}", POWER, (ATOM,)),
        "pinv": Form("%s^{+}", POWER, (ATOM,)),
        "vector_norm": Form(r"\left\|%s\right\|§", ATOM, (ENCLOSED,)),
        "sum": Form(r"\sum§ %s", MATMUL, (PRODUCT,)),
        "prod": Form(r"\prod§ %s", MATMUL, (POWER,)),
    }
    functions = {name: f"\\{name}" for name in _FUNCTIONS.split()} | {
        "log": r"\ln",
        "log2": r"\log_{2}",
        "log10": r"\log_{10}",
        "sigmoid": r"\sigma",
        "i0": "I_{0}",
        "maximum": r"\max",
        "minimum": r"\min",
        "real": r"\operatorname{Re}",
        "imag": r"\operatorname{Im}",
        "trace": r"\operatorname{tr}",
    }

    def name(self, name: str) -> str:
        # x1, x_1, x₁ and x_i have a subscript
        parts = re.fullmatch(r"([^\W\d_]+)(?:_?(\d+)|_([^\W_]+)|([₋₀-₉]+))", name)
        if parts is None:
            return _identifier(name)
        word, digits, letters, subscript = parts.groups()
        below = subscript.translate(_DIGITS) if subscript else digits or _identifier(letters)
        return f"{_identifier(word)}_{{{below}}}"

    def accented(self, name: str, accent: str) -> str:
        head, mark, subscript = name.partition("_{")
        letter = len(head) == 1 or (head.startswith("\\") and head[1:].isalpha())
        command = r"\overline" if accent == "bar" and not letter else f"\\{accent}"
        return f"{command}{{{head}}}{mark}{subscript}"

    def grouped(self, text: str) -> str:
        tall = any(mark in text for mark in (r"\frac", r"\sum", r"\prod", r"\begin", r"\left"))
        return f"\\left({text}\\right)" if tall else f"({text})"

    def call(self, name: str, args: str) -> str:
        return self.functions.get(name, f"\\operatorname{{{_escaped(name)}}}") + self.grouped(args)

    def words(self, text: str) -> str:
        return _upright(text)

    def subscript(self, given: str) -> str:
        return f"_{{{_upright(given)}}}" if given else ""

    def ratio(self, above: str, below: str) -> str:
        return f"\\frac{{\\partial {above}}}{{\\partial {below}}}"

    def float(self, text: str) -> str:
        if text in ("nan", "True", "False"):
            return _upright(text)
        text = text.replace("inf", r"\infty ").replace("j", r"\mathrm{i}").strip()
        return re.sub(
            r"e([+-]?)0*(\d+)", lambda e: rf" \times 10^{{{e[1].strip('+')}{e[2]}}}", text
        )

    def matrix(self, rows: list[list[str]]) -> str:
        lines = r" \\ ".join(" & ".join(row) for row in rows)
        return rf"\begin{{bmatrix}} {lines} \end{{bmatrix}}"


TEXT, LATEX = Text(), Latex()
