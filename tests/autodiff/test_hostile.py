"""Hostile input: each case works as in NumPy, or raises a clear error."""

import decimal
import math

import numpy as np
import pytest

import autodiff as ad
from autodiff import Tensor, Value, custom_rule, grad, gradients


class Own(np.ndarray):
    """A subclass of ndarray, which may override arithmetic as np.matrix does."""


NOT_NUMBERS = {
    "text": "abc",
    "bytes": b"ab",
    "None": None,
    "dict": {},
    "set": {1.0},
    "object": object(),
    "function": abs,
    "type": float,
    "generator": (i for i in "1"),
    "decimal": decimal.Decimal(1),
    "too large": 10**400,
    "ragged": [[1.0, 2.0], [3.0]],
    "objects": np.array([1.0, None], object),
    "texts": np.array(["a", "b"]),
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "durations": np.array([3], "m8[s]"),
    "structured": np.zeros(2, [("a", float)]),
    "records": np.rec.array([(1.0, 2), (3.0, 4)]),
    "masked": np.ma.array([1.0, 2.0], mask=[False, True]),
    "a subclass": np.array([1.0, 2.0]).view(Own),
}


@pytest.mark.parametrize("what", NOT_NUMBERS)
def test_values_other_than_numbers_are_refused(what):
    bad, t, v = NOT_NUMBERS[what], Tensor([1.0, 2.0]), Value(2.0)
    refused = pytest.raises((TypeError, ValueError, OverflowError))
    for use in (
        lambda: Value(bad),
        lambda: Tensor(bad),
        lambda: t * bad,
        lambda: v * bad,
        lambda: ad.add(bad, t),
        lambda: ad.add(bad, v),
        lambda: ad.maximum(t, bad),
        lambda: ad.dot(t, bad),
        lambda: setattr(t, "data", bad),
        lambda: setattr(v, "data", bad),
        lambda: (t * 1.0).backward(bad),
        lambda: (v * 1.0).backward(bad) if bad is not None else Value(bad),
    ):
        with refused:
            use()
    np.testing.assert_array_equal(t.data, [1.0, 2.0])
    assert v.data == 2.0
    assert t.grad is v.grad is None


# As a variable and as a constant: like the plain array that NumPy makes of it.
ARRAYS = {
    "byte-swapped": np.array([1.0, 2.0, 4.0], ">f8"),
    "byte-swapped complex": np.array([1.0, 2.0j, 4.0], ">c16"),
    "reversed": np.array([4.0, 2.0, 1.0])[::-1],
    "strided": np.arange(1.0, 7.0)[::2],
    "Fortran": np.asfortranarray(np.arange(1.0, 7.0).reshape(2, 3)),
    "read-only": np.broadcast_to(2.0, (3,)),
    "unaligned": np.frombuffer(b"\0" + np.array([1.0, 2.0, 4.0]).tobytes(), np.uint8)[1:].view(
        float
    ),
    "half": np.array([1.0, 2.0, 4.0], np.float16),
    "long": np.array([1.0, 2.0, 4.0], np.longdouble),
    "integers": np.array([1, 2, 4], ">i2"),
    "booleans": np.array([True, False, True]),
    "empty": np.zeros((0, 3)),
    "number": np.array(3.0),
    "special": np.array([math.nan, math.inf, -0.0]),
}


@pytest.mark.parametrize("what", ARRAYS)
def test_unusual_arrays_are_ordinary_arrays(what):
    array = ARRAYS[what]
    before = array.tobytes()
    plain = array.astype(float) if array.dtype.kind in "iub" else array
    x = Tensor(array)
    with np.errstate(invalid="ignore"):
        product, y = plain * plain, x * array
        np.testing.assert_array_equal(y.data, product)
        assert y.dtype == product.dtype
        (slope,) = gradients(ad.real(y * x).sum(), [x])
        np.testing.assert_array_equal(slope, np.conj(2 * (plain * plain)))
    assert slope.dtype == x.dtype == plain.dtype.newbyteorder("=")
    assert slope.shape == array.shape
    assert array.tobytes() == before


def test_the_payload_of_a_nan_is_kept():
    bits = np.array([0x7FF8_0000_0000_1234, 0xFFF8_0000_0000_0001], np.uint64)
    x = Tensor(bits.view(float))
    np.testing.assert_array_equal(x.data.view(np.uint64), bits)
    x.data.view(np.uint64)[0] += 1  # another NaN: a change like any other
    np.testing.assert_array_equal((x * 1.0).data.view(np.uint64)[0], bits[0] + 1)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: np.broadcast_to(x, (2**40, 2**40, 2)),
        lambda x: x.reshape(2**62, 4),
        lambda x: x.reshape(-1, -1),
        lambda x: x.reshape((1,) * 70 + (4,)),
        lambda x: np.repeat(x, 2**60),
        lambda x: np.tile(x, (2**60, 2**60)),
        lambda x: np.pad(x, 2**61),
        lambda x: x[2**70],
        lambda x: x[5],
        lambda x: x[x],
        lambda x: x.sum(axis=7),
        lambda x: x.sum(axis=2**70),
        lambda x: x.sum(axis="a"),
        lambda x: x.sum(axis=Value(0.0)),
        lambda x: x[:0].max(),
        lambda x: x @ np.ones((3, 3)),
        lambda x: Value(2.0) ** 10**400,
        lambda x: (x * 1.0).backward(np.ones(3)),
        lambda x: (x * 1.0).backward(np.ma.ones((2, 2))),
    ],
)
def test_absurd_sizes_and_indices_are_refused(use):
    x = Tensor(np.ones((2, 2)))
    # no MemoryError: a machine that overcommits memory would not raise it
    with pytest.raises((ValueError, TypeError, IndexError, OverflowError)):
        use(x)
    x.sum().backward()
    np.testing.assert_array_equal(x.grad, 1.0)


