"""Checks that a derivative must survive, for use in anyone's tests.

Read `checks.py` first: `check_grads`. `numerical.py` differentiates by finite differences, with an
error bound; `anomaly.py` finds where a NaN comes from, and `kinks.py` where there is no derivative;
`strategies.py` has Hypothesis strategies, which draw from the operations in `operations.py`.
"""

from typing import Any

from autodiff.core.about import install
from autodiff.core.tracebacks import hide
from autodiff.testing.checks import Check, check_grads
from autodiff.testing.kinks import KinkError

_STRATEGIES = ("arrays_like", "expressions", "gradient_test", "graphs", "points")

__all__ = ["Check", "KinkError", "check_grads"]


def __getattr__(name: str) -> Any:
    # Hypothesis is an extra, and takes long to import
    if name not in _STRATEGIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from autodiff.testing import strategies
    except ImportError as error:
        raise ImportError(
            f"autodiff.testing.{name} needs hypothesis: {install('test')} in the clone brings it"
        ) from error
    hide("autodiff")
    return getattr(strategies, name)
