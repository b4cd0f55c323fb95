"""The kinds of row, and the table that collects them.

`elementwise`, `linear` and `general` (in `general.py`) each make a row from one statement of the
derivative, and both modes follow from it. A rule is an ordinary expression over this package's
functions: on floats and arrays it computes, on nodes it records. `composite` registers NumPy
functions that are themselves expressions over other rows.

Complex numbers: the tangent of z is ∂z/∂t for a real t. The cotangent is ∂L/∂(Re z) + i ∂L/∂(Im z)
for a real L, so that `z -= rate * z.grad` descends. The two modes are adjoint under Re Σ conj(g) t,
so the transpose of a `linear` row is the conjugate transpose. For a real function of complex
numbers an elementwise partial p means t ↦ Re(p t). A complex function that is not holomorphic has a
second partial q: t ↦ p t + q conj(t).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np

from autodiff.core.graph import Args, Node, Op, Params, current, data_of
from autodiff.core.walks import hasty
from autodiff.ops import signatures
from autodiff.ops.kinks import Kink
from autodiff.ops.outputs import gives_out, written
from autodiff.ops.registry import BY_FUNCTION, TABLE, row

Rule = Callable[..., Any]


def ieee(function: Callable[..., Any], *args: Any) -> float:
    """Compute `function` in IEEE arithmetic: warn as NumPy does where Python floats would raise."""
    return float(function(*map(np.float64, args)))


def register(op: Row, function: Callable[..., Any], labels: dict[str, Any]) -> None:
    op.function = labels.get("compute") or function
    op.name = labels.get("name") or function.__name__
    op.symbol = labels.get("symbol") or op.name
    op.spreads = isinstance(function, np.ufunc)
    kinks = labels.get("kinks", ())
    op.kinks = (kinks,) if isinstance(kinks, Kink) else kinks
    if op.name in TABLE:
        raise ValueError(f"the table has a row {op.name!r} already: give this one another name=")
    op.__doc__ = labels.get("doc") or f"numpy.{op.name} for numbers, arrays, Values and Tensors."
    op.__name__ = op.name.rpartition(".")[2]
    TABLE[op.name] = op
    BY_FUNCTION[function] = op


def rule_signature(op: Row, rule: Rule, skip: int) -> None:
    """Set a row's arity and parameters from the signature of its rule.

    After the first `skip` arguments, those without a default are inputs.
    """
    code, defaults = rule.__code__, rule.__defaults__ or ()
    op.names = code.co_varnames[skip : code.co_argcount]
    op.arity = len(op.names) - len(defaults)
    op.parameters = op.names[op.arity :]
    op.defaults = dict(zip(op.parameters, defaults, strict=True))


def _as_objects(arg: Any) -> Any:
    if not isinstance(arg, Node):
        return arg
    boxed = np.empty((), object)  # or NumPy would ask the node for its own ufunc
    boxed[()] = arg
    return boxed


_PYTHON_NUMBERS = {float, int, bool}
OBJECT = np.dtype(object)


class Row(Op):
    """An op in the table; its copies and pickles refer to the table by name."""

    __name__: str
    __signature__ = signatures.OfRow()
    names: tuple[str, ...] = ()
    defaults: Params = {}  # noqa: RUF012 (never modified)
    kinks: tuple[Kink, ...] = ()
    """Where the row has no derivative: for `detect_kinks`, `check_grads` and the documentation."""
    spreads = False
    """Whether `out` may have a larger shape than the result, as for a ufunc."""

    @cached_property
    def signature(self) -> tuple[str, ...]:
        """The argument names of the function, or of the rule if the function has no signature."""
        try:
            return tuple(inspect.signature(self.function).parameters)
        except ValueError:
            return self.names

    def plain(self, args: Args, params: Params) -> Any:
        for arg in args:
            if is_object(arg):
                args = [*map(_as_objects, args)]
                if self.arity > 0:
                    return self.on_objects(args, params)
                break
        return self.function(*args, **params)

    def written_to(self, args: Args, params: Params) -> Any:
        params = dict(params)
        out = params.pop("out")
        if not gives_out(out):
            return self._called(args, params)
        where = params.pop("where", True) if self.weak else True
        return written(
            self.name,
            out,
            lambda: self._called(args, params),
            where,
            exact=not self.spreads,
            fresh=self.weak,
        )

    def _called(self, args: Args, params: Params) -> Any:
        return self(args, **params) if self.arity < 0 else self(*args, **params)

    def on_objects(self, args: Args, params: Params) -> Any:
        """Compute on arrays of Values: element by element if NumPy can, else as one Tensor."""
        try:
            return self.function(*args, **params)
        except (AttributeError, TypeError, ValueError):
            return self(*[joined(arg) if is_object(arg) else arg for arg in args], **params)

    def described(self) -> inspect.Signature:
        """Return the signature that `inspect.signature` and `help` show."""
        return signatures.of_function(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return row, (self.name,)


def is_object(arg: Any) -> bool:
    """Return whether `arg` is an array of Values."""
    return getattr(arg, "dtype", None) is OBJECT


def joined(values: Any) -> Any:
    """Return an object array of Values and numbers as one Tensor."""
    return row("reshape")(row("stack")(list(values.ravel())), values.shape)


def is_complex(x: Any) -> bool:
    """Return whether a number, array or node has a complex type."""
    dtype = getattr(x, "dtype", None)
    return type(x) is complex if dtype is None else dtype.kind == "c"


def floating(dtype: Any, name: str) -> np.dtype[Any]:
    """Return a dtype that a node can have.

    Raises
    ------
    TypeError
        If the dtype is not inexact; the message names the function.
    """
    found: np.dtype[Any] = np.dtype(dtype)
    if found.kind not in "fc":
        raise TypeError(
            f"{name}: a node cannot have dtype {found}: call it on x.astype(dtype) to compute "
            "outside the graph"
        )
    return found


def conj(x: Any) -> Any:
    """Return the complex conjugate, and a real x unchanged."""
    if type(x) is complex:  # must stay a Python number, which does not change the dtype
        return x.conjugate()
    return row("conjugate")(x) if is_complex(x) else x


class over:
    """The partial derivative 1 / root, or 1 / root² if squared.

    A cotangent is divided by the root directly, which saves a rounding and a pass over memory.
    """

    def __init__(self, root: Rule, squared: bool = False) -> None:
        self.root, self.squared = root, squared

    def __call__(self, out: Any, *args: Any) -> Any:
        partial = 1 / self.root(out, *args)
        return partial * partial if self.squared else partial

    def divisor(self, out: Any, args: Args) -> Any:
        root = self.root(out, *args)
        return root * root if self.squared else root


class Elementwise(Row):
    """A row whose out[i] depends only on element i of each argument: one partial per argument."""

    partials: tuple[Rule | float, ...]
    conjugated: Rule | float = 0
    scalar: Callable[..., float]
    weak = True
    views = False

    def __call__(self, *args: Any, **params: Any) -> Any:
        if params or len(args) != self.arity:
            return super().__call__(*args, **params)
        arrays = True
        for arg in args:
            if type(arg) is not np.ndarray or arg.dtype is OBJECT:
                if isinstance(arg, Node):
                    return arg.apply(self, args, params)
                arrays = False
        # fast path: all operands are plain arrays
        return self.function(*args) if arrays else self.plain(args, params)

    def plain(self, args: Args, params: Params) -> Any:
        numbers = True
        for arg in args:
            kind = type(arg)
            if kind not in _PYTHON_NUMBERS:
                numbers = False
                if kind is list or kind is tuple:
                    return self.plain([np.asarray(a) if a is arg else a for a in args], params)
                if kind is np.ndarray and arg.dtype is OBJECT:
                    # an array of Values: one scalar operation per element
                    return np.frompyfunc(self, self.arity, 1)(*map(_as_objects, args))
        return self.on_floats(*args) if numbers else self.function(*args, **params)

    def bind(self, args: Args, params: Params) -> tuple[Args, Params]:
        if len(args) != self.arity:
            raise TypeError(f"{self.name} takes {self.arity} operand(s), got {len(args)}")
        return args, params

    def with_options(self, args: Args, params: Params) -> Any:
        """Call with a ufunc's options `where` and `dtype`."""
        if not any(isinstance(arg, Node) for arg in args):
            return self.plain(args, params)
        params = dict(params)
        dtype, where = params.pop("dtype", None), current(params.pop("where", True))
        params.pop("order", None)  # memory layout only
        if (
            params.pop("subok", True) is not True
            or params.pop("casting", "same_kind") != "same_kind"
        ):
            raise TypeError(f"{self.name}: a node takes neither subok nor casting")
        if params:
            raise TypeError(f"{self.name} has no parameter {', '.join(params)}: leave it out")
        if dtype is not None:
            args = [
                row("astype")(arg, dtype=floating(dtype, self.name))
                if isinstance(arg, Node)
                else np.asarray(arg).astype(dtype)
                for arg in args
            ]
        if isinstance(where, bool | np.bool_) and where:
            return self(*args)
        with np.errstate(all="ignore"):
            out = self(*args)
        # in NumPy the other elements are uninitialised memory
        return row("where")(where, out, math.nan)

    def described(self) -> inspect.Signature:
        return signatures.of_operands(self)

    def on_floats(self, *args: float) -> float:
        """Compute on Python numbers, in IEEE arithmetic at points where `math` raises."""
        try:
            return self.scalar(*args)
        except (ArithmeticError, ValueError):
            return ieee(self.function, *args)

    def partial(self, k: int, out: Any, args: Args) -> Any:
        """Return the local partial derivative ∂out/∂args[k]."""
        rule = self.partials[k]
        return self._evaluated(rule, out, args) if callable(rule) else rule

    def _evaluated(self, rule: Rule, out: Any, args: Args) -> Any:
        try:
            return rule(out, *args)
        except ArithmeticError:  # Python numbers raise; NumPy's follow IEEE
            given = [np.float64(a) if type(a) in _PYTHON_NUMBERS else a for a in (out, *args)]
            partial = rule(*given)
            return float(partial) if type(out) is float else partial

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        rule = self.partials[k]
        if not callable(rule):
            return g if rule == 1 else scaled(g, rule)
        if type(rule) is over and type(g) is np.ndarray and hasty.get():
            divisor = rule.divisor(out, args)
            if type(divisor) is np.ndarray:
                return g / conj(divisor)
        partial = self._evaluated(rule, out, args)
        if type(partial) is not np.ndarray or partial.dtype.kind == "c":
            partial = conj(partial)
        share = scaled(g, partial)
        return self._with_conjugated(share, g, out, args) if self.conjugated else share

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        share = t if self.partials[k] == 1 else scaled(t, self.partial(k, out, args))
        return self._with_conjugated(share, t, out, args) if self.conjugated else share

    def _with_conjugated(self, share: Any, x: Any, out: Any, args: Args) -> Any:
        """Return share + q conj(x); this term is its own transpose."""
        if not is_complex(args[0]):
            return share
        q = self.conjugated
        more = scaled(conj(x), self._evaluated(q, out, args) if callable(q) else q)
        return more if share is None else share if more is None else share + more


