"""Heat maps of matrices, small enough to stand inside a node."""

from __future__ import annotations

from typing import Any

import numpy as np

SIDE = 28  # most cells along an axis; a longer axis is averaged down to that
LARGEST = 1_000_000  # most elements of an array drawn as a map
SIZE = 72  # most points of a map's width and height

# Dark to light, so that grey print keeps the order; blue to yellow, safe for the colour-blind.
_RAMP = np.array([[0, 32, 76], [124, 123, 120], [255, 233, 69]], float)


def is_mappable(data: Any) -> bool:
    """Return whether `data`, without axes of length 1, is a vector or matrix of a size to draw."""
    return (
        isinstance(data, np.ndarray)
        and data.dtype.kind == "f"
        and 1 < data.size <= LARGEST
        and sum(side > 1 for side in data.shape) <= 2
    )


def heat_map(data: Any) -> str:
    """Return a heat map as a Graphviz HTML table: one cell per element, or per block of elements.

    Zero is grey, positive numbers go to yellow, negative ones to dark blue, scaled by the largest
    magnitude; a cell without finite elements stays empty.
    """
    data = np.squeeze(data)
    matrix = np.atleast_2d(data).astype(float)
    means = _averaged(_averaged(matrix, 0), 1)
    scale = float(np.max(np.abs(means), initial=0.0, where=np.isfinite(means))) or 1.0
    side = max(2, min(9, SIZE // max(means.shape)))
    rows = "".join(
        f"<tr>{''.join(_cell(mean / scale, side) for mean in row)}</tr>" for row in means.tolist()
    )
    table = '<table border="0" cellborder="0" cellspacing="0" cellpadding="0" fixedsize="true" '
    table += f'width="{side * means.shape[1]}" height="{side * means.shape[0]}"'
    # else the node's fill shows between the cells
    ground = f' bgcolor="{_colour(0)}"' if np.isfinite(means).all() else ""
    # framed, since old versions of Graphviz may paint the ground of a centred table a point wider
    return f"{table}><tr><td>{table}{ground}>{rows}</table></td></tr></table>"


def _averaged(matrix: Any, axis: int) -> Any:
    """Return the means of the finite elements over at most SIDE blocks of an axis."""
    length = matrix.shape[axis]
    if length <= SIDE:
        return matrix
    starts = np.linspace(0, length, SIDE, endpoint=False).astype(int)
    finite = np.isfinite(matrix)
    total = np.add.reduceat(np.where(finite, matrix, 0), starts, axis)
    count = np.add.reduceat(finite.astype(float), starts, axis)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _cell(share: float, side: int) -> str:
    size = f'width="{side}" height="{side}" fixedsize="true"'
    if not -1 <= share <= 1:
        return f"<td {size}></td>"
    return f'<td {size} bgcolor="{_colour(share)}"></td>'


def _colour(share: float) -> str:
    """Return the colour of a number between -1 and 1, as `#rrggbb`."""
    red, green, blue = (
        round(float(np.interp(share, [-1, 0, 1], channel))) for channel in _RAMP.T.tolist()
    )
    return f"#{red:02x}{green:02x}{blue:02x}"
