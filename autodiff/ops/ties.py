"""Masks that record ties of a comparison, for `detect_kinks`."""

from __future__ import annotations

from typing import Any

import numpy as np

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