class Linear(Row):
    """A row that is linear in its inputs: forward mode is the function, reverse its transpose.

    A function of a sequence (`concatenate`) has one transpose, for its k-th input.
    """

    transposes: tuple[Rule, ...]
    jointly: bool

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        if self.arity < 0:
            return self.transposes[0](g, k, args, **params)
        return self.transposes[k](g, *args, **params)

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        if self.jointly:
            args = [np.zeros_like(data_of(arg)) for arg in args]
        args = [*args[:k], t, *args[k + 1 :]]
        return self(args, **params) if self.arity < 0 else self(*args, **params)


def elementwise(
    function: Callable[..., Any],
    *partials: Rule | float,
    scalar: Callable[..., float] | None = None,
    conjugated: Rule | float = 0,
    **labels: Any,
) -> Elementwise:
    """Make a row from ∂out/∂argument for each argument, as a number or a rule `(out, *args)`.

    `conjugated` is the derivative by the conjugate of a complex argument (of one argument only).
    `scalar` computes on Python floats. The default is the function of the same name in `math`, or
    else `function` itself.
    """
    op = Elementwise()
    register(op, function, labels)
    op.arity, op.parameters = len(partials), ()
    op.partials, op.conjugated = partials, conjugated
    fallback: Callable[..., float] = getattr(math, op.name, lambda *args: ieee(function, *args))
    op.scalar = scalar or fallback
    return op


