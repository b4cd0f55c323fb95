"""Assignment, augmented operators, `out=` and `ufunc.at` on Tensors, and what refuses them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, check_grads, grad, gradients, jvp


def test_lists_that_hold_nodes_are_assigned():
    x, v = Tensor([1.0, 2.0]), ad.Value(3.0)
    y = ad.zeros((2, 2))
    y[0] = [x[1], v]
    y[:, 1] = (2.0, x[0] * 5)
    assert y.data.tolist() == [[2.0, 2.0], [0.0, 5.0]]
    assert gradients(np.sum(y), [x])[0].tolist() == [5.0, 1.0]


def test_single_numbers_are_immutable():
    x = Tensor([1.0, 2.0])
    s = x[0]
    s += 1
    a = b = np.sum(x)
    a += 1
    assert (x.data.tolist(), s.data, a.data, b.data) == ([1.0, 2.0], 2.0, 4.0, 3.0)
    with pytest.raises(TypeError, match=r"immutable.*y\[i\] = value"):
        x[0][()] = 3.0


def test_names_are_aliases_and_readers_keep_their_version():
    x = Tensor([1.0, 2.0, 3.0])
    y = x
    before = np.sum(x * x)
    y += 1
    assert x is y
    assert x.data.tolist() == [2.0, 3.0, 4.0]
    assert before.data == 14.0
    z = y[:]
    z *= 2
    assert x.data.tolist() == [4.0, 6.0, 8.0]
    w = x.reshape(3, 1).T[0]
    x[1] = 0.0
    assert w.data.tolist() == [4.0, 0.0, 8.0]


def doubled(x):
    x *= 2


def set_by_element(x):
    x[0] = 5.0


def set_through_a_view(x):
    row = x[:1]
    row += 1


@pytest.mark.parametrize("leaf", [True, False])
@pytest.mark.parametrize("write", [doubled, set_by_element, set_through_a_view])
def test_a_gradient_by_a_version_that_is_gone_is_an_error(write, leaf):
    x = Tensor([1.0, 2.0], "x")
    if not leaf:
        x = x * 1.0
    before = np.sum(x**2)
    write(x)
    for record in (False, True):
        with pytest.raises(RuntimeError, match=r"input .* written in place .*x\.copy\(\)"):
            gradients(before * 2, [x], record=record)
    after = np.sum(x**2) + before  # a reader of both versions has the present one's gradient
    np.testing.assert_array_equal(gradients(after, [x])[0], 2 * x._data)
    np.testing.assert_array_equal(gradients(x, [x], seed=np.ones(2))[0], 1.0)
    np.testing.assert_array_equal(gradients(np.sum(Tensor([1.0])), [x])[0], 0.0)


def test_a_gradient_by_a_view_whose_base_was_written_is_an_error():
    x = Tensor(np.ones((2, 2)))
    row = x[0]
    y = np.sum(row**2)
    x[0] = 2.0
    with pytest.raises(RuntimeError, match=r"input of shape \(2,\) was written in place"):
        gradients(y, [row])


def test_a_write_by_out_leaves_earlier_readers_their_version():
    x = Tensor([1.0, 2.0])
    y = x * 3.0
    alias, row, read = y, y[:1], np.sum(y * y)
    np.exp(x, out=y)
    assert alias is y
    np.testing.assert_array_equal(row.data, np.exp([1.0]))
    np.testing.assert_array_equal(gradients(read, [x])[0], [18.0, 36.0])
    np.testing.assert_array_equal(gradients(np.sum(row), [x])[0], [np.exp(1.0), 0.0])
    np.add(np.ones(2), 1.0, out=y)  # without a node
    np.testing.assert_array_equal(gradients(np.sum(y) + x[0], [x])[0], [1.0, 0.0])
    plain = np.zeros(2)
    assert ad.add([1.0, 2.0], 1.0, out=plain) is plain
    np.testing.assert_array_equal(plain, [2.0, 3.0])
    single = ad.zeros(2, dtype=np.float32)
    np.add(x, 1.0, out=single)  # casts like NumPy
    assert single.dtype == np.float32


@pytest.mark.parametrize(
    ("write", "error", "said"),
    [
        (lambda x: np.add(x, 1, out=np.zeros(3)), TypeError, r"add\(out=.*autodiff\.zeros"),
        (lambda x: np.sum(x, out=np.zeros(())), TypeError, r"sum\(out=.*autodiff\.zeros"),
        (lambda x: np.add(np.ones(3), 1, out=ad.Value(1.0)), TypeError, "a Value, which is as im"),
        (lambda x: np.sum(x, out=ad.zeros(3)), ValueError, r"shape \(\) and .* shape \(3,\)"),
        (lambda x: np.add(x, 1, out=ad.zeros(2)), ValueError, "broadcast"),
        (lambda x: np.add(x, 1j, out=ad.zeros(3)), TypeError, "dtype complex128 does not fit"),
        (lambda x: np.modf(x, out=(ad.zeros(3),)), (TypeError, ValueError), "out|2 results"),
        (lambda x: np.add(x, 1, out=x[0]), TypeError, "immutable"),
        (lambda x: np.add(x, 1, out=np.broadcast_to(x, (2, 3))), ValueError, "read-only"),
    ],
)
def test_an_out_that_cannot_take_the_result(write, error, said):
    x = Tensor([1.0, 2.0, 3.0])
    with pytest.raises(error, match=said):
        write(x)
    assert (x.op, x.data.tolist()) == (None, [1.0, 2.0, 3.0])


@given(
    st.sampled_from([np.add, np.subtract, np.multiply, np.maximum, np.hypot, np.negative]),
    st.lists(st.integers(-3, 2), max_size=6),
    st.booleans(),
)
def test_each_element_is_changed_as_often_as_the_index_names_it(ufunc, index, whole_rows):
    start = np.array([[0.3, -0.7], [0.9, 0.2], [1.3, -0.4]])
    where = np.array(index, int) if whole_rows else (np.array(index, int), 1)
    operand = np.linspace(0.5, 1.5, len(index))
    operand = operand[:, None] * [1.0, 2.0] if whole_rows else operand

    def f(a, b):
        y = a + 0 * np.sum(b)  # a node if either is one
        ufunc.at(y, where, *[b][: ufunc.nin - 1])
        return y

    np.testing.assert_allclose(
        f(Tensor(start), Tensor(operand)).data, f(start, operand), rtol=1e-14
    )
    check_grads(f, start, operand)


def test_arrays_to_write_into():
    x = Tensor([1.0, 2.0])
    for make in (ad.zeros, ad.ones, ad.empty):
        y = make(2)
        y[0], y[1] = x[1], x[0] * 3
        assert gradients(np.sum(y), [x])[0].tolist() == [3.0, 1.0]
        assert make((2, 2), dtype=int).dtype == int
    y = np.zeros_like(x)
    y[:] = x
    assert isinstance(y, Tensor)
    assert np.isnan(ad.empty(3).data).all()
    filled = ad.full((2, 2), x[0])
    filled[0, 0] = 5.0
    assert gradients(np.sum(filled), [x])[0].tolist() == [3.0, 0.0]


def test_refusals_leave_everything_as_it_was():
    x = Tensor([1.0, 2.0])
    for write in (
        lambda: x.__setitem__(5, 1.0),
        lambda: x.__setitem__(0, 1j),
        lambda: x.__setitem__(slice(None), np.ones(3)),
        lambda: x.__iadd__(np.ones((2, 2))),
        lambda: np.broadcast_to(x, (2, 2)).__setitem__(0, 1.0),
    ):
        with pytest.raises((IndexError, TypeError, ValueError)):
            write()
        assert x.data.tolist() == [1.0, 2.0]
        assert x.op is None


@pytest.mark.parametrize("derivative", [grad, lambda f: lambda x: jvp(f, (x,), (x,))])
def test_no_array_is_copied_per_assignment(derivative):
    n = 2_000

    def filled(x):
        y = ad.zeros(n)
        for i in range(n):
            y[i] = x[i] * 2.0
        return np.sum(y * y)

    x = np.arange(n) / n
    tracemalloc.start()
    try:
        derivative(filled)(x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n * x.nbytes / 4


def test_every_earlier_version_can_be_restored():
    x = Tensor(np.zeros(100))
    y, read = x * 1.0, []
    for i in range(100):
        read.append((y**2, np.arange(100.0) * (np.arange(100) < i)))
        y[i] = float(i)
    for square, expected in read[::7] + read[::-3]:
        version = square.as_read()[0]
        (slope,) = gradients(square, [version], seed=np.ones(100))
        np.testing.assert_array_equal(slope, 2 * expected)
        np.testing.assert_array_equal(version.data, expected)


def test_numpy_scalars_are_immutable_by_any_statement():
    x, t = np.array([1.5, 2.0]), Tensor([1.5, 2.0])
    for make in (
        lambda s: s.reshape(()),
        lambda s: s.T,
        lambda s: s.real,
        lambda s: s.squeeze(),
        lambda s: s.clip(0, 1),
        lambda s: np.transpose(s),
        lambda s: np.nan_to_num(s),
        lambda s: np.clip(s, 0, 1),
        lambda s: np.abs(s),
        lambda s: s[...],
        lambda s: np.where(True, s, 0.0),
        lambda s: np.broadcast_to(s, ()),
        lambda s: s.reshape(1)[0],
        lambda s: np.median(s),
    ):
        for number, node in ((x[0], t[0]), (x[:1].reshape(()), t[:1].reshape(()))):
            assert make(node).immutable == isinstance(make(number), np.generic)


def test_derivatives_that_are_nodes_are_separate_arrays():
    def gradients_of_one_node(t):
        a, b = grad(lambda u, v: np.sum((u + v) * t), argnums=(0, 1))(np.ones(2), np.ones(2))
        a[0] = 100.0
        return np.sum(b * t)

    def the_cotangent_itself(t):
        _, pullback = ad.vjp(lambda u: u * 1.0, np.zeros(2))
        (g,) = pullback(t)
        g[0] = 50.0
        return np.sum(t**2)

    def the_tangent_itself(t):
        _, pushed = jvp(lambda u: u + 1.0, (np.zeros(2),), (t,))
        pushed[0] = 50.0
        return np.sum(t**2)

    for f in (gradients_of_one_node, the_cotangent_itself, the_tangent_itself):
        np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0])), [2.0, 4.0])


def test_a_checkpointed_function_may_not_write_to_its_argument():
    def doubled(x):
        x *= 2
        return np.sum(x)

    with pytest.raises(TypeError, match=r"doubled writes to its argument.*x\.copy\(\)"):
        grad(ad.checkpoint(doubled))(np.ones(2))
