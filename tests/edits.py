"""Wrong edits of a function's source: remove a term, a factor, a sign or a conjugate."""

import ast
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType
from typing import NamedTuple

UNARY = {"adjoint", "hermitian_part", "conj", "conjugate", "imag", "real"}
"""Functions of complex numbers that may be removed."""
WHOLE = ast.BinOp | ast.Call | ast.Subscript
NOT_EDITED = ast.arguments | ast.JoinedStr | ast.Raise
SIGNS, FACTORS = ast.Add | ast.Sub, ast.Mult | ast.Div | ast.MatMult
FUNCTIONS = ast.FunctionDef | ast.Lambda


class Edit(NamedTuple):
    """One place in a function's source, and its replacement."""

    function: FunctionType
    around: ast.AST
    place: ast.expr
    shown: ast.expr
    instead: ast.expr

    def __str__(self) -> str:
        name = self.function.__qualname__.replace("<lambda>", "λ").replace("<locals>.", "")
        edit = f"{name}: {ast.unparse(self.shown)} for {ast.unparse(self.place)}"
        if isinstance(self.shown, ast.Constant) and not isinstance(self.around, ast.FunctionDef):
            edit += f" in {ast.unparse(self.around)}"
        return edit

    def apply(self) -> None:
        """Replace the code of the function, everywhere it is referenced."""
        code = self.function.__code__
        source = Source.of(code.co_filename)
        number = [*map(_positions, source.codes())].index(_positions(code))
        ast.fix_missing_locations(_Replaced(self).visit(source.tree))
        self.function.__code__ = source.codes()[number]


class _Replaced(ast.NodeTransformer):
    def __init__(self, edit: Edit) -> None:
        self.edit = edit

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.edit.place:
            return self.edit.instead
        return self.generic_visit(node)


class Source(NamedTuple):
    """The source of a module, in which functions are found by their position."""

    path: str
    tree: ast.Module
    functions: list[ast.AST]

    @classmethod
    @cache
    def of(cls, path: str) -> "Source":
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        return cls(path, tree, [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)])

    def codes(self) -> list[CodeType]:
        """Return the code of every function, in an order that edits do not change."""
        found = [compile(self.tree, self.path, "exec", dont_inherit=True)]
        for code in found:
            found += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        return found

    def node(self, code: CodeType) -> ast.AST:
        """Return the smallest function in the source that contains the code."""
        spans = [p for p in _positions(code)[1:] if p[2] != p[3]]
        *_, innermost = (
            node
            for node in self.functions
            if all(
                (node.lineno, node.col_offset) <= (line, column)
                and (end_line, end) <= (node.end_lineno, node.end_col_offset)
                for line, end_line, column, end in spans
            )
        )
        return innermost


def _positions(code: CodeType) -> tuple[tuple[int, int, int, int], ...]:
    return tuple(code.co_positions())


def edits(function: FunctionType) -> Iterator[Edit]:
    """Yield every wrong edit of a function, without repetitions."""
    node = Source.of(function.__code__.co_filename).node(function.__code__)
    for around, place in _expressions(node, node):
        known = {ast.unparse(place)}  # e.g. 1 / x without its 1, or either x of x * x
        for shown, instead in _instead(place):
            if ast.unparse(shown) not in known:
                known.add(ast.unparse(shown))
                yield Edit(function, around, place, shown, instead)


@cache
def names_in(function: FunctionType) -> set[str]:
    """Return the names that the source of a function uses."""
    node = Source.of(function.__code__.co_filename).node(function.__code__)
    return {part.id for _, part in _expressions(node, node) if isinstance(part, ast.Name)}


def _expressions(node: ast.AST, around: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the parts of a node, each with the expression that contains it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, NOT_EDITED):
            yield around, child
            yield from _expressions(child, child if isinstance(child, WHOLE) else around)


def _instead(place: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield replacements: as shown in reports, and with the removed names kept in use."""
    match place:
        case ast.UnaryOp(ast.USub(), operand):
            yield operand, operand
        case ast.Call(ast.Name(name) as function, [operand], []) if name in UNARY:
            yield operand, _only(1, function, operand)
        case ast.Call(ast.Attribute(operand, "conj"), [], []):
            yield operand, operand
        case ast.BinOp(left, op, right):
            if not isinstance(op, SIGNS | FACTORS | ast.Pow):
                return
            yield left, _only(0, left, right)
            if isinstance(op, ast.Sub):
                right = ast.UnaryOp(ast.USub(), right)
            elif isinstance(op, ast.Div):
                right = ast.BinOp(ast.Constant(1), op, right)
            if not isinstance(op, ast.Pow):
                yield right, _only(1, left, right)


def _only(k: int, *parts: ast.expr) -> ast.expr:
    """Return part k; referring to all parts keeps the function's closure the same."""
    return ast.Subscript(ast.Tuple([*parts], ast.Load()), ast.Constant(k), ast.Load())
