"""Programs written in place: on nodes they give the results of arrays, and their derivatives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, check_grads, grad, jvp


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


def zeros_like(a, shape):
    """Return zeros to write into: a Tensor if `a` is a node."""
    return ad.zeros(shape) if isinstance(a, Tensor) else np.zeros(shape)


def kalman(a):
    """Return the log-likelihood of four observations by a filter of position and velocity."""
    x, p, total = a[0, :2].copy(), np.eye(2) + np.outer(a[1, :2], a[1, :2]), zeros_like(a, 1)
    move, noise = np.array([[1.0, 0.1], [0.0, 1.0]]), np.exp(a[2, 0]) + 0.5
    for observed in a[3]:
        np.matmul(move, x, out=x)
        p[...] = move @ p @ move.T
        p += 0.1 * np.eye(2)
        variance = p[0, 0] + noise
        gain, error = p[:, 0] / variance, observed - x[0]
        x += gain * error
        p -= np.outer(gain, p[0])
        total[0] += 0.5 * (error**2 / variance + np.log(variance))
    return total[0] + np.sum(x**2)


def kalman_twin(a):
    """Return the same density as that of four jointly normal numbers."""
    move, noise = np.array([[1.0, 0.1], [0.0, 1.0]]), np.exp(a[2, 0]) + 0.5
    mean, p = a[0, :2], np.eye(2) + np.outer(a[1, :2], a[1, :2])
    means, states, total = [], [], 0.0
    for observed in a[3]:
        mean, p = move @ mean, move @ p @ move.T + 0.1 * np.eye(2)
        gain = p[:, :1] / (p[0, 0] + noise)
        total = total + 0.5 * (observed - mean[0]) ** 2 / (p[0, 0] + noise)
        total = total + 0.5 * np.log(p[0, 0] + noise)
        mean, p = mean + gain[:, 0] * (observed - mean[0]), p - gain @ p[:1]
        means, states = [*means, mean], [*states, p]
    return total + np.sum(mean**2)


def edit_distance(a):
    """Return a softened edit distance: minus the log of a sum replaces the minimum of three."""
    cost, n = a**2, len(a)
    d = zeros_like(a, (n + 1, n + 1))
    d[0], d[:, 0] = np.arange(n + 1.0), np.arange(n + 1.0)
    for i in range(n):
        for j in range(n):
            ways = d[i, j] + cost[i, j], d[i, j + 1] + 1.0, d[i + 1, j] + 1.0
            d[i + 1, j + 1] = -np.log(sum(np.exp(-way) for way in ways))
    return d[-1, -1]


def edit_distance_twin(a):
    """Return the same sum over every path through the table."""
    weight, n = np.exp(-(a**2)), len(a)

    def paths(i, j):
        if not (i and j):
            return np.exp(-float(i + j))
        ways = paths(i - 1, j - 1) * weight[i - 1, j - 1]
        return ways + np.exp(-1.0) * (paths(i - 1, j) + paths(i, j - 1))

    return -np.log(paths(n, n))


BINS = np.array([0, 2, 2, 1, 0, 2, 3, 3, 3, 0, 1, 1, 1, 2, 0, 3])


def histogram(a):
    weights = np.exp(a).ravel()
    counts = zeros_like(a, 4)
    np.add.at(counts, BINS, weights)
    np.subtract.at(counts, [0, 0], weights[:2])
    np.multiply.at(counts, [1, 1, 2], weights[1:4])
    np.sqrt(counts, out=counts, where=counts > 2.0)
    return np.sum(counts**3)


def histogram_twin(a):
    weights = np.exp(a).ravel()
    counts = np.eye(4)[BINS].T @ weights
    counts = counts - np.array([1.0, 0, 0, 0]) * (weights[0] + weights[1])
    ones = np.ones(1)
    factors = [ones, (weights[1] * weights[2]) * ones, weights[3] * ones, ones]
    counts = counts * np.concatenate(factors)
    return np.sum(np.where(counts > 2.0, np.sqrt(np.abs(counts)), counts) ** 3)


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
    kalman: kalman_twin,
    edit_distance: edit_distance_twin,
    histogram: histogram_twin,
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


# Random programs of reads, writes, aliases and views, on arrays and on nodes.

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
                "mask",
                "swap",
                "out",
                "at",
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
    """Run the steps on a list of names; return the sum of all their arrays at the end."""
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
                row *= np.cos(row.sum())
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
        elif step == "mask" and np.ndim(a):
            a[(a > 0.123) & (a < 0.777)] *= np.cos(np.sum(b))
        elif step == "swap" and np.ndim(a):
            a[[0, -1]] = a[[-1, 0]]
        elif step == "out" and np.ndim(a):
            np.sin(a, out=a, where=np.arange(a.shape[-1]) != 1)
            np.multiply(a, np.cos(np.sum(b)), a)
        elif step == "at" and np.ndim(a):
            np.add.at(a, [0, -1, 0], np.cos(np.sum(b)))
    return sum(np.sum(np.sin(a)) for a in held) + sum(read)


@settings(max_examples=150)
@given(steps)
def test_random_programs_in_place(program):
    start = np.array([[0.3, -0.7, 1.1], [0.9, 0.2, -0.4]])
    try:
        expected = run(start, program)
    except IndexError:
        with pytest.raises(IndexError):
            run(Tensor(start), program)
        return
    value, slope = ad.value_and_grad(lambda x: run(x, program))(start)
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)
    direction = np.cos(np.arange(6.0)).reshape(2, 3)
    pushed = jvp(lambda x: run(x, program), (start,), (direction,))[1]
    np.testing.assert_allclose(pushed, np.sum(slope * direction), rtol=1e-9, atol=1e-9)
    coarse, fine = (central(lambda x: run(x, program), start, direction, h) for h in (2e-6, 1e-6))
    assert abs(pushed - fine) <= 1e-4 + 1e-6 * abs(fine) + 2 * abs(coarse - fine)


def central(f, x, direction, step):
    """Return a central difference; its change with the step bounds its error."""
    with np.errstate(all="ignore"):
        return (f(x + step * direction) - f(x - step * direction)) / (2 * step)


def outputs(x):
    """Call functions with out=, on arrays or on nodes."""
    y, z, s = zeros_like(x, 3), zeros_like(x, (2, 3)), zeros_like(x, ())
    np.multiply(x, x, out=y)
    np.add(y[:2], 1.0, out=y[:2])
    np.log(x, out=y, where=x > 1)
    np.sin(y, z)  # a ufunc broadcasts into its out
    np.cumsum(y, out=z[1])
    np.dot(y, y, out=s)
    np.clip(z, 0.2, s, out=z)
    np.add.reduce(z, axis=0, out=y)
    np.multiply.accumulate(y, out=z[0])
    whole, rest = zeros_like(x, 3), np.subtract.outer(y, y, out=zeros_like(x, (3, 3)))
    np.divmod(x, 0.7, out=(whole, None))
    np.modf(x + s, out=(y[::-1], whole))
    np.concatenate([y, whole], out=(joined := zeros_like(x, 6)))
    np.einsum("ij,j", rest, y, out=whole)
    np.linalg.svd(rest)
    kept = np.add(joined, 1.0, out=joined)
    assert kept is joined
    return np.sum(z**2) * s + np.sum(np.sin(joined)) + np.sum(whole**2) + np.sum(y)


def test_results_are_written_to_out():
    x = np.array([0.5, 1.45, 2.25])
    np.testing.assert_allclose(outputs(Tensor(x)).data, outputs(x), rtol=1e-13)
    check_grads(outputs, x, order=2)


@pytest.mark.parametrize("program", [heat, thomas, histogram, gauss], ids=lambda f: f.__name__)
def test_watched_walks_use_the_rows_themselves_and_agree(program):
    point = np.random.default_rng(3).normal(size=(4, 4)) + np.eye(4)
    direction = np.cos(np.arange(16.0)).reshape(4, 4)
    slope, pushed = grad(program)(point), jvp(program, (point,), (direction,))[1]
    with ad.detect_anomaly():
        np.testing.assert_allclose(grad(program)(point), slope, rtol=1e-12, atol=1e-12)
        watched = jvp(program, (point,), (direction,))[1]
    np.testing.assert_allclose(watched, pushed, rtol=1e-12)
