"""`custom_rule`: define a primitive with its derivative."""

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
    """Return a decorator that makes a function a primitive with the given derivative.

    One rule gives both modes, and every order if it uses functions that accept nodes. Check it with
    `check_grads`.

    Parameters
    ----------
    partials : rule or tuple of rules
        For an elementwise function: ∂out/∂argument for each argument, as a number or a rule
        `(out, *inputs)`.
    vjp : rule or tuple of rules
        A rule for each input: `(cotangent, out, *inputs, **parameters)` returns the cotangent of
        the input.
    jvp : rule or tuple of rules
        A rule for each input: `(tangent, out, *inputs, **parameters)` returns the output's tangent
        for a tangent of this input. Each of `vjp` and `jvp` follows from the other; giving both may
        be faster.

    Returns
    -------
    callable
        A decorator for a function of plain arrays. Arguments without a default in the rules are
        inputs, the others parameters. An elementwise function takes floats, and returns Values for
        Values. Any other takes arrays, and returns a Tensor or a tuple of Tensors. For a tuple,
        `out` and the output's cotangent or tangent are tuples of the same length.

    Raises
    ------
    TypeError
        If a vjp or jvp is not a function with named arguments. In a derivative: if a rule does not
        return numbers, or not one tangent for each result.
    ValueError
        In a derivative: if a rule returns an array of another shape.

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
        raise TypeError("custom_rule takes either partials=, or vjp=, jvp= or both")

    def decorate(function: Callable[..., Any]) -> Op:
        if partials:
            op: Op = _CustomElementwise(function, _as_tuple(partials))
        else:
            op = _CustomGeneral(function, _as_tuple(vjp), _as_tuple(jvp))
        return op

    return decorate


def _as_tuple(rules: Any) -> tuple[Rule, ...]:
    return rules if isinstance(rules, tuple) else (rules,)


class _Custom(Row):
    """A user's row: not in the table, and pickled by its name in the user's module."""

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
        """Return the function's result as private arrays or NumPy scalars."""
        if isinstance(result, tuple | list):
            return type(result)(map(self.numbers, result))
        if is_object(result):
            result = differentiable(result, f"{self.name} returned")
        if isinstance(result, np.ndarray):
            # copy a view, since the function may still write to its base
            return ordinary(result) if result.base is None else private(ordinary(result))
        if isinstance(result, Number):
            return np.asarray(result)[()]
        if hasattr(result, "dtype") and not isinstance(result, Node):
            return result
        raise TypeError(
            f"{self.name} returned a {type(result).__name__}: the function of a custom_rule must "
            "return plain numbers or arrays"
        )

    def guarded(self, rule: Rule, *places: int) -> Rule:
        """Return the rule with read-only arguments and a checked result.

        The result must have the shape of one of the arguments at `places`; the engine broadcasts it
        to the first. For several results it must be a tuple.
        """

        def call(*given: Any, **params: Any) -> Any:
            if isinstance(given[0], Parts):
                given = (_with_zeros(given[0], given[1]), *given[1:])
            try:
                found = rule(*map(_read_only, given), **params)
            except Exception as error:
                error.add_note(f"raised by a rule of {self.name}, whose arguments are read-only")
                raise
            target = given[places[0]]
            shapes = [shape_of(given[k]) for k in places if not _has_parts(given[k])]
            if len(places) == 1:  # a partial may be one number for all elements
                return found if type(found) is float else self.checked(found, given[0], shapes, ())
            if found is None or not _has_parts(target):
                return None if found is None else self.checked(found, given[0], shapes)
            if not isinstance(found, tuple | list) or len(found) != len(target):
                raise TypeError(
                    f"a rule of {self.name} must return a tuple of {len(target)} tangents, one for "
                    f"each result, not {found!r:.40}"
                )
            return tuple(
                None if part is None else self.checked(part, given[0], [shape_of(like), *shapes])
                for part, like in zip(found, data_of(target), strict=True)
            )

        return call

    def checked(self, found: Any, first: Any, shapes: list[Any], *more: Any) -> Any:
        """Return a rule's result as numbers of one of these shapes, or raise.

        `first` is the rule's first argument; if it is a float, so is the result.
        """
        if isinstance(found, np.ndarray) or not hasattr(found, "dtype"):
            found = found if isinstance(found, Node) else ordinary(np.asanyarray(found))
        kind = "f" if isinstance(found, Value) else found.dtype.kind
        if kind not in "fciub" or (kind == "c" and type(first) is float):
            numbers = "a real number" if type(first) is float else "numbers"
            raise TypeError(f"a rule of {self.name} must return {numbers}, not {found!r:.40}")
        if shape_of(found) not in (*shapes, *more):
            raise ValueError(
                f"a rule of {self.name} returned shape {shape_of(found)}, but must return shape "
                f"{' or '.join(map(str, dict.fromkeys(shapes)))}"
            )
        return float(found) if type(first) is float else found


def _has_parts(x: Any) -> bool:
    """Return whether `x` is the result of an operation with several results."""
    return isinstance(x, tuple | Bundle)


def _with_zeros(cotangents: Parts, out: Any) -> Parts:
    """Replace None by zeros in the cotangents of several results."""
    return Parts(
        np.zeros_like(part, dtype=None if part.dtype.kind in "fc" else float) if g is None else g
        for g, part in zip(cotangents, data_of(out), strict=True)
    )


def _read_only(x: Any) -> Any:
    """Return a read-only view of an array, or of each array in Parts."""
    if type(x) is np.ndarray and x.flags.writeable:
        x = x.view()
        x.setflags(write=False)
    return Parts(map(_read_only, x)) if isinstance(x, Parts) else x


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
        """Raise a TypeError unless the rule's arguments are named, as inputs are found by name."""
        code = rule.__code__ if isfunction(rule) else None
        if code is None or code.co_flags & CO_VARARGS or code.co_argcount < 3:
            raise TypeError(
                f"a rule of {self.name} must be a function with named arguments, such as "
                f"(g, out, x), not {signature(rule) if code else repr(rule)}"
            )
