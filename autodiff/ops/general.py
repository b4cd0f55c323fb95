"""Rows with a rule for tangents, for cotangents, or for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autodiff.core.graph import Args, Node, Params, Parts, data_of
from autodiff.core.modes import recorded
from autodiff.core.walks import pull
from autodiff.ops.registry import TABLE
from autodiff.ops.shapes import fitted
from autodiff.ops.table import Row, Rule, register, rule_signature


class General(Row):
    """A row that is neither elementwise nor linear.

    A missing rule is the transpose of the given one: that is linear, so it is run on a fresh
    variable and its graph is pulled back.

    A function may return a tuple. Its cotangents and tangents are tuples then. A cotangent of None
    means that nothing depends on that part.
    """

    vjps: tuple[Rule, ...]
    jvps: tuple[Rule, ...]
    hermitian = False
    """Whether it assumes a Hermitian matrix and reads one triangle only."""

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        if self.vjps:
            return self.vjps[k](g, out, *args, **params)
        return transposed(lambda t: self.jvps[k](t, out, *args, **params), args[k], out, g)

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        if self.jvps:
            tangent = self.jvps[k](t, out, *args, **params)
            return Parts(tangent) if isinstance(tangent, tuple) else tangent
        return transposed(lambda g: self.vjps[k](g, out, *args, **params), out, args[k], t)

    def lacks(self, reader: Node, given: Any, share: Any) -> bool:
        return _has_nan(share) and not _has_nan((given, *reader.inputs))

    def resolve_pulled(self, reader: Node, g: Any, share: Any, outputs: Mapping[Node, Any]) -> Any:
        """Return the cotangent of the input of `reader`; `share`, if there is no derivative.

        Called where the rule has none: its `share` for the cotangent `g` is NaN. The walk started
        from the cotangents `outputs`.
        """
        return share

    def resolve_pushed(
        self, reader: Node, t: Any, share: Any, outputs: Sequence[Node]
    ) -> tuple[Any, Mapping[Node, Any]]:
        """Return the tangent of `reader`, or `share`, and what to add to those of `outputs`.

        Called where the rule has none: its `share` for the tangent `t` is NaN.
        """
        return share, {}

    def no_derivative(self, inputs: Args) -> np.linalg.LinAlgError:
        """Return the error for inputs without a derivative."""
        shapes = ", ".join(str(arg.shape) for arg in inputs)
        return np.linalg.LinAlgError(
            f"{self.name} has no derivative at this input of shape {shapes}, since the result "
            f"depends on {self.undetermined}"
        )


def _parts(x: Any) -> tuple[Any, ...]:
    return (x,) if hasattr(x, "shape") or x is None else tuple(x)


def _has_nan(x: Any) -> bool:
    return any(np.any(data_of(part) != data_of(part)) for part in _parts(x) if part is not None)


def transposed(linear_map: Callable[[Any], Any], source: Any, target: Any, g: Any) -> Any:
    """Pull `g` back through a linear map, with an input like `source`, an output like `target`."""
    record = isinstance(source, Node) or isinstance(target, Node) or isinstance(g, Node)
    with recorded():
        points = [
            Node.tensor(np.zeros_like(data_of(part))) if part.dtype.kind in "fc" else None
            for part in _parts(source)
        ]
        wanted = [point for point in points if point is not None]
        image = linear_map(points[0] if hasattr(source, "shape") else Parts(points))
        cotangents: dict[Node, Any] = {}
        for part, like, cotangent in zip(_parts(image), _parts(target), _parts(g), strict=True):
            if isinstance(part, Node) and cotangent is not None:
                part = fitted(part, like)
                known = part in cotangents
                cotangents[part] = cotangents[part] + cotangent if known else cotangent
        found = pull(cotangents, wanted, record)
    pulled = [None if point is None else found[point] for point in points]
    return pulled[0] if hasattr(source, "shape") else Parts(pulled)


def general(
    function: Callable[..., Any],
    *,
    vjp: Rule | tuple[Rule, ...] = (),
    jvp: Rule | tuple[Rule, ...] = (),
    hermitian: bool = False,
    undetermined: str = "",
    kind: type[General] = General,
    **labels: Any,
) -> General:
    """Make a row from `vjp` or `jvp`: a rule for each input.

    The arguments of a rule are `(g, out, *inputs, **parameters)` or `(t, out, ...)`. Give both if
    the transpose of one would be slow. `kind` is the class of the row.
    """
    op = kind()
    register(op, function, labels)
    op.vjps = vjp if isinstance(vjp, tuple) else (vjp,)
    op.jvps = jvp if isinstance(jvp, tuple) else (jvp,)
    op.hermitian, op.undetermined = hermitian, undetermined
    rule_signature(op, (op.vjps or op.jvps)[0], 2)
    return op


class Item(Row):
    """One result of a function that returns a tuple."""

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        parts = [None] * len(args[0])
        parts[params["index"]] = g
        return Parts(parts)

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        return t[params["index"]]


class Pack(Row):
    """Several nodes as one, so that a rule can return their cotangents together."""

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        return g[k]

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        parts = [None] * len(args)
        parts[k] = t
        return Parts(parts)


def _own(op: Row, name: str, arity: int, function: Callable[..., Any], *parameters: str) -> Row:
    """Register a row without a NumPy function."""
    op.name = op.symbol = name
    op.arity, op.function, op.parameters = arity, function, parameters
    op.__doc__ = type(op).__doc__
    TABLE[name] = op
    return op


item = _own(Item(), "item", 1, lambda parts, index: parts[index], "index")
pack = _own(Pack(), "pack", -1, lambda *parts: parts)
