"""Backpropagation you can see, trust and use, for scalars and NumPy arrays.

>>> from autodiff import Value, log, sin
>>> x1, x2 = Value(2, name="x1"), Value(5, name="x2")
>>> y = log(x1) + x1 * x2 - sin(x2)
>>> y.backward()
>>> x1.grad, x2.grad
(5.5, 1.7163378145367738)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autodiff.core.about import VERSION
from autodiff.core.graph import Node
from autodiff.core.groups import grouped
from autodiff.core.modes import no_grad
from autodiff.core.tracebacks import hide, hide_in_ipython
from autodiff.nodes.tensor import Tensor
from autodiff.nodes.value import Value
from autodiff.ops import (
    elementwise,
    fft,
    functional,
    images,
    joining,
    linalg,
    making,
    polynomials,
    probability,
    products,
    quantiles,
    ranges,
    reductions,
    scans,
    selection,
    shapes,
    signals,
    special,
    statistics,
)
from autodiff.ops.elementwise import *
from autodiff.ops.functional import *
from autodiff.ops.images import *
from autodiff.ops.joining import *
from autodiff.ops.making import *
from autodiff.ops.polynomials import *
from autodiff.ops.probability import *
from autodiff.ops.products import *
from autodiff.ops.quantiles import *
from autodiff.ops.ranges import *
from autodiff.ops.reductions import *
from autodiff.ops.scans import *
from autodiff.ops.selection import *
from autodiff.ops.shapes import *
from autodiff.ops.signals import *
from autodiff.ops.special import *
from autodiff.ops.statistics import *
from autodiff.testing.anomaly import detect_anomaly
from autodiff.testing.checks import Check, check_grads
from autodiff.testing.kinks import KinkError, detect_kinks
from autodiff.testing.numerical import numerical_gradient, numerical_jacobian
from autodiff.transforms.checkpoints import checkpoint
from autodiff.transforms.gradients import (
    elementwise_grad,
    grad,
    gradients,
    hvp,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)
from autodiff.transforms.jacobians import hessian, jacobian
from autodiff.transforms.rules import custom_rule

if TYPE_CHECKING:
    from autodiff.programs.jit import jit, program
    from autodiff.views.draw import draw
    from autodiff.views.explorer import explore
    from autodiff.views.formulas import expression
    from autodiff.views.trace import trace

__version__ = VERSION

__all__ = [
    "Check",
    "KinkError",
    "Tensor",
    "Value",
    "check_grads",
    "checkpoint",
    "custom_rule",
    "detect_anomaly",
    "detect_kinks",
    "draw",
    "elementwise_grad",
    "explore",
    "expression",
    "fft",
    "grad",
    "gradients",
    "grouped",
    "hessian",
    "hvp",
    "jacobian",
    "jit",
    "jvp",
    "linalg",
    "no_grad",
    "numerical_gradient",
    "numerical_jacobian",
    "program",
    "stop_gradient",
    "trace",
    "value_and_grad",
    "vjp",
]
__all__ += elementwise.__all__
__all__ += functional.__all__
__all__ += images.__all__
__all__ += joining.__all__
__all__ += making.__all__
__all__ += polynomials.__all__
__all__ += probability.__all__
__all__ += products.__all__
__all__ += quantiles.__all__
__all__ += ranges.__all__
__all__ += reductions.__all__
__all__ += scans.__all__
__all__ += selection.__all__
__all__ += shapes.__all__
__all__ += signals.__all__
__all__ += special.__all__
__all__ += statistics.__all__


def _mimebundle(node: Node, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """Return the representations of a node for a notebook."""
    from autodiff.views.notebook import mimebundle

    return mimebundle(node, include, exclude)


def _graph(node: Node, **options: Any) -> Any:
    """Draw the graph of a node, as `autodiff.draw` does."""
    from autodiff.views.draw import draw

    return draw(node, **options)


# attached here, so that the engine does not depend on the views
Node._repr_mimebundle_ = _mimebundle  # type: ignore[attr-defined]
Node.graph = _graph  # type: ignore[attr-defined]


hide(__name__)
hide_in_ipython()

_LATER = {
    "draw": "views.draw",
    "explore": "views.explorer",
    "expression": "views.formulas",
    "jit": "programs.jit",
    "program": "programs.jit",
    "trace": "views.trace",
}


def __getattr__(name: str) -> Any:
    # these load when first used, since they import libraries that derivatives do not need
    if name in _LATER:
        found = getattr(import_module(f"autodiff.{_LATER[name]}"), name)
        hide(__name__)
        return found
    from autodiff.core.missing import SPECIAL, advice

    hint = f": not available yet, {advice(name)}" if name in SPECIAL else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})  # `__all__` has those of `_LATER` too
