"""Test cases of products."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cases.case import Case, listed, sequence

EXACT = {"complex": True, "slack": 40}  # the order of summation in BLAS varies

SIZES = st.sampled_from([2, 3, 1])


@st.composite
def gufunc(draw: Any, signature: str, **options: Any) -> Case:
    """Shapes for a signature like "(m,n),(n)->(m)", in stacks that broadcast together."""
    drawn = draw(
        hnp.mutually_broadcastable_shapes(
            signature=signature, max_dims=2, min_side=draw(st.sampled_from([2, 1])), max_side=3
        )
    )
    return Case(drawn.input_shapes, **options)


@st.composite
def matmul(draw: Any) -> Case:
    """Stacks of matrices, or a vector for either; also without elements."""
    left, right = draw(gufunc("(m,n),(n,k)->(m,k)")).shapes
    kind = draw(st.sampled_from(["matrices", "left", "right", "both", "empty"]))
    if kind == "empty":
        return Case([(2, 0), (0, 3)], **EXACT)
    left = left[-1:] if kind in ("left", "both") else left
    right = right[-2:-1] if kind in ("right", "both") else right
    return Case([left, right], **EXACT)


@st.composite
def tensordot(draw: Any) -> Case:
    """Any pairs of axes, or the last n with the first n."""
    shared = draw(st.lists(SIZES, max_size=2))
    a, b = (draw(st.lists(SIZES, max_size=2)) for _ in range(2))
    n = len(shared)
    if draw(st.booleans()):
        return Case([(*a, *shared), (*shared, *b)], {"axes": n}, **EXACT)
    shapes, axes = [], []
    for free in (a, b):
        order = draw(st.permutations(range(n + len(free))))
        sizes = [*shared, *free]
        shapes.append(tuple(sizes[i] for i in order))
        places = [order.index(i) for i in range(n)]
        axes.append([p - len(order) if draw(st.booleans()) else p for p in places])
    if n == 1 and draw(st.booleans()):
        return Case(shapes, {"axes": (axes[0][0], axes[1][0])}, **EXACT)
    return Case(shapes, {"axes": axes}, **EXACT)


@st.composite
def dot(draw: Any, place: int) -> Case:
    """Two arrays: the last axis of one has the length of the axis at `place` of the other."""
    size = draw(SIZES)
    a, b = (tuple(draw(st.lists(SIZES, max_size=2))) for _ in range(2))
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return Case([a, ()], **EXACT)
    if kind == 1:
        return Case([(), b], **EXACT)
    cut = max(len(b) + 1 + place, 0)
    return Case([(*a, size), (*b[:cut], size, *b[cut:])], **EXACT)


@st.composite
def vecdot(draw: Any) -> Case:
    case = draw(gufunc("(n),(n)->()"))
    dims = min(map(len, case.shapes))
    axis = draw(st.integers(-dims, dims - 1))
    return Case([_moved(shape, axis) for shape in case.shapes], {"axis": axis}, **EXACT)


def _moved(shape: Any, axis: int) -> tuple[int, ...]:
    """Return the shape with its last axis moved to `axis`."""
    rest = list(shape[:-1])
    rest.insert(axis if axis >= 0 else len(shape) + axis, shape[-1])
    return tuple(rest)


@st.composite
def cross(draw: Any, axes: bool = True) -> Case:
    drawn = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3))
    shapes = [(*shape, 3) for shape in drawn.input_shapes]
    kind = draw(st.sampled_from(["none", "axis", "each"])) if axes else "axis"
    if kind == "none":
        return Case(shapes, **EXACT)
    low = min(map(len, shapes))
    if kind == "axis":
        axis = draw(st.integers(-low, low - 1))
        return Case([_moved(shape, axis) for shape in shapes], {"axis": axis}, **EXACT)
    places = [draw(st.integers(-len(s), len(s) - 1)) for s in (*shapes, max(shapes, key=len))]
    return Case(
        [_moved(shape, axis) for shape, axis in zip(shapes, places, strict=False)],
        dict(zip(["axisa", "axisb", "axisc"], places, strict=True)),
        **EXACT,
    )


@st.composite
def trace(draw: Any) -> Case:
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, max_side=3))
    axis1, axis2 = draw(st.permutations(range(len(shape))))[:2]
    low = draw(st.sampled_from([0, len(shape)]))
    params = {"offset": draw(st.integers(-2, 2)), "axis1": axis1 - low, "axis2": axis2}
    return Case([shape], params, **EXACT)


@st.composite
def einsum(draw: Any) -> Case:
    """Any subscripts of one to three operands, as a string or as lists."""
    sizes = dict(zip("aBcD", draw(st.lists(SIZES, min_size=4, max_size=4)), strict=True))
    terms = draw(st.lists(st.text("aBcD", max_size=3), min_size=1, max_size=3))
    dots = draw(hnp.mutually_broadcastable_shapes(num_shapes=len(terms), max_dims=2, max_side=2))
    dotted = draw(st.booleans())
    shapes, spelled = [], []
    for term, extra in zip(terms, dots.input_shapes, strict=True):
        ones = draw(st.sets(st.sampled_from("aBcD"), max_size=1))  # axes of length 1 broadcast
        shape = [1 if label in ones else sizes[label] for label in term]
        place = draw(st.integers(0, len(term)))
        if dotted:
            shape[place:place] = extra
            term = f"{term[:place]}...{term[place:]}"
        shapes.append(tuple(shape))
        spelled.append(term)
    subscripts = ",".join(spelled)
    if draw(st.booleans()):
        known = sorted(set("".join(terms)))
        output = "".join(draw(st.permutations(known))[: draw(st.integers(0, len(known)))])
        subscripts += "->" + ("..." if dotted else "") + output
    params: dict[str, Any] = {"optimize": True} if draw(st.booleans()) else {}
    arguments = in_lists if draw(st.booleans()) else in_a_string

    def call(function: Any, arrays: Any, params: Any) -> Any:
        return function(*arguments(subscripts, arrays), **params)

    return Case(shapes, params, call=call, **EXACT)


def in_a_string(subscripts: str, arrays: Any) -> list[Any]:
    return [subscripts, *arrays]


def in_lists(subscripts: str, arrays: Any) -> list[Any]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    left, arrow, right = subscripts.partition("->")
    terms = [
        [Ellipsis if c == "." else letters.index(c) for c in term.replace("...", ".")]
        for term in [*left.split(","), right]
    ]
    pairs = [part for pair in zip(arrays, terms[:-1], strict=True) for part in pair]
    return [*pairs, terms[-1]] if arrow else pairs


def two(**options: Any) -> st.SearchStrategy[Case]:
    """Two arrays of any shapes."""
    shape = hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)
    return st.tuples(shape, shape).map(lambda shapes: Case(shapes, **options))


CASES = {
    "affine": listed(
        Case([(2, 3), (3, 4), (4,)], **EXACT), Case([(5, 2, 3), (3, 4), (4,)], **EXACT)
    ),
    "matmul": matmul(),
    "linalg.matmul": gufunc("(m,n),(n,k)->(m,k)", **EXACT),
    "dot": dot(-2),
    "inner": dot(-1),
    "outer": two(complex=True),
    "linalg.outer": st.tuples(SIZES, SIZES).map(lambda n: Case([n[:1], n[1:]], complex=True)),
    "vdot": listed(*[Case(s, **EXACT) for s in [[(3,), (3,)], [(2, 3), (6,)], [(), ()]]]),
    "tensordot": tensordot(),
    "linalg.tensordot": tensordot(),
    "vecdot": vecdot(),
    "linalg.vecdot": vecdot(),
    "matvec": gufunc("(m,n),(n)->(m)", **EXACT),
    "vecmat": gufunc("(m),(m,n)->(n)", **EXACT),
    "cross": cross(),
    "linalg.cross": cross(axes=False),
    "kron": two(complex=True),
    "trace": trace(),
    "einsum": einsum(),
    "linalg.multi_dot": listed(
        *[
            Case(shapes, call=sequence, **EXACT)
            for shapes in [
                [(2, 1), (1, 3), (3, 2)],
                [(3,), (3, 2), (2, 2), (2,)],
                [(2, 3), (3, 2), (2,)],
                [(3,), (3, 2)],
            ]
        ]
    ),
}
