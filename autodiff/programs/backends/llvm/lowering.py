"""Steps of a program as operations of a kernel."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.ops.table import chain as product_of_chain_rule
from autodiff.programs.backends.llvm.elements import Unsupported
from autodiff.programs.backends.llvm.grids import Grid
from autodiff.programs.backends.llvm.large import shape_of
from autodiff.programs.backends.llvm.moves import (
    astype,
    copy,
    copyto,
    getitem,
    joining,
    made,
    methods,
    moving,
    named,
    setitem,
    triangle,
)
from autodiff.programs.backends.llvm.pointwise import chain, ufunc, where
from autodiff.programs.backends.llvm.reductions import inner, matmul, product, reduction
from autodiff.programs.backends.llvm.values import Values
from autodiff.programs.trace import Method, Step, layout, slots_in


class Lowering(Values):
    """The arrays of a kernel, to which its steps are added."""

    def add(self, step: Step) -> None:
        """Enter the result of a step.

        Raises
        ------
        Unsupported
            If native code does not compute it.
        """
        for slot in slots_in(step.out):
            self.check(slot)
            if self.kinds[slot].weak and self.kinds[slot].dtype.kind == "i":
                raise Unsupported  # Python's whole numbers have no bounds
        lower = LOWERINGS.get(step.function)
        if lower is None and isinstance(step.function, np.ufunc):
            lower = ufunc
        if lower is None:
            raise Unsupported
        found = lower(self, step)
        outs = step.out if isinstance(step.out, tuple | list) else [step.out]
        results = found if isinstance(found, list) else [found]
        if step.writes and all(slot is None or slot in self.values for slot in outs):
            return
        if len(outs) != len(results):
            raise Unsupported
        for slot, result in zip(outs, results, strict=True):
            kind = self.kinds[slot]
            if result.dtype != kind.dtype or shape_of(result) != kind.shape:
                raise Unsupported
            if isinstance(result, Grid):
                result = self.large.small(self.large.settled(result, self.uses.get(slot, 1)))
            elif slot in self.written and layout(result.elements) != kind.layout:
                raise Unsupported  # a view there might be a copy here
            self.values[slot] = result


LOWERINGS: dict[Any, Callable[[Values, Step], Any]] = {
    product_of_chain_rule.function: chain,
    np.where: where,
    operator.getitem: getitem,
    operator.setitem: setitem,
    np.copyto: copyto,
    np.matmul: product(matmul),
    np.dot: product(matmul),
    np.inner: product(inner),
    Method("dot"): product(matmul),
    np.outer: product(lambda a, b: "i,j->ij" if (a, b) == (1, 1) else None),
    np.tril: triangle(np.tril),
    np.triu: triangle(np.triu),
    Method("astype"): astype,
    **dict.fromkeys([np.copy, np.array, Method("copy"), np.ascontiguousarray], copy),
    **dict.fromkeys(
        named("zeros ones full eye identity arange linspace tri zeros_like ones_like full_like"),
        made,
    ),
    **{
        function: moving(function)
        for function in [
            *named(
                "reshape ravel transpose swapaxes moveaxis rollaxis expand_dims squeeze flip "
                "fliplr flipud rot90 roll broadcast_to atleast_1d atleast_2d atleast_3d diagonal "
                "repeat tile take split array_split hsplit vsplit dsplit delete resize"
            ),
            *methods("reshape ravel flatten transpose swapaxes squeeze diagonal repeat take"),
        ]
    },
    **{
        function: joining(function)
        for function in named("concatenate stack hstack vstack dstack column_stack")
    },
    **{
        function: reduction(name)
        for name, functions in {
            "add": [np.sum, np.add.reduce, Method("sum")],
            "multiply": [np.prod, np.multiply.reduce, Method("prod")],
            "maximum": [np.max, np.amax, np.maximum.reduce, Method("max")],
            "minimum": [np.min, np.amin, np.minimum.reduce, Method("min")],
            "mean": [np.mean, Method("mean")],
            "logical_and": [np.all, np.logical_and.reduce, Method("all")],
            "logical_or": [np.any, np.logical_or.reduce, Method("any")],
        }.items()
        for function in functions
    },
}
"""Functions that become operations on element numbers; ufuncs do by their names."""
