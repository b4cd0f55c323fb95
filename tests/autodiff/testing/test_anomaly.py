"""`detect_anomaly`: where a NaN or an infinity was computed."""

import asyncio
import copy
import gc
import linecache
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import (
    Tensor,
    Value,
    checkpoint,
    custom_rule,
    detect_anomaly,
    exp,
    grad,
    gradients,
    jvp,
    log,
    no_grad,
    sqrt,
)
from autodiff.testing.sites import SITES

kinds = pytest.mark.parametrize("kind", [Value, Tensor])


def _line_of(error):
    """Return the source line in an error."""
    line = str(error.value).partition(", line ")[2].partition(",")[0]
    return linecache.getline(__file__, int(line))


@kinds
def test_forward_names_the_operation_its_inputs_and_the_line(kind):
    x, y = kind(1e200), kind(3.0)
    with detect_anomaly(), np.errstate(all="ignore"):
        z = x + y
        with pytest.raises(FloatingPointError) as error:
            z * x  # here
    said = str(error.value)
    assert said.startswith("multiply makes inf")
    assert "input 1: float64 of shape (), 1e+200" in said
    assert "# here" in _line_of(error)
    assert f"in {test_forward_names_the_operation_its_inputs_and_the_line.__name__}" in said


@kinds
def test_backward_names_the_operation_and_the_line_that_built_it(kind):
    x = kind(0.0)
    with detect_anomaly():
        y = sqrt(x * x)  # here
        z = y + 1.0
        with pytest.raises(FloatingPointError, match="derivative of sqrt by its input 0") as error:
            z.backward()
        assert "# here" in _line_of(error)
        assert "given: float64 of shape (), 1\n" in str(error.value)
        with pytest.raises(FloatingPointError, match="derivative of sqrt by its input 0"):
            gradients(z, [x])
        with pytest.raises(FloatingPointError, match="derivative of sqrt by its input 0"):
            gradients(z, [x], record=True)
        with pytest.raises(FloatingPointError, match="derivative of sqrt"):
            jvp(sqrt, (0.0,), (1.0,))


def test_statistics_are_of_the_finite_elements():
    x = Tensor(np.array([[1.0, 2.0], [3.0, 1000.0]]))
    with pytest.raises(FloatingPointError) as error, detect_anomaly(), np.errstate(over="ignore"):
        np.exp(x)
    said = str(error.value)
    assert "input 0: float64 of shape (2, 2), min 1, mean 251.5, max 1000\n" in said
    assert said.endswith("1 infinite")


@kinds
def test_nodes_built_before_have_no_line(kind):
    y = sqrt(kind(0.0))
    with pytest.raises(FloatingPointError, match="built before detect_anomaly"), detect_anomaly():
        y.backward()


@pytest.mark.filterwarnings("ignore:invalid value")
@kinds
def test_non_finite_inputs_are_no_anomaly(kind):
    x = kind(np.nan)
    with detect_anomaly():
        y = x * 2.0 - np.inf
        y.backward()
    assert x.grad == 2.0
    scores = Tensor([1.0, 2.0, -np.inf])
    with detect_anomaly():
        masked = np.where(np.array([True, True, False]), scores, -np.inf)
        exp(masked).sum().backward()
    np.testing.assert_allclose(scores.grad, np.exp([1.0, 2.0, -np.inf]))
    with pytest.raises(FloatingPointError, match="multiply makes NaN"), detect_anomaly():
        masked * 0.0


def test_an_infinity_times_zero_is_no_anomaly():
    """The fast walk makes a NaN, and the rules an infinity, that a factor 0 removes."""
    x = Tensor([0.0, 4.0])
    keep = np.array([False, True])
    for record in (False, True):
        with detect_anomaly():
            root = np.sqrt(x)
            y = np.where(keep, root, 0.0).sum()
            (slope,) = gradients(y, [x], record=record)
        np.testing.assert_array_equal(slope.data if record else slope, [0.0, 0.25])


