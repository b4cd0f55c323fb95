"""`custom_rule`: a primitive of the user's own, with a stated derivative."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from inspect import CO_VARARGS, Signature, isfunction, signature
from numbers import Number
from typing import Any

import numpy as np

from autodiff.core.graph import Node, Op, Parts, data_of
from autodiff.nodes.arrays import ordinary, private
from autodiff.nodes.bundle import Bundle
from autodiff.nodes.value import Value
from autodiff.ops.general import General
from autodiff.ops.table import (
    Elementwise,
    Row,
    Rule,
    is_complex,
    is_object,
    rule_signature,
    shape_of,
)
from autodiff.transforms.results import Function, differentiable


def custom_rule(
    *,
    partials: tuple[Function | float, ...] | Function | None = None,
    vjp: Function | tuple[Function, ...] = (),
    jvp: Function | tuple[Function, ...] = (),
) -> Callable[[Callable[..., Any]], Op]:
    """Make a function a primitive of its own, with the derivative that is stated.

    One rule gives both modes, and every order if it is written in functions that take nodes.
    `check_grads` checks it.

    Parameters
    ----------
    partials : rule or tuple of rules
        For a function that acts element by element: ∂out/∂argument for each argument, as a number
        or a rule `(out, *inputs)`.
    vjp : rule or tuple of rules
        One for each input: `(cotangent, out, *inputs, **parameters)` returns the cotangent of the
        input.
    jvp : rule or tuple of rules
        One for each input: `(tangent, out, *inputs, **parameters)` returns the part of the
        output's tangent that is due to the input's. `vjp` and `jvp` follow from one another;
        stating both may be faster.

    Returns
    -------
    callable
        A decorator for a function of plain arrays. Arguments that the rules name without a default
        are inputs, the others parameters. A function that acts element by element takes floats and
        returns Values for Values. Any other takes arrays and returns Tensors, or a tuple of them:
        `out`, and the cotangent or the tangent of the output, are then tuples of the same length.

    Raises
    ------
    TypeError
        If a vjp or jvp is no function that names its arguments. When a derivative is taken: if a
        rule returns no numbers, or not as many tangents as the function has results.
    ValueError
        When a derivative is taken: if a rule returns an array of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import check_grads, custom_rule, grad
    >>> @custom_rule(vjp=lambda g, out, x: 3 * g * x**2)
    ... def cube(x):
    ...     return x**3
    >>> grad(cube)(2.0), grad(grad(cube))(2.0)
    (12.0, 12.0)
    >>> checks = check_grads(cube, 2.0, order=2)  # both modes

    A function that returns a tuple:

    >>> @custom_rule(vjp=lambda g, out, x: g[0] * out[1] - g[1] * out[0])
    ... def sin_cos(x):
    ...     return np.sin(x), np.cos(x)
    >>> grad(lambda x: sin_cos(x)[0])(0.0)
    1.0
    """
    if sum(bool(stated) for stated in (partials, vjp or jvp)) != 1:
        raise TypeError("custom_rule takes partials=, or else vjp=, jvp= or both")

    def decorate(function: Callable[..., Any]) -> Op:
        if partials:
            op: Op = _CustomElementwise(function, _several(partials))
        else:
            op = _CustomGeneral(function, _several(vjp), _several(jvp))
        return op

    return decorate


def _several(rules: Any) -> tuple[Rule, ...]:
    return rules if isinstance(rules, tuple) else (rules,)


class _Custom(Row):
    """A user's row, which is pickled by its name in the user's module and is not in the table."""

    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        update_wrapper(self, function, updated=())
        self.name = self.symbol = function.__name__
        self.function = lambda *args, **params: self.numbers(function(*args, **params))

    def __reduce__(self) -> str:  # type: ignore[override]
        return getattr(self, "__qualname__", self.name)

    def described(self) -> Signature:
        return signature(self.__wrapped__)

    def numbers(self, result: Any) -> Any:
        """Return the function's result as arrays or NumPy scalars that nobody else can change."""
        if isinstance(result, tuple | list):
            return type(result)(map(self.numbers, result))
        if is_object(result):
            result = differentiable(result, f"{self.name} returned")
        if isinstance(result, np.ndarray):
            # a view may be of an array that the function writes to again
            return ordinary(result) if result.base is None else private(ordinary(result))
        if isinstance(result, Number):
            return np.asarray(result)[()]
        if hasattr(result, "dtype") and not isinstance(result, Node):
            return result
        raise TypeError(
            f"{self.name} returned a {type(result).__name__}: the function of a custom_rule works "
            "on plain numbers and arrays, and returns such"
        )

    def guarded(self, rule: Rule, *places: int) -> Rule:
        """Wrap a rule: its arguments are read-only, and its result is checked.

        The result has the shape of the argument in the first of these places; a shape of another
        place is broadcast by the engine. Of several results it is a tuple.
        """

        def call(*given: Any, **params: Any) -> Any:
            if isinstance(given[0], Parts):
                given = (_whole(given[0], given[1]), *given[1:])
            try:
                found = rule(*map(_locked, given), **params)
            except Exception as error:
                error.add_note(f"raised by a rule of {self.name}, whose arguments are read-only")
                raise
            target = given[places[0]]
            shapes = [shape_of(given[k]) for k in places if not _is_several(given[k])]
            if len(places) == 1:  # a partial may be one number for all elements
                return found if type(found) is float else self.checked(found, given[0], shapes, ())
            if found is None or not _is_several(target):
                return None if found is None else self.checked(found, given[0], shapes)
            if not isinstance(found, tuple | list) or len(found) != len(target):
                raise TypeError(
                    f"a rule of {self.name} gives a tuple of {len(target)} tangents, one for each "
                    f"result, not {found!r:.40}"
                )
            return tuple(
                None if part is None else self.checked(part, given[0], [shape_of(like), *shapes])
                for part, like in zip(found, data_of(target), strict=True)
            )

        return call

    def checked(self, found: Any, first: Any, shapes: list[Any], *more: Any) -> Any:
        """Return what a rule gave as numbers of one of these shapes, or raise.

        `first` is the rule's first argument: a rule that was given a float returns one.
        """
        if isinstance(found, np.ndarray) or not hasattr(found, "dtype"):
            found = found if isinstance(found, Node) else ordinary(np.asanyarray(found))
        kind = "f" if isinstance(found, Value) else found.dtype.kind
        if kind not in "fciub" or (kind == "c" and type(first) is float):
            raise TypeError(f"a rule of {self.name} gave {found!r:.40}: no real number")
        if shape_of(found) not in (*shapes, *more):
            raise ValueError(
                f"a rule of {self.name} gave something of shape {shape_of(found)}, where the "
                f"shape is {' or '.join(map(str, dict.fromkeys(shapes)))}"
            )
        return float(found) if type(first) is float else found


