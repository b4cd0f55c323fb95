"""Tensor: construction, operators and methods, NumPy's protocols, refusals."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autodiff as ad
from autodiff import Tensor, Value

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


@given(
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([np.float32, np.float64]),
)
def test_broadcasting_is_numpys_and_is_undone(shapes, one, other):
    a, b = (np.ones(s, d) * 2 for s, d in zip(shapes.input_shapes, (one, other), strict=True))
    for f in (np.add, np.multiply, np.divide, ad.maximum):
        x, y = Tensor(a), Tensor(b)
        out = f(x, y)
        expected = f(a, b)
        assert out.shape == expected.shape == shapes.result_shape
        assert out.dtype == expected.dtype
        out.backward(np.ones(out.shape))
        for node in (x, y):
            assert node.grad.shape == node.shape
            assert node.grad.dtype == node.dtype
    x, y = Tensor(a), Tensor(b)
    (x + y).backward(np.ones(shapes.result_shape))
    size = int(np.prod(shapes.result_shape))
    assert x.grad.sum() == y.grad.sum() == size


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + 1,
        lambda x: 1 - x,
        lambda x: x * X,
        lambda x: X * x,
        lambda x: x / 2,
        lambda x: 2 / x,
        lambda x: x**2,
        lambda x: 2**x,
        lambda x: -x,
        lambda x: +x,
        abs,
        lambda x: x @ X.T,
        lambda x: X.T @ x,
        lambda x: x[0],
        lambda x: x[:, ::-1],
        lambda x: x[[0, 1, 1], 2],
        lambda x: x[X > 0],
        lambda x: x.sum(),
        lambda x: x.mean(0),
        lambda x: x.max(axis=1, keepdims=True),
        lambda x: x.min(),
        lambda x: x.T,
        lambda x: x.reshape(3, 2),
        lambda x: x.reshape((6,)),
        lambda x: x.reshape(-1),
        lambda x: x.transpose(),
        lambda x: x.transpose(1, 0),
        lambda x: x.transpose((1, 0)),
        lambda x: x.ravel(),
        lambda x: x.swapaxes(0, 1),
        lambda x: x.astype(np.float32),
        lambda x: np.squeeze(x[:1]),
        lambda x: np.sum(x, axis=(0, 1)),
        lambda x: np.concatenate([x, X], axis=0),
        lambda x: np.stack([x, x]),
        lambda x: np.where(X > 0, x, 0),
        lambda x: np.exp(x),
        lambda x: np.maximum(x, 0.25),
        lambda x: np.expand_dims(x, 1),
        lambda x: np.broadcast_to(x, (2, 2, 3)),
    ],
)
def test_numpy_code_runs_on_tensors_unchanged(f):
    expected, out = f(X), f(Tensor(X))
    assert isinstance(out, Tensor)
    assert out.dtype == expected.dtype
    np.testing.assert_array_equal(out.data, expected)
    ad.check_grads(f, X) if out.dtype == float else None


@given(hnp.array_shapes(max_dims=3, max_side=4).flatmap(
    lambda shape: st.tuples(st.just(shape), hnp.basic_indices(shape, allow_newaxis=True))
))  # fmt: skip
def test_basic_indexing_is_numpys(case):
    shape, index = case
    array = np.arange(float(np.prod(shape))).reshape(shape)
    x = Tensor(array)
    out = x[index]
    np.testing.assert_array_equal(out.data, array[index])
    out.backward(np.ones(out.shape))
    expected = np.zeros(shape)
    expected[index] += 1
    np.testing.assert_array_equal(x.grad, expected)


def test_repeated_indices_add_up():
    x = Tensor([1.0, 2.0, 3.0])
    x[np.array([0, 2, 2])].backward(np.array([1.0, 10.0, 100.0]))
    np.testing.assert_array_equal(x.grad, [1.0, 0.0, 110.0])
    x[[0, 0]].sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 0.0, 0.0])


def test_a_leaf_is_a_copy():
    array = np.ones(3)
    x = Tensor(array)
    array[0] = 7.0
    assert x.data[0] == 1.0


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("text", "numbers"),
        (None, "numbers"),
        ([[1.0], [1.0, 2.0]], "inhomogeneous"),
        (np.array([Value(1.0)]), "autodiff.stack"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "mask"),
        (np.array(["2020"], "M8[Y]"), "numbers"),
        (Value(1.0), "already"),
        (Tensor(1.0), "already"),
    ],
)
def test_only_arrays_of_numbers_are_accepted(wrong, why):
    with pytest.raises((TypeError, ValueError), match=why):
        Tensor(wrong)


def test_tensors_do_not_hide_in_object_arrays():
    x = Tensor([1.0])
    for hide in (
        np.array,
        np.asarray,
        lambda x: np.array([x, x]),
        lambda x: np.asarray(x, float),
        float,
    ):
        with pytest.raises(TypeError, match=r"x\.data"):
            hide(x)
    with pytest.raises(TypeError, match="array of Values"):
        x + np.array([Value(1.0)])
    with pytest.raises(TypeError, match="array of Values"):
        np.array([Value(1.0)]) * x


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: x + np.ones(4), ["add", r"\(2, 3\)", r"\(4,\)"]),
        (lambda x: np.ones((5, 5)) @ x, ["matmul", r"\(5, 5\)", r"\(2, 3\)"]),
        (lambda x: ad.concatenate([x, np.ones((2, 2))]), ["concatenate", r"\(2, 3\)", r"\(2, 2\)"]),
        (lambda x: x.reshape(4), ["reshape", r"\(2, 3\)", "4"]),
        (lambda x: ad.affine(x, np.ones((3, 4)), np.ones(1)), ["affine", r"b of shape \(1,\)"]),
        (lambda x: x + "a", ["add", "str 'a'"]),
        (lambda x: None * x, ["multiply", "NoneType"]),
        (lambda x: x.sum(axis=5), ["sum", "axis"]),
        (lambda x: np.sum(x, dtype=int), ["sum", "dtype"]),
        (lambda x: np.add(x, x, out=np.ones((2, 3))), ["add", "out"]),
        (lambda x: np.sum(x, out=np.ones(())), ["sum", "out"]),
        (lambda x: x[9], ["getitem", "out of bounds"]),
        (lambda x: ad.sum(x, 0, None, None, True, 0, True, 3), ["sum", "8 arguments"]),
        (lambda x: ad.exp(x, x), ["exp", "1 operand"]),
        (lambda x: ad.matmul(x), ["matmul takes", "1 argument"]),
    ],
)
def test_errors_name_the_operation_and_its_operands(f, words):
    with pytest.raises((TypeError, ValueError, IndexError)) as error:
        f(Tensor(X))
    for word in words:
        assert re.search(word, str(error.value)), str(error.value)


def test_assigned_elements_are_differentiated():
    x = Tensor([1.0, 2.0, 3.0])
    y = Tensor(np.zeros(4))
    y[:3] = x * x
    y[3] = x[0] * x[1]
    np.sum(y * y).backward()
    np.testing.assert_array_equal(y.data, [1, 4, 9, 2])
    np.testing.assert_array_equal(x.grad, [4 + 8, 32 + 4, 108])
    np.testing.assert_array_equal(y.grad, 2 * y.data)


def test_the_last_of_several_assignments_to_an_element_counts():
    x = Tensor([1.0, 2.0, 3.0])
    y = Tensor(np.zeros(2))
    y[[0, 1, 0]] = x
    np.sum(y).backward()
    np.testing.assert_array_equal(y.data, [3, 2])
    np.testing.assert_array_equal(x.grad, [0, 1, 1])


def test_earlier_readers_keep_their_version_at_an_assignment():
    x = Tensor([1.0, 2.0])
    y = x * 2
    z = np.sum(y * y)
    y[0] = 5.0
    z.backward()
    np.testing.assert_array_equal(x.grad, [8.0, 16.0])
    np.sum(y * y).backward()
    np.testing.assert_array_equal(x.grad, [0.0, 16.0])


def test_an_assignment_keeps_the_dtype_as_in_numpy():
    x, v = Tensor(np.zeros(2, np.float32)), Tensor(1.5)
    x[0] = v
    x[1] = 2
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x.data, [1.5, 2])
    np.sum(x).backward()
    assert v.grad.dtype == np.float64
    assert v.grad == 1
    with pytest.raises(TypeError, match=r"astype\(complex\)"):
        x[0] = 1j


def test_backward_wants_a_scalar_or_a_seed():
    x = Tensor(X)
    with pytest.raises(ValueError, match=r"\(2, 3\).*autodiff\.jacobian"):
        (x * 2).backward()
    with pytest.raises(ValueError, match=r"seed has shape \(3,\)"):
        (x * 2).backward(np.ones(3))
    (x * 2)[:1, :1].backward()
    assert x.grad[0, 0] == 2.0
    (x * 2).backward(X.tolist())
    np.testing.assert_array_equal(x.grad, 2 * X)


def test_gradients_are_read_only_and_complete():
    x = Tensor(X)
    y = ad.relu(x)
    y.sum().backward()
    with pytest.raises(ValueError, match="read-only"):
        x.grad[0] = 1.0
    assert y.grad.shape == X.shape


def test_comparisons_are_plain_boolean_arrays():
    x = Tensor(X)
    for result in (
        x > 0,
        x >= 0,
        x > 0,
        x == X,
        x != Tensor(X),
        x <= X,
        x < Value(1.0),
        np.isnan(x),
    ):
        assert type(result) is np.ndarray
        assert result.dtype == bool
    assert bool(Tensor(2.0) > 1)
    assert len(x) == 2
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)


def test_shapes_and_indices_are_plain():
    x = Tensor(X)
    assert np.shape(x) == (2, 3)
    assert np.ndim(x) == 2
    assert np.size(x) == 6
    assert np.argmax(x) == 4
    assert np.allclose(x, X)
    assert np.array_equal(x, Tensor(X))
    assert np.argsort(x, axis=1).dtype == np.intp


def test_lists_among_tensors_are_arrays():
    x = Tensor([1.0, 2.0])
    np.testing.assert_array_equal((x * [3, 4]).data, [3.0, 8.0])
    np.testing.assert_array_equal(ad.stack([x, [3, 4]]).data, [[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(ad.concatenate([(0.5,), x]).data, [0.5, 1.0, 2.0])


def test_repr():
    assert repr(Tensor([1.0, 2.0], name="w")) == "Tensor([1., 2.], name='w')"
    big = repr(Tensor(np.zeros((100, 100), np.float32)))
    assert "shape=(100, 100)" in big
    assert "float32" in big
    assert len(big) < 300


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1, 1)])
def test_odd_shapes(shape):
    x = Tensor(np.ones(shape))
    y = ad.sum(ad.exp(x) * 2)
    y.backward()
    assert x.grad.shape == shape
    np.testing.assert_allclose(x.grad, np.full(shape, 2 * np.e), rtol=1e-15)


@pytest.mark.parametrize("name", sorted(set(dir(np.ndarray)) - set(dir(object))))
def test_every_method_of_an_array_exists_or_has_advice(name):
    if name.startswith("_"):
        return
    x, array = Tensor(np.arange(1.0, 5).reshape(2, 2)), np.arange(1.0, 5).reshape(2, 2)
    args = {
        "astype": [np.float32], "clip": [2.0], "dot": [array], "repeat": [2], "reshape": [4],
        "searchsorted": [2.5], "swapaxes": [0, 1], "take": [[0, 3]], "argpartition": [1],
        "compress": [[True, False]], "fill": [3.0], "partition": [1], "put": [[0, 3], [7.0, 8.0]],
    }.get(name, [])  # fmt: skip
    if name == "searchsorted":
        x, array = Tensor(array.ravel()), array.ravel()
    if not hasattr(x, name):
        with pytest.raises(AttributeError, match=rf"{name}.*(write|x\.data)"):
            getattr(x, name)
        return
    ours, numpys = getattr(x, name), getattr(array, name)
    if name == "data":  # NumPy's `data` is the memory buffer
        return
    if callable(numpys):
        ours, numpys = ours(*args), numpys(*args)
    if numpys is None:  # an in-place method
        ours, numpys = x, array
    differentiable = isinstance(ours, Tensor)
    assert differentiable == (getattr(numpys, "dtype", np.dtype(int)).kind == "f")
    if differentiable:
        assert ours.dtype == numpys.dtype
        ours = ours.data
    np.testing.assert_array_equal(ours, numpys)


def test_cross_entropy_needs_a_label_for_each_row():
    with pytest.raises(ValueError, match=r"got 2 labels and an x of shape \(3, 4\)"):
        ad.cross_entropy(Tensor(np.ones((3, 4))), labels=[0, 2])
