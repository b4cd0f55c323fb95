"""Test cases of the functions of NumPy's `linalg`.

Products that NumPy's main namespace has too are in `products`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autodiff.ops.alike import alike
from cases.case import SHAPES, Case, listed

STACKS = hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=2)
SIZES = st.sampled_from([2, 3, 1])


def adjoint(x: Any) -> Any:
    return np.conjugate(x).swapaxes(-1, -2)


# Arrays mapped to matrices of a kind.


def as_they_are(*arrays: Any) -> Sequence[Any]:
    return arrays


def separated(x: Any, *others: Any) -> Sequence[Any]:
    """Return nearly diagonal matrices: of full rank, eigenvalues and singular values apart."""
    m, n = x.shape[-2:]
    ladder = (np.eye(m, n) * (2 + 2 * np.arange(n))).astype(np.float32)
    return x / 4 + ladder, *others


def hermitian(x: Any) -> Sequence[Any]:
    (x,) = separated(x)
    return [(x + adjoint(x)) / 2]


def positive(x: Any) -> Sequence[Any]:
    return [x @ adjoint(x) / 4 + np.eye(x.shape[-1], dtype=np.float32)]


def rotating(x: Any) -> Sequence[Any]:
    """Return matrices with pairs of complex eigenvalues."""
    n = x.shape[-1]
    return [separated(x)[0] + 4 * (np.eye(n, k=1) - np.eye(n, k=-1)).astype(np.float32)]


def folded(shape: tuple[int, ...], ind: int) -> Callable[..., Sequence[Any]]:
    """Return arrays that are matrices of full rank for tensorinv."""

    def make(x: Any, *others: Any) -> Sequence[Any]:
        n = math.prod(shape[:ind])
        return [x / 4 + (4 * np.eye(n, dtype=np.float32)).reshape(shape), *others]

    return make


# Results without the free sign or phase of vectors.


def freed(function: Any, arrays: Any, params: Any) -> Any:
    """Return w, and a product of v and its adjoint, for a result (w, v)."""
    w, v = function(*arrays, **params)
    weights = alike(np.arange(1, v.shape[-1] + 1, dtype=np.float32), v)
    return w, (v * weights) @ adjoint(v)


def freed_svd(function: Any, arrays: Any, params: Any) -> Any:
    u, s, vh = function(*arrays, **params)
    weights = alike(np.arange(1, s.shape[-1] + 1, dtype=np.float32), s)
    u, vh = u[..., : s.shape[-1]], vh[..., : s.shape[-1], :]
    return s, (u * weights) @ vh, (u * weights) @ adjoint(u), adjoint(vh * weights[:, None]) @ vh


@st.composite
def matrices(
    draw: Any,
    make: Callable[..., Sequence[Any]] = separated,
    square: bool = True,
    params: Any = None,
    sizes: Any = SIZES,
    **options: Any,
) -> Case:
    """A stack of wide, tall or square matrices."""
    n = draw(sizes)
    shape = (*draw(STACKS), n if square else draw(sizes), n)
    chosen = {name: draw(st.sampled_from(values)) for name, values in (params or {}).items()}
    return Case([shape], chosen, make=make, **options)


@st.composite
def solve(draw: Any) -> Case:
    n = draw(SIZES)
    if draw(st.booleans()):
        shapes = [(*draw(STACKS), n, n), (n,)]
    else:
        drawn = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=2))
        a, b = drawn.input_shapes
        shapes = [(*a, n, n), (*b, n, draw(SIZES))]
    return Case(shapes, make=separated, complex=True)


@st.composite
def lstsq(draw: Any) -> Case:
    m, n = draw(st.sampled_from([(3, 2), (2, 3), (2, 2), (3, 1), (1, 2), (1, 1)]))
    b = (m,) if draw(st.booleans()) else (m, draw(SIZES))
    return Case([(m, n), b], make=separated, call=without_rank, complex=True)


def without_rank(function: Any, arrays: Any, params: Any) -> Any:
    x, residuals, _, s = function(*arrays, rcond=None)
    return x, residuals, s


ORDERS = [None, 2, 1, math.inf, -math.inf, 3, 2.5, 0, -1, 0.5]
MATRIX_ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf]


@st.composite
def norm(draw: Any) -> Case:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=3))
    kind = draw(st.integers(0, 2)) if len(shape) > 1 else draw(st.integers(0, 1))
    params = {"keepdims": draw(st.booleans())}
    if kind == 1:
        params["axis"] = draw(st.integers(-len(shape), len(shape) - 1))
        params["ord"] = draw(st.sampled_from(ORDERS))
    elif kind == 2:
        params["axis"] = tuple(draw(st.permutations(range(len(shape))))[:2])
        params["ord"] = draw(st.sampled_from(MATRIX_ORDERS))
        # orders by singular values need distinct ones
        return Case([tuple(shape)], params, make=apart(params["axis"]), complex=True, slack=16)
    elif len(shape) == 1:
        params["ord"] = draw(st.sampled_from(ORDERS))
    return Case([shape], params, complex=True, slack=16)


def apart(axes: tuple[int, int]) -> Callable[..., Sequence[Any]]:
    def make(x: Any) -> Sequence[Any]:
        sizes = [x.shape[i] if i in axes else 1 for i in range(x.ndim)]
        ladder = (np.eye(sizes[axes[0]], sizes[axes[1]]) * 4).cumsum(axis=0).astype(np.float32)
        if axes[0] > axes[1]:
            ladder = ladder.T
        return [x / 4 + ladder.reshape(sizes)]

    return make


@st.composite
def vector_norm(draw: Any) -> Case:
    shape = draw(SHAPES)
    axes = [st.none()]
    if shape:
        axes += [st.integers(-len(shape), len(shape) - 1), hnp.valid_tuple_axes(len(shape))]
    axis = draw(st.one_of(axes))
    params = {"axis": axis, "keepdims": draw(st.booleans()), "ord": draw(st.sampled_from(ORDERS))}
    params["ord"] = params["ord"] or 2
    return Case([shape], params, complex=True)


def reached(case: Case) -> bool:
    """Return whether there is an axis: NumPy takes an empty tuple, but finds no vector."""
    return case.params["axis"] != ()


HERMITIAN = {"UPLO": ["L", "U"]}

CASES: dict[str, st.SearchStrategy[Case]] = {
    "linalg.trace": matrices(as_they_are, False, {"offset": [1, 0, -2]}, complex=True),
    "linalg.diagonal": matrices(as_they_are, False, {"offset": [1, 0, -2]}, complex=True),
    "linalg.matrix_transpose": matrices(as_they_are, False, complex=True),
    "linalg.inv": matrices(complex=True),
    "linalg.solve": solve(),
    "linalg.tensorinv": listed(
        *[
            Case([shape], {"ind": ind}, make=folded(shape, ind), complex=True)
            for shape, ind in [((2, 3, 6), 2), ((4, 2, 2), 1), ((3, 3), 1)]
        ]
    ),
    "linalg.tensorsolve": listed(
        Case([(2, 3, 6), (2, 3)], make=folded((2, 3, 6), 2), complex=True, slack=40),
        Case([(6, 2, 3), (6,)], make=folded((6, 2, 3), 1), complex=True, slack=40),
        Case([(2, 2, 2, 2), (2, 2)], {"axes": (0, 2)}, complex=True, slack=1e4),
    ),
    "linalg.pinv": matrices(square=False, complex=True)
    | matrices(hermitian, params={"hermitian": [True]}, complex=True),
    "linalg.lstsq": lstsq(),
    "linalg.det": matrices(as_they_are, complex=True),
    "linalg.cofactor": matrices(as_they_are, sizes=st.integers(2, 3), complex=True, order=1),
    "linalg.slogdet": matrices(complex=True),
    "linalg.cholesky": matrices(positive, params={"upper": [False, True]}, complex=True, slack=40),
    "linalg.qr": matrices(square=False, params={"mode": ["reduced", "r"]}, complex=True),
    "linalg.eigh": matrices(hermitian, params=HERMITIAN, call=freed, complex=True)
    | matrices(hermitian, params=HERMITIAN),
    "linalg.eigvalsh": matrices(hermitian, params=HERMITIAN, complex=True),
    "linalg.eig": matrices(call=freed, complex=True)
    | matrices(rotating, call=freed, complex=True)
    | matrices(),
    "linalg.eigvals": matrices(slack=40, complex=True) | matrices(rotating, slack=40, complex=True),
    "linalg.svd": matrices(
        square=False, params={"full_matrices": [False, True]}, call=freed_svd, complex=True
    )
    | matrices(square=False, params={"full_matrices": [False]})
    | matrices(square=False, params={"compute_uv": [False]}, complex=True)
    | matrices(hermitian, params={"hermitian": [True]}),
    "linalg.svdvals": matrices(square=False, complex=True),
    "linalg.norm": norm(),
    "linalg.vector_norm": vector_norm().filter(reached),
    "linalg.matrix_norm": matrices(
        square=False, params={"ord": MATRIX_ORDERS[1:], "keepdims": [False, True]}, complex=True
    ),
    "linalg.cond": matrices(
        sizes=st.integers(2, 3),
        params={"p": [None, 2, -2, 1, -math.inf, "fro"]},
        complex=True,
        slack=40,
    ),
    "linalg.matrix_power": matrices(params={"n": [0, 1, 2, 3, 5, -1, -3]}, complex=True, slack=40),
}
