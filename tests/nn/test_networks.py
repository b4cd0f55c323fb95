"""nn.networks: three ways to the gradient, and errors for bad numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from nn import Affine, Classifier, ReLU, Sigmoid, TwoLayerNet, to_one_hot
from nn.networks import not_finite


def batch(n=6, inputs=4, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, inputs)), rng.integers(0, classes, n)


def network(dtype=float, scale=0.7):
    return TwoLayerNet(4, 5, 3, weight_init_std=scale, rng=1, dtype=dtype)


def handwritten(params, x, t):
    """Return loss and gradient of the two-layer network by handwritten backpropagation."""
    before = x @ params["W1"] + params["b1"]
    hidden = np.maximum(before, 0)
    scores = hidden @ params["W2"] + params["b2"]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    rows = np.arange(len(t))
    loss = -np.log(probabilities[rows, t]).mean()
    d_scores = probabilities
    d_scores[rows, t] -= 1
    d_scores /= len(t)
    d_before = (d_scores @ params["W2"].T) * (before > 0)
    return loss, {
        "W1": x.T @ d_before,
        "b1": d_before.sum(axis=0),
        "W2": hidden.T @ d_scores,
        "b2": d_scores.sum(axis=0),
    }


@given(seed=st.integers(0, 1000), n=st.integers(1, 7))
@settings(max_examples=30)
def test_backpropagation_equals_the_handwritten_one(seed, n):
    net = TwoLayerNet(4, 5, 3, weight_init_std=1.0, rng=seed)
    net.params["b1"] += 0.1
    x, t = batch(n, seed=seed + 1)
    loss, slopes = handwritten(net.params, x, t)
    for labels in (t, np.eye(3)[t]):
        value, found = net.loss_and_gradient(x, labels)
        np.testing.assert_allclose(value, loss, rtol=1e-13)
        np.testing.assert_allclose(net.loss(x, labels), loss, rtol=1e-13)
        assert list(found) == ["W1", "b1", "W2", "b2"]
        for name, slope in net.gradient(x, labels).items():
            np.testing.assert_array_equal(slope, found[name])
            np.testing.assert_allclose(slope, slopes[name], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_backpropagation_equals_the_numerical_gradient(dtype):
    net, (x, t) = network(dtype), batch()
    numerical, found = net.numerical_gradient(x, t), net.gradient(x, t)
    assert list(numerical) == list(found)
    for name, slope in found.items():
        assert slope.dtype == dtype
        assert slope.shape == net.params[name].shape
        # h = 1e-4 has a truncation error of 1e-8; float32 adds rounding in the gradient only
        np.testing.assert_allclose(
            slope, numerical[name], atol=5e-7 if dtype == np.float32 else 1e-8
        )


def test_the_numerical_gradient_is_the_classic_central_difference():
    net, (x, t) = network(), batch()
    found = net.numerical_gradient(x, t)["W1"][2, 3]
    original = net.params["W1"].copy()
    losses = []
    for step in (1e-4, -1e-4):
        net.params["W1"] = original.copy()
        net.params["W1"][2, 3] += step
        losses.append(net.loss(x, t))
    assert found == (losses[0] - losses[1]) / 2e-4


def test_the_numerical_gradient_leaves_the_parameters():
    net, (x, t) = network(), batch()
    before = {name: value.copy() for name, value in net.params.items()}
    net.numerical_gradient(x, t)
    for name, value in net.params.items():
        np.testing.assert_array_equal(value, before[name])


def test_any_layers_make_a_classifier():
    rng = np.random.default_rng(0)
    layers = [
        Affine.initial(4, 4, scale=1, rng=rng),
        Sigmoid(),
        Affine.initial(4, 4, scale=1, rng=rng),
    ]
    net = Classifier(*layers, ReLU(), Affine.initial(4, 3, scale=1, rng=rng))
    x, t = batch()
    images = x.reshape(6, 1, 2, 2)
    for name, slope in net.numerical_gradient(images, t).items():
        np.testing.assert_allclose(net.gradient(images, t)[name], slope, atol=1e-8)
    np.testing.assert_array_equal(net.predict(images), net.predict(x))


def test_the_recorded_loss_is_a_graph_of_named_variables():
    net, (x, t) = network(), batch()
    loss, variables = net.record(x, t)
    assert [v.name for v in variables.values()] == list(variables) == list(net.params)
    loss.backward()
    for name, slope in net.gradient(x, t).items():
        np.testing.assert_array_equal(variables[name].grad, slope)


def test_sizes_dtypes_and_seeds():
    first, second = (TwoLayerNet(7, 5, 3, rng=4, dtype=np.float32) for _ in range(2))
    other = TwoLayerNet(7, 5, 3, rng=5, dtype=np.float32)
    shapes = {"W1": (7, 5), "b1": (5,), "W2": (5, 3), "b2": (3,)}
    for name, value in first.params.items():
        assert value.shape == shapes[name]
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, second.params[name])
    assert not np.array_equal(first.params["W1"], other.params["W1"])
    assert not np.array_equal(first.params["W2"].ravel()[:15], first.params["W1"].ravel()[:15])
    assert first.predict(np.ones((2, 7), np.float32)).dtype == np.float32
    wide = TwoLayerNet(100, 100, 10, 0.25, rng=0).params["W1"]
    assert wide.dtype == float
    assert abs(wide.std() - 0.25) < 0.01
    assert abs(TwoLayerNet(100, 100, 10, rng=0).params["W1"].std() - 0.01) < 0.001


def test_float32_parameters_keep_float32_whatever_the_data():
    x, t = batch()
    for data in (x, x.astype(np.float32), (10 * x).astype(np.uint8)):
        for slope in network(np.float32).gradient(data, t).values():
            assert slope.dtype == np.float32


def test_accuracy_and_loss_on_integers_and_one_hot():
    net = Classifier(Affine(np.eye(3), np.zeros(3)))  # the scores are the data
    x = np.array([[3.0, 1, 0], [0, 3, 1], [0, 1, 3], [3, 1, 0]])
    t = np.array([0, 1, 2, 2])
    for labels in (t, t.astype(np.uint8), t.tolist(), np.eye(3)[t], to_one_hot(t, 3)):
        assert net.accuracy(x, labels) == 0.75
        assert net.accuracy(x.tolist(), labels) == 0.75
        assert net.loss(x, labels) == net.loss(x, t)
        assert net.loss(x.tolist(), labels) == net.loss(x, t)
    assert isinstance(net.loss(x, t), float)
    assert isinstance(net.accuracy(x, t), float)
    assert (net.accuracy(x[0], 0), net.accuracy(x[0], 1)) == (1, 0)


def test_a_change_of_parameters_holds_from_the_next_call_on():
    net, (x, t) = network(), batch()
    slopes, loss = net.gradient(x, t), net.loss(x, t)
    for name, slope in slopes.items():
        net.params[name] -= 0.1 * slope
    lower = net.loss(x, t)
    assert lower < loss
    for name, slope in slopes.items():
        net.params[name] = net.params[name] + 0.1 * slope
    assert net.loss(x, t) == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(net.gradient(x, t)["W1"], slopes["W1"], atol=1e-12)


def test_the_caller_may_change_the_gradient():
    net, (x, t) = network(), batch()
    expected = net.gradient(x, t)
    changed = net.gradient(x, t)
    for slope in changed.values():
        slope *= 0
    for name, slope in net.gradient(x, t).items():
        np.testing.assert_array_equal(slope, expected[name])


@pytest.mark.parametrize("use", ["loss", "accuracy", "gradient", "numerical_gradient"])
@pytest.mark.parametrize(
    ("x", "t", "message"),
    [
        (np.zeros((0, 4)), [], r"scores of shape \(0, 3\)"),
        (np.zeros((0, 2, 2)), [], r"scores of shape \(0, 3\)"),
        (np.zeros((2, 5)), [0, 1], r"layer 1 of TwoLayerNet: Affine\(4, 5\) .*, not \(2, 5\)"),
        (np.zeros((2, 4)), [0, 3], r"labels\[1\] = 3 is out of range"),
        (np.zeros((2, 4)), [0], r"not int64 of shape \(1,\)"),
        (np.zeros((2, 4)), [0, 1, 2], r"not int64 of shape \(3,\)"),
    ],
)
def test_bad_batches_are_refused(use, x, t, message):
    with pytest.raises(ValueError, match=message):
        getattr(network(), use)(x, t)


def test_nodes_are_refused_as_data():
    x, t = batch()
    with pytest.raises(TypeError, match=r"x\.data"):
        network().gradient(ad.Tensor(x), t)


def test_nan_in_the_data_is_found():
    net, (x, t) = network(), batch()
    x[2, 3] = x[4, 0] = np.nan
    message = r"because x\[2, 3\] is nan \(2 such values\): clean the data"
    with pytest.raises(FloatingPointError, match="the loss is nan, " + message):
        net.gradient(x, t)
    with pytest.raises(FloatingPointError, match=r"scores\[2, 0\] is nan \(6 such.*, " + message):
        net.accuracy(x, t)  # argmax would return a NaN
    with pytest.raises(FloatingPointError, match=message):
        net.gradient(x.tolist(), t)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_parameter_that_overflowed_is_found(value):
    net, (x, t) = network(), batch()
    net.params["W2"][:, 1] = value
    with pytest.raises(
        FloatingPointError, match=rf"W2\[0, 1\] is {value} \(5 such values\): lower"
    ):
        net.gradient(x, t)


def test_overflow_of_scores_is_an_error():
    net, (x, t) = network(), batch()
    net.params["W1"] *= 1e200
    net.params["W2"] *= 1e200
    for use in (net.gradient, net.accuracy):
        with pytest.raises(FloatingPointError, match="the scores overflowed; lower"):
            use(x, t)


def test_not_finite_names_the_place():
    assert not_finite([]) == not_finite(1.0) == not_finite([[1, 2]]) == ""
    assert not_finite(np.inf) == "[] is inf (1 such value)"
    assert not_finite([1, -np.inf, np.nan]) == "[1] is -inf (2 such values)"
