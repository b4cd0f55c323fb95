"""Methods of NumPy's ufuncs, and the options of their calls, on nodes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autodiff as ad
from autodiff import Tensor, Value, check_grads, gradients

# ufuncs with a row for the reduction, with identity and a loop, with a loop only
REORDERABLE = [np.add, np.multiply, np.maximum, np.fmin, np.logaddexp, np.logaddexp2, np.hypot]
OTHERS = [np.subtract, np.divide, np.arctan2, np.copysign]  # NumPy 2.4's power.reduce is wrong

few = settings(max_examples=25)
shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=3)


def numbers(shape, seed):
    return np.random.default_rng(seed).uniform(0.5, 2.0, shape)


def agrees(f, *arrays):
    """Check a call on Tensors against arrays, with its derivatives."""
    out, expected = f(*map(Tensor, arrays)), f(*arrays)
    assert isinstance(out, Tensor)
    assert out.shape == expected.shape
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out.data, expected, rtol=1e-15)
    check_grads(f, *arrays, directions=1)


@few
@given(st.data(), shapes, st.integers(0, 2**32))
def test_reduce(draw, shape, seed):
    ufunc = draw.draw(st.sampled_from(REORDERABLE + OTHERS))
    options = {"keepdims": draw.draw(st.booleans())}
    axes = st.integers(-len(shape), len(shape) - 1)
    if ufunc in REORDERABLE:
        axes |= st.none() | hnp.valid_tuple_axes(len(shape))
    if draw.draw(st.booleans()):
        options["axis"] = draw.draw(axes)
    if draw.draw(st.booleans()):
        options["initial"] = 0.7
        if ufunc in REORDERABLE and draw.draw(st.booleans()):
            options["where"] = np.random.default_rng(seed).random(shape) < 0.5
    agrees(lambda x: ufunc.reduce(x, **options), numbers(shape, seed))


@few
@given(st.sampled_from(REORDERABLE + OTHERS), st.data(), shapes, st.integers(0, 2**32))
def test_accumulate_and_reduceat(ufunc, draw, shape, seed):
    axis = draw.draw(st.integers(-len(shape), len(shape) - 1))
    places = st.integers(0, shape[axis] - 1)
    indices = draw.draw(st.lists(places, min_size=1, max_size=4))
    agrees(lambda x: ufunc.accumulate(x, axis=axis), numbers(shape, seed))
    agrees(lambda x: ufunc.reduceat(x, indices, axis=axis), numbers(shape, seed))
    assert ufunc.accumulate(Tensor(numbers(shape, seed))).shape == shape


@few
@given(st.sampled_from(REORDERABLE + OTHERS), shapes, shapes, st.integers(0, 2**32))
def test_outer(ufunc, shape, other, seed):
    x, y = numbers(shape, seed), numbers(other, seed + 1)
    agrees(ufunc.outer, x, y)
    np.testing.assert_array_equal(ufunc.outer(Tensor(x), 2).data, ufunc.outer(x, 2))
    np.testing.assert_array_equal(ufunc.outer([2, 3], Tensor(x)).data, ufunc.outer([2, 3], x))


@pytest.mark.parametrize("ufunc", REORDERABLE + OTHERS)
@pytest.mark.parametrize("shape", [(0, 2), (2, 0)])
def test_empty_arrays(ufunc, shape):
    array = np.ones(shape)
    for f in (ufunc.reduce, ufunc.accumulate, lambda x: ufunc.outer(x, x)):
        try:
            expected = f(array)
        except ValueError as error:  # no identity
            with pytest.raises(ValueError, match=str(error)[:20]):
                f(Tensor(array))
        else:
            out = f(Tensor(array))
            np.testing.assert_array_equal(out.data, expected)
            assert isinstance(out, Tensor)


def test_several_results_values_and_a_variable_start():
    quotient, rest = np.divmod.outer(Tensor([7.0, 8.0]), Tensor([2.0, 3.0]))
    np.testing.assert_array_equal([quotient.data, rest.data], np.divmod.outer([7, 8], [2, 3]))
    x = Value(3.0)
    assert isinstance(np.multiply.outer(x, Value(2.0)), Value)
    products = np.multiply.outer(x, [1.0, 2.0])
    assert gradients(ad.sum(products), [x]) == [3.0]
    start, array = Tensor(2.0), Tensor([3.0, 4.0])
    out = np.hypot.reduce(array, initial=start)
    for slope, leaf in zip(gradients(out, [start, array]), [start, array], strict=True):
        np.testing.assert_allclose(slope, leaf.data / np.sqrt(29), rtol=1e-15)


def test_dtype_of_a_method():
    x = Tensor(np.array([1.0, 2.0], np.float32))
    for f in (np.add.reduce, np.hypot.reduce, np.multiply.accumulate):
        out = f(x, dtype=np.float64)
        assert out.dtype == np.float64
        assert gradients(out, [x], np.ones(out.shape))[0].dtype == np.float32


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: np.add.at(np.zeros(2), [0], x[:1]), r"autodiff\.zeros"),
        (lambda x: np.add.at(x, x, 1.0), "cannot be an index"),
        (lambda x: np.add.at(x, [2], 1.0), "out of bounds"),
        (lambda x: np.add.at(x, [0, 1], [1.0, 2.0, 3.0]), "broadcast"),
        (lambda x: np.add.at(x, [0], 1j), "complex128 does not fit"),
        (lambda x: np.add.at(Value(1.0), (), x[0]), "a Value is a number"),
        (lambda x: np.add.reduce(x, out=np.zeros(())), r"add\.reduce\(out="),
        (lambda x: np.add.outer(x, x, out=np.zeros((2, 2))), r"add\.outer\(out="),
        (lambda x: np.exp.reduce(x), "binary"),
        (lambda x: np.divmod.reduce(x), "binary|single"),
        (lambda x: np.subtract.reduce(x, axis=(0, 1)), "axis|reorderable"),
        (lambda x: np.add.reduce(x, axis=2), "out of bounds"),
        (lambda x: np.add.reduce(x, dtype=int), "int64"),
        (lambda x: np.matmul.reduce(x), "signature"),
        (lambda x: np.exp(x, out=np.zeros(2)), "out="),
        (lambda x: np.exp(x, subok=False), "subok"),
        (lambda x: np.exp(x, casting="unsafe"), "casting"),
        (lambda x: np.exp(x, signature="d->d"), "signature"),
        (lambda x: np.matmul(x, x, axes=[(0,), (0,), ()]), "axes"),
    ],
)
def test_refusals(f, message):
    with pytest.raises((TypeError, ValueError, RuntimeError, IndexError), match=message):
        f(Tensor([1.0, 2.0]))


def test_elements_that_where_leaves_out_are_nan_and_have_no_derivative():
    x, mask = Tensor([-1.0, 4.0, 9.0]), np.array([False, True, True])
    for chosen in (mask, mask.tolist(), Tensor(mask)):
        out = np.sqrt(x, where=chosen)
        np.testing.assert_array_equal(out.data, [np.nan, 2, 3])
        np.testing.assert_array_equal(gradients(out, [x], np.ones(3))[0], [0, 0.25, 1 / 6])
    for everything in (True, np.True_):
        assert np.add(x, 1.0, where=everything).op is ad.add
    out = np.add(x, [[1.0], [2.0]], where=[[True], [False]])
    np.testing.assert_array_equal(out.data, [[0, 5, 10], [np.nan] * 3])
    np.testing.assert_array_equal(gradients(out, [x], np.ones((2, 3)))[0], [1, 1, 1])
    assert np.isnan(np.sqrt(Value(4.0), where=False).data)
    late = Tensor(mask)
    late.data[0] = 1.0  # an in-place change is seen
    assert np.negative(x, where=late).data[0] == 1.0


def test_dtype_of_a_call():
    x = Tensor(np.array([1.0, 2.0], np.float32))
    out = np.exp(x, dtype=np.float64)
    np.testing.assert_array_equal(out.data, np.exp(x.data, dtype=np.float64))
    assert out.dtype == np.float64
    assert gradients(out, [x], np.ones(2))[0].dtype == np.float32
    assert np.add(x, 1j, dtype=np.complex128).dtype == np.complex128
