"""nn.checkpoints: a run that was stopped anywhere ends with the result of an uninterrupted one.

`python tests/nn/test_checkpoints.py 100` kills a run 100 times.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import numpy as np
import pytest

import nn
from nn import SGD, Affine, Classifier, DataError, ReLU, Sigmoid, TwoLayerNet, train
from nn.files import write_arrays


def clouds(n=30, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    return rng.standard_normal((n, 2)) + 2 * labels[:, None], labels


def fresh(seed=1):
    return TwoLayerNet(2, 4, 2, weight_init_std=0.5, rng=seed)


def learn(path=None, network=None, **settings):
    network = network or fresh()
    settings = {"iterations": 12, "batch_size": 7, "every": 3, "rng": 2, **settings}
    return network, train(network, clouds(), clouds(20, seed=9), checkpoint=path, **settings)


def bits(network):
    return {name: (p.dtype, p.shape, p.tobytes()) for name, p in network.params.items()}


class Killed(BaseException):
    """An exception for a killed process, which no code catches."""


def killed_before(step):
    def progress(iterations):
        for i in iterations:
            if i == step:
                raise Killed
            yield i

    return progress


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


# Going on


def test_a_checkpoint_changes_nothing_in_an_uninterrupted_run(path):
    (plain, history), (kept, other) = learn(), learn(path)
    assert bits(plain) == bits(kept)
    assert history == other
    assert [file.name for file in path.parent.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("stop", range(12))
def test_a_run_stopped_before_any_step_goes_on_to_the_same_end(tmp_path, stop):
    whole, broken = tmp_path / "whole.npz", tmp_path / "broken.npz"
    rngs = [np.random.default_rng(2) for _ in range(3)]
    network, history = learn(whole, rng=rngs[0])
    with pytest.raises(Killed):
        learn(broken, progress=killed_before(stop), rng=rngs[1])
    resumed = fresh(5)  # its own parameters are replaced
    arrays = dict(resumed.params)
    first = []

    def progress(iterations):
        first.append(iterations.start)
        return iter(iterations)

    _, other = learn(broken, resumed, progress=progress, rng=rngs[2])
    if stop:  # there is no checkpoint before the first step
        assert first == [(stop - 1) // 3 * 3 + 1]
        assert bits(resumed) == bits(network)
        assert other == history
        assert broken.read_bytes() == whole.read_bytes()
        assert rngs[2].random() == rngs[0].random()
        assert all(resumed.params[name] is array for name, array in arrays.items())
    else:
        assert first == [0]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("time", range(5))  # four rows and the end
def test_a_run_killed_while_it_writes_goes_on_to_the_same_end(path, monkeypatch, call, time):
    network, history = learn()
    place = {"fsync": os, "replace": Path}[call]
    real, calls = getattr(place, call), []

    def kill(*args):
        calls.append(args)
        if len(calls) > time:
            raise Killed
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(place, call, kill)
        with pytest.raises(Killed):
            learn(path)
    assert path.exists() == (time > 0)
    resumed, other = learn(path)
    assert bits(resumed) == bits(network)
    assert other == history


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_the_state_of_any_random_numbers_is_kept(path, kind):
    def rng():
        return np.random.Generator(getattr(np.random, kind)(7))

    network, history = learn(rng=rng())
    with pytest.raises(Killed):
        learn(path, progress=killed_before(8), rng=rng())
    resumed, other = learn(path, rng=rng())
    assert bits(resumed) == bits(network)
    assert other == history


def test_a_learning_rate_that_changes_on_the_way_is_kept(path):
    def settings():
        optimiser = SGD(np.float64(0.3))  # a float64 rate must not raise the precision

        def slower(row):
            optimiser.learning_rate *= 0.9

        network = TwoLayerNet(2, 4, 2, weight_init_std=0.5, rng=1, dtype=np.float32)
        return {"network": network, "optimiser": optimiser, "report": slower}

    network, history = learn(**settings())
    with pytest.raises(Killed):
        learn(path, progress=killed_before(8), **settings())
    resumed, other = learn(path, **settings())
    assert bits(resumed) == bits(network)
    assert repr(other) == repr(history)


def test_a_run_without_a_seed_goes_on_with_its_own_random_numbers(path):
    with pytest.raises(Killed):
        learn(path, progress=killed_before(8), rng=None)
    kept = path.read_bytes()
    ends = []
    for _ in range(2):
        path.write_bytes(kept)
        ends.append(bits(learn(path, rng=None)[0]))
    assert ends[0] == ends[1]


def test_a_finished_run_is_not_run_again(path):
    network, history = learn(path)
    again, other = learn(path, fresh(5), report=None)  # a row would raise an error
    assert bits(again) == bits(network)
    assert other == history


def test_ctrl_c_leaves_the_last_checkpoint_and_the_same_network_goes_on(path):
    whole, history = learn()
    network = fresh()

    def progress(iterations):
        for i in iterations:
            if i == 8:
                raise KeyboardInterrupt
            yield i

    _, part = learn(path, network, progress=progress)
    assert part.interrupted
    assert len(part.losses) == 8
    _, other = learn(path, network)
    assert bits(network) == bits(whole)
    assert other == history


PROGRAM = """
import sys
import numpy as np
from nn import TwoLayerNet, train

