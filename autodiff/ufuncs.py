"""What a ufunc's methods (`np.add.reduce`, `np.multiply.outer`, ...) do on nodes."""

from __future__ import annotations

from typing import Any


def call_method(ufunc: Any, op: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """`ufunc.method(*inputs, **kwargs)` on nodes, for a ufunc whose row is `op`."""
    raise TypeError(f"numpy.{ufunc.__name__}.{method} has no derivative here")
