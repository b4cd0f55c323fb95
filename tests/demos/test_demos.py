"""Every demo, run as `python -m demos` runs it: output and files."""

import math
import os
import re
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tqdm
from demo_runs import _no_network, columns, run
from matplotlib.figure import Figure

from autodiff import numerical_gradient
from demos import __main__ as command
from demos import gradient_check, kepler, mnist, pendulum, show, truss
from nn import TwoLayerNet, data
from nn.data import SUBSET, DataWarning
from nn.history import History, Row

__all__ = ["_no_network", "run"]  # fixtures


@pytest.fixture
def plotted(monkeypatch):
    """The figures that a demo writes, by file name."""
    figures = {}
    savefig = Figure.savefig

    def keep(figure, path, **options):
        figures[path.name] = figure
        savefig(figure, path, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def texts(path):
    """Return all the words in an SVG file."""
    words = "".join(ElementTree.parse(path).getroot().itertext()).split()
    return " ".join(words).replace("−", "-")


# The worked examples


def test_log_sin(run, tmp_path):
    printed, files = run("log_sin")
    assert columns(printed, "f(2, 5)") == [11.652071455223] * 2
    assert columns(printed, "∂f/∂x1") == [5.5] * 2
    assert columns(printed, "∂f/∂x2") == [1.716337814537] * 2
    for number in ("0.693147", "10.6931", "−0.958924", "11.6521"):  # v₁, v₄, v₃, v₅ of the survey
        assert number in printed
    rows = [line.split(" │ ") for line in printed.splitlines() if " │ " in line]
    assert all(len(row) == 2 for row in rows)
    assert rows[1][0].startswith("v₋₁ = x1 = 2")
    assert rows[-1][0].startswith("y = v₅ = 11.6521")
    assert files == {"log_sin.svg"}
    for text in ("x1", "x2", "log", "sin", "11.6521", "← 0.5", "← 5", "-0.283662"):
        assert text in texts(tmp_path / "log_sin.svg")


def test_price_graphs(run, tmp_path):
    printed, files = run("price_graphs")
    two, two_again, five, five_again, both, both_again = printed.split("\n\n")
    for way, part in {"expressions": two, "layers": two_again}.items():
        assert way in part
        assert columns(part, "price") == [220, 220]
        assert columns(part, "apple ") == [2.2, 2.2]
        assert columns(part, "apple number") == [110, 110]
        assert columns(part, "tax") == [200, 200]
    for way, part in {"expressions": five, "layers": five_again}.items():
        assert way in part
        assert columns(part, "price") == [550, 550]
        assert columns(part, "apple ") == [5.5, 5.5]
        assert columns(part, "apple number") == [110, 110]
        assert columns(part, "tax") == [500, 500]
    for part in (both, both_again):
        assert columns(part, "price") == [715, 715]
        assert columns(part, "apple number") == [110, 110]
        assert columns(part, "apple  ") == [2.2, 2.2]
        assert columns(part, "orange  ") == [3.3, 3.3]
        assert columns(part, "orange number") == [165, 165]
        assert columns(part, "tax") == [650, 650]
        assert columns(part, "apple sub-total") == [1.1, 1.1]
        assert columns(part, "orange sub-total") == [1.1, 1.1]
    assert files == {
        "price_2_apples.svg",
        "price_5_apples.svg",
        "price_2_apples_and_3_oranges.svg",
    }
    for text in ("apple", "tax", "price", "220", "2.2", "110", "200"):
        assert text in texts(tmp_path / "price_2_apples.svg")


def test_relu_fit(run, tmp_path):
    printed, files = run("relu_fit")
    for step, loss in {0: 21228.10, 500: 540.47, 1000: 316.11, 1500: 189.80}.items():
        assert columns(printed, f"loss at step {step} ") == [loss, loss]
    for name, value in {"w1": 3.0598, "w2": 2.9161, "b1": -0.3720, "b2": 0.6286}.items():
        assert columns(printed, name) == [value, value]
    assert files == {"relu_fit.png", "relu_fit_graph.svg"}
    drawn = texts(tmp_path / "relu_fit_graph.svg")
    for text in ("w1", "w2", "b1", "b2", "3.0598", "2.9161", "-0.37", "0.628"):
        assert text in drawn  # the picture shows the final parameters too


def test_newton(run, plotted):
    printed, files = run("newton")
    derivatives, values = printed.split("\n\n")
    for name, value in {
        "∂f/∂x ": -215.6,
        "∂f/∂y ": -88,
        "∂²f/∂x² ": 1330,
        "∂²f/∂x∂y ": 480,
        "∂²f/∂y∂x ": 480,
        "∂²f/∂y² ": 200,
        "(H v)_x": 370,
        "(H v)_y": 80,
    }.items():
        assert columns(derivatives, name) == [value, value]
    x, y, path = Fraction(-12, 10), Fraction(1), []
    for step in range(7):
        path.append((float(x), float(y)))
        value = round(float((1 - x) ** 2 + 100 * (y - x**2) ** 2), 6)
        assert columns(values, f"Newton, step {step}") == [value, value]
        slope_x, slope_y = 400 * x * (x**2 - y) - 2 * (1 - x), 200 * (y - x**2)
        xx, xy, yy = 1200 * x**2 - 400 * y + 2, -400 * x, 200
        det = xx * yy - xy**2
        x -= (yy * slope_x - xy * slope_y) / det
        y -= (xx * slope_y - xy * slope_x) / det
        x, y = x.limit_denominator(10**40), y.limit_denominator(10**40)
    (axes,) = plotted[files.pop()].axes
    newton, descent, minimum = axes.lines
    assert np.allclose(newton.get_xydata(), path, rtol=1e-9)
    assert newton.get_label() == "Newton, 6 steps"
    assert np.allclose(descent.get_xydata()[:2], [(-1.2, 1), (-1.2 + 0.2156, 1 + 0.088)])
    assert len(descent.get_xydata()) == 5001
    assert minimum.get_xydata().tolist() == [[1, 1]]
    assert not files


def test_pendulum(run, plotted):
    printed, files = run("pendulum")
    for number, name in enumerate(("∂θ/∂θ₀", "∂θ/∂L", "∂θ/∂c")):
        found, expected = columns(printed, name)

        def last(moved, number=number):
            arguments = [1.2, 1.0, 0.25]
            arguments[number] = moved
            return pendulum.angles(*arguments)[-1]

        slope, error = numerical_gradient(last, (1.2, 1.0, 0.25)[number], with_error=True)
        assert error < 1e-8
        assert found == expected == pytest.approx(slope, abs=error + 1e-12)
    left = [columns(printed, f"step {step}")[2] for step in range(6)]
    assert left[0] > 10 > left[-1] == left[-2]
    errors = [float(error) for error in re.findall(r"0\.\d+", printed.split("errors:")[1])[:2]]
    found = columns(printed, "step 5")[:2]
    assert np.all(np.abs(np.array(found) - (1.0, 0.25)) < 3 * np.array(errors))
    assert np.all(np.array(errors) < 0.005)
    (axes,) = plotted[files.pop()].axes
    observed, start, fit = (line.get_ydata() for line in axes.lines)
    residual = np.mean((observed - fit) ** 2)
    assert residual == pytest.approx(left[-1] / 121, rel=1e-4)
    assert residual == pytest.approx(0.02**2, rel=0.3)
    assert np.mean((observed - start) ** 2) > 100 * residual
    assert axes.get_legend_handles_labels()[1] == [
        "observed",
        "start: L = 0.8, c = 0.0",
        "fit: L = {:.3f}, c = {:.3f}".format(*found),
    ]
    assert not files


def test_kepler(run, monkeypatch, tmp_path):
    monkeypatch.setattr(kepler, "ROUNDS", 1)
    monkeypatch.setattr(kepler, "CALLS", 2)
    monkeypatch.setitem(kepler.EXTRAS, "fortran", ("no_such_package",))
    printed, files = run("kepler")
    space = {"np": np}
    exec(printed.partition("\npass ")[0], space)  # the source by itself
    place, slopes = space["eccentric_anomaly"](1.0, 0.2056)
    assert place - 0.2056 * math.sin(place) == pytest.approx(1.0, rel=1e-15)
    assert columns(printed, "∂E/∂M") == [pytest.approx(slopes[0], rel=1e-12)] * 2
    assert columns(printed, "∂E/∂e") == [pytest.approx(slopes[1], rel=1e-12)] * 2
    assert slopes[0] == pytest.approx(1 / (1 - 0.2056 * math.cos(place)), rel=1e-9)
    assert columns(printed, "recorded")[0] > 2 * columns(printed, "dead")[-1]
    assert re.search(r"<compiled eccentric_anomaly: [2-9] programs> after 100 places", printed)
    assert columns(printed, "not compiled")[0] > 0
    assert columns(printed, "numpy")[0] > 0
    assert "note: backend='fortran' needs no_such_package" in printed
    assert files == {"kepler.svg"}
    assert "while abs(step) > TOLERANCE:" in texts(tmp_path / "kepler.svg")


def test_runge_kutta_is_of_fourth_order():
    start, end = pendulum.runge_kutta(lambda y: y, 1.0, np.array([0, 0.5]))
    assert start == 1
    assert end == pytest.approx(sum(0.5**k / math.factorial(k) for k in range(5)), rel=1e-15)


def test_truss(run, plotted):
    printed, files = run("truss")
    areas = np.full(36, 10 / truss.LENGTHS.sum())
    slope, error = numerical_gradient(truss.compliance, areas, with_error=True)
    assert np.all(abs(truss.adjoint(areas) - slope) <= error + 1e-9)
    bars = re.findall(r"^bar \S+ \S+ to \S+ \S+ +(\S+) +(\S+)$", printed, re.MULTILINE)
    assert np.allclose(np.array(bars, float), slope[:7, np.newaxis], atol=1e-8)
    assert columns(printed, "largest difference of all 36") == [0, 0]
    steps = [columns(printed, f"{step:4} ") for step in range(0, 41, 5)]
    works, bounds = np.transpose(steps)
    assert np.all(np.diff(works) < 0)
    assert works[0] > 50
    assert np.all(bounds <= works)
    assert columns(printed, "compliance  ") == columns(printed, "lower bound") == [25.6, 25.6]
    before, after = plotted[files.pop()].axes
    assert before.get_title() == "before: compliance 52.3"
    assert after.get_title() == "after, with the same volume: compliance 25.6"
    widths = [[bar.get_linewidth() for bar in axes.lines[:36]] for axes in (before, after)]
    assert len(set(widths[0])) == 1
    volumes = widths @ truss.LENGTHS
    assert volumes[0] == pytest.approx(volumes[1])
    thick = np.argsort(widths[1])[-2:]
    assert {truss.BARS[bar] for bar in thick} == {(0, 3), (2, 5)}  # both chords, at the wall
    assert not files


def test_gradient_check(run, monkeypatch):
    if os.environ.get("HYPOTHESIS_PROFILE") != "thorough":  # 10 hidden units: 3 s less than 50
        small = TwoLayerNet(784, 10, 10, rng=0)
        monkeypatch.setattr(gradient_check, "TwoLayerNet", lambda *_, rng: small)
    printed, files = run("gradient_check")
    for name, allowed in {"W1": 1e-11, "b1": 1e-11, "W2": 1e-11, "b2": 1e-9}.items():
        difference, limit, worst, bound = columns(printed, f"  {name}")
        assert 0 < difference <= allowed == limit
        assert worst <= bound < 1e-8
    assert files == {"gradient_check.svg"}


def test_gradient_check_fails_if_the_derivatives_are_wrong(run, monkeypatch):
    class Wrong(TwoLayerNet):
        def gradient(self, x, t):
            slopes = super().gradient(x, t)
            slopes["b1"] += 1e-10
            return slopes

    monkeypatch.setattr(gradient_check, "TwoLayerNet", lambda *_, rng: Wrong(784, 2, 10, rng=rng))
    with pytest.raises(AssertionError, match=r"b1: 1\.\d*e-10 exceeds 1e-11"):
        run("gradient_check")


def test_a_deviation_from_the_expected_number_is_an_error(capsys):
    show.compare([("a", 1.0, 1.0), ("b", 0.126, 0.13)], decimals=2)
    for wrong in (0.1303, float("nan"), float("inf")):
        with pytest.raises(AssertionError, match="b: computed"):
            show.compare([("a", 1.0, 1.0), ("b", wrong, 0.1295)], decimals=3)


# MNIST


def rows(printed):
    return [
        [float(number) for number in line.split()]
        for line in printed.splitlines()
        if re.fullmatch(r"[\d. ]+", line.strip()) and len(line.split()) == 5
    ]


def test_mnist(run, tmp_path):
    printed, files = run("mnist", "--iterations", "601", "--data", str(SUBSET))
    (start, _, loss, *_), (end, epoch, lower, train_accuracy, test_accuracy) = rows(printed)
    assert (start, end, epoch) == (0, 600, 12)
    assert loss == pytest.approx(np.log(10), abs=0.01)
    assert lower < 0.5
    assert train_accuracy > 0.9
    assert test_accuracy > 0.88
    assert "done after 601 iterations" in printed
    for name, images in (("train", "5,000"), ("test", "1,000")):
        (accuracy,) = re.findall(rf"{name} accuracy (0\.\d+) on {images} images", printed)
        assert float(accuracy) > 0.88
    assert files == {"mnist_accuracy.png", "mnist_graph.svg"}
    for text in ("W1", "b1", "W2", "b2", "(784, 50) float32", "(50, 10) float32", "loss"):
        assert text in texts(tmp_path / "mnist_graph.svg")


def test_mnist_can_be_repeated(run):
    first, again, other = (
        rows(run("mnist", "--iterations", "2", "--seed", seed)[0]) for seed in "778"
    )
    assert first == again != other


@pytest.mark.parametrize("epochs", [1, 3])
def test_epochs_are_whole_numbers_on_the_plot(epochs, tmp_path, plotted):
    rows = [Row(600 * k, float(k), 0.5, 0.9, 0.8) for k in range(1, epochs + 1)]
    mnist.plot_accuracies(History(rows), tmp_path / "accuracy.png")
    (axes,) = plotted["accuracy.png"].axes
    low, high = axes.get_xlim()
    assert [t for t in axes.get_xticks() if low <= t <= high] == [row.epoch for row in rows]


def test_mnist_interrupted_keeps_rows_plot_and_graph(run, monkeypatch, capsys):
    class Bar(tqdm.tqdm):
        def __iter__(self):
            for i in super().__iter__():
                if i == 5:
                    raise KeyboardInterrupt
                yield i

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    printed, files = run("mnist")
    assert len(rows(printed)) == 1
    assert "interrupted after 5 iterations" in printed
    assert re.search(r"test accuracy 0\.\d+ on 1,000 images", printed)
    assert files == {"mnist_accuracy.png", "mnist_graph.svg"}


def test_mnist_interrupted_at_once_has_no_plot(run, monkeypatch):
    class Bar(tqdm.tqdm):
        def __iter__(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    printed, files = run("mnist")
    assert "interrupted after 0 iterations" in printed
    assert files == {"mnist_graph.svg"}


def test_mnist_goes_on_to_the_same_end(tmp_path, monkeypatch, capsys):
    class Bar(tqdm.tqdm):
        def __iter__(self):
            for i in super().__iter__():
                if i == 5:
                    raise SystemError("power cut")
                yield i

    def mnist(folder, *options):
        argv = ["mnist", "--resume", "--iterations", "9", "--out", str(tmp_path / folder), *options]
        status = command.main(argv)
        printed = capsys.readouterr()
        return status, printed.out.splitlines()[1:], printed.err

    assert mnist("whole")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(tqdm, "tqdm", Bar)
        with pytest.raises(SystemError):
            mnist("broken")
    capsys.readouterr()
    status, lines, _ = mnist("broken")
    assert status == 0
    assert lines[0] == "resuming from iteration 1"
    assert lines[1].startswith("done after 9 iterations")
    whole, broken = (tmp_path / name / "mnist_checkpoint.npz" for name in ("whole", "broken"))
    assert broken.read_bytes() == whole.read_bytes()
    assert (tmp_path / "broken" / "mnist_accuracy.png").exists()

    status, _, said = mnist("broken", "--seed", "4")
    assert status == 1
    assert said.startswith(f"mnist: {broken}: found a run with rng PCG64")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_from_the_keyboard(tmp_path):
    """Send the real signal to a process once its first row has appeared."""
    program = (
        "import os, signal, sys, threading\n"
        "from demos.__main__ import main\n"
        # an exception in the callback of a weak reference is lost: then the signal comes again
        "again = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT))\n"
        "sys.unraisablehook = lambda lost: again.start()\n"
        # a process started in the background inherits that the signal is ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", program, "mnist", "--out", str(tmp_path)],
        cwd=Path(show.__file__).parents[1],
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if rows(line):
                process.send_signal(signal.SIGINT)
                break
        printed += process.stdout.read()
        assert process.wait() == 0
    finally:
        process.kill()
        watchdog.cancel()
        process.stdout.close()
    assert re.search(r"interrupted after \d+ iterations", printed)
    assert {path.name for path in tmp_path.iterdir()} == {"mnist_accuracy.png", "mnist_graph.svg"}


def test_the_subset_is_announced(monkeypatch, capsys):
    def offline():
        raise data._Unavailable("no network")

    monkeypatch.delenv("MNIST_DIR")
    monkeypatch.setattr(data, "_originals", offline)
    with pytest.warns(DataWarning):
        data.mnist()
    digits = show.load_digits(None)
    assert len(digits.train_images) == 5000
    said = capsys.readouterr().err
    assert said.startswith("note: The full MNIST is not available (no network).")
    assert "Expect a test accuracy of about 0.9" in said
    assert "DataWarning" not in said