def _is_several(x: Any) -> bool:
    """Whether this stands for the several results of one operation."""
    return isinstance(x, tuple | Bundle)


def _whole(cotangents: Parts, out: Any) -> Parts:
    """The cotangents of several results, with zeros for results that nothing depends on."""
    return Parts(
        np.zeros_like(part, dtype=None if part.dtype.kind in "fc" else float) if g is None else g
        for g, part in zip(cotangents, data_of(out), strict=True)
    )


def _locked(x: Any) -> Any:
    """Return a read-only view of an array; of Parts, of each."""
    if type(x) is np.ndarray and x.flags.writeable:
        x = x.view()
        x.setflags(write=False)
    return Parts(map(_locked, x)) if isinstance(x, Parts) else x


class _CustomElementwise(_Custom, Elementwise):
    def __init__(self, function: Callable[..., Any], partials: tuple[Rule, ...]) -> None:
        super().__init__(function)
        self.scalar = self.real
        self.partials = tuple(
            self.guarded(rule, 0) if callable(rule) else rule for rule in partials
        )
        self.arity, self.parameters = len(partials), ()

    def real(self, *numbers: float) -> float:
        result = self.function(*numbers)
        if is_complex(result):
            raise TypeError(f"{self.name} returned {result}, but a Value holds a real number")
        return float(result)


class _CustomGeneral(_Custom, General):
    def __init__(
        self, function: Callable[..., Any], vjps: tuple[Rule, ...], jvps: tuple[Rule, ...]
    ) -> None:
        super().__init__(function)
        for rule in (*vjps, *jvps):
            self.check_names(rule)
        self.vjps = tuple(self.guarded(rule, 2 + k, 1) for k, rule in enumerate(vjps))
        self.jvps = tuple(self.guarded(rule, 1, 2 + k) for k, rule in enumerate(jvps))
        rule_signature(self, (vjps or jvps)[0], 2)

    def check_names(self, rule: Rule) -> None:
        """Raise a TypeError unless the rule names its arguments, which tells inputs from others."""
        code = rule.__code__ if isfunction(rule) else None
        if code is None or code.co_flags & CO_VARARGS or code.co_argcount < 3:
            raise TypeError(
                f"a rule of {self.name} must be a function that names all that it is given, such "
                f"as (g, out, x), not {signature(rule) if code else repr(rule)}"
            )
