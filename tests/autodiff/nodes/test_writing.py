"""Programs written in place: on nodes they give what they give on arrays, and its derivatives."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, check_grads, grad, gradients, jvp


def gauss(a):
    """Determinant by elimination with partial pivoting."""
    a, sign = a.copy(), 1.0
    n = len(a)
    for k in range(n):
        p = k + int(np.argmax(np.abs(a[k:, k])))
        if p != k:
            a[[k, p]] = a[[p, k]]
            sign = -sign
        for i in range(k + 1, n):
            a[i, k:] -= a[i, k] / a[k, k] * a[k, k:]
    return sign * np.prod(np.diagonal(a))


def cholesky(a):
    s = a @ a.T + 4 * np.eye(len(a))
    n = len(a)
    l = np.zeros_like(s)  # noqa: E741
    for i in range(n):
        for j in range(i + 1):
            rest = s[i, j]
            for k in range(j):
                rest -= l[i, k] * l[j, k]
            l[i, j] = np.sqrt(rest) if i == j else rest / l[j, j]
    return np.sum(l**2 * np.arange(1.0, n * n + 1).reshape(n, n))


def cholesky_twin(a):
    l = np.linalg.cholesky(a @ a.T + 4 * np.eye(len(a)))  # noqa: E741
    return np.sum(l**2 * np.arange(1.0, l.size + 1).reshape(l.shape))


def floyd_warshall(a):
    d = np.exp(a)
    for k in range(len(a)):
        for i in range(len(a)):
            for j in range(len(a)):
                d[i, j] = np.minimum(d[i, j], d[i, k] + d[k, j])
    return np.sum(d)


def floyd_warshall_twin(a):
    d = np.exp(a)
    for k in range(len(a)):
        d = np.minimum(d, d[:, k : k + 1] + d[k : k + 1, :])
    return np.sum(d)


def heat(a):
    u = a[0].copy()
    for _ in range(4):
        u[1:-1] += 0.2 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u[0], u[-1] = 0.5, u[-2]
    return np.sum(u**2)


def heat_twin(a):
    u = a[0]
    for _ in range(4):
        inner = u[1:-1] + 0.2 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u = np.concatenate([[0.5], inner, inner[-1:]])
    return np.sum(u**2)


def trajectory(a):
    path = ad.empty((5, 2)) if isinstance(a, Tensor) else np.empty((5, 2))
    path[0] = a[0, :2]
    for k in range(4):
        path[k + 1, 0] = path[k, 0] + 0.1 * path[k, 1]
        path[k + 1, 1] = path[k, 1] - 0.1 * np.sin(path[k, 0])
    return np.sum(path[1:] ** 2)


def trajectory_twin(a):
    (x, v), total = a[0, :2], 0.0
    for _ in range(4):
        x, v = x + 0.1 * v, v - 0.1 * np.sin(x)
        total = total + x**2 + v**2
    return total


def rows_normalised(a):
    a = np.exp(a)
    for row in a:
        row /= row.sum()
    return np.sum(a**3)


def rows_normalised_twin(a):
    a = np.exp(a)
    return np.sum((a / a.sum(axis=1, keepdims=True)) ** 3)


def insertion_sort(a):
    y = a.ravel().copy()
    for i in range(1, len(y)):
        j = i
        while j and y[j - 1] > y[j]:
            y[[j - 1, j]] = y[[j, j - 1]]
            j -= 1
    return np.sum(y * np.arange(len(y)) ** 2)


def insertion_sort_twin(a):
    return np.sum(np.sort(a.ravel()) * np.arange(a.size) ** 2)


def gram_schmidt(a):
    q = a.copy()
    for k in range(a.shape[1]):
        v = q[:, k]
        for j in range(k):
            v -= (q[:, j] @ v) * q[:, j]
        v /= np.sqrt(v @ v)
    return np.sum(q**3)


def gram_schmidt_twin(a):
    columns = []
    for v in a.T:
        for q in columns:
            v = v - (q @ v) * q
        columns.append(v / np.sqrt(v @ v))
    return np.sum(np.stack(columns) ** 3)


def thomas(a):
    diagonal, right = a[0] ** 2 + 3.0, a[1].copy()
    for i in range(1, len(right)):
        w = 1.0 / diagonal[i - 1]
        diagonal[i] -= w
        right[i] -= w * right[i - 1]
    right[-1] /= diagonal[-1]
    for i in range(len(right) - 2, -1, -1):
        right[i] = (right[i] - right[i + 1]) / diagonal[i]
    return np.sum(right**2)


def thomas_twin(a):
    n = a.shape[1]
    off = np.eye(n, k=1) + np.eye(n, k=-1)
    return np.sum(np.linalg.solve(np.eye(n) * (a[0] ** 2 + 3.0) + off, a[1]) ** 2)


PROGRAMS = {
    gauss: np.linalg.det,
    cholesky: cholesky_twin,
    floyd_warshall: floyd_warshall_twin,
    heat: heat_twin,
    trajectory: trajectory_twin,
    rows_normalised: rows_normalised_twin,
    insertion_sort: insertion_sort_twin,
    gram_schmidt: gram_schmidt_twin,
    thomas: thomas_twin,
}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_textbook_programs_in_place(program):
    twin = PROGRAMS[program]
    point = np.random.default_rng(3).normal(size=(4, 4)) + np.eye(4)
    given = point.copy()
    value, slope = ad.value_and_grad(program)(point)
    np.testing.assert_allclose(value, program(point.copy()), rtol=1e-12)
    np.testing.assert_allclose(slope, grad(twin)(point), rtol=1e-9, atol=1e-9)
    direction = np.cos(np.arange(16.0)).reshape(4, 4)
    np.testing.assert_allclose(
        jvp(program, (point,), (direction,))[1], np.sum(slope * direction), rtol=1e-9, atol=1e-9
    )
    check_grads(program, point, order=2)
    np.testing.assert_array_equal(point, given)


# Random programs of reads, writes, aliases and views, on arrays and on nodes

INDICES = (0, 1, -1, slice(None), slice(1, None), slice(None, None, -1), [0, 1], [1, 1, 0], ...)
MASK = np.array([True, False, True])
steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "alias",
                "view",
                "rows",
                "transpose",
                "reshape",
                "copy",
                "read",
                "set",
                "augment",
                "whole",
            ]
        ),
        st.integers(0, 5),
        st.integers(0, 5),
        st.sampled_from([*range(len(INDICES)), -1]),
    ),
    min_size=1,
    max_size=10,
)


def run(x, program):
    """Carry out the steps on a list of names, and add up all that the names hold in the end."""
    held, read = [x * 1.0], []
    for step, i, j, k in program:
        a, b = held[i % len(held)], held[j % len(held)]
        index = MASK if k < 0 else INDICES[k]
        if isinstance(index, np.ndarray) and np.shape(a)[:1] != (3,):
            index = ...
        if step == "alias":
            held.append(a)
        elif step == "view" and np.ndim(a):
            held.append(a[index])
        elif step == "rows" and np.ndim(a) == 2:
            for row in a:
                row *= row.sum()
        elif step == "transpose" and np.ndim(a):
            held.append(a.T)
        elif step == "reshape" and np.ndim(a):
            held.append(a.reshape(-1))
        elif step == "copy" and np.ndim(a):
            held.append(a.copy())
        elif step == "read":
            read.append(np.sum(np.sin(a) * np.sum(b)))
        elif step == "set" and np.ndim(a):
            a[index] = np.sum(b) * 0.3
        elif step == "augment" and np.ndim(a):
            a[index] += np.cos(np.sum(b))
        elif step == "whole":
            a *= 0.5
            held[i % len(held)] = a
    return sum(np.sum(np.sin(a)) for a in held) + sum(read)


@settings(max_examples=150)
@given(steps)
def test_random_programs_in_place(program):
    start = np.array([[0.3, -0.7, 1.1], [0.9, 0.2, -0.4]])
    expected = run(start, program)
    value, slope = ad.value_and_grad(lambda x: run(x, program))(start)
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)
    direction = np.cos(np.arange(6.0)).reshape(2, 3)
    pushed = jvp(lambda x: run(x, program), (start,), (direction,))[1]
    np.testing.assert_allclose(pushed, np.sum(slope * direction), rtol=1e-9, atol=1e-9)
    step = 1e-6
    with np.errstate(all="ignore"):
        numerical = run(start + step * direction, program) - run(start - step * direction, program)
    np.testing.assert_allclose(pushed, numerical / (2 * step), rtol=1e-4, atol=1e-4)


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


def test_every_earlier_version_can_be_had_again():
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
