"""Modification of Tensors in place: assignment, augmented operators, `ufunc.at` and `out=`.

Each function turns the given Tensor into the node of its new version (see `places`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Args, Node, Op, Params, next_serial, reassigned
from autodiff.core.modes import modes, recording, records
from autodiff.nodes.arrays import frozen, ordinary, private, refusal
from autodiff.nodes.places import WRITING, History, Place, Superseded, View, positions
from autodiff.ops.joining import array
from autodiff.ops.outputs import misfit
from autodiff.ops.registry import shape_of
from autodiff.ops.shapes import (
    as_array,
    broadcast_to,
    getitem,
    refuse_nodes,
    scatter,
    setitem,
    write,
)
from autodiff.ops.table import is_object, joined

Tensor = Any  # tensor.py imports this file


def assign(x: Tensor, index: Any, value: Any) -> None:
    """Carry out `x[index] = value`; if `x` is a view, on the root of its bases."""
    refuse_nodes(index)
    if x.immutable:
        raise TypeError(
            "a single number of an array is immutable, as NumPy's are: assign to the array's "
            "element (y[i] = value), not to s = y[i]"
        )
    if _is_already_there(x, index, value):
        return
    x.settle()
    while (view := view_behind(x)) is not None:
        index, x = view.index_in_base(index), view.base
    _overwrite(x, index, _assignable(value))


def in_place(op: Op) -> Callable[[Tensor, Any], Any]:
    """Return the method of an augmented operator: `x += y` changes an array, rebinds a scalar."""

    def augmented(self: Tensor, other: Any) -> Any:
        return augment(self, op, other)

    return augmented


def augment(x: Tensor, op: Op, other: Any) -> Any:
    """Carry out `x op= other`: in place for an array; return a new node for a NumPy scalar.

    Raises
    ------
    ValueError
        If the result has another shape than `x`.
    TypeError
        If the result's dtype cannot be cast, as complex to float.
    """
    made = op(x, other)
    if x.immutable or made is NotImplemented:
        return made
    if type(made) is not type(x) or made.shape != x.shape:
        shape = getattr(made, "shape", ())
        raise ValueError(
            f"{op.name} in place: a result of shape {shape} does not fit into an array of shape "
            f"{x.shape}: write y = {op.name}(y, other) for a new array"
        )
    if not np.can_cast(made.dtype, x.dtype, "same_kind"):
        raise TypeError(
            f"{op.name} in place: a result of dtype {made.dtype} does not fit into an array of "
            f"dtype {x.dtype}: write y = {op.name}(y, other) for a new array"
        )
    _take(x, made, fresh=True)
    return x


def receive(x: Tensor, name: str, made: Any, exact: bool, fresh: bool) -> None:
    """Store a result in `x`, the `out` of the function `name` (see `Node.receive`)."""
    if exact and shape_of(made) != x.shape:
        raise ValueError(misfit(name, made, x))
    if not np.can_cast(np.result_type(made), x.dtype, "same_kind"):
        raise TypeError(misfit(name, made, x))
    _take(x, made, fresh)


def _take(x: Tensor, made: Any, fresh: bool) -> None:
    """Store a result in `x`; if it is fresh, `x` becomes its node."""
    same = type(made) is type(x) and made.shape == x.shape and made.dtype == x.dtype
    if fresh and same and view_behind(x) is None and not x.immutable:
        _become(x, made)
    else:
        assign(x, ..., made)


def write_at(ufunc: Any, op: Op, x: Any, index: Any, *operands: Any) -> None:
    """Carry out `ufunc.at(x, index, *operands)`; repeated elements are updated repeatedly."""
    name = f"numpy.{ufunc.__name__}.at"
    if isinstance(x, np.ndarray):
        raise TypeError(
            f"{name} cannot write a node to a plain array, which would lose its derivative: make "
            "the array with autodiff.zeros, ones, empty or full"
        )
    if not hasattr(x, "_place"):
        raise TypeError(f"{name} writes to an array, and a Value is a number: use a Tensor")
    refuse_nodes(index)
    places = positions(x.shape)[index]
    given = [broadcast_to(as_array(each), places.shape).reshape(-1) for each in operands]
    flat = places.reshape(-1)
    if given and ufunc in (np.add, np.subtract):
        places, inverse = np.unique(flat, return_inverse=True)
        rounds = [(places, [scatter(given[0], index=inverse, shape=places.shape)])]
    else:  # one round updates distinct elements; a k-fold element takes part in k rounds
        turn = _earlier_ones(flat)
        rounds = [
            (flat[turn == k], [each[turn == k] for each in given])
            for k in range(int(turn.max(initial=-1)) + 1)
        ]
    for places, values in rounds:
        where = np.unravel_index(places, x.shape) if x.shape else ...
        made = op(getitem(x, index=where), *values)
        if not np.can_cast(made.dtype, x.dtype, "same_kind"):
            raise TypeError(misfit(name, made, x))
        assign(x, where, made)


def _earlier_ones(places: Any) -> Any:
    """Return for each element of a vector the number of equal elements before it."""
    order = np.argsort(places, kind="stable")
    ranked = places[order]
    begins = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])[: ranked.size]
    turn = np.empty(places.size, int)
    turn[order] = np.arange(ranked.size) - np.repeat(begins, np.diff(np.r_[begins, ranked.size]))
    return turn


def view_behind(x: Tensor) -> View | None:
    """Return the link from `x` to its base; None if `x` is not a view."""
    place = x._place
    return place.view if type(place) is Place else None


def earlier_versions(x: Tensor) -> set[Node]:
    """Return the versions of `x` before writes in place."""
    place = x._place
    return place.earlier() if type(place) is Place else set()


def follow(x: Tensor) -> None:
    """Update a view if its base was written."""
    view = x._place.view
    view.root.settle()
    if view.root.serial < x.serial:
        return
    chain = [x]
    while view_behind(view.base) is not None:
        chain.append(view.base)
        view = view.base._place.view
    for view_node in reversed(chain):
        if view_node._place.view.base.serial > view_node.serial:
            _refresh(view_node)


def earlier_data(x: Tensor) -> Any:
    """Rebuild the data of an earlier version."""
    with WRITING:
        place = x._place
        if type(place) is Superseded and place.history is not None:
            return frozen(place.history.version(place.number))
        return Node._data.__get__(x)  # another thread has just finished writing it


def _is_already_there(x: Tensor, index: Any, value: Any) -> bool:
    """Return whether `value` is the view `x[index]` itself, as at the end of `x[index] += v`."""
    view = view_behind(value) if type(value) is type(x) else None
    return (
        view is not None
        and view.base is x
        and view.op is getitem
        and bool(view.params["index"] == index)
    )


def _assignable(value: Any) -> Any:
    """Return a value that the graph can store: a node, or a private array."""
    if isinstance(value, Node):
        value.settle()
        return value
    if any(isinstance(leaf, Node) for leaf in trees.leaves(value)):
        return array(value)
    if not hasattr(value, "__array_function__"):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        value = ordinary(value)
    return joined(value) if is_object(value) else private(value)


def _overwrite(x: Tensor, index: Any, value: Any) -> None:
    """Carry out `x[index] = value` on a Tensor that is not a view."""
    given = value._data if isinstance(value, Node) else value
    place = x._place or Place()
    with WRITING:
        before = _superseded(x)
        recorded = recording()
        try:
            _write_data(x, before, place, index, given, recorded)
        except (TypeError, ValueError, IndexError) as error:
            raise refusal(setitem, [x._data, given], {"index": index}, error) from error
        inputs = (before, before if value is x else value)
        _succeed(x, place, before, recorded, setitem, inputs, {"index": private(index)})


def _become(x: Tensor, made: Tensor) -> None:
    """Make `x`, which is not a view, the node of a result of its shape and dtype."""
    place = x._place or Place()
    with WRITING:
        before = _superseded(x)
        before._data = x._data
        inputs = tuple([before if arg is x else arg for arg in made.inputs])
        x._data, place.history = made._data, None
        _succeed(x, place, before, made.op is not None, made.op, inputs, made.params)


def _superseded(x: Tensor) -> Tensor:
    """Return the present node of `x` as an object of its own, without the data."""
    before = object.__new__(type(x))
    before.op, before.inputs, before.params, before.name = x.op, x.inputs, x.params, x.name
    before.serial, before.grad = x.serial, None
    before._place = Superseded()
    return before


def _write_data(
    x: Tensor, before: Tensor, place: Place, index: Any, given: Any, recorded: bool
) -> None:
    """Write to the buffer of `x` if nothing else refers to it, otherwise to a copy."""
    another = _of_another_library(x._data, given, index)
    if another is not None:
        before._data = x._data
        data = x._data if x._data is another else np.asarray(x._data, like=another)
        x._data = setitem.function(data, given, index=index)
        return
    history = place.history or History(x._data)
    del x._data
    try:
        if history.alone():
            number = history.write(index, given, recorded)
            before._place = Superseded(history, number)
        else:
            array = np.array(history.array)
            write(array, index, given)
            before._data = history.array
            history = History(frozen(array))
        place.history = history
    finally:
        x._data = history.array


def _of_another_library(data: Any, given: Any, index: Any) -> Any:
    """Return the first array that is not NumPy's; the result will be of its library."""
    for x in (data, given, *(index if isinstance(index, tuple) else (index,))):
        if hasattr(x, "__array_function__") and not isinstance(x, np.ndarray | np.generic):
            return x
    return None


def _succeed(
    x: Tensor, place: Place, before: Tensor, recorded: bool, op: Op, inputs: Args, params: Params
) -> None:
    """Make `x` the node of its new version: computed by `op`, or a variable if not `recorded`."""
    place.supersede(x.serial, before if recorded else None)
    place.exposed = x.grad = None
    x._place = place
    if not recorded:
        x.serial = reassigned()
        x.op, x.inputs, x.params = None, (), {}
        return
    x.serial = next_serial()  # first, so that readers in other threads look for their version
    x.op, x.inputs, x.params = op, inputs, params
    if modes:
        records(x, x._data, op, inputs, params)


def _refresh(x: Tensor) -> None:
    """Recompute a view from the present version of its base."""
    place = x._place
    view = place.view
    made = view.op(view.base, **view.params)
    if view.part is not None:
        made = made[view.part]
    with WRITING:
        before = _superseded(x)
        before._data = x._data
        x._data = made._data
        _succeed(x, place, before, made.op is not None, made.op, made.inputs, made.params)
