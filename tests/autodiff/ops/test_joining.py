"""autodiff.array: nested lists of nodes and numbers, joined as NumPy joins numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, gradients

X = Tensor([1.0, 2.0, 3.0])
V = Value(4.0)


def plain(nested):
    if isinstance(nested, list | tuple):
        return [plain(part) for part in nested]
    return nested.data if isinstance(nested, Tensor | Value) else nested


@pytest.mark.parametrize(
    "nested",
    [
        [[X[0], 1.0], [2.0, V]],
        [V, V],
        [V],
        V,
        X,
        [[[V]]],
        (V, [1.0, 2.0][0]),
        [X, [4.0, V, 6]],
        [X, np.ones(3), range(3), (1, 2, V)],
        [[X, X], np.zeros((2, 3))],
        [[X], [X]],
        [True, V, 2, np.float32(3), np.int8(4), np.array(5.0)],
        [1j, V],
        [X[:0], []],
        [Tensor(np.float32(1)), np.float32(2)],
    ],
)
def test_nested_lists_are_joined_as_numpy_joins_numbers(nested):
    joined, expected = ad.array(nested), np.array(plain(nested))
    assert isinstance(joined, Tensor)
    assert joined.dtype == expected.dtype
    np.testing.assert_array_equal(joined.data, expected)


@pytest.mark.parametrize("nested", [[[1, 2], [3, 4]], [], [[], []], 3.0, [np.ones(2)], [1, 2.0]])
def test_numbers_alone_are_a_plain_array(nested):
    joined, expected = ad.array(nested), np.array(nested)
    assert type(joined) is np.ndarray
    assert joined.dtype == expected.dtype
    np.testing.assert_array_equal(joined, expected)


def test_derivatives_of_array():
    def f(x, v):
        matrix = ad.array([[x[0], 1.0], [2.0, v]])
        return ad.linalg.det(matrix) + ad.sum(ad.array([x, [v, 1.0, x[1]]]) ** 2)

    ad.check_grads(f, np.array([1.0, 2.0, 3.0]), 4.0, order=2)
    x = Tensor([1.0, 2.0])
    assert gradients(ad.array([x, x])[1, 0], [x])[0].tolist() == [1.0, 0.0]


def test_object_arrays_and_fractions_are_elements():
    v = Value(2.0)
    joined = ad.array([np.array([v, 1.0]), [Fraction(1, 2), v]])
    assert joined.data.tolist() == [[2.0, 1.0], [0.5, 2.0]]
    assert gradients(joined.sum(), [v]) == [2.0]


def test_the_dtype_may_be_chosen():
    joined = ad.array([V, 1.0], np.float32)
    assert joined.dtype == np.float32
    assert ad.array([1, 2], float).dtype == float
    assert ad.array([], np.float32).dtype == np.float32


@pytest.mark.parametrize(
    ("nested", "place"),
    [
        ([[V, 1.0], [2.0]], r"object\[0\] has shape \(2,\), object\[1\] has shape \(1,\)"),
        ([V, [1.0]], r"object\[1\] has shape \(1,\)"),
        ([[[V], [1.0]], [[1.0], []]], r"object\[1\]\[1\] has shape \(0,\)"),
        ([X, [1.0, 2.0]], r"object\[0\] has shape \(3,\), object\[1\] has shape \(2,\)"),
    ],
)
def test_ragged_lists_are_refused_with_the_place(nested, place):
    with pytest.raises(ValueError, match=f"ragged: .*{place}"):
        ad.array(nested)


def test_lists_that_contain_themselves_are_refused():
    nested = [V]
    nested.append(nested)
    with pytest.raises(ValueError, match="64 deep"):
        ad.array(nested)


@pytest.mark.parametrize("stranger", ["a", None, {1.0}, object(), iter([1.0]), {}, np.array("a")])
def test_strangers_are_refused_with_the_place(stranger):
    with pytest.raises(TypeError, match=r"array: object\[1\]\[0\] is .* of type "):
        ad.array([[V, 1.0], [stranger, 2.0]])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3), st.data())
def test_any_nested_list_agrees_with_numpy(shape, data):
    numbers = np.arange(float(np.prod(shape))).reshape(shape)
    x = Tensor(numbers)

    def nest(part, number):
        as_list = len(number) or number.ndim == 1 if part.ndim else False  # [] has one axis only
        kind = data.draw(st.sampled_from(["tensor", "array", "list"] if as_list else ["tensor"]))
        if kind == "list":
            return [nest(part[i], number[i]) for i in range(len(number))]
        return number if kind == "array" else part

    joined = ad.array(nest(x, numbers))
    np.testing.assert_array_equal(getattr(joined, "data", joined), numbers)


@pytest.mark.parametrize("options", [{}, {"sparse": True}, {"indexing": "ij"}])
def test_a_mesh_is_made_of_lists_of_nodes_too(options):
    x, v = Tensor([1.0, 2.0]), Value(3.0)
    expected = np.meshgrid([1.0, 3.0], (4, 5, 6), [2.0, 1.0], **options)
    for made in (
        ad.meshgrid([x[0], v], (4, 5, 6), [x[1], 1.0], **options),
        ad.meshgrid([x[0], v], [4, 5, 6], x[::-1], **options),
        np.meshgrid(ad.array([x[0], v]), (4, 5, 6), [x[1], 1.0], **options),
    ):
        for ours, numpys in zip(made, expected, strict=True):
            np.testing.assert_array_equal(plain(ours), numpys)
        assert isinstance(made[1], np.ndarray)
        (by_x, by_v) = gradients((made[0] ** 2).sum(), [x, v])
        often = expected[0].size / 2
        assert (by_x[0], by_v) == (2 * often, 6 * often)
