"""A Value has what a NumPy scalar has: attributes, methods, rounding to integers, refusals."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, grad, gradients

NUMBER = 2.625


@pytest.mark.parametrize("name", ["shape", "ndim", "size", "dtype", "T", "real", "imag"])
def test_a_value_has_the_attributes_of_a_numpy_scalar(name):
    value, expected = Value(NUMBER), getattr(np.float64(NUMBER), name)
    found = getattr(value, name)
    assert getattr(found, "data", found) == expected
    if name in ("T", "real"):
        assert gradients(found, [value]) == [1.0]


def test_the_dtype_of_a_value_is_float64_to_numpy():
    dtype = Value(NUMBER).dtype
    assert dtype == np.float64 == dtype
    assert np.dtype(float) == dtype != np.float32
    assert (dtype.kind, str(dtype), repr(dtype)) == ("f", "float64", "dtype('float64')")
    assert np.zeros(2, dtype).dtype == np.result_type(dtype, np.float32) == np.dtype(float)
    assert np.issubdtype(dtype, np.floating)
    assert np.finfo(dtype).eps == np.finfo(float).eps
    assert {np.dtype(float): 1}[dtype] == 1
    assert dtype.type(2) == 2.0
    assert copy.deepcopy(dtype) == pickle.loads(pickle.dumps(dtype)) == np.dtype(float)


@pytest.mark.parametrize("statistic", [np.mean, np.var, np.std, np.median, np.average])
def test_statistics_of_object_arrays_still_work(statistic):
    numbers = [1.0, 4.0, 6.0]
    values = [Value(x) for x in numbers]
    found = statistic(np.array(values))
    assert found.data == pytest.approx(statistic(numbers))
    np.testing.assert_allclose(
        gradients(found, values), ad.grad(lambda x: statistic(x))(np.array(numbers))
    )


METHODS = {
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "prod": lambda x: x.prod(),
    "min": lambda x: x.min(),
    "max": lambda x: x.max(),
    "var": lambda x: x.var(),
    "std": lambda x: x.std(),
    "cumsum": lambda x: x.cumsum(),
    "cumprod": lambda x: x.cumprod(),
    "reshape": lambda x: x.reshape(1, 1),
    "reshape tuple": lambda x: x.reshape((1,)),
    "ravel": lambda x: x.ravel(),
    "flatten": lambda x: x.flatten(),
    "squeeze": lambda x: x.squeeze(),
    "transpose": lambda x: x.transpose(),
    "astype": lambda x: x.astype(np.float32),
    "clip": lambda x: x.clip(0.0, 5.0),
    "copy": lambda x: x.copy(),
    "conj": lambda x: x.conj(),
    "conjugate": lambda x: x.conjugate(),
    "round": lambda x: x.round(1),
    "repeat": lambda x: x.repeat(3),
    "take": lambda x: x.take([0, 0]),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_value_has_the_methods_of_a_numpy_scalar(name):
    method, value = METHODS[name], Value(NUMBER)
    expected, found = method(np.float64(NUMBER)), method(value)
    np.testing.assert_array_equal(found.data, expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    flat = name in ("var", "std", "round")
    (slope,) = gradients(ad.sum(found), [value])
    assert slope == (0 if flat else {"repeat": 3, "take": 2}.get(name, 1))


@pytest.mark.parametrize("name", ["all", "any", "argmax", "argmin", "argsort"])
def test_plain_methods_are_numpys(name):
    assert getattr(Value(NUMBER), name)() == getattr(np.float64(NUMBER), name)()


@pytest.mark.parametrize("name", dir(np.float64))
def test_every_method_of_a_numpy_scalar_exists_or_has_advice(name):
    value = Value(NUMBER)
    if name.startswith("_") or hasattr(Value, name):
        return
    with pytest.raises(AttributeError, match=r"x\.data|compute a new one"):
        getattr(value, name)


@pytest.mark.parametrize("dtype", [int, bool, "i2", np.uint8, np.dtype("int32")])
@pytest.mark.parametrize(
    "f",
    [
        lambda x, dtype: x.astype(dtype),
        lambda x, dtype: np.floor(x).astype(dtype=dtype),
        lambda x, dtype: (x[0] + 2).astype(dtype, copy=False),
        lambda x, dtype: x.sum().astype(dtype),
        lambda x, dtype: ad.astype(x, dtype),
        lambda x, dtype: ad.astype(np.copy(x[1]), dtype=dtype),
    ],
)
def test_integers_and_truth_values_are_plain(f, dtype):
    x = np.array([1.7, 0.0, 200.5])
    expected = f(x, dtype)
    found = f(Tensor(x), dtype)
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    number = Value(2.7).astype(dtype)
    assert type(number) is type(np.float64(2.7).astype(dtype))
    assert number == np.float64(2.7).astype(dtype)


@pytest.mark.skipif(not hasattr(np, "astype"), reason="came with NumPy 2.1")
def test_numpys_astype_gives_plain_integers_too():
    assert np.astype(Tensor([1.7]), int).tolist() == [1]
    assert np.astype(Value(1.7), int) == 1


def test_a_table_is_looked_up_at_whole_numbers():
    table = np.array([1.0, 3.0, 4.0])

    def interpolated(x, table):
        low = np.floor(x).astype(int)
        return np.sum(table[low] + (x - low) * (table[low + 1] - table[low]))

    by_x, by_table = grad(interpolated, (0, 1))(np.array([0.25, 1.5]), table)
    np.testing.assert_array_equal(by_x, [2.0, 1.0])
    np.testing.assert_array_equal(by_table, [0.75, 0.75, 0.5])


def test_an_unknown_attribute_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="'Value' object has no attribute 'foo'"):
        _ = Value(NUMBER).foo
    assert not hasattr(Value(NUMBER), "__len__")


@pytest.mark.parametrize("kind", [Value, Tensor, lambda x: Tensor([x])[0]])
@given(number=st.floats(-1e6, 1e6))
def test_whole_numbers_are_pythons(kind, number):
    x = kind(number)
    for whole in (math.floor, math.ceil, math.trunc, round):
        found = whole(x)
        assert type(found) is int
        assert found == whole(number)


@pytest.mark.parametrize("kind", [Value, Tensor])
def test_rounding_to_digits_is_a_step_function(kind):
    x = kind(NUMBER)
    found = round(x, 2)
    assert found.data == round(np.float64(NUMBER), 2)
    assert gradients(found * x, [x])[0] == found.data
    assert ad.grad(lambda x: x * math.floor(x) + round(x))(NUMBER) == 2.0
    assert ad.jvp(lambda x: x * math.ceil(x), (NUMBER,), (1.0,))[1] == 3.0


@pytest.mark.parametrize("whole", [math.floor, math.ceil, math.trunc, round])
def test_an_array_has_no_whole_number(whole):
    with pytest.raises(TypeError, match=r"shape \(2,\): call autodiff\."):
        whole(Tensor([1.0, 2.0]))


def test_a_variable_is_read_as_it_is_now():
    y = Tensor([1.7])
    y.data[0] = 2.7
    assert y.astype(int) == 2
    x = Tensor(1.5)
    x.data[...] = 4.5
    assert math.floor(x) == 4
