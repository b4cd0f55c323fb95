"""nn.layers against plain NumPy, with derivatives to second order against numerical ones."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Tensor, check_grads, gradients
from nn import Affine, Layer, ReLU, Sequential, Sigmoid, TwoLayerNet

SHAPES = st.sampled_from([(3,), (2, 3), (1, 3), (0, 3), (2, 3, 1), (4, 1, 3, 2), (2, 2, 2), (0, 2)])


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@given(shape=SHAPES, outputs=st.integers(1, 4), dtype=st.sampled_from([np.float32, np.float64]))
def test_affine_is_the_matrix_product_of_the_flattened_batch(shape, outputs, dtype):
    inputs = math.prod(shape[1:]) if len(shape) > 1 else shape[0]
    x = random(*shape, seed=1).astype(dtype)
    W, b = random(inputs, outputs).astype(dtype), random(outputs).astype(dtype)
    expected = (x.reshape(len(x), -1) if x.size and x.ndim > 1 else x) @ W + b
    found = Affine(W, b)(x)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == dtype
    assert isinstance(found, np.ndarray)


def test_an_empty_batch_of_images_gives_no_scores():
    assert Affine(random(6, 2), random(2))(np.zeros((0, 3, 2))).shape == (0, 2)


def test_lists_are_taken_as_arrays():
    np.testing.assert_array_equal(Affine([[1, 2], [3, 4]], [0, 1])([[1, 1]]), [[4, 7]])


@pytest.mark.parametrize("kind", [np.asarray, Tensor])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        ((2, 3), "not (2, 3): pass rows of 4 numbers, or make the layer with Affine.initial(3, 5)"),
        ((3,), "not (3,): pass rows of 4 numbers, or make the layer with Affine.initial(3, 5)"),
        ((2, 2, 3), "not (2, 2, 3), which is (2, 6) flattened: pass rows of 4 numbers, or "),
        ((), "not (): pass rows of 4 numbers"),
    ],
)
def test_a_wrong_input_width_is_named(kind, x, message):
    layer = Affine(kind(np.ones((4, 5))), kind(np.ones(5)))
    expected = f"Affine(4, 5) needs x of shape (n, 4) or (4,), {message}"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}"):
        layer(kind(np.ones(x)))


@pytest.mark.parametrize(
    ("W", "b"), [((4, 5), (4,)), ((4, 5), (1,)), ((4, 5), (2, 5)), ((4,), (5,)), ((2, 4, 5), (5,))]
)
def test_parameters_that_do_not_fit_each_other_are_named(W, b):
    """NumPy would broadcast some of these shapes."""
    expected = f"Affine has W of shape {W} and b of shape {b}: pass W of shape (inputs, "
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}"):
        Affine(np.ones(W), np.ones(b))(np.ones((2, 4)))


def test_a_layer_inside_a_network_is_named_by_its_place():
    network = Sequential(Affine.initial(4, 3), Sequential(ReLU(), Affine.initial(2, 1)))
    expected = "layer 2 of Sequential: layer 2 of Sequential: Affine(2, 1) needs x of shape (n, 2)"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}.*not \\(5, 3\\)"):
        network(np.ones((5, 4)))


@pytest.mark.parametrize("kind", [np.linalg.LinAlgError, TypeError, FloatingPointError])
def test_other_errors_are_unchanged(kind):
    class Faulty(Layer):
        def __call__(self, x, params=None):
            raise kind("its own words")

    with pytest.raises(kind, match="its own words"):
        Sequential(Faulty())(np.ones(2))


def test_layers_and_networks_are_shown_by_their_sizes():
    class Scale(Layer):
        def __init__(self):
            self.params = {"factor": np.ones(7)}

    assert repr(Affine.initial(784, 50)) == "Affine(784, 50)"
    assert repr(Sequential(Sigmoid(), Scale())) == "Sequential(Sigmoid(), Scale(factor: (7,)))"
    assert repr(TwoLayerNet(4, 3, 2)) == "TwoLayerNet(Affine(4, 3), ReLU(), Affine(3, 2))"


def test_affine_starts_with_scaled_normal_weights_and_no_bias():
    layer = Affine.initial(200, 300, scale=0.5, rng=3, dtype=np.float32)
    W, b = layer.params["W"], layer.params["b"]
    assert W.shape == (200, 300)
    assert W.dtype == b.dtype == np.float32
    assert abs(W.std() / 0.5 - 1) < 0.02
    assert abs(W.mean()) < 0.01
    np.testing.assert_array_equal(b, np.zeros(300))
    np.testing.assert_array_equal(
        W, Affine.initial(200, 300, scale=0.5, rng=3).params["W"].astype("f4")
    )


def test_a_layer_keeps_the_arrays_it_is_given():
    W, b = random(2, 2), random(2)
    layer = Affine(W, b)
    before = layer(np.eye(2))
    W += 1
    b -= 2
    np.testing.assert_allclose(layer(np.eye(2)), before - 1)


def test_activations():
    x = np.array([-800.0, -1.0, 0.0, 2.0, 800.0])
    np.testing.assert_array_equal(ReLU()(x), [0, 0, 0, 2, 800])
    np.testing.assert_allclose(
        Sigmoid()(x), [0, 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-2)), 1], rtol=1e-15
    )


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 1)])
def test_layers_given_tensors_record_and_differentiate_to_second_order(shape):
    # a rule written by hand in a layer would have no second derivative
    def network(x, W, b, V, c):
        hidden = Sigmoid()(Affine(W, b)(x))
        return Affine(V, c)(ReLU()(hidden - 0.4))

    args = random(*shape), random(3, 4), random(4), random(4, 2), random(2)
    assert len(check_grads(network, *args, order=2)) > len(args)


def test_parameters_handed_in_replace_the_layers_own():
    layer = Affine(random(3, 2), random(2))
    W, b = Tensor(np.ones((3, 2)), "W"), Tensor(np.zeros(2), "b")
    out = layer(np.ones((4, 3)), {"W": W, "b": b})
    np.testing.assert_array_equal(out.data, np.full((4, 2), 3.0))
    dW, db = gradients(out.sum(), [W, b])
    np.testing.assert_array_equal(dW, np.full((3, 2), 4.0))
    np.testing.assert_array_equal(db, [4.0, 4.0])


def test_a_layer_must_define_call():
    layer = Layer()
    assert layer.params == {}
    with pytest.raises(NotImplementedError):
        layer(np.ones(2))


def test_sequential_numbers_the_layers_that_have_parameters():
    network = Sequential(
        ReLU(), Affine.initial(4, 3), Sigmoid(), ReLU(), Affine.initial(3, 3), Affine.initial(3, 2)
    )
    assert list(network.params) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert [network.params[f"W{k}"].shape for k in (1, 2, 3)] == [(4, 3), (3, 3), (3, 2)]


NAMED = st.lists(st.sampled_from(["W", "W1", "W.", "W1.1"]), unique=True, min_size=1).map(
    lambda names: Named(*names)
)
NESTED = st.recursive(
    NAMED, lambda layers: st.lists(layers, max_size=3).map(lambda layers: Sequential(*layers))
)


class Named(Layer):
    """Adds its parameters, of any names, to x."""

    def __init__(self, *names):
        self.params = {name: np.array(random(seed=len(name))) for name in names}

    def __call__(self, x, params=None):
        return x + sum((self.params if params is None else params).values())


def arrays(layer):
    """Return the parameters of all layers inside."""
    if isinstance(layer, Sequential):
        return [array for inner in layer.layers for array in arrays(inner)]
    return list(layer.params.values())


@given(NESTED)
def test_every_parameter_of_nested_layers_has_a_name_of_its_own(layer):
    network = Sequential(*[layer] * 12)  # numbers with one and two digits
    found = list(network.params.values())
    assert list(map(id, found)) == list(map(id, arrays(network)))
    np.testing.assert_allclose(network(np.zeros(2)), sum(map(float, found)), atol=1e-12)


def test_layers_in_layers_are_numbered_like_sections():
    inner = Sequential(*(Affine(np.eye(2) * k, np.zeros(2)) for k in (1, 2)))
    network = Sequential(inner, *(Affine(np.eye(2) * k, np.zeros(2)) for k in range(3, 13)))
    assert [name for name in network.params if "W" in name] == [
        *("W1.1", "W1.2"),
        *(f"W{k}" for k in range(2, 12)),  # W11 differs from the W1 of layer 1
    ]
    assert network(np.ones(2)).tolist() == [math.factorial(12)] * 2
    assert "W2.1.1" in Sequential(inner, network).params


def test_sequential_is_the_composition():
    first, second = Affine(random(3, 4), random(4)), Affine(random(4, 2), random(2))
    x = random(5, 3)
    hidden = np.maximum(x @ first.params["W"] + first.params["b"], 0)
    expected = hidden @ second.params["W"] + second.params["b"]
    np.testing.assert_array_equal(Sequential(first, ReLU(), second)(x), expected)
    np.testing.assert_array_equal(Sequential()(x), x)


def test_an_assigned_parameter_is_used_from_the_next_call_on():
    network = Sequential(Affine(np.eye(2), np.zeros(2)), Affine(np.eye(2), np.zeros(2)))
    x = np.array([[1.0, 2.0]])
    network.params["b2"] += 10  # in place
    np.testing.assert_array_equal(network(x), [[11, 12]])
    network.params["W1"] = network.params["W1"] * 3  # a new array
    np.testing.assert_array_equal(network(x), [[13, 16]])
    network.params["W1"][0, 0] = 0  # in place, in the new array
    np.testing.assert_array_equal(network(x), [[10, 16]])


def test_sequential_with_other_parameters_leaves_its_own():
    network = Sequential(Affine(random(3, 2), random(2)), ReLU(), Affine(random(2, 2), random(2)))
    x = random(5, 3, seed=2)
    before = network(x)
    variables = {name: Tensor(2 * value, name) for name, value in network.params.items()}
    loss = network(x, variables).sum()
    names = list(variables)
    for name, slope in zip(names, gradients(loss, list(variables.values())), strict=True):
        assert slope.shape == network.params[name].shape
    np.testing.assert_array_equal(network(x), before)
