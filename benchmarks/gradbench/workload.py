"""A workload: a formula, its data, and the same by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gradbench.tools import Function, Tool


@dataclass(frozen=True)
class Candidate:
    """A call to be timed, and its result for the comparison."""

    step: Callable[[], Any]
    result: Callable[[Any], Any] = lambda returned: returned
    """Takes what the first step returned."""


@dataclass(frozen=True)
class Workload:
    make: Callable[[Tool], Function]
    """Return a tool's function of the arguments, with its derivative, compiled if it compiles."""
    args: tuple[Any, ...]
    """Numbers, arrays, and tuples of numbers; each tool gets copies of its own."""
    by_hand: Function | None = None
    """The same in NumPy, with the derivative written out."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Why tools do not take part, by name."""
    loops: bool = False
    """Whether the formula has a loop of a fixed number of steps."""
    rtol: float = 1e-9
    """Results may differ by this, relative to the largest number of the result."""
    nodes: int | None = None
    """Nodes of the graph, arguments included, where the formula is one on scalars."""

    def candidate(self, tool: Tool) -> Candidate:
        f, args = self.make(tool), tuple(map(tool.argument, self.args))
        return Candidate(lambda: tool.wait(f(*args)))

    def floor(self) -> Candidate | None:
        """Return the candidate that is written by hand."""
        by_hand, args = self.by_hand, self.args
        return Candidate(lambda: by_hand(*args)) if by_hand else None
