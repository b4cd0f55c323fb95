"""What a back end makes of a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, NamedTuple

from autodiff.programs.trace import Guard


class Diverged(ValueError):
    """Data decided otherwise than in the traced run.

    `guard` is the decision, or None where the line that raised the error tells it.
    """

    def __init__(self, message: str, guard: Guard | None = None) -> None:
        super().__init__(message)
        self.guard = guard


class Compiled(NamedTuple):
    """A function that computes a program.

    `function` takes the values of the program's inputs one by one, and returns a list of the values
    of all slots of its outputs. It raises `Diverged` in a line of `code`; `guards` has the
    decisions by the numbers of these lines. `first` computes the call that was traced, where the
    function itself would return another kind of array.
    """

    function: Callable[..., list[Any]]
    code: CodeType
    guards: Mapping[int, Guard]
    first: Callable[..., list[Any]] | None = None

    def guard_at(self, error: Diverged) -> Guard:
        """Return the guard that raised an error."""
        if error.guard is not None:
            return error.guard
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not self.code:
            trace = trace.tb_next
        if trace is None:
            raise error
        return self.guards[trace.tb_lineno]


class Native:
    """A function that a back end made of several steps; `run` takes Python's numbers, too."""

    @property
    def run(self) -> Callable[..., Any]:
        """The function to call."""
        raise NotImplementedError


def defined(name: str, text: str, title: str, space: dict[str, Any]) -> Callable[..., Any]:
    """Return the function that a text defines."""
    exec(compile(text, f"<{title}>", "exec"), space)
    made: Callable[..., Any] = space[name]
    return made
