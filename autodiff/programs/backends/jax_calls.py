"""Steps of a program as calls of `jax.numpy`, for a run under `jax.jit`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from autodiff.core import trees
from autodiff.ops.table import chain
from autodiff.programs.backends.jax_arrays import Arrays, Unwritable, check_dtype
from autodiff.programs.results import paired
from autodiff.programs.trace import NARROW, Guard, Method, Slot, Step, mapped, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program


LARGE = 1000
"""A constant array with more elements is an argument, since XLA would compute with it at length."""
MODULES = {"numpy": jnp, "numpy.linalg": jnp.linalg, "numpy.fft": jnp.fft}
DIFFERENT = {
    # other elements out of bounds, or other results of division by zero or of rank decisions
    np.choose, np.put_along_axis, np.divmod, np.floor_divide, np.modf, np.spacing, np.polyfit,
    np.left_shift, np.right_shift, np.linalg.pinv, np.linalg.lstsq, np.linalg.matrix_rank,
    # an order of elements that is not defined, or depends on memory
    np.partition, np.argpartition, Method("partition"), Method("argpartition"), Method("choose"),
}  # fmt: skip
"""Functions that `jax.numpy` has, too, but whose numbers may differ."""
INTEGER_DIFFERENT = {np.remainder, np.fmod, np.power, np.float_power}
"""Functions of whole numbers that fail for some of them, where XLA returns a number."""
METHODS = {
    "all", "any", "argmax", "argmin", "argsort", "astype", "clip", "conj", "conjugate", "copy",
    "cumprod", "cumsum", "diagonal", "dot", "flatten", "max", "mean", "min", "prod", "ravel",
    "repeat", "reshape", "round", "searchsorted", "squeeze", "std", "sum", "swapaxes", "take",
    "trace", "transpose", "var",
}  # fmt: skip
REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: jnp.sum, np.multiply: jnp.prod, np.maximum: jnp.max, np.minimum: jnp.min,
    np.logical_and: jnp.all, np.logical_or: jnp.any,
}  # fmt: skip
RUNNING: dict[np.ufunc, Callable[..., Any]] = {np.add: jnp.cumsum, np.multiply: jnp.cumprod}
SELECTING = {np.nonzero, np.flatnonzero, np.argwhere, Method("nonzero")}
"""Functions whose results have a place for each element that is not zero."""
PLACES = {
    np.argmax, np.argmin, np.argsort, np.searchsorted, np.digitize, Method("argmax"),
    Method("argmin"), Method("argsort"), Method("searchsorted"), *SELECTING,
}  # fmt: skip
"""Functions that return places in an array, of which JAX has some as int32."""
ACCUMULATED = {
    np.add: "add", np.subtract: "subtract", np.multiply: "multiply", np.maximum: "max",
    np.minimum: "min",
}  # fmt: skip
"""Ufuncs whose method `at` JAX has, and its name there."""
WIDENING = {"mean", "std", "var", "sum", "prod", "cumsum", "cumprod"}
"""Names of functions that compute whole numbers in a dtype that JAX chooses otherwise."""
SYMMETRIC = {np.linalg.eigh, np.linalg.eigvalsh, np.linalg.cholesky}
"""Functions that read one triangle of a matrix, where JAX reads the mean of both."""


def _remainder(x: Any, y: Any) -> Any:
    """Return the remainder with the sign of y, of a zero too."""
    found = jnp.fmod(x, y)
    other = (found != 0) & ((found < 0) != (y < 0))
    return jnp.where(found == 0, jnp.copysign(found, y), jnp.where(other, found + y, found))


def _sign(x: Any) -> Any:
    return jnp.where(x == 0, jnp.zeros_like(x), jnp.sign(x))


def _chain(g: Any, partial: Any) -> Any:
    product = jnp.multiply(g, partial)
    return jnp.where((g == 0) | (partial == 0), jnp.zeros_like(product), product)


def _from_triangle(matrix: Any, upper: bool) -> Any:
    """Return the Hermitian matrix of which one triangle is given."""
    half, k = (jnp.triu, 1) if upper else (jnp.tril, -1)
    return half(matrix) + jnp.conj(half(matrix, k)).swapaxes(-1, -2)


FORMS: dict[np.ufunc, Callable[..., Any]] = {np.remainder: _remainder, np.sign: _sign}
"""Ufuncs that are to give a zero the sign that NumPy gives it."""


class Run(Arrays):
    """One run of a program's steps on JAX's arrays.

    Parameters
    ----------
    program : Program
        The program.
    inputs : sequence of array
        The values of its inputs.
    constants : mapping
        Large constant arrays of its steps as JAX's, by their identity.
    """

    def __init__(
        self, program: Program, inputs: Sequence[Any], constants: Mapping[int, Any]
    ) -> None:
        super().__init__(program)
        self.constants = constants
        self.guards: list[Any] = []
        """Whether each guard holds."""
        self.counts: dict[Slot, Any] = {}
        """Whether data select as many elements as a result has; a guard asks for it."""
        for x, value in zip(program.inputs, inputs, strict=True):
            self.enter(x.slot, jnp.asarray(value, self.kinds[x.slot].dtype))

    def tests(self) -> list[Any]:
        """Return what must hold after the steps, the guards first."""
        return [*self.guards, *self.checks, *self.counts.values()]

    def step(self, step: Step | Guard) -> None:
        """Compute a step, or test a guard."""
        if isinstance(step, Guard):
            self.guards.append(self._holds(step))
            return
        if len(step.writes) > 1:
            raise Unwritable(f"{_name(step.function)} changes several arrays")
        if step.writes:
            self.set(step.writes[0], self._call(step))
        elif any(self.written.get(x) in self.versions for x in slots_in(step.out)):
            self.view(step)
        else:
            for slot, value in paired(step.out, self._call(step)):
                if type(slot) is Slot:
                    self.enter(slot, value)

    def _holds(self, guard: Guard) -> Any:
        kind = self.kinds[guard.slot]
        if isinstance(guard.held, str | tuple):
            if guard.held != (kind.dtype.name if isinstance(guard.held, str) else kind.shape):
                raise Unwritable("data decide a shape or a dtype")
            return self.counts.pop(guard.slot, True)
        value = self.read(guard.slot).reshape(())
        return (value.astype(bool) if isinstance(guard.held, bool) else value) == guard.held

    # Calls

    def _operand(self, x: Any) -> Any:
        if type(x) is Slot:
            return self.read(x)
        return self.constants.get(id(x), x) if isinstance(x, np.ndarray) else x

    def _call(self, step: Step) -> Any:
        """Return the result of a step; of one that changes an array, that array's new value."""
        function = step.function
        if function in DIFFERENT:
            raise Unwritable(f"JAX's {_name(function)} may give other numbers")
        if isinstance(ufunc := getattr(function, "__self__", None), np.ufunc):
            return self._method_of_ufunc(ufunc, step)
        if function is operator.getitem:
            return self._item(step)
        if step.writes and "out" not in step.kwargs:
            return self._changed(step)
        if isinstance(function, np.ufunc):
            return self._ufunc(function, step.args, step.kwargs)
        if function is chain.function:
            return self._ufunc(np.multiply, step.args, step.kwargs, _chain)
        return self._function(step)

    def _ufunc(
        self,
        ufunc: np.ufunc,
        given: Sequence[Any],
        kwargs: Mapping[str, Any],
        form: Callable[..., Any] | None = None,
    ) -> Any:
        """Call a ufunc on operands in the dtypes that NumPy's loop takes."""
        name = ufunc.__name__
        form = form or FORMS.get(ufunc) or getattr(jnp, name, None)
        if getattr(np, name, None) is not ufunc or form is None:
            raise Unwritable(f"JAX has no {name}")
        if more := kwargs.keys() - {"out", "dtype", "casting", "order", "subok"}:
            raise Unwritable(f"JAX's {name} has no {', '.join(more)}")
        options = {"casting": kwargs.get("casting", "same_kind")}
        if (dtype := kwargs.get("dtype")) is not None:
            options["signature"] = (*[None] * ufunc.nin, *[np.dtype(dtype)] * ufunc.nout)
        loop = ufunc.resolve_dtypes((*self._dtypes(given), *[None] * ufunc.nout), **options)
        taken = loop[: ufunc.nin]
        whole = any(dtype.kind in "iu" for dtype in taken)
        for each in loop:
            check_dtype(each)
        mixed = len({*taken}) > 1 and ufunc is not np.ldexp
        if whole and (ufunc in INTEGER_DIFFERENT or mixed):
            raise Unwritable(f"JAX's {name} may give other whole numbers")
        operands = [
            self.cast(self._operand(x), dtype) for x, dtype in zip(given, taken, strict=True)
        ]
        return form(*operands)

    def _dtypes(self, given: Sequence[Any]) -> list[Any]:
        """Return the dtypes of operands, and the types of Python's numbers among them."""
        narrow = any(
            type(x) is Slot and not self.kinds[x].weak and self.kinds[x].dtype in NARROW
            for x in given
        )
        found: list[Any] = []
        for x in given:
            if type(x) is Slot:
                kind = self.kinds[x]
                found.append(PYTHON[kind.dtype.kind] if kind.weak and narrow else kind.dtype)
            elif isinstance(x, np.ndarray | np.generic):
                found.append(x.dtype)
            elif isinstance(x, bool | int | float | complex):
                found.append(PYTHON["b" if isinstance(x, bool) else np.result_type(x).kind])
            else:
                raise Unwritable(f"an operand is a {type(x).__name__}")
        return found

    def _method_of_ufunc(self, ufunc: np.ufunc, step: Step) -> Any:
        name, args, kwargs = step.function.__name__, step.args, dict(step.kwargs)
        if name == "at" and ufunc in ACCUMULATED:
            target, index, value = args
            old = self.read(target)
            new = self.cast(self._operand(value), self.kinds[target].dtype)
            made = self._places_in(index, old.shape, new.shape)
            return getattr(old.at[made], ACCUMULATED[ufunc])(new)
        if name == "outer":
            return self._outer(ufunc, args, kwargs)
        known = {"reduce": REDUCTIONS, "accumulate": RUNNING}.get(name, {}).get(ufunc)
        if known is None:
            raise Unwritable(f"JAX has no {ufunc.__name__}.{name}")
        names = ("array", "axis", "dtype", "out", "keepdims", "initial", "where")
        kwargs = {"axis": 0, **kwargs, **dict(zip(names, args, strict=False))}
        kwargs.pop("out", None)
        array = self._operand(kwargs.pop("array"))
        return known(array, **mapped(self._operand, kwargs))

    def _outer(self, ufunc: np.ufunc, args: Any, kwargs: Mapping[str, Any]) -> Any:
        def form(left: Any, right: Any) -> Any:
            left = left.reshape(left.shape + (1,) * right.ndim)
            return (FORMS.get(ufunc) or getattr(jnp, ufunc.__name__))(left, right)

        return self._ufunc(ufunc, args, kwargs, form)

    def _item(self, step: Step) -> Any:
        array = jnp.asarray(self._operand(step.args[0]))
        made, counted = self._index(step.args[1], array.shape, self.kinds[step.out].shape)
        if counted is not None:
            self.counts[step.out] = counted
        return array[made]

    def _index(
        self, index: Any, shape: tuple[int, ...], result: tuple[int, ...]
    ) -> tuple[tuple[Any, ...], Any]:
        """Return an index for JAX, which does not look whether it is in bounds.

        A mask is turned into places. Whether they are as many as the result has comes second; None
        without a mask.
        """
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(x, list | slice) and slots_in([x]) for x in parts):
            raise Unwritable("data decide a part of an index or a bound of a slice")
        parts = tuple(np.asarray(x) if isinstance(x, list) and x else x for x in parts)
        dimensions = [_dimensions(x, self.kinds) for x in parts]
        left = len(shape) - sum(dimensions)
        axis, made = 0, list[Any]()
        for x, count in zip(parts, dimensions, strict=True):
            if type(x) is Slot:
                value = self.read(x)
                if value.dtype == bool:
                    if len(parts) > 1 or not (result and value.ndim):
                        raise Unwritable("a mask is a part of an index")
                    counted = jnp.count_nonzero(value) == result[0]
                    return jnp.nonzero(value, size=result[0], fill_value=0), counted
                self._check_bounds(value, shape[axis])
                made.append(value)
            else:
                made.append(x)
            axis += left if x is Ellipsis else count
        return tuple(made), None

    def _places_in(self, index: Any, shape: tuple[int, ...], given: tuple[int, ...]) -> Any:
        """Return an index at which numbers are written."""
        made, counted = self._index(index, shape, given)
        if counted is not None:
            self.checks.append(counted)
        return made

    def _check_bounds(self, index: Any, size: int) -> None:
        self.checks.append(jnp.all((index >= -size) & (index < size)))

    def _changed(self, step: Step) -> Any:
        """Return the new value of the array that a step changes."""
        function, target = step.function, step.writes[0]
        old, args = self.read(target), step.args
        if function is operator.setitem:
            return self._assigned(target, old, args[1], args[2])
        if function is np.copyto:
            given = dict(zip(("dst", "src", "casting", "where"), args, strict=False)) | step.kwargs
            new = self.cast(self._operand(given["src"]), old.dtype)
            return jnp.where(self._operand(given.get("where", True)), new, old)
        if function == Method("fill"):
            return self._operand(args[1])
        if function == Method("sort") and len(args) == 1 and step.kwargs.keys() <= {"axis", "kind"}:
            return jnp.sort(old, axis=step.kwargs.get("axis", -1))
        raise Unwritable(f"JAX has no {_name(function)} in place")

    def _assigned(self, target: Slot, old: Any, index: Any, value: Any) -> Any:
        new = self.cast(self._operand(value), old.dtype)
        if type(index) is Slot and self.kinds[index].dtype == bool and new.ndim == 0:
            mask = self.read(index)
            mask = mask.reshape(mask.shape + (1,) * (old.ndim - mask.ndim))
            return jnp.where(mask, new, old)
        made = self._places_in(index, old.shape, new.shape)
        arrays = [x for x in made if np.ndim(x) and not isinstance(x, slice)]
        if new.ndim and arrays:  # of an element that is named twice, the last number would count
            if any(isinstance(x, jax.Array) for x in arrays):
                named = jnp.sort(jnp.arange(old.size).reshape(old.shape)[made], axis=None)
                self.checks.append(jnp.all(named[1:] != named[:-1]))
            else:
                named = np.arange(old.size).reshape(old.shape)[made]
                if np.unique(named).size < named.size:
                    raise Unwritable("an index names an element twice")
        if new.shape[:1] == (1,):  # NumPy drops first axes
            new = new.reshape(new.shape[max(new.ndim - old[made].ndim, 0) :])
        return old.at[made].set(new)

    def _function(self, step: Step) -> Any:
        """Call the function of `jax.numpy` of the same name."""
        function, name = step.function, _name(step.function)
        if function in SELECTING:
            return self._nonzero(step)
        called, kwargs = self._named(function), dict(step.kwargs)
        for dropped in ("out", "subok", "casting"):
            kwargs.pop(dropped, None)
        self._refuse_casts(step)
        if name.endswith("sort"):  # which is stable in JAX
            kwargs.pop("kind", None)
        if name.endswith(("take", "take_along_axis")):
            self._check_taken(step)
        given = tuple(self._argument(x) for x in step.args)
        named = {key: self._argument(x) for key, x in kwargs.items()}
        if name.endswith("astype"):
            return self.cast(given[0], np.dtype(given[1] if len(given) > 1 else named["dtype"]))
        if function is np.where:
            dtype = self.kinds[step.out].dtype
            given = (given[0], *[jnp.asarray(x, dtype) for x in given[1:]])
        if isinstance(function, Method):
            given = (jnp.asarray(given[0]), *given[1:])
        whole = type(step.args[0]) is Slot and self.kinds[step.args[0]].dtype.kind in "iub"
        if whole and function.__name__ in WIDENING and len(given) < 3:
            named.setdefault("dtype", self.kinds[step.out].dtype)
        if function in SYMMETRIC:
            upper = named.pop("UPLO", given[1] if len(given) > 1 else "L") == "U" or named.get(
                "upper", False
            )
            given = (_from_triangle(given[0], upper),)
        found = called(*given, **named)
        if function.__module__ == "numpy.linalg":
            self._check_finite(found)
        return found.astype(int) if function in PLACES else found

    def _refuse_casts(self, step: Step) -> None:
        """Refuse what NumPy does in place by a parameter, or to numbers that are not whole."""
        function, given = step.function, [*step.args, *step.kwargs.values()]
        if function is np.nan_to_num and (len(step.args) > 1 or "copy" in step.kwargs):
            raise Unwritable(f"{_name(function)} may change its argument")
        dtypes = [np.dtype(x) for x in given if isinstance(x, type | np.dtype)]
        broken = any(self.kinds[x].dtype.kind in "fc" for x in slots_in(given))
        if (
            broken
            and any(x.kind in "iu" for x in dtypes)
            and not _name(function).endswith("astype")
        ):
            raise Unwritable(f"{_name(function)} makes whole numbers of others")

    def _argument(self, x: Any) -> Any:
        if isinstance(x, list) and all(type(part) is int for part in x):
            return tuple(x)  # JAX wants axes to be hashable
        return mapped(self._operand, x)

    def _nonzero(self, step: Step) -> Any:
        """Return the places of elements that are not zero, as many as while tracing."""
        slots = slots_in([step.out])
        (size, *_), array = self.kinds[slots[0]].shape, jnp.asarray(self._operand(step.args[0]))
        self.counts.update(dict.fromkeys(slots, jnp.count_nonzero(array) == size))
        found = getattr(jnp, step.function.__name__)(array, size=size, fill_value=0)
        return jax.tree.map(lambda x: x.astype(int), found)

    def _named(self, function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        if isinstance(function, Method):
            if name == "view":
                return lambda array: array  # of another dtype, there is one argument more
            if name not in METHODS:
                raise Unwritable(f"JAX's arrays have no method {name} like NumPy's")
            return lambda array, *args, **kwargs: getattr(array, name)(*args, **kwargs)
        module = MODULES.get(function.__module__)
        found = getattr(module, name, None)
        if found is None:
            raise Unwritable(f"JAX has no {_name(function)}")
        return found  # type: ignore[no-any-return]

    def _check_taken(self, step: Step) -> None:
        """Check the indices of `take` and `take_along_axis`, for which JAX returns NaN."""
        default = -1 if step.function is np.take_along_axis else None
        given = {"axis": default, "mode": "raise", **step.kwargs}
        given.update(zip(("array", "indices", "axis"), step.args, strict=False))
        if given["mode"] == "raise" and type(given["indices"]) is Slot:
            shape, axis = np.shape(self._operand(step.args[0])), given["axis"]
            size = int(np.prod(shape)) if axis is None else shape[axis]
            self._check_bounds(self.read(given["indices"]), size)

    def _check_finite(self, found: Any) -> None:
        """Check that no matrix was singular or the like, which is an error of NumPy's."""
        for x in trees.leaves(found):
            if jnp.issubdtype(x.dtype, jnp.inexact):
                self.checks.append(jnp.all(jnp.isfinite(x)))


PYTHON: dict[str, Any] = {
    "b": np.dtype(bool), "i": int, "u": int, "f": float, "c": complex,
}  # fmt: skip
"""Types of Python's numbers, by the kind of dtype."""


def _dimensions(part: Any, kinds: Sequence[Any]) -> int:
    """Return how many axes a part of an index is for."""
    if part is None or part is Ellipsis:
        return 0
    if type(part) is Slot:
        return len(kinds[part].shape) if kinds[part].dtype == bool else 1
    if isinstance(part, bool | np.bool_):
        return 0
    if isinstance(part, np.ndarray) and part.dtype == bool:
        return part.ndim
    return 1


def _name(function: Callable[..., Any]) -> str:
    name = function.__name__
    return name if isinstance(function, Method) else f"{function.__module__}.{name}"


def large_constants(program: Program) -> dict[int, Any]:
    """Return large constant arrays of a program's steps by their identity."""
    found: dict[int, Any] = {}

    def note(x: Any) -> None:
        if isinstance(x, np.ndarray) and x.size > LARGE:
            found[id(x)] = x

    for step in program.steps:
        if isinstance(step, Step):
            indexed = step.function in (operator.getitem, operator.setitem)
            mapped(note, [step.args[:1] if indexed else step.args, step.kwargs])
    return {key: jax.device_put(x) for key, x in found.items()}
