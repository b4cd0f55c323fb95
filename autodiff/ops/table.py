"""The kinds of row, and the table that collects them.

`elementwise`, `linear` and `general` each make a row from one statement of the derivative, and both
modes follow from it. A rule is an ordinary expression over this package's functions: on floats and
arrays it computes, on nodes it records.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.graph import Args, Node, Op, Params

TABLE: dict[str, Op] = {}
"""Every row by its name."""

BY_FUNCTION: dict[Any, Op] = {}
"""Every row by the NumPy function it stands for: what NumPy's protocols look up."""


def row(name: str) -> Op:
    """The row of that name."""
    return TABLE[name]


Rule = Callable[..., Any]


def ieee(function: Callable[..., Any], *args: Any) -> float:
    """`function` in IEEE arithmetic where Python's floats would raise: NumPy's warning instead."""
    return float(function(*map(np.float64, args)))


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a number, array or node (a number and a Value have the shape ())."""
    return getattr(x, "shape", ())


def _register(op: Op, function: Callable[..., Any], labels: dict[str, Any]) -> None:
    op.function = labels.get("compute") or function
    op.name = labels.get("name") or function.__name__
    op.symbol = labels.get("symbol") or op.name
    op.__doc__ = labels.get("doc") or f"numpy.{op.name} for numbers, arrays, Values and Tensors."
    TABLE[op.name] = op
    BY_FUNCTION[function] = op


def _signature(op: Op, rule: Rule, skip: int) -> None:
    """Read from a rule what its row takes: after `skip`, names without a default are inputs."""
    code, defaults = rule.__code__, rule.__defaults__ or ()
    names = code.co_varnames[skip : code.co_argcount]
    op.arity = len(names) - len(defaults)
    op.parameters = names[op.arity :]


def _as_objects(arg: Any) -> Any:
    if not isinstance(arg, Node):
        return arg
    boxed = np.empty((), object)  # or NumPy would ask the node for its own ufunc
    boxed[()] = arg
    return boxed


_PYTHON_NUMBERS = {float, int, bool}
OBJECT = np.dtype(object)


class Row(Op):
    """An op that stands in the table, to which copies and pickles of it refer."""

    def __reduce__(self) -> tuple[Any, ...]:
        return row, (self.name,)


class Elementwise(Row):
    """out[i] depends on element i of each argument only: a partial derivative per argument."""

    partials: tuple[Rule | float, ...]
    scalar: Callable[..., float]

    def plain(self, args: Args, params: Params) -> Any:
        args = [np.asarray(arg) if isinstance(arg, list | tuple) else arg for arg in args]
        arrays = [arg for arg in args if type(arg) is np.ndarray]
        if not arrays and all(type(arg) in _PYTHON_NUMBERS for arg in args):
            return self.on_floats(*args)
        for array in arrays:
            if array.dtype is OBJECT:  # of Values: the scalar engine at work on each
                return np.frompyfunc(self, self.arity, 1)(*map(_as_objects, args))
        return self.function(*args, **params)

    def on_floats(self, *args: float) -> float:
        """The function on Python numbers, in IEEE arithmetic at the points where `math` raises."""
        try:
            return self.scalar(*args)
        except (ArithmeticError, ValueError):
            return ieee(self.function, *args)

    def partial(self, k: int, out: Any, args: Args) -> Any:
        """The local partial derivative ∂out/∂args[k]."""
        rule = self.partials[k]
        if not callable(rule):
            return rule
        try:
            return rule(out, *args)
        except ArithmeticError:  # of Python's numbers; NumPy's follow IEEE
            given = [np.float64(a) if type(a) in _PYTHON_NUMBERS else a for a in (out, *args)]
            partial = rule(*given)
            return float(partial) if type(out) is float else partial

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        if self.partials[k] == 1:
            return g
        return scaled(g, self.partial(k, out, args))

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        return self.vjp(k, t, out, args, params)  # a diagonal Jacobian is its own transpose


class Linear(Row):
    """Linear in each input: forward mode is the function itself, the transpose must be told.

    The row of a function of a sequence (`concatenate`) has one rule for the k-th of its inputs.
    """

    transposes: tuple[Rule, ...]

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        if self.arity < 0:
            return self.transposes[0](g, k, args, **params)
        return self.transposes[k](g, *args, **params)

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        if self.arity < 0:
            return self(
                [t if i == k else np.zeros(shape_of(a)) for i, a in enumerate(args)],
                **params,
            )
        return self(*args[:k], t, *args[k + 1 :], **params)


class General(Row):
    """Anything else: both directions are told, per input."""

    vjps: tuple[Rule, ...]
    jvps: tuple[Rule, ...]

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        return self.vjps[k](g, out, *args, **params)

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        return self.jvps[k](t, out, *args, **params)


def elementwise(
    function: Callable[..., Any],
    *partials: Rule | float,
    scalar: Callable[..., float] | None = None,
    **labels: str,
) -> Elementwise:
    """A row from ∂out/∂argument for each argument, as a number or a rule `(out, *args)`.

    `scalar` computes on Python floats; left out, it is the function of the same name in `math`,
    or else `function` itself.
    """
    op = Elementwise()
    _register(op, function, labels)
    op.arity, op.parameters, op.partials = len(partials), (), partials
    fallback: Callable[..., float] = getattr(math, op.name, lambda *args: ieee(function, *args))
    op.scalar = scalar or fallback
    return op


def linear(
    function: Callable[..., Any], *transposes: Rule, sequence: bool = False, **labels: Any
) -> Linear:
    """A row from the transpose for each input: a rule `(g, *inputs, **parameters)`.

    With `sequence`, inputs come as one sequence and the one rule is `(g, k, inputs, **parameters)`.
    """
    op = Linear()
    _register(op, function, labels)
    op.transposes = transposes
    _signature(op, transposes[0], 3 if sequence else 1)
    if sequence:
        op.arity, op.function = -1, lambda *inputs, **params: function(inputs, **params)
    return op


def general(
    function: Callable[..., Any],
    *,
    vjp: Rule | tuple[Rule, ...],
    jvp: Rule | tuple[Rule, ...],
    **labels: str,
) -> General:
    """A row from both directions for each input: rules `(g or t, out, *inputs, **parameters)`."""
    op = General()
    _register(op, function, labels)
    op.vjps = vjp if isinstance(vjp, tuple) else (vjp,)
    op.jvps = jvp if isinstance(jvp, tuple) else (jvp,)
    _signature(op, op.vjps[0], 2)
    return op


def _absorbing_product(g: Any, partial: Any) -> Any:
    product: Any = np.multiply(g, partial)
    if isinstance(product, (np.ndarray, np.generic)):
        # one fast pass without a temporary: NaN if there is one
        square = np.vdot(product, product)  # type: ignore[arg-type]
        if square != square:
            zero = np.equal(g, 0) | np.equal(partial, 0)
            product = np.where(zero, product.dtype.type(0), product)
    return product


# The product of the chain rule. A zero on either side absorbs: the branch that `where` did not
# take contributes exactly 0, even if its own derivative is infinite or NaN.
chain = elementwise(
    _absorbing_product,
    lambda out, g, partial: partial,
    lambda out, g, partial: g,
    scalar=lambda g, partial: g * partial if g and partial else 0.0,
    name="chain",
    symbol="×",
    doc="g * partial, where a zero on either side absorbs an infinity or NaN on the other.",
)


def scaled(g: Any, partial: Any) -> Any:
    """The chain rule's product of a cotangent (or tangent) and a local partial; None for zero."""
    if type(partial) is np.ndarray and type(g) is np.ndarray:
        return _absorbing_product(g, partial)
    if isinstance(partial, (float, int)) and math.isfinite(partial):
        return None if partial == 0 else g if partial == 1 else g * partial
    if isinstance(partial, Node) or isinstance(g, Node):
        return partial if type(g) is float and g == 1.0 else chain(g, partial)
    return _absorbing_product(g, partial)
