"""pandas beside nodes: its arrays are their numbers, in their order, without labels."""

import operator

import numpy as np
import pytest

from autodiff import Tensor, Value, grad, gradients, jacobian, jvp, value_and_grad

pd = pytest.importorskip("pandas")

NUMBERS = np.array([1.0, 2.0, 4.0])
T, V = Tensor([3.0, 5.0, 7.0]), Value(2.0)
LABELLED = {
    "series": pd.Series(NUMBERS, index=list("abc"), name="q"),
    "column": pd.DataFrame({"u": NUMBERS, "v": NUMBERS + 1})["u"],
    "index": pd.Index(NUMBERS),
    "integers": pd.Series(NUMBERS.astype(int), index=[2, 1, 0]),
    "nullable": pd.Series([1, 2, 4], dtype="Int64"),
    "array": pd.array(NUMBERS),
}
every = pytest.mark.parametrize("name", LABELLED)
OPERATORS = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.pow,
    operator.floordiv,
    operator.mod,
]


@every
@pytest.mark.parametrize("node", [T, V], ids=["Tensor", "Value"])
@pytest.mark.parametrize("op", OPERATORS)
def test_a_constant_on_either_side_is_its_numbers(op, node, name):
    for ours, numpys in (
        (op(node, LABELLED[name]), op(node, NUMBERS)),
        (op(LABELLED[name], node), op(NUMBERS, node)),
    ):
        assert type(ours) is Tensor
        assert type(ours.data) is np.ndarray
        np.testing.assert_array_equal(ours.data, numpys.data)
        found, expected = (gradients(x, [node], seed=NUMBERS)[0] for x in (ours, numpys))
        np.testing.assert_array_equal(found, expected)


@every
@pytest.mark.parametrize("node", [T, V], ids=["Tensor", "Value"])
def test_comparisons_are_plain_masks(node, name):
    for ours, numpys in (
        (node > LABELLED[name], node > NUMBERS),
        (LABELLED[name] >= node, node <= NUMBERS),
        (node == LABELLED[name], node == NUMBERS),
    ):
        assert type(ours) is np.ndarray
        np.testing.assert_array_equal(ours, numpys)


@every
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.sin(x) * x),
        lambda x: (x**2).mean(),
        lambda x: np.dot(x, x[::-1]),
    ],
)
def test_the_gradient_by_an_argument_is_an_array(f, name):
    value, slope = value_and_grad(f)(LABELLED[name])
    expected = value_and_grad(f)(NUMBERS)
    assert type(slope) is np.ndarray
    assert slope.dtype == float
    np.testing.assert_array_equal((value, *slope), (expected[0], *expected[1]))
    assert type(jacobian(np.tanh)(LABELLED[name])) is np.ndarray
    tangent = jvp(f, (LABELLED[name],), (LABELLED[name],))[1]
    assert tangent == jvp(f, (NUMBERS,), (NUMBERS,))[1]


@every
@pytest.mark.parametrize(
    "f",
    [
        lambda t, s: np.dot(s, t),
        lambda t, s: t @ s,
        lambda t, s: np.concatenate([s, t]),
        lambda t, s: np.maximum(t, s),
        lambda t, s: np.where(s > 1, t, s),
        lambda t, s: np.average(t, weights=s),
        lambda t, s: np.interp(t, s, s),
        lambda t, s: np.cov(t, s),
        lambda t, s: t[s > 1],
    ],
)
def test_functions_take_constants(f, name):
    given, numpys = f(T, LABELLED[name]), f(T, NUMBERS)
    assert type(given.data) is type(numpys.data)
    np.testing.assert_allclose(given.data, numpys.data, rtol=1e-15)


def test_labels_do_not_align():
    s = LABELLED["series"]
    np.testing.assert_array_equal((Tensor(s) * s.iloc[::-1]).data, [4.0, 4.0, 4.0])
    with pytest.raises(ValueError, match="broadcast"):
        _ = T * s.iloc[:2]


def test_a_frame_is_a_matrix():
    df = pd.DataFrame({"u": NUMBERS, "v": NUMBERS**2})
    slope = grad(lambda w: np.sum((np.dot(df, w) - df["u"]) ** 2))
    expected = grad(lambda w: np.sum((np.dot(df.to_numpy(), w) - NUMBERS) ** 2))
    np.testing.assert_array_equal(slope(np.ones(2)), expected(np.ones(2)))
    assert (df * V).shape == (V - df).shape == Tensor(df).shape == (3, 2)
    with pytest.raises(TypeError, match=r"(?s)DataFrame.*to_numpy"):
        grad(lambda x: x)(df)


def test_what_has_been_read_does_not_change():
    s, mask = pd.Series(NUMBERS.copy()), pd.Series([True, False, True])
    y = T * s + T[mask].sum()
    s.iloc[0], mask.iloc[:] = 100.0, False
    np.testing.assert_array_equal(
        gradients(y, [T], seed=np.ones(3))[0], NUMBERS + np.array([3, 0, 3])
    )


@pytest.mark.parametrize("name", ["series", "column", "nullable"])
def test_elements_are_written(name):
    x = Tensor(np.ones(3))
    y = x * 1.0
    y[:] = LABELLED[name]
    y += LABELLED[name]
    assert type(y.data) is np.ndarray
    np.testing.assert_array_equal(y.data, 2 * NUMBERS)


@pytest.mark.parametrize(
    "lost",
    [
        lambda s: pd.Series(T),
        lambda s: pd.DataFrame({"u": s}).assign(w=T),
        lambda s: s @ T,
        lambda s: s.dot(T),
        lambda s: np.multiply(pd.Index(s), T),
    ],
)
def test_nodes_do_not_become_objects_in_silence(lost):
    with pytest.raises(TypeError, match=r"Tensor does not turn into .*read x\.data"):
        lost(LABELLED["series"])


@pytest.mark.parametrize(
    "s",
    [
        pd.Series(["a", "b", "c"]),
        pd.Series(pd.date_range("2020", periods=3)),
        pd.Series([1.0, 2.0, "c"], dtype=object),
    ],
)
def test_other_than_numbers_is_refused_in_words(s):
    for use in (lambda: T * s, lambda: s * V, lambda: Tensor(s), lambda: np.dot(T, s)):
        with pytest.raises(TypeError, match=r"no array of numbers: .*to_numpy"):
            use()


def test_missing_values_are_nan():
    s = pd.Series([1, 2, None], dtype="Int64")
    for found in (T * s, s.mul(T), Tensor(s) * T):
        np.testing.assert_array_equal(found.data, [3.0, 10.0, np.nan])


def test_an_object_series_of_values_is_the_scalar_engine_at_work():
    s = LABELLED["series"]
    assert grad(lambda v: (s.map(lambda each: each * v) ** 2).sum())(2.0) == 4 * (NUMBERS**2).sum()
