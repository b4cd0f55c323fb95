"""Value: a float as a node, with operators and a fast backward walk of its own.

It reads the same table as `Tensor`. Only the inner loops are its own, because every call counts for
scalars. Fully typed, so that it can be compiled ahead of time unchanged.
"""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any, final

import numpy as np

from autodiff.core.copies import reduce_node
from autodiff.core.graph import (
    Args,
    Node,
    Op,
    Params,
    by_serial,
    data_of,
    next_serial,
    reassigned,
    stale,
)
from autodiff.core.modes import modes, records, watcher
from autodiff.core.walks import pull
from autodiff.nodes.methods import ArrayNode, FloatType
from autodiff.nodes.tensor import Tensor
from autodiff.ops import elementwise, shapes, special
from autodiff.ops.alike import labelled, unlabelled
from autodiff.ops.elementwise import add, divide, multiply, negative, power, subtract
from autodiff.ops.kinks import Tied
from autodiff.ops.table import Elementwise

FLOAT = np.float64()  # has the shape and dtype of a Value


def _number(data: Any) -> float:
    if isinstance(data, Real | np.bool_) or (isinstance(data, np.ndarray) and data.shape == ()):
        return float(data)
    if isinstance(data, Node):
        raise TypeError(f"this is a {type(data).__name__} already; Value(x.data) copies its number")
    hint = "; an array goes into a Tensor" if isinstance(data, np.ndarray | list | tuple) else ""
    raise TypeError(f"Value holds one real number, not {type(data).__name__} {data!r:.40}{hint}")


