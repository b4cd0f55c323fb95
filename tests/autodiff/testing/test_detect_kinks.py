"""`detect_kinks`: an error wherever a derivative is taken that does not exist."""

import linecache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import KinkError, Tensor, Value, check_grads, detect_kinks, grad, gradients, jvp
from autodiff.core.modes import modes

EYE = np.eye(3)
AT_KINKS = {
    "relu": (ad.relu, [1.0, 0.0]),
    "absolute": (np.abs, [-1.0, 0.0]),
    "max": (np.max, [1.0, 3.0, 3.0]),
    "maximum": (lambda x: np.maximum(x, 2.0), [2.0]),
    "vector_norm": (np.linalg.norm, [0.0, 0.0]),
    "sort": (np.sort, [2.0, 1.0, 2.0]),
    "median": (np.median, [2.0, 2.0, 2.0]),
    "eigvalsh": (lambda x: np.linalg.eigvalsh(x)[0], EYE),
    "svd": (lambda x: np.linalg.svd(x)[1][0], EYE),
    "sign": (np.sign, [0.0]),
    "floor": (np.floor, [1.0]),
    "std": (np.std, [1.0, 1.0]),
    "sqrt": (np.sqrt, [0.0]),
    "where": (lambda x: np.where(x > 0, x, 0.0), [0.0, 1.0]),
    "where of two": (lambda x: np.where(~((x > 0) & np.less(x, 2)), x, 0.0), [2.0, 1.0]),
    "where in clip": (lambda x: np.clip(x, 0.0, 1.0), [1.0]),
}
SMOOTH = [
    (ad.relu, [1e-300, -1e-300]),
    (np.abs, [5e-324]),
    (np.max, [1.0, np.nextafter(1.0, 2.0)]),
    (lambda x: np.sum(np.linalg.eigvalsh(x)), EYE),
    (lambda x: np.sum(np.linalg.svd(x)[1] ** 2), EYE),
    (np.linalg.norm, [1e-150, 0.0]),
    (lambda x: np.sum(np.sort(x)[:2]), [1.0, 2.0, np.nextafter(2.0, 3.0)]),
    (np.median, [1.0, 2.0, 2.0, 3.0]),
    (np.floor, [1.0 + 1e-15, 0.5]),
    (np.var, [1.0, 1.0]),
    (lambda x: np.where(x > 0, x, 0.0), [1e-300, 1.0]),
    (lambda x: np.clip(x, 0.0, 1.0), [np.nextafter(1.0, 0.0), -1.0]),
    (np.sinc, [0.0]),
    (lambda x: x**2, [0.0]),
    (np.prod, [0.0, 0.0, 1.0]),
    (ad.softplus, [0.0]),
    (lambda x: np.sum(x[:1]) + 0 * np.max(x[1:2]), [1.0, 2.0]),
    (lambda x: ad.relu(x[0]) * 0.0 + x[1], [0.0, 1.0]),  # the cotangent is 0
]


def total(f):
    """Return the weighted sum of a result."""
    return lambda x: np.sum(f(x) * np.cos(np.arange(np.size(f(x)))).reshape(np.shape(f(x))))


@pytest.mark.parametrize("name", AT_KINKS)
@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_both_modes_raise_at_a_kink(name, mode):
    f, point = AT_KINKS[name]
    point = np.array(point)
    with (
        detect_kinks(),
        pytest.raises(KinkError, match=f"^{name.split()[0]} has no derivative at "),
    ):
        grad(total(f))(point) if mode == "reverse" else jvp(f, (point,), (np.ones_like(point),))
    assert not modes
    grad(total(f))(point)  # no error outside the block


@pytest.mark.parametrize(("f", "point"), SMOOTH)
def test_elsewhere_it_is_quiet(f, point):
    point = np.array(point)
    with detect_kinks():
        found = grad(lambda x: np.sum(f(x)))(point)
    np.testing.assert_array_equal(found, grad(lambda x: np.sum(f(x)))(point))


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=4), st.sampled_from(["relu", "clip", "sort"])
)
def test_it_raises_exactly_where_numbers_tie(numbers, name):
    x = np.array(numbers)
    f = {"relu": ad.relu, "clip": lambda x: np.clip(x, -1.0, 1.0), "sort": np.sort}[name]
    tied = {
        "relu": np.any(x == 0),
        "clip": np.any(np.abs(x) == 1),
        "sort": len(set(numbers)) < len(numbers),
    }[name]
    with detect_kinks():
        if tied:
            with pytest.raises(KinkError):
                grad(lambda x: np.sum(f(x) * 2.0))(x)
        else:
            grad(lambda x: np.sum(f(x) * 2.0))(x)


def test_the_error_names_operation_line_inputs_and_derivative():
    x = Tensor([3.0, 0.0])
    with detect_kinks():
        y = np.sum(ad.relu(x))  # this line
        with pytest.raises(KinkError) as error:
            gradients(y, [x])
    said = str(error.value)
    line = said.partition(", line ")[2].partition(",")[0]
    assert "# this line" in linecache.getline(__file__, int(line))
    assert "relu has no derivative at x = 0" in said
    assert "input 0: float64 of shape (2,): [3., 0.]" in said
    assert "by input 0 it would answer float64 of shape (2,): [1., 0.]" in said


def test_nodes_built_before_are_checked_too():
    for x in (Value(0.0), Tensor(0.0)):
        y = ad.absolute(x)
        with detect_kinks(), pytest.raises(KinkError, match="before detect_kinks was on"):
            y.backward()


def test_a_second_derivative_that_passes_a_kink():
    def f(x):
        return np.abs(x) ** 2

    assert grad(grad(f))(0.0) == 0.0  # 2, but for the kink of abs
    with detect_kinks():
        assert grad(f)(0.0) == 0.0  # right: the cotangent of the kink is 0
        with pytest.raises(KinkError, match="absolute has no derivative at x = 0"):
            grad(grad(f))(0.0)
        assert grad(grad(f))(1.0) == 2.0


@pytest.mark.parametrize("number", [Value, Tensor])
def test_clip_of_a_number_at_its_bound(number):
    x = number(1.0)
    with detect_kinks():
        y = np.clip(x, 0.0, 1.0)
        assert type(y) is type(x)
        with pytest.raises(KinkError, match="where has no derivative at a tie"):
            y.backward()
        np.clip(number(0.5), 0.0, 1.0).backward()


def test_masks_are_arrays_of_truth_values():
    x = Tensor([0.0, 1.0, 2.0])
    with detect_kinks():
        mask = (x >= 0) & (x != 1)
        np.testing.assert_array_equal(mask, [True, False, True])
        np.testing.assert_array_equal(x[mask].data, [0.0, 2.0])
        np.testing.assert_array_equal(mask.astype(int) + np.sum(mask), [3, 2, 3])
        assert mask.dtype == bool
        assert np.where(mask, 1, 2).tolist() == [1, 2, 1]
    assert type(x > 0) is np.ndarray


def test_check_grads_names_the_kink():
    with pytest.raises(KinkError, match="maximum has no derivative at x = y"):
        check_grads(lambda x: np.sum(np.maximum(x, 0.0)), np.array([1.0, 0.0]))
    with pytest.raises(KinkError, match="absolute has no derivative at x = 0"):
        check_grads(lambda x: np.abs(x) ** 2, 0.0, order=2)