def report(row):
    print(row.iteration, flush=True)
    sys.stdin.readline()

x = np.random.default_rng(0).standard_normal((30, 2))
data = x, np.arange(30) % 2
iterations, checkpoint, weights = sys.argv[1:]
network = TwoLayerNet(2, 4, 2, rng=1)
train(network, data, data, iterations=int(iterations), batch_size=7, every=1, rng=2,
      report=report, checkpoint=checkpoint)
network.save(weights)
"""


def training(folder, iterations):
    """Start a process that trains; after each step it waits for a line of input."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(iterations), "run.npz", "weights.npz"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(nn.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_process_killed_again_and_again_comes_to_the_same_end(tmp_path):
    survive(hypothesis.settings().max_examples, tmp_path)


def survive(kills, directory):
    whole, broken = directory / "whole", directory / "broken"
    whole.mkdir()
    broken.mkdir()
    iterations = 10 * kills  # more than all killed processes together can reach
    uninterrupted = training(whole, iterations)
    random = np.random.default_rng(4)
    for _ in range(kills):
        allowed = random.integers(2, 10)
        with training(broken, iterations) as process:
            process.stdin.write("\n" * allowed)
            process.stdin.flush()
            for _ in range(random.integers(2, allowed + 1)):  # the process runs on meanwhile
                assert process.stdout.readline()
            process.kill()
        assert process.returncode != 0
        with np.load(broken / "run.npz") as file:
            assert all(file[name] is not None for name in file.files)
    for process in (uninterrupted, training(broken, iterations)):
        process.communicate()
        assert process.returncode == 0
    for name in ("run.npz", "weights.npz"):  # with history and random numbers
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


# Refused


def test_a_checkpoint_that_cannot_be_written_is_named(tmp_path):
    for path in (tmp_path / "nowhere" / "run.npz", tmp_path):
        with pytest.raises(OSError, match=tmp_path.name):
            learn(path)


def other_network():
    return Classifier(Affine.initial(2, 4, rng=1), Sigmoid(), Affine.initial(4, 2, rng=2))