def test_nothing_contains_itself():
    x = Tensor([1.0, 2.0])
    x[0] = x[1] * 3.0
    x.sum().backward()
    np.testing.assert_array_equal(x.grad, 1.0)
    x[:] = x * x
    np.testing.assert_array_equal(gradients(x.sum(), [x]), [[1.0, 1.0]])
    loop = [1.0]
    loop.append(loop)
    with pytest.raises(ValueError, match="inhomogeneous"):
        Tensor(loop)
    with pytest.raises(RecursionError):
        grad(lambda tree: tree[0])(loop)


def _raise(g, out, x):
    raise LookupError("mine")


def _change(place):
    def rule(g, out, x):
        (g, out, x)[place][...] = 0.0
        return g

    return rule


RULES = {
    "raises": (_raise, LookupError),
    "changes the cotangent": (_change(0), ValueError),
    "changes the output": (_change(1), ValueError),
    "changes the input": (_change(2), ValueError),
    "too short": (lambda g, out, x: np.ones(2), ValueError),
    "too many dimensions": (lambda g, out, x: np.ones((3, 3)), ValueError),
    "one number": (lambda g, out, x: 2.0, ValueError),
    "text": (lambda g, out, x: "abc", TypeError),
    "objects": (lambda g, out, x: np.array([1.0, 2.0, 3.0], object), TypeError),
    "masked": (lambda g, out, x: np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]), TypeError),
    "structured": (lambda g, out, x: np.zeros(3, [("a", float)]), TypeError),
    "several": (lambda g, out, x: (g, g), ValueError),
}


@pytest.mark.parametrize("what", RULES)
@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_a_rule_that_is_wrong_is_found(what, mode):
    rule, error = RULES[what]
    double = custom_rule(**{mode: rule})(lambda x: 2 * x)
    double.name = "double"
    x = Tensor([1.0, 2.0, 3.0])
    y = double(x)
    seed = np.ones(3)
    with pytest.raises(error) as caught:
        y.backward(seed) if mode == "vjp" else ad.jvp(double, (x.data,), (seed,))
    told = [str(caught.value), *getattr(caught.value, "__notes__", [])]
    assert what in ("masked",) or any("rule of double" in line for line in told)
    assert x.grad is None
    np.testing.assert_array_equal(seed, 1.0)
    np.testing.assert_array_equal(x.data, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(y.data, [2.0, 4.0, 6.0])


@pytest.mark.parametrize("share", [[2.0, 2.0, 2.0], np.full(3, 2), np.full(3, 2, np.float32)])
def test_a_rule_may_give_any_numbers(share):
    double = custom_rule(vjp=lambda g, out, x: share)(lambda x: 2 * x)
    x = Tensor([1.0, 2.0, 3.0])
    double(x).sum().backward()
    np.testing.assert_array_equal(x.grad, 2.0)
    assert x.grad.dtype == float


FUNCTIONS = {
    "raises": lambda x: [][1],
    "changes its input": lambda x: x.__imul__(2),
    "None": lambda x: None,
    "text": lambda x: "3",
    "dict": lambda x: {"a": x},
    "node": lambda x: Tensor(x),
    "integers": lambda x: x.astype(int),
    "masked": lambda x: np.ma.masked_array(x, [0, 1, 0]),
    "a subclass": lambda x: x.view(Own),
}


@pytest.mark.parametrize("what", FUNCTIONS)
def test_a_function_of_a_rule_that_is_wrong_is_found(what):
    f = custom_rule(vjp=lambda g, out, x: g)(FUNCTIONS[what])
    x = Tensor([1.0, 2.0, 3.0])
    with pytest.raises((TypeError, ValueError, IndexError)):
        f(x)
    np.testing.assert_array_equal(x.data, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("partial", ["a", None, 1j, np.ones(3), [1.0, 2.0]])
def test_a_partial_of_a_value_is_one_real_number(partial):
    x = Value(3.0)
    y = custom_rule(partials=lambda out, x: partial)(lambda x: 2 * x)(x)
    with pytest.raises((TypeError, ValueError), match=r"a rule of <lambda> .*return"):
        y.backward()
    for result in (None, "3", 1j, np.ones(3)):
        f = custom_rule(partials=lambda out, x: 1.0)(lambda x, result=result: result)
        with pytest.raises(TypeError):
            f(x)


def test_a_function_may_write_to_its_own_array_again():
    cache = np.zeros(3)

    @custom_rule(vjp=lambda g, out, x: g * out)
    def double(x):
        cache[:] = 2 * x
        return cache[:]

    x = Tensor([1.0, 2.0, 3.0])
    y = double(x)
    double(Tensor([9.0, 9.0, 9.0]))
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0, 6.0])
