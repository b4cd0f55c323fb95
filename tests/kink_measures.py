"""Measured derivatives at the points of `kinks.py`: `python -m tests.kink_measures`.

Prints for each point our derivative in both modes and those of the installed peers. The exit status
is 1 if any differs from the record in `kinks.py`.
"""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from kinks import NONE, Kink, every, weights, written
from peers import JAX, Peer, PyTorch, floating, ours

from autodiff import jvp, vjp

OURS, THEIRS = 1e-15, 1e-12
"""Relative tolerances."""


def function(kink: Kink) -> Any:
    return lambda *arguments: floating(kink.of(ours, arguments))[0]


def reverse(kink: Kink) -> list[Any] | str:
    """Return our derivative by each argument in reverse mode; an error by name."""
    out, pullback = vjp(function(kink), *kink.arrays())
    try:
        return [*pullback(weights(out))]
    except np.linalg.LinAlgError as error:
        return type(error).__name__


def forward(kink: Kink) -> list[Any] | str:
    """Return our derivative by each argument in forward mode, one element at a time.

    The derivative by a complex argument is taken along the real axis. An error is returned by name.
    """
    try:
        return _columns(kink)
    except np.linalg.LinAlgError as error:
        return type(error).__name__


def _columns(kink: Kink) -> list[Any]:
    arrays = kink.arrays()
    found = [np.zeros_like(x) for x in arrays]
    for k, slopes in enumerate(found):
        for index in np.ndindex(slopes.shape):
            directions = [np.zeros_like(x) for x in arrays]
            directions[k][index] = 1
            out, pushed = jvp(function(kink), tuple(arrays), tuple(directions))
            slopes[index] = np.sum(weights(out) * pushed, where=pushed != 0)
    return found


def of_peer(peer: Peer, kink: Kink) -> Sequence[Any] | str:
    """Return a peer's derivative by each argument; `NONE` if it has none."""
    arrays = kink.arrays()
    result = function(kink)(*arrays)
    try:
        return peer.gradients(lambda x: kink.of(peer.function, x), arrays, [weights(result)])
    except (LookupError, *peer.refusals):
        return NONE


def same(found: Sequence[Any] | str, expected: Sequence[Any] | str, rtol: float) -> bool:
    if isinstance(found, str) or isinstance(expected, str):
        return isinstance(found, str) and found == expected
    return all(
        np.allclose(x, np.asarray(y), rtol=rtol, atol=0, equal_nan=True)
        for x, y in zip(found, expected, strict=True)
    )


def text(found: Sequence[Any] | str) -> str:
    if isinstance(found, str):
        return found
    return str(written(tuple(np.asarray(x).tolist() for x in found)))


def measure(kinds: Sequence[type[Peer]], points: Sequence[Kink]) -> tuple[int, str]:
    """Print each point's derivatives; return how many differ from the record, and the counts."""
    peers = []
    for kind in kinds:
        try:
            peers.append(kind())
        except ImportError:
            continue
    surprises, deviations = 0, dict.fromkeys(peers, 0)
    for kink in points:
        back, ahead = reverse(kink), forward(kink)
        real = kink.ours if isinstance(kink.ours, str) else [np.real(x) for x in kink.ours]
        right = same(back, kink.ours, OURS) and same(ahead, real, OURS)
        line = f"{kink.text} at {written(kink.point)}: {text(back)}"
        if not right:
            line += f" (forward {text(ahead)}; RECORDED {written(kink.ours)})"
            surprises += 1
        for peer in peers:
            found = of_peer(peer, kink)
            recorded = (kink.pytorch if isinstance(peer, PyTorch) else kink.jax) or kink.ours
            deviates = not isinstance(found, str) and not same(found, back, THEIRS)
            deviations[peer] += deviates
            if deviates or isinstance(found, str):
                line += f", {peer.module} {text(found)}"
            if peer.is_the_listed_version() and not same(found, recorded, THEIRS):
                line += f" (RECORDED {text(recorded)})"
                surprises += 1
        print(line, flush=True)
    counts = [
        f"{peer.module} {import_module(peer.module).__version__} deviates at {count}"
        for peer, count in deviations.items()
    ]
    absent = [kind.module for kind in kinds if not any(type(peer) is kind for peer in peers)]
    counts += [f"{module} is not installed" for module in absent]
    said = f"{len(points)} points measured in both modes, {surprises} differ from the record"
    return surprises, "; ".join([said, *counts])


def main() -> int:
    warnings.simplefilter("ignore")  # infinities and NaN are expected here
    with np.errstate(all="ignore"):
        surprises, counts = measure([PyTorch, JAX], every())
    print(counts)
    return min(surprises, 1)


if __name__ == "__main__":
    sys.exit(main())
