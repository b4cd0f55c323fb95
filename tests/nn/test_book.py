"""nn.book: the book's code, with its imports changed, against closed forms."""

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Tensor
from nn import book
from nn.book import (
    AddLayer,
    Affine,
    MulLayer,
    ReLU,
    Relu,
    Sigmoid,
    SoftmaxWithLoss,
    TwoLayerNet,
    cross_entropy_error,
    load_mnist,
    numerical_gradient,
    softmax,
    to_one_hot,
)
from nn.data import SUBSET, DataError

numbers = st.floats(-1e6, 1e6)


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_every_name_of_the_book_is_there():
    for name in book.__all__:
        assert getattr(book, name).__doc__
    assert ReLU is Relu


# Chapter 5's simple layers


def test_two_apples():
    apple_layer, tax_layer = MulLayer(), MulLayer()
    price = tax_layer.forward(apple_layer.forward(100, 2), 1.1)
    assert price == pytest.approx(220)
    d_apple_price, d_tax = tax_layer.backward(1)
    d_apple, d_number = apple_layer.backward(d_apple_price)
    assert (d_apple, d_number, d_tax) == pytest.approx((2.2, 110, 200))
    for number in (price, d_apple, d_number, d_tax):
        assert isinstance(number, float)


def test_two_apples_and_three_oranges():
    apples, oranges, total, taxed = MulLayer(), MulLayer(), AddLayer(), MulLayer()
    price = taxed.forward(total.forward(apples.forward(100, 2), oranges.forward(150, 3)), 1.1)
    d_total, d_tax = taxed.backward(1)
    d_apples, d_oranges = total.backward(d_total)
    assert price == pytest.approx(715)
    assert (d_total, d_tax, d_apples, d_oranges) == pytest.approx((1.1, 650, 1.1, 1.1))
    assert oranges.backward(d_oranges) == pytest.approx((3.3, 165))
    assert apples.backward(d_apples) == pytest.approx((2.2, 110))


@given(x=numbers, y=numbers, dout=numbers)
def test_mul_and_add_of_numbers(x, y, dout):
    mul, add = MulLayer(), AddLayer()
    assert mul.forward(x, y) == x * y
    assert mul.backward(dout) == (dout * y, dout * x)
    assert add.forward(x, y) == x + y
    assert add.backward(dout) == (dout, dout)


def test_mul_and_add_of_arrays():
    x, y, dout = random(2, 3), random(2, 3, seed=1), random(2, 3, seed=2)
    mul, add = MulLayer(), AddLayer()
    np.testing.assert_array_equal(mul.forward(x, y), x * y)
    dx, dy = mul.backward(dout)
    np.testing.assert_array_equal(dx, dout * y)
    np.testing.assert_array_equal(dy, dout * x)
    np.testing.assert_array_equal(add.forward(x, y), x + y)
    dx, dy = add.backward(dout)
    np.testing.assert_array_equal(dx, dout)
    np.testing.assert_array_equal(dy, dout)
    dx += 1  # the caller may change results
    np.testing.assert_array_equal(dy, dout)


def test_a_broadcast_number_gets_the_sum_of_its_shares():
    mul = MulLayer()
    np.testing.assert_array_equal(mul.forward(np.arange(3.0), 2), [0, 2, 4])
    dx, dy = mul.backward(1)
    np.testing.assert_array_equal(dx, [2, 2, 2])
    assert dy == 3


# Activations


def test_relu():
    x, dout = np.array([[1.0, -0.5], [0.0, 3.0]]), np.array([[5.0, 6.0], [7.0, 8.0]])
    layer = Relu()
    np.testing.assert_array_equal(layer.forward(x), [[1, 0], [0, 3]])
    np.testing.assert_array_equal(layer.backward(dout), [[5, 0], [0, 8]])
    np.testing.assert_array_equal(dout, [[5, 6], [7, 8]])
    np.testing.assert_array_equal(x, [[1, -0.5], [0, 3]])


