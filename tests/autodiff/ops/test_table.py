"""Every row of the table, by walking it: a new row is tested by existing.

Elementwise rows and reductions need nothing said about them, except a domain if they are not
smooth on (-2, 2). Other rows have their shapes and parameters listed in CASES.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import Tensor, Value, check_grads, gradients
from autodiff.graph import Op, push
from autodiff.ops.table import BY_FUNCTION, TABLE, Elementwise

DOMAINS = {
    "log": (0.2, 3.0),
    "sqrt": (0.2, 3.0),
    "power": (0.2, 2.0),
    "divide": (0.3, 2.0),
    "log1p": (-0.7, 2.0),
    "tan": (-1.2, 1.2),
}
BROADCASTS = [
    ((), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((), (2, 2)),
    ((0, 2), (2,)),
]
REDUCTIONS = [
    {},
    {"axis": 0},
    {"axis": -1, "keepdims": True},
    {"axis": (0, 2)},
    {"axis": None, "keepdims": True},
]
CASES = {
    "reshape": [([(2, 3)], {"shape": (3, 2)}), ([(2, 3)], {"shape": -1, "order": "F"})],
    "transpose": [([(2, 3, 4)], {}), ([(2, 3, 4)], {"axes": (1, 2, 0)})],
    "swapaxes": [([(2, 3, 4)], {"axis1": 0, "axis2": -1})],
    "expand_dims": [([(2, 3)], {"axis": 1}), ([(2,)], {"axis": (0, 2)})],
    "squeeze": [([(2, 1, 3)], {}), ([(1, 2, 1)], {"axis": 0})],
    "ravel": [([(2, 3)], {}), ([(2, 3)], {"order": "F"})],
    "broadcast_to": [([(3,)], {"shape": (2, 3)}), ([()], {"shape": (2,)})],
    "astype": [([(2, 3)], {"dtype": np.float64})],
    "getitem": [
        ([(4, 3)], {"index": (slice(1, None, 2), 0)}),
        ([(4,)], {"index": np.array([0, 2, 2, -1])}),
        ([(2, 3)], {"index": np.array([[True, False, True], [False, True, False]])}),
        ([(4, 3)], {"index": (np.array([0, 0, 3]), np.array([1, 1, 2]))}),
        ([(2, 3)], {"index": (None, ..., slice(None, None, -1))}),
    ],
    "scatter": [([(3,)], {"index": np.array([0, 2, 2]), "shape": (4,)})],
    "softmax": [([(2, 3)], {}), ([(2, 3, 2)], {"axis": 1})],
    "cross_entropy": [([(3, 4)], {"labels": np.array([0, 2, 2])})],
    "log_softmax": [([(2, 3)], {}), ([(2, 3, 2)], {"axis": 1})],
    "concatenate": [([(2, 3), (1, 3)], {}), ([(2, 1), (2, 2), (2, 1)], {"axis": -1})],
    "stack": [([(2, 3), (2, 3)], {}), ([(2,), (2,)], {"axis": -1})],
    "affine": [([(2, 3), (3, 4), (4,)], {}), ([(5, 2, 3), (3, 4), (4,)], {})],
    "matmul": [
        ([(2, 3), (3, 4)], {}),
        ([(3,), (3,)], {}),
        ([(2, 3), (3,)], {}),
        ([(3,), (3, 2)], {}),
        ([(5, 2, 3), (3, 4)], {}),
        ([(5, 1, 2, 3), (4, 3, 2)], {}),
        ([(3,), (5, 3, 2)], {}),
        ([(5, 2, 3), (3,)], {}),
        ([(2, 0), (0, 3)], {}),
    ],
}  # fmt: skip


def cases(op: Op):
    """(shapes, parameters) to try a row with."""
    if isinstance(op, Elementwise):
        for one, other in BROADCASTS:
            yield [one, other, one][: op.arity], {}
    elif op.name in CASES:
        yield from CASES[op.name]
    elif op.parameters == ("axis", "keepdims"):
        for params in REDUCTIONS:
            yield [(2, 3, 4)], params
    else:
        pytest.fail(f"the row {op.name!r} is no elementwise or reduction: list cases for it")


ALL = [
    pytest.param(op, shapes, params, id=f"{name}-{i}")
    for name, op in TABLE.items()
    for i, (shapes, params) in enumerate(cases(op))
]


def draw(op: Op, shapes, rng, dtype=np.float64):
    """Points in the row's domain, away from kinks: all numbers differ by 0.01 at least."""
    low, high = DOMAINS.get(op.name, (-2.0, 2.0))
    size = sum(int(np.prod(shape)) for shape in shapes)
    grid = np.linspace(low, high, max(2 * size, 20))
    numbers = rng.permutation(grid[grid != 0] + 0.003)[:size].astype(dtype)
    parts = np.split(numbers, np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def call(op: Op, arrays, params):
    return op(arrays, **params) if op.arity < 0 else op(*arrays, **params)


def plain(op: Op, arrays, params):
    return op.function(*arrays, **params)


rows = pytest.mark.parametrize(("op", "shapes", "params"), ALL)
seeds = given(st.integers(0, 2**32 - 1))


def as_values(array):
    values = np.empty(array.shape, object)
    for index in np.ndindex(array.shape):
        values[index] = Value(array[index])
    return values


def data(x):
    return x.data if isinstance(x, Tensor | Value) else x


@rows
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_forward_is_numpys(op, shapes, params, dtype):
    arrays = draw(op, shapes, np.random.default_rng(0), dtype)
    strided = [np.stack([a, a], axis=-1)[..., 0] for a in arrays]  # not contiguous
    for operands in (arrays, strided):
        expected = np.asarray(plain(op, operands, params))
        out = call(op, [Tensor(a) for a in operands], params)
        assert out.data.dtype == expected.dtype
        assert out.shape == expected.shape
        # Tensor copies its array, and BLAS sums a contiguous one in another order
        slack = 40 * np.finfo(dtype).eps if op.name in ("matmul", "affine") else 0
        np.testing.assert_allclose(out.data, expected, rtol=0, atol=slack)
        np.testing.assert_array_equal(call(op, operands, params), expected)


@rows
@settings(max_examples=5)
@seeds
def test_both_modes_and_both_orders_agree_with_numerical_differentiation(op, shapes, params, seed):
    arrays = draw(op, shapes, np.random.default_rng(seed))

    def f(*args):
        return call(op, args, params)

    check_grads(f, *arrays, order=2)


@rows
@settings(max_examples=5)
@seeds
def test_jvp_and_vjp_are_adjoint(op, shapes, params, seed):
    rng = np.random.default_rng(seed)
    inputs = [Tensor(a) for a in draw(op, shapes, rng)]
    out = call(op, inputs, params)
    w = rng.standard_normal(out.shape)
    for x, pulled in zip(inputs, gradients(out, inputs, seed=w), strict=True):
        v = rng.standard_normal(x.shape)
        pushed = push(out, {x: v})
        assert pushed.shape == out.shape
        size = np.sum(abs(pulled * v)) + np.sum(abs(pushed * w))
        assert abs(np.sum(pushed * w) - np.sum(pulled * v)) <= 1e-14 * (1 + size)


@rows
def test_float32_stays_float32_in_both_directions(op, shapes, params):
    if op.name == "astype":
        pytest.skip("changes the dtype on purpose")
    inputs = [Tensor(a) for a in draw(op, shapes, np.random.default_rng(1), np.float32)]
    out = call(op, inputs, params)
    slopes = gradients(out, inputs, seed=np.ones(out.shape, np.float32))
    assert {s.dtype for s in slopes} == {out.dtype} == {np.dtype(np.float32)}
    tangent = push(out, {inputs[-1]: np.ones_like(inputs[-1].data)})
    assert np.asarray(tangent).dtype == np.float32


@rows
@settings(max_examples=3)
@seeds
def test_tensor_says_what_an_array_of_values_says(op, shapes, params, seed):
    if op.name == "astype":
        pytest.skip("an array of Values has no other dtype")
    rng = np.random.default_rng(seed)
    arrays = draw(op, shapes, rng)
    tensors = [Tensor(a) for a in arrays]
    values = [as_values(a) for a in arrays]
    ours, theirs = call(op, tensors, params), call(op, values, params)
    np.testing.assert_allclose(
        ours.data,
        np.vectorize(data, otypes=[float])(theirs) if ours.size else ours.data,
        rtol=1e-14,
        atol=1e-15,
    )
    if not ours.size:
        return
    w = rng.standard_normal(ours.shape)
    ours.backward(w)
    total = np.sum(w * theirs)
    if isinstance(total, Value | Tensor):
        total.backward()
    for tensor, array in zip(tensors, values, strict=True):
        slopes = [v.grad or 0.0 for v in np.ravel(np.asarray(array, object))]
        np.testing.assert_allclose(np.ravel(tensor.grad), slopes, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "op", [op for op in TABLE.values() if isinstance(op, Elementwise)], ids=repr
)
@settings(max_examples=10)
@seeds
def test_value_is_a_0d_tensor(op, seed):
    numbers = [float(a) for a in draw(op, [()] * op.arity, np.random.default_rng(seed))]
    values, tensors = [Value(n) for n in numbers], [Tensor(n) for n in numbers]
    scalar, array = op(*values), op(*tensors)
    assert isinstance(scalar, Value)
    np.testing.assert_allclose(scalar.data, array.data, rtol=1e-15)
    np.testing.assert_allclose(op(*numbers), scalar.data, rtol=0)
    scalar.backward(0.7)
    array.backward(0.7)
    for value, tensor in zip(values, tensors, strict=True):
        np.testing.assert_allclose(value.grad, tensor.grad, rtol=1e-14)


def test_every_row_is_found_by_its_numpy_function_and_public():
    import autodiff

    for name, op in TABLE.items():
        assert op in BY_FUNCTION.values()
        if name != "chain":  # the engine's own
            assert getattr(autodiff, name) is op
        if name != "astype" and hasattr(np, name):
            assert BY_FUNCTION[getattr(np, name)] is op
        assert op.__doc__
