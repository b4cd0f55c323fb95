"""Native code for what LLVM can compute, and NumPy for the rest.

`grouping.py` groups the steps of a program in blocks. A block (`blocks.py`) is one function of
machine code, with NumPy's own calls to fall back on. `lowering.py` (with `values.py`,
`pointwise.py`, `moves.py`, `reductions.py`) writes steps as operations on element numbers
(`elements.py`), or on large arrays in loops (`grids.py`, `large.py`, `nests.py`). `kernel.py` and
`body.py` write these as LLVM's instructions (`elementwise.py`, `elementary.py`, `text.py`),
`machine.py` compiles them, `disk.py` keeps the machine code, and `calling.py` makes a built-in
function of it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from autodiff.programs.backends import numpy
from autodiff.programs.backends.llvm.calling import check
from autodiff.programs.backends.llvm.grouping import grouped
from autodiff.programs.compiled import Compiled

if TYPE_CHECKING:
    from autodiff.programs.program import Program


def compiled(program: Program) -> Compiled:
    """Return the function of a program's blocks and of NumPy's calls between them."""
    _checked()
    return numpy.over_arrays(grouped(program))


@cache
def _checked() -> None:
    check()