def test_sigmoid():
    x, dout = random(4, 3), random(4, 3, seed=1)
    layer = Sigmoid()
    out = layer.forward(x)
    np.testing.assert_allclose(out, 1 / (1 + np.exp(-x)), rtol=1e-15)
    assert layer.out is out
    np.testing.assert_allclose(layer.backward(dout), dout * out * (1 - out), rtol=1e-13)
    np.testing.assert_allclose(layer.backward(1), out * (1 - out), rtol=1e-13)
    assert Sigmoid().forward(0) == 0.5


# Affine


@pytest.mark.parametrize("shape", [(5, 6), (5, 2, 3), (5, 1, 2, 3)])
def test_affine_against_its_closed_form(shape):
    x, W, b, dout = random(*shape), random(6, 4), random(4), random(5, 4, seed=3)
    given = [array.copy() for array in (x, W, b, dout)]
    layer = Affine(W, b)
    assert layer.dW is None
    assert layer.db is None
    flat = x.reshape(5, 6)
    np.testing.assert_array_equal(layer.forward(x), flat @ W + b)
    dx = layer.backward(dout)
    assert dx.shape == shape
    np.testing.assert_allclose(dx, (dout @ W.T).reshape(shape), rtol=1e-13)
    np.testing.assert_allclose(layer.dW, flat.T @ dout, rtol=1e-13)
    np.testing.assert_allclose(layer.db, dout.sum(axis=0), rtol=1e-13)
    for array, before in zip((x, W, b, dout), given, strict=True):
        np.testing.assert_array_equal(array, before)
    assert layer.W is W
    assert layer.b is b


