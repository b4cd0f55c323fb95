"""NumPy's protocols on nodes: arguments, plain functions, refusals, other arrays."""

import math
import operator

import numpy as np
import pytest

from autodiff import Tensor, Value, check_grads
from autodiff.nodes.protocols import dispatch_function
from autodiff.ops.plain import MAKERS

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
MASKED = np.ma.masked_array(X, X > 0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(a=x),
        lambda x: np.sum(axis=0, a=x),
        lambda x: np.max(a=x, axis=1),
        lambda x: np.transpose(axes=(1, 0), a=x),
        lambda x: np.reshape(x, 6, order="F"),
        lambda x: np.concatenate((x, [[1.0, 2.0, 3.0]])),
        lambda x: np.stack([x, X], axis=1),
        lambda x: np.where(X > 0, 0.0, x),
    ],
)
def test_arguments_are_passed_as_in_numpy(f):
    np.testing.assert_array_equal(f(Tensor(X)).data, f(X))
    check_grads(f, X)


@pytest.mark.parametrize(
    "f",
    [
        lambda v: np.sum(v),
        lambda v: np.mean(v, axis=None),
        lambda v: np.reshape(v, (1,))[0],
        lambda v: np.transpose(v),
        lambda v: np.broadcast_to(v, (1,))[0],
        lambda v: np.stack([v, v * v])[1] / v,
        lambda v: np.concatenate([[1.0], np.reshape(v, (1,))])[1],
        lambda v: np.matmul([2.0], np.reshape(v, (1,))) / 2,
    ],
)
def test_a_value_stands_for_an_array_of_no_dimensions(f):
    v = Value(3.0)
    y = f(v)
    assert isinstance(y, Tensor)
    assert y.shape == ()
    assert y.data == 3
    y.backward()
    assert v.grad == 1


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.argmax(a=x),
        lambda x: np.allclose(X, b=x),
        lambda x: np.allclose(a=x, b=X, atol=x[0, 0]),
        lambda x: np.lexsort((x[0], X[1])),
        lambda x: np.isclose(X, x, rtol=np.sum(x) * 0),
        lambda x: np.searchsorted([0.0, 1.0], v=x),
        lambda x: np.all(x, where=x > 0),
        lambda x: np.logical_and.reduce(x, axis=1),
        lambda x: np.less.outer(x[0], x[1]),
        lambda x: np.isnan(x, out=np.ones((2, 3), bool)),
    ],
)
def test_plain_functions_find_nodes_in_any_argument(f):
    expected, found = f(X), f(Tensor(X))
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "look",
    [
        np.argmax,
        lambda x: np.array_equal(x, [5.0, 2.0]),
        lambda x: (x > 3).tolist(),
        lambda x: (x == np.array([5.0, 2.0])).tolist(),
        lambda x: np.isfinite(x).tolist(),
        lambda x: bool(x[0] > 3),
        lambda x: bool(Value(3.0) < x[0]),
        repr,
    ],
)
def test_plain_functions_see_in_place_changes(look):
    x = Tensor([1.0, 2.0])
    before = look(x)
    x.data[0] = np.inf
    assert look(x) == look(Tensor([np.inf, 2.0]))
    x.data[0] = 5.0
    assert look(x) == look(Tensor([5.0, 2.0]))
    x.data[0] = 1.0
    assert look(x) == before


def test_truth_values_see_in_place_changes():
    x = Tensor(1.0)
    x.data[...] = 0.0
    assert not x
    assert (Value(1.0) > x) is np.True_


def test_a_single_number_can_be_assigned():
    x = Tensor(2.0)
    y = np.copy(x * x)  # a 0-d array; x * x is a scalar
    y[()] = 3 * x
    (y * x).backward()
    assert x.grad == 12


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * MASKED,
        lambda x: MASKED * x,
        lambda x: np.add(MASKED, x),
        lambda x: np.stack([x, MASKED]),
        lambda x: operator.setitem(x, 0, MASKED[0]),
        lambda x: np.ma.sqrt(x),
        lambda x: np.ma.add(x, X),
        lambda x: np.ma.sum(x),
        lambda x: np.ma.masked_where(X > 0, x),
    ],
)
def test_masks_are_not_lost(f):
    with pytest.raises(TypeError, match=r"lose its mask: fill it|read x\.data"):
        f(Tensor(X))


