"""Tools to test derivatives, for users too.

Read `checks.py` first: `check_grads`. `comparisons.py` compares both modes with `numerical.py`
(numerical derivatives with error bounds), and `diagnosis.py` explains a failure. `anomaly.py` finds
the origin of a NaN, `kinks.py` points without a derivative, and `sites.py` their source lines.
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
