"""nn.losses against the definition, or against limits where it cannot be computed; errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import jit, value_and_grad
from nn import softmax_cross_entropy, to_one_hot


def by_definition(logits, labels):
    odds = np.exp(logits)
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    return -np.mean(np.log(probabilities[np.arange(len(labels)), labels]))


def closed_form_gradient(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    odds = np.exp(shifted)
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    return (probabilities - np.eye(logits.shape[1])[labels]) / len(logits)


@st.composite
def batches(draw, size=15.0):
    n, classes = draw(st.integers(1, 5)), draw(st.integers(2, 6))
    numbers = st.lists(st.floats(-size, size), min_size=n * classes, max_size=n * classes)
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n))
    return np.array(draw(numbers)).reshape(n, classes), np.array(labels)


def slope(logits, labels):
    return ad.grad(lambda z: softmax_cross_entropy(z, labels))(logits)


@given(batches())
def test_equals_the_definition_and_its_gradient_for_integers_and_one_hot(batch):
    logits, labels = batch
    for t in (labels, labels.astype(np.uint8), np.eye(logits.shape[1])[labels], labels.tolist()):
        loss = softmax_cross_entropy(logits, t)
        np.testing.assert_allclose(loss, by_definition(logits, labels), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(
            slope(logits, t), closed_form_gradient(logits, labels), rtol=1e-11, atol=1e-15
        )


@given(batches(size=1e300))
def test_is_stable_however_large_the_logits(batch):
    logits, labels = batch
    picked = logits[np.arange(len(labels)), labels]
    margin = np.sum((logits.max(axis=1) - picked) / len(labels))
    loss = softmax_cross_entropy(logits, labels)
    # the largest logit is at most log(classes) below logsumexp
    assert margin * (1 - 1e-12) <= loss <= (margin + np.log(6)) * (1 + 1e-12)
    np.testing.assert_allclose(
        slope(logits, labels), closed_form_gradient(logits, labels), rtol=1e-11, atol=1e-15
    )


@pytest.mark.parametrize("size", [1e4, 1e300])
def test_certain_and_certainly_wrong(size):
    logits = np.array([[size, -size], [-size, size]])
    assert softmax_cross_entropy(logits, [0, 1]) == 0
    np.testing.assert_array_equal(slope(logits, [0, 1]), np.zeros((2, 2)))
    assert softmax_cross_entropy(logits, [1, 0]) == 2 * size
    np.testing.assert_array_equal(slope(logits, [1, 0]), [[0.5, -0.5], [-0.5, 0.5]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e4, 1e7, 1e16, -1e16])
def test_differences_of_large_scores_are_exact(dtype, size):
    logits = np.array([[size, size, -np.inf]], dtype)
    np.testing.assert_allclose(softmax_cross_entropy(logits, [0]), np.log(2), rtol=1e-7)
    np.testing.assert_array_equal(slope(logits, [0]), [[-0.5, 0.5, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, int])
def test_integer_scores_do_not_wrap_around(dtype):
    logits = np.array([[0, 100], [100, 0]])
    np.testing.assert_allclose(softmax_cross_entropy(logits.astype(dtype), [0, 0]), 50)


def test_a_class_with_logit_minus_infinity_is_ignored_unless_it_is_the_label():
    logits = np.array([[-np.inf, 1.0, 2.0]])
    expected = np.log1p(np.e)
    np.testing.assert_allclose(softmax_cross_entropy(logits, [1]), expected, rtol=1e-15)
    p = 1 / (1 + np.e)
    np.testing.assert_allclose(slope(logits, [1]), [[0, p - 1, 1 - p]], rtol=1e-14)
    assert softmax_cross_entropy(logits, [0]) == np.inf
    np.testing.assert_allclose(slope(logits, [0]), [[-1, p, 1 - p]], rtol=1e-14)


def test_one_sample_is_a_batch_of_one():
    logits = np.array([1.0, 3.0, -2.0])
    expected = softmax_cross_entropy(logits[None], [1])
    for label in (1, np.int64(1), [1], [0, 1, 0], np.array([[0.0, 1.0, 0.0]])):
        assert softmax_cross_entropy(logits, label) == expected
        np.testing.assert_array_equal(slope(logits, label), slope(logits[None], [1])[0])
    assert slope(logits, 1).shape == (3,)


def test_float32_stays_float32():
    logits = np.array([[1.0, 2.0], [-3e4, 3e4]], np.float32)
    for labels in ([0, 1], to_one_hot([0, 1], 2), np.eye(2)):
        assert softmax_cross_entropy(logits, labels).dtype == np.float32
        loss = softmax_cross_entropy(ad.Tensor(logits), labels)
        assert loss.dtype == np.float32
        assert slope(logits, labels).dtype == np.float32


def test_second_derivatives_exist():
    labels = np.array([0, 2])
    logits = np.random.default_rng(0).standard_normal((2, 3))
    assert ad.check_grads(lambda z: softmax_cross_entropy(z, labels), logits, order=3)
    # the Hessian of one sample's loss is diag(p) - p pᵀ
    p = np.exp(logits[0]) / np.exp(logits[0]).sum()
    hessian = ad.jacobian(ad.grad(lambda z: softmax_cross_entropy(z, 0)))(logits[0])
    np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), atol=1e-15)


def test_lists_are_taken_as_arrays():
    assert softmax_cross_entropy([[1000, 0]], [1]) == 1000


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, 3], r"labels\[3\] = 3 is out of range: the 3 classes are 0 … 2"),
        ([0, -1, 2, 7], r"labels\[1\] = -1 is out of range"),
        (np.eye(3)[[0, 1, 2, 0]] * 2, r"labels\[0\] = \[2. 0. 0.\] is not one-hot"),
        ([[1, 0, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0]], r"labels\[1\] = \[0 0 0\] is not one-hot"),
        ([[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 1, 0]], r"labels\[3\] = \[1 1 0\] is not one-hot"),
        (np.full((4, 3), np.nan), "is not one-hot"),
        ([0.0, 1.0, 2.0, 0.0], r"not float64 of shape \(4,\): convert them with labels.astype"),
        ([True, False, True, True], r"not bool of shape \(4,\)"),
        (["a", "b", "c", "d"], "labels must be integers"),
        (
            [0, 1, 2],
            r"scores of shape \(4, 3\), .* shape \(4,\) or one-hot rows of shape \(4, 3\), "
            r"not int64 of shape \(3,\): pass the 4 labels of these samples",
        ),
        ([[0], [1], [2], [0]], r"of shape \(4, 1\): flatten them with labels.ravel\(\)"),
        ([1], r"not int64 of shape \(1,\)"),  # NumPy would broadcast it
        (1, r"not int64 of shape \(\)"),
        (np.eye(4), r"\(4, 4\): use 3 columns, or a last layer with 4 outputs"),
        (np.eye(3), r"not float64 of shape \(3, 3\)"),
        (np.zeros((4, 3, 1)), r"of shape \(4, 3, 1\)"),
        (None, "labels must be integers"),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, ad.Tensor])
def test_wrong_labels_are_named(kind, labels, message):
    with pytest.raises(ValueError, match=message):
        softmax_cross_entropy(kind(np.zeros((4, 3))), labels)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,), (), (2, 3, 4)])
def test_scores_must_be_a_batch(shape):
    with pytest.raises(ValueError, match="n and classes at least 1"):
        softmax_cross_entropy(np.zeros(shape), np.zeros(shape[:1], int))


@pytest.mark.parametrize("labels", [[1, 2, 0], np.eye(4)[[0, 3, 2]]])
def test_labels_may_be_arguments_of_a_compiled_function(labels):
    loss = value_and_grad(lambda w, x, t: softmax_cross_entropy(np.maximum(x @ w, 0) @ w.T, t))
    compiled, rng = jit(loss), np.random.default_rng(0)
    for _ in range(3):
        args = rng.normal(size=(4, 4)), rng.normal(size=(3, 4)), np.array(labels)
        for mine, theirs in zip(compiled(*args), loss(*args), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-13)
    wrong = np.array([1, 9, 0]) if np.ndim(labels) == 1 else np.ones((3, 4))
    with pytest.raises(ValueError, match=r"labels\[\d\] = .* is (out of range|not one-hot)"):
        compiled(*args[:2], wrong)
