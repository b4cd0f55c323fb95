"""Bundle: the node of an operation with several results."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from autodiff.core.copies import reduce_node
from autodiff.core.graph import Args, Node, Op, Params, Parts, data_of, next_serial
from autodiff.core.modes import modes, records
from autodiff.nodes.arrays import frozen
from autodiff.ops.general import item, pack


@final
class Bundle(Node):
    """A node with the several results of one operation; users see its items only."""

    __slots__ = ("params",)

    __reduce__ = reduce_node

    def __init__(self, parts: tuple[Any, ...], op: Op, inputs: Args, params: Params) -> None:
        if modes:
            records(self, parts, op, inputs, params)
        self._data = tuple(map(frozen, parts))
        self.op, self.inputs, self.params = op, inputs, params
        self.name = self.grad = None
        self.serial = next_serial()

    @classmethod
    def of(cls, tensors: list[Any]) -> Bundle:
        """Pack several Tensors into one node."""
        for x in tensors:
            x.settle()
        return cls(tuple(x._data for x in tensors), pack, tensors, {})

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> Any:
        return Node.tensor(self._data[index], None, item, (self,), {"index": index})

    def items(self) -> list[Any]:
        """Return each part as a node; a part that is not floating-point unchanged."""
        return [self[i] if part.dtype.kind in "fc" else part for i, part in enumerate(self._data)]

    def fit(self, cotangent: Any) -> Any:
        return cotangent

    def spread(self, tangent: Any) -> Any:
        return tangent

    def zero(self) -> Any:
        return Parts([None] * len(self))

    def undefined(self, carried: Any) -> bool:
        return any(np.isnan(data_of(part)).any() for part in carried if part is not None)
