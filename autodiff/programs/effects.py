"""What a traced run must not do, since a later run would not do it: print, read a clock, warn."""

from __future__ import annotations

import builtins
import random
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock, get_ident
from typing import Any

import numpy as np

from autodiff.programs.trace import Refusal

PLACES: list[tuple[Any, str, str]] = [
    (builtins, "print", "prints"),
    (builtins, "input", "reads input"),
    (builtins, "open", "opens a file"),
    (warnings, "warn", "warns"),
    *[
        (time, name + suffix, "reads the clock")
        for name in ("time", "perf_counter", "monotonic", "process_time")
        for suffix in ("", "_ns")
    ],
]
"""Functions that are refused: where they are found, and what they do."""

lock = RLock()
"""Held while a function is traced."""


@contextmanager
def refused(name: str) -> Iterator[None]:
    """Refuse effects and random numbers of this thread while a function is traced."""
    thread = get_ident()

    def refusing(original: Callable[..., Any], words: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if get_ident() != thread:
                return original(*args, **kwargs)
            raise Refusal(
                f"{name} {words}, which a compiled function would do when it is traced only: do "
                "it outside of the function, or return what it needs"
            )

        return call

    originals = [getattr(owner, attribute) for owner, attribute, _ in PLACES]
    try:
        for (owner, attribute, words), original in zip(PLACES, originals, strict=True):
            setattr(owner, attribute, refusing(original, words))
        yield
    finally:
        for (owner, attribute, _), original in zip(PLACES, originals, strict=True):
            setattr(owner, attribute, original)


def generators() -> list[Any]:
    """Return the generators behind `np.random.normal()` and `random.random()`."""
    return [np.random.get_state.__self__, random]  # type: ignore[attr-defined]


def check_generators(before: Sequence[tuple[Any, Any]], name: str) -> None:
    """Refuse a function that drew random numbers, and put the generator's state back."""
    for generator, state in before:
        if not alike(state_of(generator), state):
            set_state(generator, state)
            raise Refusal(
                f"{name} draws random numbers, which a compiled function would draw when it is "
                "traced only: draw them outside, and pass them as an argument"
            )


def state_of(generator: Any) -> Any:
    """Return the state of a generator of random numbers."""
    if isinstance(generator, np.random.RandomState):  # keeps a normal number for the next draw
        return generator.get_state(legacy=False)
    if generator is random or isinstance(generator, random.Random):
        return generator.getstate()
    return generator.bit_generator.state


def set_state(generator: Any, state: Any) -> None:
    """Put back the state of a generator of random numbers."""
    if isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    elif generator is random or isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.bit_generator.state = state


def alike(one: Any, other: Any) -> bool:
    """Return whether two states of a generator are equal."""
    if isinstance(one, dict):
        return all(alike(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return all(map(alike, one, other))
    return bool(np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other)
