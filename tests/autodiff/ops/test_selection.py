"""Choice among equal elements, writing in place, and refusals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, check_grads, grad, gradients
from autodiff.core.walks import push

NAN = math.nan
X = np.array([[1.0, 5.0, 3.0], [4.0, 2.0, 6.0]])


def chosen(f, x):
    """Return for each element of f(x) the element of x that it depends on."""
    x = Tensor(x)
    out = f(x)
    return [gradients(out, [x], seed=row.reshape(out.shape))[0] for row in np.eye(out.size)]


@pytest.mark.parametrize(
    ("f", "x", "order"),
    [
        (ad.sort, [2.0, 1.0, 2.0, 1.0], [1, 3, 0, 2]),
        (ad.sort, [0.0, -0.0, 0.0], [0, 1, 2]),
        (ad.sort, [NAN, 1.0, NAN], [1, 0, 2]),
        (lambda x: ad.partition(x, 1), [2.0, 2.0, 1.0], [2, 0, 1]),
        (ad.unique, [2.0, 1.0, 2.0, 1.0], [1, 0]),
    ],
)
def test_of_equal_elements_the_first_comes_first(f, x, order):
    np.testing.assert_array_equal(chosen(f, x), np.eye(len(x))[order])


@given(st.permutations(range(12)), st.integers(-12, 11))
def test_the_slope_of_a_partition_belongs_to_its_elements(numbers, kth):
    x, w = Tensor(numbers), np.arange(12.0)
    out = ad.partition(x, kth)
    np.testing.assert_array_equal(out.data, np.partition(x.data, kth))
    (slope,) = gradients(out, [x], seed=w)
    np.testing.assert_array_equal(slope[np.argsort(x.data)], w[np.argsort(out.data)])
    np.testing.assert_array_equal(push({x: x.data}, [out])[out], out.data)


@pytest.mark.parametrize("bad", [math.inf, NAN])
@pytest.mark.parametrize("f", [ad.tril, ad.diag, ad.diagonal, lambda x: ad.take(x, [0, 1, 1])])
def test_a_slope_reaches_only_the_elements_that_were_moved(f, bad):
    x = Tensor(X[:, :2])
    out = f(x)
    seed = np.ones(out.shape)
    seed[tuple(n - 1 for n in out.shape)] = bad
    (slope,) = gradients(out, [x], seed=seed)
    assert np.isfinite(slope).sum() == 3
    tangent = push({x: np.full((2, 2), bad)}, [out])[out]
    constants = f(np.ones((2, 2))) == 0
    np.testing.assert_array_equal(tangent[constants], 0)


INDICES = [
    1,
    (0, -1),
    (),
    ...,
    (None, 1),
    slice(None, None, -1),
    (slice(None), [2, 0]),
    (slice(None), [1, 1, 0]),
    [0, 1, 0],
    ([0, 0], [1, 1]),
    np.ix_([1, 0], [2, 0]),
    X > 2,
    (X > 2).tolist(),
    (X[:, 0] > 2, 0),
    (slice(1, 1), ...),
    np.array(1),
    (np.array(0), None, np.array([True, False, True])),
    True,
    False,
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing_and_assigning_by_every_kind_of_index(index):
    place = X[index]

    def read(x):
        return x[index] ** 2

    def write(x, v):
        x = x * x
        if isinstance(x, Tensor):
            x[index] = v * v
        else:  # a constant, which cannot take a node
            x = ad.setitem(x, v * v, index=index)
        return x * x

    x = Tensor(X)
    np.testing.assert_array_equal(x[index].data, place)
    check_grads(read, X, order=2, directions=1)
    check_grads(write, X, place + 0.5, order=2, directions=1)
    check_grads(write, X, 1.5, order=2, directions=1)
    expected = X * X
    expected[index] = 4.0
    changed = x * x
    changed[index] = Value(2.0) ** 2
    np.testing.assert_array_equal(changed.data, expected)


def test_the_last_of_several_assignments_to_an_element_counts():
    v = Tensor([1.0, 2.0, 3.0])
    x = Tensor(np.zeros(2))
    x[[0, 1, 0]] = v
    (slope,) = gradients(x, [v], seed=[math.inf, NAN])
    np.testing.assert_array_equal(slope, [0, NAN, math.inf])


MASK = X > 2
IN_PLACE = {
    "copyto": lambda x, v: np.copyto(x, v, where=MASK),
    "fill_diagonal": ad.fill_diagonal,  # np.fill_diagonal dispatches on the array only
    "place": lambda x, v: np.place(x, MASK, v),
    "put": lambda x, v: np.put(x, [1, 4, 1], v),
    "put_along_axis": lambda x, v: np.put_along_axis(x, np.array([[1], [2]]), v, 1),
    "putmask": lambda x, v: np.putmask(x, MASK, v),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_numpys_in_place_functions_are_recorded(name):
    change = IN_PLACE[name]
    expected = X.copy()
    change(expected, [7.0])
    x, v = Tensor(X), Tensor([7.0])
    y = x * 1
    assert change(y, v) is None
    np.testing.assert_array_equal(y.data, expected)
    slopes = gradients(ad.sum(y), [x, v])
    np.testing.assert_array_equal(slopes[0], expected != 7)
    np.testing.assert_array_equal(slopes[1], [np.sum(expected == 7)])
    y = x * 1
    change(y, 7.0)  # a constant
    np.testing.assert_array_equal(gradients(ad.sum(y), [x])[0], expected != 7)


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("node", [Value(7.0), Tensor([7.0])])
def test_a_plain_array_cannot_take_a_node(name, node):
    with pytest.raises(TypeError, match=f"{name} cannot write nodes into a ndarray.*a Tensor"):
        IN_PLACE[name](X.copy(), node)


v, w = Value(2.0), Value(3.0)
x = Tensor(X)


@pytest.mark.parametrize(
    ("joined", "expected"),
    [
        (lambda: np.stack([v, w]), [2, 3]),
        (lambda: np.stack([v, 1.0, np.float32(4), Tensor(5.0)], -1), [2, 1, 4, 5]),
        (lambda: np.concatenate([x[0], [7, 8], X[1]]), [1, 5, 3, 7, 8, 4, 2, 6]),
        (lambda: np.concatenate([x, v, 1.0, [[2]]], None), [1, 5, 3, 4, 2, 6, 2, 1, 2]),
        (lambda: np.concatenate((x, X), 1), np.concatenate((X, X), 1)),
        (lambda: np.hstack([v, [1, 2], w]), [2, 1, 2, 3]),
        (lambda: np.vstack([v, w]), [[2], [3]]),
        (lambda: np.column_stack([v, x[:1, :2]]), [[2, 1, 5]]),
        (lambda: np.block([[x, ad.stack([v, w])[:, None]]]), np.c_[X, [2, 3]]),
        (lambda: np.block([v, np.array([1.0, 2.0])]), [2, 1, 2]),
        (lambda: np.append([1, 2], v), [1, 2, 2]),
        (lambda: ad.insert([1.0, 4.0], 1, ad.stack([v, w])), [1, 2, 3, 4]),
        (lambda: np.select([[True, False], [True, True]], [v, w]), [2, 3]),
        (lambda: np.choose([1, 0], [v, x[0, :2]]), [1, 2]),
        (lambda: ad.full_like(X, v), np.full_like(X, 2)),
        (lambda: np.meshgrid(v, [1, 2])[0], [[2], [2]]),
    ],
)
def test_numbers_arrays_values_and_tensors_are_joined(joined, expected):
    out = joined()
    if isinstance(out, np.ndarray):  # of Values
        out = ad.reshape(ad.stack(list(out.ravel())), out.shape)
    np.testing.assert_array_equal(out.data, expected)
    leaves = [v, w, x]
    total = sum(np.sum(abs(slope)) for slope in gradients(ad.sum(out), leaves))
    nodes = [leaf for leaf in (2.0, 3.0) if leaf in np.ravel(out.data)]
    assert total >= len(nodes) > 0


def test_python_numbers_adapt_to_the_dtype_of_the_others():
    small = Tensor(np.ones(2, np.float32))
    assert np.select([[True, False]], [small], 1.0).dtype == np.float32
    assert np.choose([0, 1], [small, 1.0]).dtype == np.float32
    assert np.insert(small, 0, Value(1.0)).dtype == np.float32
    assert np.pad(small, 1, "linear_ramp", end_values=0.5).dtype == np.float32


MOVING = ["edge", "reflect", "symmetric", "wrap"]


@pytest.mark.parametrize("mode", [*MOVING, "constant"])
@pytest.mark.parametrize("width", [0, 7, (1, 5), ((2, 0), (0, 9))])
def test_padding_by_moving_is_numpys_however_wide(mode, width):
    np.testing.assert_array_equal(ad.pad(Tensor(X), width, mode).data, np.pad(X, width, mode))


def test_padding_with_empty_elements_puts_zeros():
    np.testing.assert_array_equal(ad.pad(Tensor(X), 1, "empty").data, np.pad(X, 1))


@pytest.mark.parametrize(
    ("call", "error", "advice"),
    [
        (lambda: x[Tensor([1.0])], TypeError, r"index=x\.data"),
        (lambda: x[0, Tensor([1.0])], TypeError, "comparison"),
        (lambda: x[0, v], TypeError, "comparison"),
        (lambda: ad.take([1.0, 2.0], v), TypeError, r"indices=x\.data"),
        (lambda: ad.repeat([1.0, 2.0], v), TypeError, r"repeats=x\.data"),
        (lambda: np.choose(x, [v, w]), TypeError, "comparison"),
        (lambda: np.select([x], [x]), TypeError, "comparison"),
        (lambda: np.compress(x[0], x, axis=1), TypeError, "comparison"),
        (lambda: np.extract(x, x), TypeError, "comparison"),
        (lambda: np.insert([1.0], v, 2.0), TypeError, "comparison"),
        (lambda: np.put(Tensor(X), v, 1.0), TypeError, "comparison"),
        (lambda: np.copyto(Tensor(X), 1.0, where=x), TypeError, "comparison"),
        (lambda: np.concatenate([x, x], dtype=int, casting="unsafe"), TypeError, "dtype int"),
        (lambda: x.astype(object), TypeError, "dtype object"),
        (lambda: x.astype(int, casting="safe"), TypeError, "no parameter 'casting'"),
        (lambda: np.add(x, 1, dtype=int), TypeError, r"add: .*x\.astype"),
        (lambda: np.add.reduce(x, dtype=bool), TypeError, "dtype bool"),
        (lambda: ad.array([v, w], dtype=int), TypeError, "dtype int"),
        (lambda: ad.full_like(np.arange(3), v), TypeError, "dtype int"),
        (lambda: np.insert(np.arange(3), 0, v), TypeError, "dtype int"),
        (lambda: np.ravel(x, "K"), ValueError, "memory"),
        (lambda: np.reshape(x, 6, "A"), ValueError, "memory"),
        (lambda: np.pad(x, 1, lambda *_: None), TypeError, "concatenate"),
        (lambda: np.pad(x, 3, "reflect", reflect_type="odd"), ValueError, "several steps"),
        (lambda: np.pad(x, 1, "edge", end_values=3), ValueError, "unsupported"),
        (lambda: np.pad(x, 1, constant_values=v), TypeError, r"x\.data"),
        (lambda: np.unique(x, return_index=True), TypeError, "return_index"),
        (lambda: np.split(x, 2, axis=1), ValueError, "equal division"),
        (lambda: np.block([[x], x]), ValueError, "depths"),
        (lambda: np.lib.stride_tricks.as_strided(x), TypeError, r"x\.data"),
        (lambda: np.take(x, [0], out=np.empty(1)), TypeError, "out="),
    ],
)
def test_refusals_have_advice(call, error, advice):
    with pytest.raises(error, match=advice):
        call()


def test_results_that_share_memory_cannot_change_the_graph():
    for out in (x.reshape(6), x[0], *np.split(x, 3, axis=1), np.diagonal(x), np.flip(x)):
        with pytest.raises(ValueError, match="read-only"):
            out.data[...] = 0


def test_pieces_may_overlap_and_some_may_be_unused():
    x = Tensor(np.arange(5.0))
    first, _, last = np.split(x, [3, 1])
    (slope,) = gradients(ad.sum(first) + ad.sum(last), [x])
    np.testing.assert_array_equal(slope, [1, 2, 2, 1, 1])
    (slope,) = gradients(ad.sum(last * last), [x])
    np.testing.assert_array_equal(slope, [0, 2, 4, 6, 8])


@pytest.mark.parametrize("axes", [(-1, 0, 1), (1, -1, 0), (-2, -3, -1)])
def test_axes_may_be_counted_from_the_end(axes):
    numbers = np.arange(24.0).reshape(2, 3, 4)
    x = Tensor(numbers)
    out = ad.transpose(x, axes)
    (slope,) = gradients(out, [x], seed=numbers.transpose(axes))
    np.testing.assert_array_equal(slope, numbers)


@pytest.mark.parametrize("rows", [np.array([2, 0, 2, -1]), np.array([[1, 1], [0, 4]]), np.array(3)])
def test_gradients_of_repeated_rows_add_up(rows):
    numbers = np.arange(30.0).reshape(5, 2, 3)
    expected = np.zeros(numbers.shape)
    np.add.at(expected, rows, numbers[rows])
    for read in (lambda x: x[rows], lambda x: ad.take(x, rows, 0)):
        x = Tensor(numbers)
        (slope,) = gradients(read(x), [x], seed=numbers[rows])
        np.testing.assert_array_equal(slope, expected)


@pytest.mark.parametrize("f", [np.quantile, np.percentile, np.nanquantile, np.nanpercentile])
def test_at_the_end_the_derivative_by_q_is_that_of_the_last_piece(f):
    whole = 1 if f in (np.quantile, np.nanquantile) else 100
    x = np.array([4.0, 0.0, 1.0])
    slope = grad(lambda q: f(x, q))(float(whole))
    np.testing.assert_allclose(slope, 2 * (4.0 - 1.0) / whole)


@pytest.mark.parametrize("whole", [1, 100])
@pytest.mark.parametrize("method", ["linear", "hazen", "weibull"])
def test_order_statistics_that_skip_nan_by_q(method, whole):
    f = np.nanquantile if whole == 1 else np.nanpercentile
    x = np.array([[4.0, NAN, 1.0, 3.0, 2.5], [0.5, 2.0, NAN, 7.0, 5.0]])
    finite = np.isfinite(x)

    def total(values, q):
        full = ad.where(finite, ad.scatter(values, index=np.nonzero(finite), shape=x.shape), NAN)
        out = f(full, q, axis=1, keepdims=True, method=method)
        assert out.shape == (3, 2, 1)
        return out * np.array([[[1.0], [-2.0]], [[0.5], [3.0]], [[0.7], [0.1]]])

    q = np.array([0.1, 0.46, 0.77]) * whole  # below the first element's rank of hazen and weibull
    assert check_grads(total, x[finite], q, order=2)
    nodes = [Tensor(x[finite]), Tensor(q)]
    result = np.sum(total(*nodes))
    plain, recorded = (gradients(result, nodes, record=record) for record in (False, True))
    for one, other in zip(plain, recorded, strict=True):
        np.testing.assert_allclose(one, other.data, rtol=1e-14)
