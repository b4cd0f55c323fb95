"""The steps of a program through `jax.numpy`, compiled by XLA for CPUs, GPUs and TPUs.

XLA neither raises errors nor gives warnings. So what data decided is returned beside the results
and compared after the call; and where an index is out of bounds, or a result is not finite, the
NumPy back end computes the program, with its errors and warnings.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from autodiff.core import trees
from autodiff.core.tracebacks import user_frame
from autodiff.programs.backends import numpy
from autodiff.programs.backends.jax_arrays import check_dtype
from autodiff.programs.backends.jax_calls import Run, large_constants
from autodiff.programs.compiled import Compiled, Diverged
from autodiff.programs.trace import Guard, Slot

if TYPE_CHECKING:
    from autodiff.programs.program import Program

_owner: Any = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")  # before 0.8
enable_x64: Callable[[bool], Any] = _owner.enable_x64


def compiled(program: Program) -> Compiled:
    """Return the function of a program on arrays of NumPy or of JAX."""
    careful = numpy.compiled(program)
    made = _Function(program, careful.function)
    return careful._replace(function=made.__call__, first=made.by_numpy)


@contextmanager
def as_numpy() -> Iterator[None]:
    """Compute in the precision of NumPy, which JAX must be told to keep."""
    with enable_x64(True), jax.default_matmul_precision("highest"):
        yield


class _Function:
    """A program under `jax.jit`, or under NumPy if JAX does not have all of its calls."""

    def __init__(self, program: Program, careful: Callable[..., list[Any]]) -> None:
        self.program, self.careful = program, careful
        self.guards = [step for step in program.steps if isinstance(step, Guard)]
        self.outputs = [x for x in trees.leaves(program.outputs) if type(x) is Slot]
        self.on_device = any(issubclass(x.type, jax.Array) for x in program.inputs)
        self.changed = [k for k, x in enumerate(program.inputs) if x.slot in program.written]
        self.jitted: Any = None
        self.constants: dict[int, Any] = {}
        self.refused = False

    def __call__(self, *inputs: Any) -> list[Any]:
        if self.refused:
            return self.by_numpy(*inputs)
        with as_numpy():
            if self.jitted is not None:
                found = self.jitted(inputs, self.constants)
            elif (found := self._first(inputs)) is None:
                return self.by_numpy(*inputs)
        results, changed, tests = found
        if tests is not None and not (held := np.asarray(tests)).all():
            return self._otherwise(held, inputs)
        for k, new in zip(self.changed, changed, strict=True):
            np.copyto(inputs[k], new)
        return list(results) if self.on_device else [np.asarray(x) for x in results]

    def _first(self, inputs: Sequence[Any]) -> Any:
        """Compile the program, and return what it gives; None, with a warning, if JAX cannot."""
        try:
            for x in self.program.inputs:
                check_dtype(self.program.kinds[x.slot].dtype)
            self.constants = large_constants(self.program)
            jitted = jax.jit(self._run)
            found = jitted(inputs, self.constants)
        except Exception as error:  # of any kind: JAX has many for what it cannot compile
            self.refused = True
            frame = user_frame(sys._getframe(1))
            reason = str(error).partition("\n")[0]
            warnings.warn_explicit(
                f"jit({self.program.name}): NumPy computes this program, since {reason}",
                UserWarning,
                frame.f_code.co_filename,
                frame.f_lineno,
            )
            return None
        self.jitted = jitted
        return found

    def _run(self, inputs: Sequence[Any], constants: dict[int, Any]) -> Any:
        """Return the results, the arrays that are changed, and whether all is as while tracing."""
        run = Run(self.program, inputs, constants)
        for step in self.program.steps:
            run.step(step)
        results = [run.read(x) for x in self.outputs]
        changed = [run.read(self.program.inputs[k].slot) for k in self.changed]
        tests = run.tests()
        if not self.on_device:  # NumPy may warn of what is not finite; JAX never does
            tests += [jnp.all(jnp.isfinite(x)) for x in [*results, *changed] if _is_inexact(x)]
        return results, changed, jnp.stack(list(map(jnp.asarray, tests))) if tests else None

    def _otherwise(self, held: Any, inputs: Sequence[Any]) -> list[Any]:
        """Raise `Diverged` for the first guard that fails, or compute by NumPy."""
        count = len(self.guards)
        if not held[count:].all():
            return self.by_numpy(*inputs)
        guard = self.guards[int(np.argmin(held[:count]))]
        raise Diverged(f"traced for the other branch of: {guard.line.text or 'a decision'}", guard)

    def by_numpy(self, *inputs: Any) -> list[Any]:
        """Compute by NumPy; for arrays of JAX, with results on the device of the first one."""
        if not self.on_device:
            return self.careful(*inputs)
        found = next(x for x in inputs if isinstance(x, jax.Array))
        device = found.sharding if found.committed and found.is_fully_replicated else None
        with np.errstate(all="ignore"):  # as JAX, which gives no warnings
            host = [np.asarray(x) if isinstance(x, jax.Array) else x for x in inputs]
            results = self.careful(*host)
        with as_numpy():
            return [jax.device_put(x, device) for x in results]


def _is_inexact(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.inexact))