def linear(
    function: Callable[..., Any],
    *transposes: Rule,
    sequence: bool = False,
    jointly: bool | None = None,
    kind: type[Linear] = Linear,
    **labels: Any,
) -> Linear:
    """Make a row from a transpose for each input: a rule `(g, *inputs, **parameters)`.

    With `sequence`, the inputs are one sequence and the only rule is `(g, k, inputs,
    **parameters)`. With `jointly` (the default for a sequence), the function is linear in all
    inputs together, like a sum; otherwise it is linear in each one separately, like a product.
    `kind` is the class of the row.
    """
    op = kind()
    register(op, function, labels)
    op.transposes, op.jointly = transposes, sequence if jointly is None else jointly
    rule_signature(op, transposes[0], 2 if sequence else 1)
    if sequence:
        op.arity = -1
        op.function = wraps(function)(lambda *inputs, **params: function(inputs, **params))
    return op


Function = TypeVar("Function", bound=Callable[..., Any])


def alias(op: Function, *functions: Callable[..., Any]) -> Function:
    """Register other NumPy functions for `op`: aliases of the same function."""
    for function in functions:
        BY_FUNCTION[function] = op
    return op


def composite(*functions: Callable[..., Any]) -> Callable[[Function], Function]:
    """Register an expression over the table's functions for these NumPy functions on nodes.

    It takes the arguments of the NumPy function. It needs no rule: its parts have theirs.
    """

    exact = not any(isinstance(function, np.ufunc) for function in functions)

    def tie(expression: Function) -> Function:
        @wraps(expression)
        def checked(*args: Any, out: Any = None, **kwargs: Any) -> Any:
            if not gives_out(out):
                return expression(*args, **kwargs)
            where = True if exact else kwargs.pop("where", True)
            return written(
                expression.__name__, out, lambda: expression(*args, **kwargs), where, exact=exact
            )

        for function in functions:
            BY_FUNCTION[function] = checked
        return checked  # type: ignore[return-value]

    return tie


