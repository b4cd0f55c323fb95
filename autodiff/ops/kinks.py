"""Points without a derivative: how rows state them, and masks that record ties of a comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Kink(NamedTuple):
    """Points where a row has a value but no derivative; its rule returns a convention there.

    Attributes
    ----------
    where : str
        The points in words, with the names of the arguments.
    at : callable
        `at(out, *inputs, **params)` is a mask of these points, from plain data: an array of the
        result's shape, or one truth value for the whole result.
    by : tuple of int
        Indices of the inputs without a derivative.
    smooth : callable, optional
        `smooth(g, out)` is true if there is a derivative for the cotangent g, as for the sum of
        eigenvalues that coincide.
    """

    where: str
    at: Callable[..., Any]
    by: tuple[int, ...] = (0,)
    smooth: Callable[[Any, Any], bool] | None = None


LOGICAL = {np.logical_and, np.logical_or, np.logical_xor, np.logical_not}
LOGICAL |= {np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert}


class Mask(np.ndarray):
    """A read-only boolean array with a second one, `ties`: True where a tie decided."""

    ties: Any

    @staticmethod
    def of(mask: Any, ties: Any) -> Mask:
        """Return a mask with its ties."""
        made = Mask(np.shape(mask), bool)  # owns its memory, so that it is the base of its views
        made[...] = mask
        made.ties = np.broadcast_to(ties, made.shape)
        made.setflags(write=False)
        return made

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [np.asarray(x) if isinstance(x, Mask) else x for x in inputs]
        out = getattr(ufunc, method)(*plain, **kwargs)
        if ufunc not in LOGICAL or method != "__call__" or kwargs:
            return out
        return Mask.of(out, sum(np.asarray(ties_of(x)) for x in inputs) > 0)


class Tied(float):
    """The result of comparing two equal numbers."""

    __slots__ = ()
    ties = True


def ties_of(condition: Any) -> Any:
    """Return where a tie decided a condition; False if unknown."""
    owner = condition if isinstance(condition, Mask | Tied) else getattr(condition, "base", None)
    return getattr(owner, "ties", False)