@final
class Value(ArrayNode):
    """A float node: a variable, or a result that records how it was computed.

    Parameters
    ----------
    data : float
        Any real number; stored as a Python float.
    name : str, optional
        Shown in drawings and traces.

    Attributes
    ----------
    data : float
        The number. A variable's may be assigned (`x.data -= 0.1 * x.grad`).
    grad : float or None
        The gradient set by `backward()`.

    Raises
    ------
    TypeError
        If `data` is not one real number.

    Examples
    --------
    >>> from autodiff import Value, log, sin
    >>> x1, x2 = Value(2, name="x1"), Value(5, name="x2")
    >>> y = log(x1) + x1 * x2 - sin(x2)
    >>> y.backward()
    >>> y
    Value(11.6521, grad=1)
    >>> x1
    Value(2, grad=5.5, name='x1')
    """

    __slots__ = ()

    __reduce__ = reduce_node

    def __init_subclass__(cls) -> None:
        raise TypeError("Value is final: write functions of Values rather than a subclass")

    params: Params = {}  # noqa: RUF012 (ops on Values have none; never written)

    def __init__(
        self,
        data: Any,
        name: str | None = None,
        op: Op | None = None,
        inputs: Args = (),
    ) -> None:
        if op is None:
            data = _number(data)
        elif modes and not records(self, data, op, inputs, self.params):
            op, inputs = None, ()
        self._data = data
        self.op = op
        self.inputs = inputs
        self.name = name
        self.grad = None
        self.serial = next_serial()

    @property
    def data(self) -> float:
        """The number, outside the graph."""
        data: float = self._data
        return data

    @data.setter
    def data(self, number: float) -> None:
        if self.op is not None:
            raise AttributeError(
                f"this Value is the result of {self.op.name}: only a variable's data can be "
                "assigned"
            )
        self._data = _number(number)
        self.serial = reassigned()

    @classmethod
    def apply(cls, op: Op, args: Args, params: Params) -> Any:
        if not isinstance(op, Elementwise):
            return Tensor.apply(op, args, params)
        numbers = []
        for arg in args:
            kind = type(arg)
            if kind is Value:
                numbers.append(arg._data)
            elif kind is float or kind is int or kind is bool or kind is Tied:
                numbers.append(arg)
            elif any(_is_array(arg) for arg in args):
                return Tensor.apply(op, args, params)
            else:
                args = tuple([arg if type(arg) is Value else _constant(op, arg) for arg in args])
                return cls.apply(op, args, params)
        return Value(float(op.on_floats(*numbers)), None, op, args)

    def fit(self, cotangent: Any) -> Any:
        if isinstance(cotangent, Node):
            return shapes.fitted(cotangent, FLOAT) if type(cotangent) is Tensor else cotangent
        return float(np.sum(cotangent).real)

    def spread(self, tangent: Any) -> Any:
        return self.fit(tangent) if isinstance(tangent, Node) else float(np.real(tangent))

    def zero(self) -> float:
        return 0.0

    def undefined(self, carried: Any) -> bool:
        return bool(carried != carried)

    def seed(self, seed: Any = None) -> Any:
        """Return the checked cotangent to start from; 1 by default."""
        if isinstance(seed, Node):
            return seed if type(seed) is Value else self.fit(shapes.of_shape(seed, ()))
        return 1.0 if seed is None else _number(seed)

    def backward(self, seed: Any = None) -> None:
        """Set `.grad` of every node that this one was computed from.

        Parameters
        ----------
        seed : number or node, optional
            The cotangent to start from; 1 if left out. If it is a node, the gradients are nodes
            too, and can be differentiated.

        Raises
        ------
        RuntimeError
            If a variable was assigned after an operation had read it.
        """
        start = self.seed(seed)
        if isinstance(start, Node):
            for node, cotangent in pull({self: start}, record=True).items():
                node.grad = cotangent
            return
        nodes, cotangents = pull_floats(self, start)
        for value in nodes:
            value.grad = cotangents[value.serial]

    # Operators. Fast path: the other operand is a Value or a Python number. Everything else
    # (NumPy's scalars and arrays, Tensors, IEEE's special cases, errors) calls the row.

    def __add__(self, other: Any) -> Any:
        kind = type(other)
        if kind is Value:
            return Value(self._data + other._data, None, add, (self, other))
        if kind is float or kind is int:
            return Value(self._data + other, None, add, (self, other))
        return _by_table(add, self, other)

    def __radd__(self, other: Any) -> Any:
        if type(other) is float or type(other) is int:
            return Value(other + self._data, None, add, (other, self))
        return _by_table(add, other, self)

    def __sub__(self, other: Any) -> Any:
        kind = type(other)
        if kind is Value:
            return Value(self._data - other._data, None, subtract, (self, other))
        if kind is float or kind is int:
            return Value(self._data - other, None, subtract, (self, other))
        return _by_table(subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        if type(other) is float or type(other) is int:
            return Value(other - self._data, None, subtract, (other, self))
        return _by_table(subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        kind = type(other)
        if kind is Value:
            return Value(self._data * other._data, None, multiply, (self, other))
        if kind is float or kind is int:
            return Value(self._data * other, None, multiply, (self, other))
        return _by_table(multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        if type(other) is float or type(other) is int:
            return Value(other * self._data, None, multiply, (other, self))
        return _by_table(multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        kind = type(other)
        if kind is Value:
            return Value(divide.on_floats(self._data, other._data), None, divide, (self, other))
        if kind is float or kind is int:
            return Value(divide.on_floats(self._data, other), None, divide, (self, other))
        return _by_table(divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _by_table(divide, other, self)

    def __pow__(self, other: Any) -> Any:
        kind = type(other)
        if kind is Value:
            return Value(power.on_floats(self._data, other._data), None, power, (self, other))
        if kind is float or kind is int:
            return Value(power.on_floats(self._data, other), None, power, (self, other))
        return _by_table(power, self, other)

    def __rpow__(self, other: Any) -> Any:
        return _by_table(power, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _by_table(elementwise.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _by_table(elementwise.floor_divide, other, self)

    def __mod__(self, other: Any) -> Any:
        return _by_table(elementwise.remainder, self, other)

    def __rmod__(self, other: Any) -> Any:
        return _by_table(elementwise.remainder, other, self)

    def __divmod__(self, other: Any) -> Any:
        return elementwise.divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return elementwise.divmod(other, self)

    def __neg__(self) -> Value:
        return Value(-self._data, None, negative, (self,))

    def __pos__(self) -> Any:
        return elementwise.positive(self)

    def __abs__(self) -> Any:
        return elementwise.absolute(self)

    # Comparisons return plain bools.

    def __eq__(self, other: object) -> Any:
        return _compare(operator.eq, self, other)

    def __ne__(self, other: object) -> Any:
        return _compare(operator.ne, self, other)

    def __lt__(self, other: Any) -> Any:
        return _compare(operator.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return _compare(operator.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return _compare(operator.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return _compare(operator.ge, self, other)

    __hash__ = Node.__hash__

    def conjugate(self) -> Value:
        """Return itself, which is real (NumPy calls this on object arrays, as in vdot)."""
        return self

    conj = conjugate
    real = T = property(conjugate)
    imag = 0.0

    # attributes of numpy.float64
    shape: tuple[int, ...] = ()
    ndim = 0
    size = 1
    dtype: Any = FloatType()

    def __bool__(self) -> bool:
        return bool(self._data)

    # NumPy calls these methods on the elements of an object array: np.exp([v, w]).

    exp = elementwise.exp
    exp2 = elementwise.exp2
    expm1 = elementwise.expm1
    log = elementwise.log
    log2 = elementwise.log2
    log10 = elementwise.log10
    log1p = elementwise.log1p
    sqrt = elementwise.sqrt
    cbrt = elementwise.cbrt
    square = elementwise.square
    reciprocal = elementwise.reciprocal
    sin = elementwise.sin
    cos = elementwise.cos
    tan = elementwise.tan
    arcsin = elementwise.arcsin
    arccos = elementwise.arccos
    arctan = elementwise.arctan
    arctan2 = elementwise.arctan2
    hypot = elementwise.hypot
    sinh = elementwise.sinh
    cosh = elementwise.cosh
    tanh = elementwise.tanh
    arcsinh = elementwise.arcsinh
    arccosh = elementwise.arccosh
    arctanh = elementwise.arctanh
    deg2rad = elementwise.deg2rad
    rad2deg = elementwise.rad2deg
    radians = elementwise.radians
    degrees = elementwise.degrees
    fabs = elementwise.fabs
    sign = elementwise.sign
    rint = elementwise.rint
    fmod = elementwise.fmod
    relu = special.relu
    sigmoid = special.sigmoid

    def receive(self, name: str, made: Any, exact: bool, fresh: bool) -> None:
        raise TypeError(
            f"{name}(out=...) cannot write to a Value, which is as immutable as a float: use the "
            "result, or write to an array of autodiff.zeros"
        )

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else repr(self)

    def __repr__(self) -> str:
        grad = "" if self.grad is None else f", grad={data_of(self.grad):.6g}"
        name = "" if self.name is None else f", name={self.name!r}"
        return f"Value({self._data:.6g}{grad}{name})"


def _is_array(arg: Any) -> bool:
    """Return whether an operation with `arg` computes on arrays; a Value cannot be complex."""
    return isinstance(arg, Tensor | complex) or (
        (hasattr(arg, "__array_function__") and not isinstance(arg, Value)) or labelled(arg)
    )


def _constant(op: Op, arg: Any) -> float:
    """Return a plain operand as a Python number."""
    if isinstance(arg, float | int):
        return arg if type(arg).__module__ == "builtins" or type(arg) is Tied else float(arg)
    if isinstance(arg, Real | np.bool_):
        return float(arg)
    raise TypeError(
        f"{op.name} cannot take {type(arg).__name__} {arg!r:.40}: its operands are numbers, "
        "arrays, Values and Tensors"
    )


def _by_table(op: Op, left: Any, right: Any) -> Any:
    for arg in (left, right):
        known = isinstance(arg, Node | Real | np.bool_) or _is_array(arg)
        if not known and type(arg).__module__ != "builtins":
            return NotImplemented  # the other operand's class may implement it
    return op(left, right)


def _compare(compare: Any, value: Value, other: Any) -> Any:
    if isinstance(other, Node):
        other = other.current()
    other = unlabelled(other)
    if isinstance(other, Real | np.ndarray | np.generic):
        return compare(value._data, other)
    return NotImplemented


def pull_floats(output: Value, cotangent: float) -> tuple[list[Value], dict[float, float]]:
    """Return all ancestors of a Value, and their cotangents by serial number (a fast `pull`)."""
    if watcher() is not None:
        with np.errstate(all="ignore"):
            found = pull({output: cotangent})
        return list(found), {node.serial: g for node, g in found.items()}  # type: ignore[arg-type]
    results, variables, cotangents = _float_graph(output)
    cotangents[output.serial] = cotangent
    with np.errstate(all="ignore"):
        for node in results:
            g = cotangents[node.serial]
            if g == 0.0 or node.op is None:
                continue
            op, args = node.op, node.inputs
            partials = op.partials
            if len(args) != 2:
                data = [arg._data if type(arg) is Value else arg for arg in args]
                for k, arg in enumerate(args):
                    if type(arg) is Value:
                        p = op.partial(k, node._data, data)
                        if p:  # a zero absorbs, as in `ops.table.chain`
                            cotangents[arg.serial] += g * p
                continue
            x, y = args  # fast path, unrolled
            p, q = partials
            if type(p) is int and type(q) is int:
                if type(x) is Value:
                    cotangents[x.serial] += g * p
                if type(y) is Value:
                    cotangents[y.serial] += g * q
                continue
            out = node._data
            a = x._data if type(x) is Value else x
            b = y._data if type(y) is Value else y
            if type(x) is Value:
                try:
                    p = p(out, a, b) if callable(p) else p
                except ArithmeticError:
                    p = op.partial(0, out, (a, b))
                if p:
                    cotangents[x.serial] += g * p
            if type(y) is Value:
                try:
                    q = q(out, a, b) if callable(q) else q
                except ArithmeticError:
                    q = op.partial(1, out, (a, b))
                if q:
                    cotangents[y.serial] += g * q
    for variable in variables:
        if type(g := cotangents[variable.serial]) is np.float64:  # of a partial by NumPy
            cotangents[variable.serial] = float(g)
    return results + variables, cotangents


def _float_graph(output: Value) -> tuple[list[Value], list[Value], dict[float, float]]:
    """Return results (newest first), variables, and a zero cotangent for each serial number."""
    cotangents = {output.serial: 0.0}  # allocated in one sweep, and so read in one
    results, variables = [output], []
    for node in results:
        serial = node.serial
        for arg in node.inputs:
            if type(arg) is Value:
                key = arg.serial
                if arg.op is None:
                    if key > serial:
                        raise stale(arg, node)
                    if key not in cotangents:
                        cotangents[key] = 0.0
                        variables.append(arg)
                elif key not in cotangents:
                    cotangents[key] = 0.0
                    results.append(arg)
    results.sort(key=by_serial, reverse=True)
    return results, variables, cotangents
