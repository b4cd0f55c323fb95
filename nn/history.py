"""The history of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Row(NamedTuple):
    """Loss and accuracies after an iteration."""

    iteration: int
    epoch: float
    loss: float
    train_accuracy: float
    test_accuracy: float


@dataclass(repr=False)
class History:
    """Losses and evaluations of a training run, up to its end or interruption."""

    rows: list[Row] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    """The loss of each batch."""
    interrupted: bool = False

    def __repr__(self) -> str:
        last = f", the last one {self.rows[-1]}" if self.rows else ""
        stopped = ", interrupted" if self.interrupted else ""
        return f"<History: {len(self.losses):,} losses, {len(self.rows)} rows{last}{stopped}>"


class DivergenceError(FloatingPointError):
    """The loss or a score is not finite; `history` is the history up to there."""

    def __init__(self, message: str, history: History | None = None) -> None:
        super().__init__(message)
        self.history = history or History()