def test_sums_of_cotangents_and_parts_of_results_are_checked():
    y = Value(1.0) * 1.0
    z = y * 0.9 + y
    with detect_anomaly(), pytest.raises(FloatingPointError, match="contributions of multiply"):
        z.backward(1.7e308)
    broken = custom_rule(vjp=lambda g, out, x: x)(lambda x: (x, np.exp(1e9 * x)))
    x = Tensor([1.0])
    with (
        pytest.raises(FloatingPointError, match="<lambda> makes inf"),
        detect_anomaly(),
        np.errstate(all="ignore"),
    ):
        broken(x)


def test_an_element_assigned_to_names_its_own_line():
    x = Tensor([4.0, 9.0])
    with detect_anomaly():
        t = x * 1.0
        t[0] = 0.0
        y = np.sqrt(t).sum()  # here
        with pytest.raises(FloatingPointError, match="derivative of sqrt") as error:
            y.backward()
    assert "# here" in _line_of(error)


def test_an_anomaly_inside_a_checkpoint_is_found():
    @checkpoint
    def f(x):
        return np.sqrt(x * x)

    x = Tensor([0.0, 1.0])
    with detect_anomaly(), pytest.raises(FloatingPointError, match="derivative of sqrt"):
        f(x).sum().backward()
    assert x.grad is None


@kinds
def test_off_again_and_nested(kind):
    x = kind(0.0)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with detect_anomaly():
            with detect_anomaly():
                pass
            with pytest.raises(FloatingPointError):
                log(x)
            with no_grad(), pytest.raises(FloatingPointError):
                log(x)
        log(x).backward()
        assert x.grad == np.inf
        with pytest.raises(FloatingPointError):
            detect_anomaly()(log)(x)
        with pytest.raises(FloatingPointError), detect_anomaly():
            grad(grad(sqrt))(kind(0.0))
        log(x)


def test_it_holds_in_its_thread_only():
    found = []

    def work():
        y = sqrt(Value(0.0))
        y.backward()
        found.append(y.inputs[0].grad)

    with detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [np.inf]


def test_a_task_leaves_the_block_when_it_ends():
    async def late(closed):
        await closed.wait()
        y = sqrt(Value(0.0))
        y.backward()
        return y.inputs[0].grad

    async def watch(entered, done):
        with detect_anomaly():
            entered.set()
            await done.wait()

    async def main():
        closed, entered, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        other = asyncio.create_task(watch(entered, done))  # so that a mode is always on elsewhere
        await entered.wait()
        with detect_anomaly():
            task = asyncio.create_task(late(closed))
        closed.set()
        slope = await task
        done.set()
        await other
        return slope

    assert asyncio.run(main()) == np.inf


def test_lines_are_forgotten_with_their_nodes():
    gc.collect()
    gc.disable()
    try:
        before = len(SITES)
        with detect_anomaly():
            y = exp(Value(1.0) * 2.0) + (Tensor([1.0]) * 3.0).sum()
            copy.deepcopy(y).backward()
            assert len(SITES) > before
        del y
        assert len(SITES) == before
    finally:
        gc.enable()


@given(st.lists(st.sampled_from("+*esl"), min_size=1, max_size=8), st.floats(0.1, 3.0))
def test_the_first_operation_is_named_and_sound_programs_are_left_alone(steps, at):
    """The same program on plain numbers finds the first step that is not finite."""
    functions = {
        "+": lambda v: v + 1e300,
        "*": lambda v: v * v,
        "e": np.exp,
        "s": np.sqrt,
        "l": np.log,
    }
    names = {"+": "add", "*": "multiply", "e": "exp", "s": "sqrt", "l": "log"}
    number, expected = np.float64(at), None
    with np.errstate(all="ignore"):
        for step in steps:
            number = functions[step](number)
            if not np.isfinite(number):
                expected = names[step]
                break
        for x in (Value(at), Tensor([at])):
            try:
                with detect_anomaly():
                    for step in steps:
                        x = functions[step](x)
                found = None
            except FloatingPointError as error:
                found = str(error).partition(" ")[0]
            assert found == expected
