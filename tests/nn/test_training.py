"""nn.training: it learns, it is repeatable, and an interruption keeps its results."""

import pickle

import numpy as np
import pytest

from nn import SGD, Affine, Classifier, DivergenceError, History, TwoLayerNet, train


def two_clouds(n=60, seed=0, dtype=float):
    """Return two separable clouds of points in the plane."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    centres = np.array([[2.0, 0.0], [-2.0, 1.0]])
    return (centres[labels] + 0.3 * rng.standard_normal((n, 2))).astype(dtype), labels


def learn(network=None, **settings):
    network = network or TwoLayerNet(2, 6, 2, weight_init_std=0.5, rng=1)
    settings = {"iterations": 40, "batch_size": 20, "rng": 2, **settings}
    return network, train(network, two_clouds(), two_clouds(40, seed=9), **settings)


def stop_after(steps):
    """Return a progress bar that raises KeyboardInterrupt before step number `steps`."""

    def progress(iterations):
        for i in iterations:
            if i == steps:
                raise KeyboardInterrupt
            yield i

    return progress


def test_it_learns_a_separable_problem():
    network, history = learn(iterations=200)
    first, last = history.rows[0], history.rows[-1]
    assert last.loss < 0.05 < 0.3 < first.loss
    assert last.train_accuracy == last.test_accuracy == 1
    assert np.mean(history.losses[-10:]) < np.mean(history.losses[:10]) / 5
    assert network.accuracy(*two_clouds(30, seed=3)) == 1


@pytest.mark.parametrize(
    ("settings", "iterations"),
    [
        ({}, [*range(0, 40, 3)]),  # 60 samples in batches of 20: 3 steps an epoch
        ({"every": 1}, [*range(40)]),
        ({"every": 15}, [0, 15, 30]),
        ({"every": 40}, [0]),
        ({"every": 39}, [0, 39]),
        ({"batch_size": 60, "iterations": 5}, [0, 1, 2, 3, 4]),
        ({"batch_size": None, "iterations": 3}, [0, 1, 2]),  # 60, since there are fewer than 100
        ({"iterations": 0}, []),
    ],
)
def test_a_row_every_so_often(settings, iterations):
    reported = []
    _, history = learn(**settings, report=reported.append)
    assert [row.iteration for row in history.rows] == iterations
    assert history.rows == reported
    assert len(history.losses) == settings.get("iterations", 40)
    for row in history.rows:
        assert row.loss == history.losses[row.iteration]
    assert not history.interrupted


def test_a_row_has_the_accuracy_after_its_iteration():
    seen = []

    def report(row):
        accuracies = network.accuracy(*two_clouds()), network.accuracy(*two_clouds(40, seed=9))
        seen.append(accuracies)

    network = TwoLayerNet(2, 6, 2, weight_init_std=0.5, rng=1)
    _, history = learn(network, report=report, every=2, optimiser=SGD(0.02))
    assert [(row.train_accuracy, row.test_accuracy) for row in history.rows] == seen
    assert len(set(seen)) > 2  # the parameters were still changing
    np.testing.assert_allclose([row.epoch for row in history.rows], np.arange(0, 40, 2) / 3)


def test_the_same_seed_gives_the_same_bits():
    (one, first), (two, second), (_, other) = learn(), learn(), learn(rng=3)
    assert first == second
    assert first.losses != other.losses
    for name, value in one.params.items():
        np.testing.assert_array_equal(value, two.params[name])
    _, third = learn(rng=np.random.default_rng(2))
    assert first == third


def test_each_step_is_one_of_gradient_descent():
    network = TwoLayerNet(2, 6, 2, weight_init_std=0.5, rng=1)
    by_hand = TwoLayerNet(2, 6, 2, weight_init_std=0.5, rng=1)
    kept = dict(network.params)
    _, history = learn(network, optimiser=SGD(0.3), iterations=5)
    rng = np.random.default_rng(2)
    x, t = two_clouds()
    for loss in history.losses:
        batch = rng.choice(60, 20)
        assert by_hand.loss(x[batch], t[batch]) == loss
        for name, slope in by_hand.gradient(x[batch], t[batch]).items():
            by_hand.params[name] = by_hand.params[name] - 0.3 * slope
    for name, value in network.params.items():
        assert value is kept[name]  # changed in place
        np.testing.assert_array_equal(value, by_hand.params[name])


def test_float32_stays_float32():
    network = TwoLayerNet(2, 6, 2, rng=1, dtype=np.float32)
    data = two_clouds(dtype=np.float32)
    train(network, data, data, iterations=3, optimiser=SGD(np.float64(0.1)))
    assert {value.dtype for value in network.params.values()} == {np.dtype(np.float32)}


def test_lists_and_one_hot_labels_train_alike():
    x, t = two_clouds()
    networks = [TwoLayerNet(2, 6, 2, rng=1) for _ in range(3)]
    histories = [
        train(network, data, data, iterations=10, batch_size=20, rng=0)
        for network, data in zip(
            networks, [(x, t), (x.tolist(), t.tolist()), (x, np.eye(2)[t])], strict=True
        )
    ]
    assert histories[0] == histories[1] == histories[2]


def test_samples_of_any_shape():
    x, t = two_clouds()
    data = x.reshape(60, 1, 2, 1), t
    history = train(TwoLayerNet(2, 6, 2, rng=1), data, data, iterations=2, batch_size=20)
    assert len(history.losses) == 2


@pytest.mark.parametrize("steps", [0, 1, 7, 39])
def test_an_interruption_keeps_history_and_parameters(steps):
    whole_network, whole = learn(iterations=steps, every=3)
    network, history = learn(progress=stop_after(steps), every=3)
    assert history.interrupted
    assert history.rows == whole.rows
    assert history.losses == whole.losses
    assert len(history.losses) == steps
    for name, value in network.params.items():
        np.testing.assert_array_equal(value, whole_network.params[name])


def test_an_interruption_while_a_row_is_reported_keeps_the_row():
    def report(row):
        if row.iteration == 6:
            raise KeyboardInterrupt

    _, history = learn(report=report)
    assert history.interrupted
    assert [row.iteration for row in history.rows] == [0, 3, 6]
    assert len(history.losses) == 7


def test_other_errors_are_not_swallowed():
    def report(row):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        learn(report=report)


X, T = two_clouds(6)
NAN = X.copy()
NAN[4, 1] = np.nan


@pytest.mark.parametrize("name", ["training", "test"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (([], []), "there are no samples"),
        ((np.zeros((0, 2)), []), "there are no samples"),
        ((X, T[:5]), r"integers of shape \(6,\) .* not int64 of shape \(5,\): pass the 6 labels"),
        ((X, T[:1]), r"not int64 of shape \(1,\)"),
        ((X[:5], T), r"not int64 of shape \(6,\)"),
        ((X, np.r_[T[:5], 2]), r"labels\[5\] = 2 is out of range"),
        ((X, -T), r"labels\[1\] = -1 is out of range"),
        ((X, T / 2), "not float64"),
        ((NAN, T), r"samples\[4, 1\] is nan \(1 such value\): clean the data"),
        (
            (X[:, :1], T),
            r"layer 1 of TwoLayerNet: Affine\(2, 6\) needs x of shape \(n, 2\) .*, not \(1, 1\)",
        ),
    ],
)
def test_unusable_data_are_refused_before_the_first_step(name, data, message):
    network = TwoLayerNet(2, 6, 2, rng=1)
    before = {key: value.copy() for key, value in network.params.items()}
    pair = (data, (X, T)) if name == "training" else ((X, T), data)
    with pytest.raises(ValueError, match=f"the {name} data are wrong: .*{message}"):
        train(network, *pair, iterations=3)
    for key, value in network.params.items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"batch_size": -5}, {"every": 0}])
def test_sizes_below_one_are_refused(settings):
    ((name, count),) = settings.items()
    with pytest.raises(ValueError, match=f"^{name} must be at least 1, not {count}$"):
        learn(**settings)


def test_a_batch_larger_than_the_data_is_refused():
    message = r"batch_size is 61, .* shape \(60, 2\) have 60 samples: choose at most 60"
    with pytest.raises(ValueError, match=message):
        learn(batch_size=61)


def test_a_history_is_shown_without_its_numbers():
    _, history = learn(iterations=100)
    assert repr(history).startswith("<History: 100 losses, 34 rows, the last one Row(iteration=99,")
    assert len(repr(history)) < 200
    assert repr(History(interrupted=True)) == "<History: 0 losses, 0 rows, interrupted>"
    assert repr(SGD(0.5)) == "SGD(0.5)"


def test_divergence_keeps_the_history():
    def worse(row):
        optimiser.learning_rate = 1e200 if row.iteration == 6 else 0.1

    whole = learn(every=2)[1]
    optimiser = SGD()
    with pytest.raises(DivergenceError) as caught:
        learn(optimiser=optimiser, every=2, report=worse)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert str(error).startswith("the ")
        assert error.history.rows == whole.rows[:4]
        assert error.history.losses[:8] == whole.losses[:8]
        assert len(error.history.losses) < 10
    assert DivergenceError("").history == History()


@pytest.mark.parametrize("every", [1, 40])
def test_divergence_ends_training_while_the_parameters_are_still_numbers(every):
    network = TwoLayerNet(2, 6, 2, weight_init_std=0.5, rng=1)
    with pytest.raises(FloatingPointError, match="the scores overflowed; lower the learning rate"):
        learn(network, optimiser=SGD(1e200), every=every)
    for value in network.params.values():
        assert np.isfinite(value).all()


def test_sgd_changes_the_parameters_in_place():
    w, b = np.array([1.0, 2.0]), np.array([3.0], np.float32)
    params = {"w": w, "b": b, "untouched": None}
    SGD(0.5).update(params, {"w": np.array([2.0, 4.0]), "b": np.array([1.0], np.float32)})
    assert params["w"] is w
    assert params["b"] is b
    np.testing.assert_array_equal(w, [0, 0])
    np.testing.assert_array_equal(b, [2.5])
    assert SGD().learning_rate == 0.1


def test_any_classifier_is_trained():
    network = Classifier(Affine.initial(2, 2, rng=0))
    _, history = learn(network, iterations=100)
    assert history.rows[-1].test_accuracy == 1


def test_a_history_starts_empty():
    one, two = History(), History()
    one.rows.append(None)
    assert two.rows == two.losses == []
