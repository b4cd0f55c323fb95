"""What training leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Row(NamedTuple):
    """How far training had come after an iteration."""

    iteration: int
    epoch: float
    loss: float
    train_accuracy: float
    test_accuracy: float


@dataclass(repr=False)
class History:
    """What training leaves behind, whole even if it was interrupted."""

    rows: list[Row] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    """The batch's loss at every iteration."""
    interrupted: bool = False

    def __repr__(self) -> str:
        last = f", the last one {self.rows[-1]}" if self.rows else ""
        stopped = ", interrupted" if self.interrupted else ""
        return f"<History: {len(self.losses):,} losses, {len(self.rows)} rows{last}{stopped}>"


class DivergenceError(FloatingPointError):
    """Training came to a number that is not finite; `history` holds what went before."""

    def __init__(self, message: str, history: History | None = None) -> None:
        super().__init__(message)
        self.history = history or History()
