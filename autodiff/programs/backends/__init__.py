"""Back ends: each turns the steps of a program into a function to call.

One module each, with a function `compiled(program)`. `numpy` writes Python source over NumPy,
`llvm` computes what it can by native code, and `jax` runs the steps through `jax.numpy`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from autodiff.programs.compiled import Compiled
from autodiff.programs.state import speaks

if TYPE_CHECKING:
    from autodiff.programs.program import Program

EXTRAS: dict[str, tuple[str, ...]] = {
    "numpy": (),
    "llvm": ("llvmlite", "platformdirs"),
    "jax": ("jax",),
}
"""The back ends, with the packages that each needs."""
CONVERTING = {"jax"}
"""Back ends that take arrays which NumPy's functions would turn into arrays of NumPy."""


def compiled(name: str, program: Program) -> Compiled:
    """Return what a back end makes of a program.

    Arrays of other libraries that speak NumPy's protocols compute by themselves.
    """
    others = any(speaks(x.type) for x in program.inputs)
    module = import_module(f"autodiff.programs.backends.{'numpy' if others else name}")
    made: Compiled = (
        module.over_arrays(program, buffered=False) if others else module.compiled(program)
    )
    return made


def check(name: str) -> None:
    """Raise an error if there is no such back end, or its packages are missing.

    Raises
    ------
    ValueError
        If there is no back end of this name.
    ImportError
        If a package that it needs is not installed; the message says what to install.
    """
    if name not in EXTRAS:
        raise ValueError(f"backend={name!r}: the back ends are {', '.join(map(repr, EXTRAS))}")
    for package in EXTRAS[name]:
        try:
            import_module(package)
        except ImportError as error:
            raise ImportError(
                f"backend={name!r} needs {package}, which is not installed: pip install {package}"
            ) from error