CLASSIFIER = Classifier(Affine.initial(2, 4, rng=1), ReLU(), Affine.initial(4, 2, rng=2))
MORE = clouds(31), clouds(20, seed=9)
OTHER = (clouds()[0], 1 - clouds()[1]), clouds(20, seed=9)
OTHER_TEST = clouds(), clouds(20, seed=8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 8}, "a run with batch_size 7, expected batch_size 8"),
        ({"iterations": 13}, "a run with iterations 12, expected iterations 13"),
        ({"every": 4}, "a run with every 3, expected every 4"),
        ({"rng": 3}, r"with rng PCG64 SHA-256 \w+…, expected rng PCG64 SHA-256 "),
        ({"rng": None}, r"with rng PCG64 SHA-256 \w+…, expected rng None"),
        ({"optimiser": SGD(0.2)}, "with learning_rate 0.1, expected learning_rate 0.2"),
        (
            {"batch_size": 8, "iterations": 13},
            "with iterations 12, batch_size 7, expected iterations 13, batch_size 8",
        ),
        (
            {"network": CLASSIFIER},
            r"layers TwoLayerNet\(Affine, ReLU, Affine\), expected layers Classifier\(",
        ),
        ({"network": other_network()}, r"expected layers Classifier\(Affine, Sigmoid, Affine\)"),
        (
            {"network": TwoLayerNet(2, 5, 2, rng=1)},
            r"parameters/W1 of float64 and shape \(2, 4\), expected float64 and \(2, 5\)",
        ),
        (
            {"network": TwoLayerNet(2, 4, 2, rng=1, dtype=np.float32)},
            "parameters/W1 of float64 .* expected float32",
        ),
        ({"network": Classifier(Affine.initial(2, 2, rng=1))}, "the entry parameters/W2, expected"),
        ({"data": MORE}, r"training data float64 \(30, 2\), .* training data float64 \(31, 2\)"),
        ({"data": OTHER}, "a run with training data"),
        ({"data": OTHER_TEST}, "a run with test data"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(path, change, message):
    with pytest.raises(Killed):
        learn(path, progress=killed_before(8))
    before = path.read_bytes()
    change = {"network": fresh(5), "data": (clouds(), clouds(20, seed=9)), **change}
    network, data = change.pop("network"), change.pop("data")
    untouched = bits(network)
    settings = {"iterations": 12, "batch_size": 7, "every": 3, "rng": 2, **change}
    with pytest.raises(DataError, match=rf"run\.npz: found .*{message}.*Remove the file"):
        train(network, *data, checkpoint=path, **settings)
    assert bits(network) == untouched
    assert path.read_bytes() == before


def text(content):
    return np.frombuffer(content, np.uint8)


@pytest.mark.parametrize(
    ("entry", "content", "message"),
    [
        ("settings", text(b"{"), "the entry settings damaged"),
        ("settings", text(b"[]"), "a run with layers None"),
        ("settings", text(b"[" * 100_000), "the entry settings damaged"),
        ("random", text(b"\xff"), "the entry random damaged"),
        ("random", text(b"3"), "the entry random damaged"),
        ("random", text(b'{"bit_generator": "PCG64"}'), "the entry random damaged"),
        ("random", np.zeros(1), "the entry random of float64"),
        ("learning_rate", np.zeros(1), r"the entry learning_rate of float64 and shape \(1,\)"),
        ("losses", np.zeros((1, 1)), r"the entry losses of .* expected float64 and \(n,\)"),
        ("rows", np.zeros((4, 4)), r"the entry rows of .* expected float64 and \(n, 5\)"),
        ("parameters/b2", np.zeros(3), "the entry parameters/b2 of"),
        ("another", np.zeros(3), "the entry another"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_changes_nothing(path, entry, content, message):
    learn(path)
    with np.load(path) as file:
        arrays = {**file, entry: content}
    write_arrays(path, arrays)
    network, optimiser, rng = fresh(5), SGD(), np.random.default_rng(2)
    untouched = bits(network), rng.bit_generator.state
    with pytest.raises(DataError, match=rf"run\.npz: found .*{message}.*Remove the file"):
        learn(path, network, optimiser=optimiser, rng=rng)
    assert (bits(network), rng.bit_generator.state) == untouched
    assert optimiser.learning_rate == 0.1


def test_an_optimiser_with_a_state_of_its_own_is_refused(path):
    class Momentum(SGD):
        pass

    with pytest.raises(TypeError, match="support SGD, not Momentum"):
        learn(path, optimiser=Momentum())
    learn(optimiser=Momentum())


if __name__ == "__main__":
    with TemporaryDirectory() as directory:
        survive(int(sys.argv[1]), Path(directory))
    print(f"{sys.argv[1]} kills survived: the same result, bit for bit")