def _absorbing_product(g: Any, partial: Any) -> Any:
    zero = np.equal(g, 0) | np.equal(partial, 0)
    product: Any = np.multiply(g, partial)
    return np.where(zero, product.dtype.type(0), product)


# The product of the chain rule. A zero factor gives zero: the branch that `where` did not take
# contributes exactly 0, even if its own derivative is infinite or NaN.
chain = elementwise(
    _absorbing_product,
    lambda out, g, partial: partial,
    lambda out, g, partial: g,
    scalar=lambda g, partial: g * partial if g and partial else 0.0,
    name="chain",
    symbol="×",
    doc="Return g * partial, and 0 if either is 0, even where the other is infinite or NaN.",
)


_SEEN = (np.ndarray, np.generic, float, int)  # where a hasty walk looks for NaN


def scaled(g: Any, partial: Any) -> Any:
    """Return the product of a cotangent (or tangent) and a local partial; None for zero."""
    if type(partial) is np.ndarray and type(g) is np.ndarray:
        return g * partial if hasty.get() else _absorbing_product(g, partial)
    if isinstance(partial, (float, int)) and math.isfinite(partial):
        if partial == -1:
            return -g
        if partial == 0 and not (hasty.get() and isinstance(g, _SEEN)):
            return None
        return g if partial == 1 else g * partial
    if isinstance(partial, Node) or isinstance(g, Node):
        return partial if type(g) is float and g == 1.0 else chain(g, partial)
    return _absorbing_product(g, partial)