def test_affine_of_one_sample():
    layer = Affine(random(3, 2), random(2))
    layer.forward(np.array([1.0, 2.0, 3.0]))
    dx = layer.backward(np.array([1.0, 10.0]))
    np.testing.assert_allclose(dx, layer.W @ [1, 10])
    np.testing.assert_array_equal(layer.dW, [[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(layer.db, [1, 10])


def test_affine_sees_changes_of_its_arrays_at_the_next_forward():
    W, b, x = random(3, 2), random(2), random(4, 3)
    layer = Affine(W, b)
    layer.forward(x)
    W *= 2
    layer.b = b + 1
    np.testing.assert_allclose(layer.forward(x), x @ W + b + 1)
    np.testing.assert_allclose(layer.backward(np.ones((4, 2))), np.ones((4, 2)) @ W.T)


def test_backward_belongs_to_the_last_forward_after_changes_of_arrays():
    W, b, x = random(3, 2), random(2), random(4, 3)
    layer, dout = Affine(W, b), np.ones((4, 2))
    layer.forward(x)
    expected = layer.backward(dout), layer.dW
    x *= 5
    W *= 7
    np.testing.assert_array_equal(layer.backward(dout), expected[0])
    np.testing.assert_array_equal(layer.dW, expected[1])


def test_the_caller_may_change_results_of_layers():
    layer = Relu()
    out = layer.forward(np.ones(3))
    out -= 5
    dx = layer.backward(np.ones(3))
    dx *= 0
    np.testing.assert_array_equal(layer.backward(np.ones(3)), [1, 1, 1])


def test_float32_stays_float32():
    affine = Affine(random(3, 2).astype("f4"), random(2).astype("f4"))
    loss = SoftmaxWithLoss()
    scores = affine.forward(random(4, 3).astype("f4"))
    loss.forward(scores, np.array([0, 1, 1, 0]))
    dx = affine.backward(loss.backward())
    assert {a.dtype for a in (scores, loss.y, dx, affine.dW, affine.db)} == {np.dtype("f4")}


# Softmax and cross-entropy


def test_softmax():
    np.testing.assert_allclose(
        softmax(np.array([0.3, 2.9, 4.0])), [0.01821127, 0.24519181, 0.73659691], atol=5e-9
    )
    x = random(4, 3)
    odds = np.exp(x)
    np.testing.assert_allclose(softmax(x), odds / odds.sum(axis=1, keepdims=True), rtol=1e-14)
    np.testing.assert_array_equal(softmax([1010, 1010]), [0.5, 0.5])
    np.testing.assert_allclose(softmax(np.array([1e9, 1e9, 0], "f4")), [0.5, 0.5, 0])
    np.testing.assert_allclose(softmax(np.array([0, 100], np.uint8)), [0, 1], atol=1e-40)
    assert softmax(x.astype("f4")).dtype == np.float32


def test_cross_entropy_error_of_the_books_two_guesses():
    t = [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    right = [0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]
    wrong = [0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0]
    for label in (t, np.array(t), 2, np.array([2])):
        assert cross_entropy_error(np.array(right), label) == pytest.approx(-np.log(0.6 + 1e-7))
        assert cross_entropy_error(wrong, label) == pytest.approx(-np.log(0.1 + 1e-7))


def test_cross_entropy_error_of_a_batch():
    y, t = softmax(random(5, 4)), np.array([0, 3, 1, 1, 2])
    expected = -sum(np.log(y[i, t[i]] + 1e-7) for i in range(5)) / 5
    for labels in (t, np.eye(4)[t], t.tolist(), to_one_hot(t, 4)):
        assert cross_entropy_error(y, labels) == pytest.approx(expected, rel=1e-14)
    assert cross_entropy_error(np.array([[1.0, 0.0]]), [1]) == -np.log(1e-7)


@pytest.mark.parametrize("labels", [[0, 2], [0, -1], [0], [0, 1, 1], [[1, 1], [0, 1]]])
def test_cross_entropy_error_refuses_wrong_labels(labels):
    with pytest.raises(ValueError, match="labels"):
        cross_entropy_error(np.full((2, 2), 0.5), labels)


@pytest.mark.parametrize("dout", [1, 2.5])
def test_softmax_with_loss(dout):
    x, t = 3 * random(5, 4), np.array([0, 3, 1, 1, 2])
    for labels in (t, np.eye(4)[t]):
        layer = SoftmaxWithLoss()
        loss = layer.forward(x, labels)
        assert loss == layer.loss == pytest.approx(-np.mean(np.log(softmax(x)[range(5), t])))
        assert isinstance(loss, float)
        np.testing.assert_array_equal(layer.y, softmax(x))
        assert layer.t is labels
        np.testing.assert_allclose(
            layer.backward(dout), dout * (softmax(x) - np.eye(4)[t]) / 5, atol=1e-15
        )
        np.testing.assert_allclose(dout * layer.backward(), layer.backward(dout), rtol=1e-14)


def test_softmax_with_loss_is_finite_without_an_epsilon():
    layer = SoftmaxWithLoss()
    assert layer.forward(np.array([[1e4, -1e4]]), np.array([1])) == 2e4
    np.testing.assert_array_equal(layer.backward(), [[1, -1]])


# Errors


@pytest.mark.parametrize("layer", [MulLayer, AddLayer, Relu, Sigmoid, SoftmaxWithLoss])
def test_backward_before_forward(layer):
    with pytest.raises(RuntimeError, match=rf"{layer.__name__}\.backward\(\) needs forward\(\)"):
        layer().backward(1)


def test_backward_before_forward_of_affine():
    with pytest.raises(RuntimeError, match=r"Affine\.backward\(\) needs forward\(\)"):
        Affine(np.eye(2), np.zeros(2)).backward(np.ones((1, 2)))


def test_an_upstream_gradient_of_another_shape_is_refused():
    layer = Relu()
    layer.forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"\(3, ?2\).*\(2, ?3\)"):
        layer.backward(np.ones((3, 2)))


def test_shapes_that_do_not_fit():
    with pytest.raises(
        ValueError, match=r"Affine\(2, 2\) needs x of shape \(n, 2\) .*, not \(2, 3\)"
    ):
        Affine(np.eye(2), np.zeros(2)).forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"multiply.*\(2,\).*\(3,\)"):
        MulLayer().forward(np.ones(2), np.ones(3))


def test_only_real_numbers_are_accepted():
    with pytest.raises(TypeError, match="one real number, not str"):
        MulLayer().forward("100", 2)
    with pytest.raises(TypeError, match=r"x\.data"):
        Relu().forward(Tensor([1.0]))


# Numerical gradient


def test_numerical_gradient_of_the_books_function():
    def function_2(x):
        return x[0] ** 2 + x[1] ** 2

    x = np.array([3.0, 4.0])
    np.testing.assert_allclose(numerical_gradient(function_2, x), [6, 8], atol=1e-9)
    np.testing.assert_array_equal(x, [3, 4])


def test_numerical_gradient_moves_the_array_that_a_closure_reads():
    W = random(2, 3)
    before = W.copy()
    found = numerical_gradient(lambda _: np.sum(np.sin(W)), W)
    np.testing.assert_allclose(found, np.cos(W), atol=1e-8)
    np.testing.assert_array_equal(W, before)
    view = W.T[::2]  # not contiguous
    np.testing.assert_allclose(numerical_gradient(lambda x: np.sum(W**2), view), 2 * view)
    np.testing.assert_array_equal(W, before)


def test_numerical_gradient_restores_the_array_when_the_function_raises():
    x = np.array([1.0, 2.0, 3.0])

    def f(x):
        if x[1] != 2:
            raise ArithmeticError("no")
        return x.sum()

    with pytest.raises(ArithmeticError, match="no"):
        numerical_gradient(f, x)
    np.testing.assert_array_equal(x, [1, 2, 3])


def test_numerical_gradient_needs_one_number():
    x = np.ones(2)
    with pytest.raises(ValueError, match=r"one number, not an array of shape \(2,\)"):
        numerical_gradient(lambda x: x * 2, x)
    np.testing.assert_array_equal(x, [1, 1])


def test_gradient_descent_by_numerical_gradients():
    x = np.array([-3.0, 4.0])
    for _ in range(100):
        x -= 0.1 * numerical_gradient(lambda x: np.sum(x**2), x)
    np.testing.assert_allclose(x, [0, 0], atol=1e-8)


@pytest.mark.parametrize(
    ("x", "found"), [(np.array([3, 4]), "int64"), ([3.0, 4.0], "list"), (3.0, "float")]
)
def test_numerical_gradient_needs_an_array_that_can_be_moved(x, found):
    with pytest.raises(TypeError, match=f"array of floats, not {found}: convert"):
        numerical_gradient(np.sum, x)


# Networks


class BooksNet:
    """A network assembled from layers, as in chapter 5."""

    def __init__(self, input_size, hidden_size, output_size, seed=0):
        rng = np.random.default_rng(seed)
        self.params = {
            "W1": rng.standard_normal((input_size, hidden_size)),
            "b1": rng.standard_normal(hidden_size),
            "W2": rng.standard_normal((hidden_size, output_size)),
            "b2": np.zeros(output_size),
        }
        self.layers = OrderedDict()
        self.layers["Affine1"] = Affine(self.params["W1"], self.params["b1"])
        self.layers["Relu1"] = Relu()
        self.layers["Affine2"] = Affine(self.params["W2"], self.params["b2"])
        self.last_layer = SoftmaxWithLoss()

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        return self.last_layer.forward(self.predict(x), t)

    def numerical_gradient(self, x, t):
        def loss_W(_):
            return self.loss(x, t)

        return {key: numerical_gradient(loss_W, value) for key, value in self.params.items()}

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last_layer.backward(1)
        for layer in reversed(list(self.layers.values())):
            dout = layer.backward(dout)
        first, second = self.layers["Affine1"], self.layers["Affine2"]
        return {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}


@pytest.mark.parametrize("shape", [(7, 6), (7, 1, 2, 3)])
@pytest.mark.parametrize("one_hot", [False, True])
def test_a_network_assembled_from_the_layers(shape, one_hot):
    network, x, t = BooksNet(6, 5, 3), random(*shape), np.arange(7) % 3
    t = to_one_hot(t, 3) if one_hot else t
    numerical, backpropagated = network.numerical_gradient(x, t), network.gradient(x, t)
    for key, slope in backpropagated.items():
        assert slope.shape == network.params[key].shape
        np.testing.assert_allclose(slope, numerical[key], atol=1e-8)

    same = TwoLayerNet(6, 5, 3, rng=0)
    same.params.update(network.params)
    assert same.loss(x, t) == network.loss(x, t)
    for key, slope in same.gradient(x, t).items():
        np.testing.assert_allclose(slope, backpropagated[key], atol=1e-15)


def test_training_the_assembled_network_in_place():
    network, x, t = BooksNet(6, 5, 3), random(9, 6), np.arange(9) % 3
    losses = []
    for _ in range(100):
        for key, slope in network.gradient(x, t).items():
            network.params[key] -= 0.5 * slope
        losses.append(network.loss(x, t))
    assert losses[-1] < 0.1 < losses[0]


@pytest.mark.parametrize("in_place", [True, False])
def test_the_books_training_loop(in_place):
    x_train, t_train = random(30, 6), np.arange(30) % 3
    x_train += 2 * np.eye(3)[t_train].repeat(2, axis=1)  # so that training improves it
    network = TwoLayerNet(input_size=6, hidden_size=8, output_size=3, rng=2)
    # differences are right only if no step of 1e-4 in a weight crosses the kink of a ReLU
    assert np.abs(x_train[:4] @ network.params["W1"]).min() > 1e-4 * np.abs(x_train[:4]).max()
    numerical = network.numerical_gradient(x_train[:4], t_train[:4])
    for key, slope in network.gradient(x_train[:4], t_train[:4]).items():
        np.testing.assert_allclose(slope, numerical[key], atol=1e-8)
    learning_rate, losses = 0.5, []
    rng = np.random.default_rng(0)
    for _ in range(150):
        batch_mask = rng.choice(len(x_train), 10)
        x_batch, t_batch = x_train[batch_mask], t_train[batch_mask]
        grad = network.gradient(x_batch, t_batch)
        for key in ("W1", "b1", "W2", "b2"):
            if in_place:
                network.params[key] -= learning_rate * grad[key]
            else:
                network.params[key] = network.params[key] - learning_rate * grad[key]
        losses.append(network.loss(x_train, t_train))
    assert losses[0] == pytest.approx(np.log(3), abs=0.01)
    assert losses[-1] < 0.4
    assert network.accuracy(x_train, t_train) > 0.85
    assert network.accuracy(x_train, to_one_hot(t_train, 3)) > 0.85


# MNIST


@pytest.fixture
def subset(monkeypatch):
    monkeypatch.setenv("MNIST_DIR", str(SUBSET))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("one_hot_label", [True, False])
def test_load_mnist(subset, normalize, flatten, one_hot_label):
    (x_train, t_train), (x_test, t_test) = load_mnist(normalize, flatten, one_hot_label)
    for n, x, t in ((5000, x_train, t_train), (1000, x_test, t_test)):
        assert x.shape == ((n, 784) if flatten else (n, 1, 28, 28))
        assert x.dtype == (np.float32 if normalize else np.uint8)
        assert (x.min(), x.max()) == (0, 1 if normalize else 255)
        assert t.shape == ((n, 10) if one_hot_label else (n,))
        if one_hot_label:
            np.testing.assert_array_equal(np.sort(t, axis=1), np.eye(10)[[9] * n])
            t = t.argmax(axis=1)
        assert set(t.tolist()) == set(range(10))
    assert TwoLayerNet(784, 2, 10, rng=0).predict(x_test[:3]).shape == (3, 10)


def test_the_variants_of_load_mnist_agree(subset):
    (x, t), _ = load_mnist()
    (raw, hot), _ = load_mnist(normalize=False, flatten=False, one_hot_label=True)
    np.testing.assert_array_equal(x, raw.reshape(5000, 784).astype(np.float32) / 255)
    np.testing.assert_array_equal(hot, to_one_hot(t))


def test_load_mnist_from_a_wrong_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_DIR", str(tmp_path))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz"):
        load_mnist()