@pytest.mark.parametrize(
    "f",
    [
        float,
        int,
        complex,
        operator.index,
        math.sin,
        math.fsum,
        np.array,
        np.asarray,
        lambda x: np.array([x, x]),
        lambda x: np.array([1.0, x]),
        lambda x: np.concatenate([[x, x]]),
        lambda x: np.full(3, x),
        lambda x: np.r_[x, x],
        lambda x: np.zeros(3)[x],
        lambda x: np.vectorize(math.sin)(x),
        lambda x: np.random.default_rng(0).normal(x),
        lambda x: np.polynomial.Polynomial([1, 2])(x),
        lambda x: np.testing.assert_allclose(x, x),
        lambda x: np.arange(x),
        lambda x: operator.mod("%f", x),
    ],
)
def test_a_tensor_does_not_turn_into_plain_numbers(f):
    with pytest.raises(TypeError, match=r"silently: .*(autodiff\.|rng).*read x\.data"):
        f(Tensor(X[0, :1]))


def test_like_is_refused():
    for make in (np.eye, np.arange, np.tri, np.array, np.asarray):
        with pytest.raises(TypeError, match=rf"numpy\.{make.__name__}\(like=.*wrap the array"):
            make(3, like=Tensor(X))
    for make in MAKERS:
        with pytest.raises(TypeError, match=rf"numpy\.{make.__name__}\(like=.*wrap the array"):
            dispatch_function(make, (3,), {})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            np.emath.sqrt,
            r"numpy\.lib\..*scimath.*\.sqrt has no .* \(numpy\.sqrt has one\)",
        ),
        (np.frompyfunc(math.sin, 1, 1), r"the ufunc sin \(vectorized\) has no derivative here"),
        (np.bitwise_and.reduce, r"numpy\.bitwise_and takes integers"),
    ],
)
def test_unknown_functions_are_named(call, words):
    for x in Tensor(X), Value(1.0):
        with pytest.raises(TypeError, match=words):
            call(x)


def test_a_function_of_a_newer_numpy_is_named_with_the_nearest():
    def transposed(x):
        raise AssertionError("was called")

    transposed.__module__ = "numpy"
    with pytest.raises(TypeError, match=r"numpy\.transposed has.*\(numpy\.transpose has one\)"):
        dispatch_function(transposed, (Tensor(X),), {})


class Duck(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of another library, like CuPy's or Dask's."""

    def __init__(self, array):
        self.array = np.asarray(array)

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)

    def __array__(self, *args, **kwargs):
        raise TypeError("was forced to be an ndarray")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if not all(isinstance(x, Duck | np.ndarray | np.generic | float | int) for x in inputs):
            return NotImplemented
        return Duck(getattr(ufunc, method)(*_bare(inputs), **kwargs))

    def __array_function__(self, function, types, args, kwargs):
        if not all(issubclass(kind, Duck | np.ndarray) for kind in types):
            return NotImplemented
        result = function(*_bare(args), **kwargs)
        return Duck(result) if isinstance(result, np.ndarray | np.floating) else result

    def copy(self):
        return Duck(self.array.copy())

    def astype(self, dtype):
        return Duck(self.array.astype(dtype))

    def __getitem__(self, index):
        return Duck(self.array[index])

    def __setitem__(self, index, value):
        self.array[index] = _bare(value)

    def reshape(self, shape, order="C"):
        return Duck(self.array.reshape(shape, order=order))

    def sum(self, **kwargs):
        return Duck(self.array.sum(**kwargs))


def _bare(x):
    if isinstance(x, list | tuple):
        return type(x)(map(_bare, x))
    return x.array if isinstance(x, Duck) else x


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.sin(x) * x),
        lambda x: np.sum(np.concatenate([x, 2 * x])[1:] / 3),
        lambda x: np.sum(np.maximum(x, 0.25) ** 2),
        lambda x: np.mean(np.exp(x).reshape(3, 2), axis=0)[0],
    ],
)
def test_arrays_of_other_kinds_stay_what_they_are(f):
    x, theirs = Tensor(X), Tensor(Duck(X))
    expected, found = f(x), f(theirs)
    assert isinstance(found.data, Duck)
    np.testing.assert_allclose(found.data.array, expected.data, rtol=1e-15)
    expected.backward()
    found.backward()
    assert isinstance(theirs.grad, Duck)
    np.testing.assert_allclose(theirs.grad.array, x.grad, rtol=1e-14)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, d: x * d,
        lambda x, d: d * x,
        lambda x, d: np.multiply(d, x),
        lambda x, d: np.concatenate([d, x]),
        lambda x, d: np.concatenate([x, d]),
    ],
)
def test_arrays_of_other_kinds_are_constants_beside_a_tensor(f):
    x, y = Tensor(X), Tensor(X)
    found, expected = f(x, Duck(X)), f(y, X)
    assert isinstance(found.data, Duck)
    found.backward(np.ones(found.shape))
    expected.backward(np.ones(found.shape))
    np.testing.assert_array_equal(_bare(x.grad), y.grad)
    assert np.argmax(Tensor(Duck(X))) == 4
    assert isinstance(np.isnan(Tensor(Duck(X))), Duck)
