"""The derivative of one function by every library; the function takes their NumPy namespace."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import autodiff as ad
from benchmarks.timing import OURS, interleaved, rounds, steps

Array = NDArray[Any]
Step = Callable[[], Any]
Function = Callable[[Any, Any], Any]
"""Takes a namespace and the point; `namespace.asarray` makes constants."""

FLOOR = "NumPy by hand"
AUTOGRAD, TORCH = "HIPS autograd", "PyTorch eager"


def ours(kind: str, f: Function, x: Array) -> Step:
    return partial(getattr(ad, kind)(partial(f, np)), x)


def hips_autograd(kind: str, f: Function, x: Array) -> Step:
    import autograd
    import autograd.numpy as anp

    return partial(getattr(autograd, kind)(partial(f, anp)), x)


def jax(kind: str, f: Function, x: Array, compiled: bool = True) -> Step:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    derivative = getattr(jax, "jacrev" if kind == "jacobian" else kind)(partial(f, jnp))
    if compiled:
        derivative = jax.jit(derivative)
    point = jnp.asarray(x)
    return lambda: jax.block_until_ready(derivative(point))


def torch() -> ModuleType:
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return torch


def torch_eager(kind: str, f: Function, x: Array) -> Step:
    library = torch()
    point = library.tensor(x, requires_grad=kind == "grad")
    if kind == "grad":
        return lambda: library.autograd.grad(f(library, point), point)[0]
    derivative = getattr(library.autograd.functional, kind)
    return lambda: derivative(partial(f, library), point)


def mygrad(kind: str, f: Function, x: Array) -> Step:
    import mygrad as mg

    mg.turn_memory_guarding_off()  # recommended by its manual
    point = mg.tensor(x)

    def step() -> Any:
        f(mg, point).backward()
        return point.grad

    return step


MAKERS: dict[str, Callable[[str, Function, Array], Step]] = {
    OURS: ours,
    AUTOGRAD: hips_autograd,
    "JAX jit": jax,
    TORCH: torch_eager,
}
JAX_EAGER = {"JAX not compiled": partial(jax, compiled=False)}
MYGRAD = {"MyGrad": mygrad}  # it has gradients only


def race(
    makers: Mapping[str, Callable[[], Step]],
    repeat: int,
    default_rounds: int,
    tolerance: float = 1e-9,
) -> dict[str, list[float]]:
    """Check each library against the floor; return the nanoseconds of each step."""
    contestants: dict[str, Step] = {}
    for name, make in makers.items():
        try:
            contestants[name] = make()
        except ModuleNotFoundError as missing:
            print(f"  {name}: {missing.name} not installed, skipped")
    expected = _arrays(contestants[FLOOR]())
    for name, step in contestants.items():
        for wanted, got in zip(expected, _arrays(step()), strict=True):
            assert got.shape == wanted.shape, f"{name}: {got.shape} for {wanted.shape}"
            assert got.dtype == wanted.dtype, f"{name}: {got.dtype} for {wanted.dtype}"
            error = np.abs(got - wanted).max() / np.abs(wanted).max()
            assert error <= tolerance, f"{name} disagrees by {error:.1g} of the largest"
    turns = {name: steps(step, repeat) for name, step in contestants.items()}
    return interleaved(turns, rounds(default_rounds))


def _arrays(result: Any) -> list[Array]:
    return [np.asarray(array) for array in (result if isinstance(result, tuple) else (result,))]


def everyone(
    kind: str, f: Function, x: Array, floor: Step, **further: Any
) -> dict[str, Callable[[], Step]]:
    """Return the floor, ours, and the peers with this kind of derivative."""
    makers = {name: partial(make, kind, f, x) for name, make in {**MAKERS, **further}.items()}
    return {FLOOR: lambda: floor, **makers}
