"""Tensor: an array as a node, with NumPy's operators and indexing."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from autodiff.core.copies import reduce_node
from autodiff.core.graph import (
    Args,
    Node,
    Op,
    Params,
    current,
    data_of,
    next_serial,
    reassigned,
)
from autodiff.core.modes import compared, modes, records
from autodiff.core.walks import pull
from autodiff.nodes import writing
from autodiff.nodes.arrays import checked, fresh, frozen, is_fixed, operand, private, refusal
from autodiff.nodes.bundle import Bundle
from autodiff.nodes.conversion import refuse_conversion
from autodiff.nodes.methods import ArrayNode
from autodiff.nodes.places import VIEWING, WRITING, Place, Superseded, compact, view_of
from autodiff.ops import elementwise, products, selection, shapes
from autodiff.ops.alike import unlabelled
from autodiff.ops.table import OBJECT

_NO_PARAMS: Params = {}
_LARGE = 64


def _replaced(args: Args, old: Any, new: Any) -> Args:
    return [new if arg is old else arg for arg in args]


def _both_ways(op: Op) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """Return the methods of a binary operator: direct and reflected."""

    def direct(self: Tensor, other: Any) -> Any:
        return Tensor.apply(op, (self, other), _NO_PARAMS)

    def reflected(self: Tensor, other: Any) -> Any:
        return Tensor.apply(op, (other, self), _NO_PARAMS)

    return direct, reflected


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def comparison(self: Tensor, other: Any) -> Any:
        other = unlabelled(other) if hasattr(other, "__array_ufunc__") else other
        mask = compare(self.current(), current(other))
        return compared(mask, self, other) if modes else mask

    return comparison


@final
class Tensor(ArrayNode):
    """An array node: a variable, or a result that records how it was computed.

    Parameters
    ----------
    array : array_like
        Numbers of any shape. float16/32/64 and complex keep their dtype, integers and
        booleans become float64.
    name : str, optional
        Shown in drawings and traces.
    copy : bool
        False shares the array's memory: do not change it until you have taken the last derivative.
        (Constants in expressions are copied too, unless they and their bases are read-only.)

    Attributes
    ----------
    data : array
        The numbers. A variable's may be changed in place (`x.data -= 0.1 * x.grad`) or assigned;
        later computations use the new numbers. A recorded result's are read-only.
    grad : array or None
        The gradient set by `backward()`: same shape and dtype as `data`.

    Raises
    ------
    TypeError
        If the array's dtype is not numeric, or a subclass computes by rules of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import Tensor
    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], name="x")
    >>> y = np.sum(x * x)
    >>> y.backward()
    >>> x.grad
    array([[2., 4.],
           [6., 8.]])
    """

    __slots__ = ("_place", "params")

    __reduce__ = reduce_node

    def __init_subclass__(cls) -> None:
        raise TypeError("Tensor is final: write functions of Tensors rather than a subclass")

    _place: Any
    """A `Place` or `Superseded`; None for an array without history, False for a NumPy scalar."""

    def __init__(
        self,
        array: ArrayLike,
        name: str | None = None,
        op: Op | None = None,
        inputs: Args = (),
        params: Params = _NO_PARAMS,
        *,
        copy: bool = True,
    ) -> None:
        if op is None:
            array = checked(array, copy)
        elif modes and not records(self, array, op, inputs, params):
            op, inputs, params = None, (), _NO_PARAMS
        if type(array) is np.ndarray:
            array.setflags(write=False)  # recorded data must not change
            self._data = array
            self._place = None
        else:
            self._data = frozen(array)
            self._place = False if isinstance(array, np.generic) else None
        self.op = op
        self.inputs = inputs
        self.params = params
        self.name = name
        self.grad = None
        self.serial = next_serial()

    @property
    def data(self) -> Any:
        """The numbers, outside the graph."""
        place = self._place
        if self.op is not None or (place and place.view is not None):
            self.follow()
            return self._data
        # the user may change the returned array in place, so it is a copy that `settle` compares
        if not hasattr(self._data, "tobytes"):
            return self._data.copy()  # a lazy array has no bytes to compare
        if not place:
            place = self._place = Place()
        if place.exposed is None:
            place.exposed = self._data.copy()
        return place.exposed

    @data.setter
    def data(self, array: Any) -> None:  # Any, or type checkers narrow later reads of x.data
        place = self._place
        if self.op is not None or (place and place.view is not None):
            what = f"the result of {self.op.name}" if self.op is not None else "a view"
            raise AttributeError(
                f"this Tensor is {what}: only a variable's data can be assigned (x[...] = new "
                "writes to any array)"
            )
        self._data = frozen(checked(array))
        if place:
            place.supersede(self.serial, None)
            place.history = None
            if array is not place.exposed:  # `x.data -= ...` assigns the exposed array itself
                place.exposed = None
        self.serial = reassigned()

    def settle(self) -> None:
        place = self._place
        if type(place) is not Place:
            return
        if place.view is not None:
            writing.follow(self)
        elif place.exposed is not None:
            self._take_over(place)

    def _take_over(self, place: Place) -> None:
        """Copy the user's changes from the exposed array, if there are any."""
        mine, theirs = self._data, place.exposed
        same = mine.shape == theirs.shape and mine.dtype == theirs.dtype
        if not same or mine.tobytes() != theirs.tobytes():
            data = frozen(checked(theirs))
            with WRITING:  # two threads may get here at once
                if self._data is mine:
                    place.supersede(self.serial, None)
                    place.history = None
                    self.serial, self._data = reassigned(), data

    def follow(self) -> None:
        if self._place and writing.view_behind(self) is not None:
            writing.follow(self)

    def as_of(self, serial: float) -> Node | None:
        if self.serial < serial:
            return self
        return self._place.as_of(serial) if type(self._place) is Place else None

    @property
    def immutable(self) -> bool:
        """Whether this stands for a NumPy scalar; an array of shape () does not."""
        return self._place is False

    @immutable.setter
    def immutable(self, number: bool) -> None:
        self._place = False if number else None

    @property
    def superseded(self) -> bool:  # type: ignore[override]
        # small versions keep their gradients, which pictures show
        return type(self._place) is Superseded and self.size > _LARGE

    def _form(self) -> Any:
        """Return an array of the same shape and dtype, without rebuilding an earlier version."""
        place = self._place
        if type(place) is Superseded and place.history is not None:
            return place.history.array
        return self._data

    shape = property(lambda self: (self._form() if self._place else self._data).shape)
    dtype = property(lambda self: (self._form() if self._place else self._data).dtype)
    ndim = property(lambda self: (self._form() if self._place else self._data).ndim)
    size = property(lambda self: (self._form() if self._place else self._data).size)
    T = property(lambda self: shapes.transpose(self))
    mT = property(lambda self: shapes.matrix_transpose(self))
    real = property(lambda self: elementwise.real(self))
    imag = property(lambda self: elementwise.imag(self))

    @classmethod
    def apply(cls, op: Op, args: Args, params: Params) -> Any:
        data = []
        for arg in args:
            kind = type(arg)
            if kind is Tensor:
                place = arg._place
                if place is None:
                    data.append(arg._data)
                elif place is False:  # given a scalar, NumPy decides whether the result is one;
                    # ufuncs return one in any case, and are faster on arrays
                    data.append(arg._data[()] if op.views else arg._data)
                else:
                    arg.settle()
                    data.append(arg._data)
            elif kind is np.ndarray:
                if arg.dtype is OBJECT:
                    if Tensor in map(type, args):
                        raise TypeError(
                            f"{op.name} cannot mix a Tensor with an array of Values: join the "
                            "Values with autodiff.array(values) first"
                        )
                    return op.plain(args, params)  # Values only: NumPy calls their operators
                if arg.flags.writeable or not (arg.base is None or is_fixed(arg)):
                    return cls.apply(op, _replaced(args, arg, private(arg)), params)
                data.append(arg)
            elif op.weak and (kind is float or kind is int):
                data.append(arg)  # fast path: most constants
            else:
                new = operand(op, arg)
                if new is not arg:
                    return cls.apply(op, _replaced(args, arg, new), params)
                data.append(data_of(arg))
        if params:
            for name in params:
                if name not in op.parameters:
                    raise TypeError(
                        f"{op.name} has no parameter {name!r} for a Tensor: leave it out"
                    )
            params = {name: private(value) for name, value in params.items()}
        try:
            out = op.function(*data, **params)
        except (TypeError, ValueError, IndexError, np.linalg.LinAlgError) as error:
            raise refusal(op, data, params, error) from error
        ordinary = type(out) is np.ndarray
        if not ordinary and isinstance(out, tuple | list):
            parts = Bundle(tuple(out), op, args, params).items()
            for k, (part, array) in enumerate(zip(parts, out, strict=True)):
                if type(part) is Tensor:
                    part._find_place(array, args, data, op, params, k)
            return type(out)(*parts) if hasattr(out, "_fields") else type(out)(parts)
        if out.dtype.kind not in "fc":
            raise refusal(op, data, params, TypeError(f"the result has dtype {out.dtype}"))
        made = cls(out, None, op, args, params)
        if op.views:
            if ordinary:
                if out.base is not None or (data and out is data[0]):
                    made._find_place(out, args, data, op, params)
            elif made._place is None and op.name in VIEWING:
                made._find_place(out, args, data, op, params)
        return made

    def _find_place(
        self, out: Any, args: Args, data: Args, op: Op, params: Params, part: int | None = None
    ) -> None:
        """Set the place of this node, the result `out` of `op`: a view, a scalar or neither."""
        if isinstance(out, np.generic):
            self._place = False
        elif len(args) == 1:
            self._place = view_of(out, args[0], data[0], op, params, part)
            if self._place:
                self._data = frozen(compact(out, data[0]))

    @staticmethod
    def packed(column: list[Any]) -> Any:
        dtypes = {x.dtype if type(x) is np.ndarray and not x.shape else None for x in column}
        # one array instead, since pickle is slow at a million small ones
        return np.array(column) if len(dtypes) == 1 and None not in dtypes else column

    @staticmethod
    def unpacked(column: Any) -> Sequence[Any]:
        return [np.array(x) for x in column] if isinstance(column, np.ndarray) else column

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        super().__setstate__(state)
        frozen(self._data)
        if self._place:
            self._place = self._place.for_copy()

    def fit(self, cotangent: Any) -> Any:
        like = self._form() if self._place else self._data
        if cotangent.shape == like.shape and cotangent.dtype is like.dtype:
            return cotangent  # fast path
        return shapes.fitted(cotangent, like)

    def spread(self, tangent: Any) -> Any:
        return shapes.spread(tangent, self._form())

    def zero(self) -> Any:
        return np.zeros_like(self._form())

    def fresh(self, carried: Any) -> Any:
        return shapes.copy(carried) if isinstance(carried, Node) else fresh(carried)

    def undefined(self, carried: Any) -> bool:
        if not isinstance(carried, np.ndarray | np.generic):
            return False  # may be lazy, and is never carried hastily
        flat = carried.ravel("K")
        square = flat.dot(flat)  # NaN if any element is: one pass without a temporary
        return bool(square != square)

    def current(self) -> Any:
        place = self._place
        if type(place) is not Place:
            return self._data
        self.follow()
        return self._data if place.exposed is None else place.exposed

    def backward(self, seed: ArrayLike | Node | None = None) -> None:
        """Set `.grad` of every node that this one was computed from.

        For an array that was modified in place, it is the gradient by its present version.

        Parameters
        ----------
        seed : array_like or node of this tensor's shape, optional
            The cotangent to start from; 1 for a tensor of one element. If it is a node, the
            gradients are nodes too, and can be differentiated.

        Raises
        ------
        ValueError
            If the tensor has several elements and no seed is given, or the seed's shape differs.
        RuntimeError
            If a variable was assigned after an operation had read it.
        """
        with np.errstate(all="ignore"):
            cotangents = pull({self: self.seed(seed)}, record=isinstance(seed, Node))
        for node, cotangent in cotangents.items():
            node.grad = frozen(cotangent)

    def seed(self, seed: Any = None) -> Any:
        """Return the checked cotangent to start from; 1 by default."""
        if seed is None:
            if self._data.size != 1:
                raise ValueError(
                    f"a gradient needs one number to start from, but this Tensor has shape "
                    f"{self.shape}: sum it, pass seed=, or use autodiff.jacobian"
                )
            if self._data.dtype.kind == "c":
                raise ValueError(
                    "a gradient needs a real number to start from, but this Tensor is complex: "
                    "take autodiff.real or autodiff.absolute of it, or pass seed="
                )
            return np.ones_like(self._data)
        if isinstance(seed, Node):
            return self.fit(shapes.of_shape(seed, self.shape))
        return shapes.of_shape(checked(seed, copy=False).astype(self.dtype), self.shape)

    __add__, __radd__ = _both_ways(elementwise.add)
    __sub__, __rsub__ = _both_ways(elementwise.subtract)
    __mul__, __rmul__ = _both_ways(elementwise.multiply)
    __truediv__, __rtruediv__ = _both_ways(elementwise.divide)
    __pow__, __rpow__ = _both_ways(elementwise.power)
    __floordiv__, __rfloordiv__ = _both_ways(elementwise.floor_divide)
    __mod__, __rmod__ = _both_ways(elementwise.remainder)

    def __divmod__(self, other: Any) -> Any:
        return elementwise.divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return elementwise.divmod(other, self)

    __matmul__, __rmatmul__ = _both_ways(products.matmul)

    __iadd__ = writing.in_place(elementwise.add)
    __isub__ = writing.in_place(elementwise.subtract)
    __imul__ = writing.in_place(elementwise.multiply)
    __itruediv__ = writing.in_place(elementwise.divide)
    __ipow__ = writing.in_place(elementwise.power)
    __ifloordiv__ = writing.in_place(elementwise.floor_divide)
    __imod__ = writing.in_place(elementwise.remainder)
    __imatmul__ = writing.in_place(products.matmul)

    def __neg__(self) -> Any:
        return elementwise.negative(self)

    def __pos__(self) -> Any:
        return elementwise.positive(self)

    def __abs__(self) -> Any:
        return elementwise.absolute(self)

    def __getitem__(self, index: Any) -> Any:
        return shapes.getitem(self, index=index)

    def __setitem__(self, index: Any, value: Any) -> None:
        writing.assign(self, index, value)

    def __len__(self) -> int:
        return len(self._form())

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.current())

    # Comparisons return plain boolean arrays.

    __eq__ = _comparison(operator.eq)
    __ne__ = _comparison(operator.ne)
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)

    __hash__ = Node.__hash__

    def conj(self) -> Any:
        """Return the complex conjugate; a real array itself, as in NumPy."""
        return elementwise.conjugate(self) if self.dtype.kind == "c" else self

    conjugate = conj

    def fill(self, value: Any) -> None:
        """Assign one value to all elements."""
        self[...] = value

    def sort(self, axis: int = -1, kind: Any = None, *, stable: bool | None = None) -> None:
        """Sort the elements along an axis, in place."""
        self[...] = selection.sort(self, axis=axis, kind=kind, stable=stable)

    def partition(self, kth: Any, axis: int = -1, kind: Any = "introselect") -> None:
        """Partition the elements along an axis, in place."""
        self[...] = selection.partition(self, kth=kth, axis=axis, kind=kind)

    def put(self, indices: Any, values: Any, mode: Any = "raise") -> None:
        """Assign to elements by their indices in the flattened array."""
        selection.put(self, indices, values, mode)

    def receive(self, name: str, made: Any, exact: bool, fresh: bool) -> None:
        writing.receive(self, name, made, exact, fresh)

    __array__ = refuse_conversion

    def __getattr__(self, name: str) -> Any:
        if name == "_data":  # an earlier version, or one that another thread is writing
            return writing.earlier_data(self)
        return super().__getattr__(name)

    def __repr__(self) -> str:
        label = f", name={self.name!r}" if self.name else ""
        if not isinstance(self._data, np.ndarray):
            return f"Tensor({self._data!r}{label})"
        body = np.array2string(
            self.current(), threshold=20, edgeitems=2, separator=", ", prefix="Tensor("
        )
        large = f", shape={self.shape}" if self.size > 20 else ""
        dtype = "" if self.dtype == float else f", dtype={self.dtype}"
        return f"Tensor({body}{large}{dtype}{label})"


Node.tensor = Tensor
