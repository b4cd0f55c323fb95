"""Native code for what LLVM can compute, and NumPy for the rest.

`grouping.py` groups the steps of a program in blocks. A block (`blocks.py`) is one function of
machine code, with NumPy's own calls to fall back on. `lowering.py` writes steps as operations on
element numbers (`elements.py`), or for large arrays as loops (`grids.py`, `large.py`, `nests.py`).
These become LLVM's instructions (`body.py`,
`elementwise.py`, `elementary.py`, `text.py`), `calling.py` makes a built-in function of them, and `machine.py` compiles it.
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
