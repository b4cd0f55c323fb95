"""`custom_rule`: a primitive of the user's own, with a stated derivative."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from inspect import CO_VARARGS, isfunction, signature
from numbers import Number
from typing import Any

import numpy as np

from autodiff.core.graph import Node, Op, Parts
from autodiff.nodes.arrays import ordinary, private
from autodiff.nodes.tensor import Bundle
from autodiff.nodes.value import Value
from autodiff.ops.general import General
from autodiff.ops.table import Elementwise, Row, Rule, is_complex, rule_signature, shape_of


def custom_rule(
    *,
    partials: tuple[Rule | float, ...] | Rule | None = None,
    vjp: Rule | tuple[Rule, ...] = (),
    jvp: Rule | tuple[Rule, ...] = (),
) -> Callable[[Callable[..., Any]], Op]:
    """Make a function a primitive of its own, with the derivative that is stated.

    One statement gives both modes and, being written in functions that take nodes, every order.
    `check_grads` tells whether it is right.

    Parameters
    ----------
    partials : rule or tuple of rules
        For a function that acts element by element: ∂out/∂argument for each argument, as a number
        or a rule `(out, *inputs)`.
    vjp : rule or tuple of rules
        `(cotangent, out, *inputs, **parameters)` gives the cotangent of each input.
    jvp : rule or tuple of rules
        `(tangent, out, *inputs, **parameters)` gives what each input's tangent adds to that of the
        result. `vjp` and `jvp` follow from one another; stating both may be faster.

    Returns
    -------
    callable
        A decorator for a function of plain arrays. Arguments that the rules name without a default
        are inputs, the others parameters. A function that acts element by element is given floats
        for Values, and gives Values for them; any other is given arrays, and gives Tensors.

    Raises
    ------
    TypeError
        If a vjp or jvp is no function that names its arguments.

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
    """
    if sum(bool(told) for told in (partials, vjp or jvp)) != 1:
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
    """What is the same for both kinds: it stands in its module, and not in the table."""

    def __init__(self, function: Callable[..., Any]) -> None:
        update_wrapper(self, function, updated=())
        self.name = self.symbol = function.__name__
        self.function = lambda *args, **params: self.numbers(function(*args, **params))

    def __reduce__(self) -> str:  # type: ignore[override]
        return getattr(self, "__qualname__", self.name)

    def numbers(self, result: Any) -> Any:
        """What the function returned, as arrays or NumPy's numbers that nobody else changes."""
        if isinstance(result, tuple | list):
            return type(result)(map(self.numbers, result))
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
        """A rule that cannot change what it is given, and whose result is numbers.

        Their shape is that of one of the arguments in these places.
        """

        def call(*given: Any, **params: Any) -> Any:
            try:
                found = rule(*map(_locked, given), **params)
            except Exception as error:
                error.add_note(f"raised by a rule of {self.name}, whose arguments are read-only")
                raise
            partial = len(places) == 1  # which may be one number for all elements
            several = isinstance(found, tuple) and isinstance(given[places[0]], tuple | Bundle)
            if several or (found is None and not partial) or (partial and type(found) is float):
                return found
            if isinstance(found, np.ndarray) or not hasattr(found, "dtype"):
                found = found if isinstance(found, Node) else ordinary(np.asanyarray(found))
            kind = "f" if isinstance(found, Value) else found.dtype.kind
            if kind not in "fciub" or (kind == "c" and type(given[0]) is float):
                raise TypeError(f"a rule of {self.name} gave {found!r:.40}: no real number")
            shapes = [shape_of(given[place]) for place in places]
            if shape_of(found) not in (*shapes, () if partial else shapes[0]):
                raise ValueError(
                    f"a rule of {self.name} gave something of shape {shape_of(found)}, where the "
                    f"shape is {' or '.join(map(str, shapes))}"
                )
            return float(found) if type(given[0]) is float else found

        return call


def _locked(x: Any) -> Any:
    """The same numbers, read-only."""
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
        self.vjps, self.jvps = (
            tuple(self.guarded(rule, 1, 2 + k) for k, rule in enumerate(rules))
            for rules in (vjps, jvps)
        )
        rule_signature(self, (vjps or jvps)[0], 2)

    def check_names(self, rule: Rule) -> None:
        """Inputs and parameters are known by the names that the rules have for them."""
        code = rule.__code__ if isfunction(rule) else None
        if code is None or code.co_flags & CO_VARARGS or code.co_argcount < 3:
            raise TypeError(
                f"a rule of {self.name} must be a function that names all that it is given, such "
                f"as (g, out, x), not {signature(rule) if code else repr(rule)}"
            )
