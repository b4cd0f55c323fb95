"""Products and linear algebra where formulas break down, and their errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrices import slope
from numpy.linalg import LinAlgError

import autodiff as ad
from autodiff import Tensor, check_grads, grad, gradients, jacobian, jvp, linalg
from autodiff.core.walks import push

RANDOM = np.random.default_rng(0)
INF = math.inf
I2 = np.eye(2)


# Determinants: the cofactors are polynomials, whatever the rank.


def minors(a):
    """Return the cofactors by definition."""
    n = len(a)
    out = np.empty_like(a)
    for i, j in np.ndindex(a.shape):
        rest = np.delete(np.delete(a, i, 0), j, 1)
        out[i, j] = (-1) ** (i + j) * (np.linalg.det(rest) if n > 1 else 1)
    return out


@given(st.integers(1, 4), st.integers(0, 4), st.booleans(), st.integers(0, 99))
def test_det_is_exact_at_any_rank(n, rank, is_complex, seed):
    random = np.random.default_rng(seed)
    draw = random.standard_normal
    a = draw((n, min(rank, n))) @ draw((min(rank, n), n))
    if is_complex:
        a = a * (1 + 0.5j) * np.exp(1j * np.arange(n))
    x = Tensor(a)
    found = gradients(linalg.det(x), [x], seed=1.0)[0]
    scale = max(1, abs(a).max()) ** n
    np.testing.assert_allclose(found, minors(a).conj(), atol=1e-13 * scale, rtol=1e-12)
    np.testing.assert_allclose(linalg.cofactor(a), found.conj(), atol=1e-13 * scale)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_second_derivatives_of_det_are_exact_at_any_rank(rank):
    a = np.diag([2.0, 3.0, 5.0][:rank] + [0.0] * (3 - rank))
    second = jacobian(grad(linalg.det))(a).reshape(9, 9)
    expected = np.zeros((3, 3, 3, 3))
    for i, j, k, sign in [
        (0, 1, 2, 1), (1, 2, 0, 1), (2, 0, 1, 1), (1, 0, 2, -1), (0, 2, 1, -1), (2, 1, 0, -1)
    ]:  # fmt: skip
        for p, q, r, turn in [
            (0, 1, 2, 1), (1, 2, 0, 1), (2, 0, 1, 1), (1, 0, 2, -1), (0, 2, 1, -1), (2, 1, 0, -1)
        ]:  # fmt: skip
            expected[i, p, j, q] += sign * turn * a[k, r]
    np.testing.assert_allclose(second, expected.reshape(9, 9), atol=1e-14)


def test_det_of_scaled_matrices_neither_overflows_nor_vanishes_needlessly():
    a = np.diag([1e200, 1e-200, 0.0])
    np.testing.assert_allclose(np.diag(slope(linalg.det, a)), [0, 0, 1], rtol=1e-14)


def test_third_derivatives_of_det():
    a = np.array([[2.0, 1.0, 0.3], [0.2, 2.0, -1.0], [0.7, 0.1, 2.0]])
    check_grads(linalg.det, a, order=3)
    check_grads(linalg.det, np.eye(3), order=3)  # repeated singular values
    with pytest.raises(LinAlgError, match="only two derivatives at a singular matrix"):
        jacobian(jacobian(grad(linalg.det)))(np.ones((3, 3)))


def test_slogdet():
    a = np.array([[-2.0, 0.0], [0.0, 1e-300]])
    x = Tensor(a)
    sign, size = linalg.slogdet(x)
    assert sign.data == -1
    np.testing.assert_allclose(gradients(size, [x])[0], [[-0.5, 0], [0, 1e300]])
    np.testing.assert_array_equal(gradients(sign, [x])[0], np.zeros((2, 2)))


# Norms.


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 1.5, 0.5, 0, INF, -INF])
@pytest.mark.parametrize("dtype", [float, complex])
def test_norm_is_flat_at_0(ord, dtype):
    x = Tensor(np.zeros((2, 3), dtype))
    out = linalg.norm(x, ord=ord, axis=1)
    np.testing.assert_array_equal(gradients(out, [x], seed=np.ones(2))[0], np.zeros((2, 3)))
    np.testing.assert_array_equal(push({x: np.ones((2, 3), dtype)}, [out])[out], np.zeros(2))


@pytest.mark.parametrize("ord", [None, "fro", "nuc", 1, -1, 2, -2, INF, -INF])
def test_matrix_norm_is_flat_at_0(ord):
    x = Tensor(np.zeros((2, 3)))
    np.testing.assert_array_equal(
        gradients(linalg.norm(x, ord=ord, axis=(0, 1)), [x])[0], np.zeros((2, 3))
    )


def test_norm_at_0_leaves_its_neighbours_finite():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(slope(lambda x: linalg.norm(x, axis=1), x), [[0, 0], [0.6, 0.8]])
    second = jacobian(grad(lambda x: ad.sum(linalg.norm(x, axis=1))))(x)
    np.testing.assert_array_equal(second[0], np.zeros((2, 2, 2)))
    assert np.isfinite(second).all()


def test_norms_at_kinks():
    norm = linalg.norm
    np.testing.assert_array_equal(slope(lambda x: norm(x, 1), [0.0, -2.0]), [0, -1])
    np.testing.assert_array_equal(slope(lambda x: norm(x, INF), [3.0, -3, 1]), [0.5, -0.5, 0])
    np.testing.assert_array_equal(slope(lambda x: norm(x, -INF), [3.0, 1, -1]), [0, 0.5, -0.5])
    np.testing.assert_allclose(slope(lambda x: norm(x, 3), [0.0, 2.0]), [0, 1])
    np.testing.assert_array_equal(slope(lambda x: norm(x, 2, (0, 1)), I2), I2 / 2)
    np.testing.assert_allclose(slope(lambda x: norm(x, "nuc"), I2), I2)
    # the norm itself underflows here
    np.testing.assert_array_equal(slope(lambda x: norm(x, 3), [1e-200, 0.0]), [0, 0])
    with np.errstate(divide="ignore"):  # NumPy's warning
        np.testing.assert_array_equal(slope(lambda x: norm(x, -1), [0.0, 2.0]), [0, 0])


def test_the_p_norm_neither_overflows_nor_vanishes():
    x = np.array([3e-60, 4e-60])
    np.testing.assert_allclose(
        slope(lambda x: linalg.norm(x, 5), x)[1], (4**5 / (3**5 + 4**5)) ** 0.8
    )


def test_condition_numbers():
    assert linalg.cond(Tensor(np.zeros((2, 2)))).data == np.linalg.cond(np.zeros((2, 2))) == INF
    singular = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert linalg.cond(Tensor(singular)).data == np.linalg.cond(singular) == INF
    spoilt = np.array([[[1.0, np.nan], [0.0, 1.0]], I2])
    with pytest.raises(LinAlgError, match="svd cannot take float64 of shape"):
        linalg.cond(Tensor(spoilt))


# Shapes without elements, of one element, stacks.


@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3), (1, 1)])
@pytest.mark.parametrize(
    "f",
    [
        linalg.inv, linalg.det, linalg.pinv, linalg.cholesky, linalg.eigvalsh, linalg.svdvals,
        linalg.cofactor, linalg.norm, linalg.trace, linalg.diagonal,
        lambda x: linalg.slogdet(x)[1],
        lambda x: linalg.solve(x, x),
        lambda x: linalg.eigh(x)[1],
        lambda x: linalg.svd(x)[0],
        lambda x: linalg.qr(x)[1],
        lambda x: linalg.eig(x)[0],
        lambda x: linalg.matrix_power(x, 2),
        lambda x: ad.einsum("...ii->...i", x),
        lambda x: ad.kron(x, x),
        lambda x: ad.tensordot(x, x, axes=0),
        lambda x: x @ x,
    ],
)  # fmt: skip
def test_empty_matrices_and_those_of_one_element(f, shape):
    x = Tensor(np.ones(shape))
    y = f(x)
    (g,) = gradients(y, [x], seed=np.ones(y.shape))
    assert g.shape == shape
    assert np.isfinite(g).all()
    assert push({x: np.ones(shape)}, [y])[y].shape == y.shape


def test_solve_takes_only_one_axis_for_a_vector():
    a, b = RANDOM.standard_normal((2, 3, 3)) + 3 * np.eye(3), RANDOM.standard_normal((2, 3, 3))
    assert linalg.solve(Tensor(a), b[0, 0]).shape == (2, 3)
    assert linalg.solve(Tensor(a), b[0]).shape == (2, 3, 3)
    check_grads(linalg.solve, a, b[0, 0], order=2)


# Least squares.


def test_lstsq_refuses_a_deficient_rank():
    a = np.ones((3, 2))
    x = Tensor(a)
    solution, residuals, rank, values = linalg.lstsq(x, np.arange(3.0), rcond=None)
    assert rank == 1
    with pytest.raises(LinAlgError, match=r"shape \(3, 2\) and rank 1"):
        gradients(ad.sum(solution), [x])
    with pytest.raises(LinAlgError, match="rank 1"):
        push({x: a}, [solution])[solution]
    assert residuals.shape == (0,)
    assert values.shape == (2,)


def test_singular_vectors_have_a_derivative_where_a_value_is_0():
    def subspaces(a):
        u, _, vh = linalg.svd(a)
        return u[:, :1] @ vh[:1], u[:, 1:] @ u[:, 1:].T, vh[1:].T @ vh[1:]

    for a in np.array([[1.0, 2.0], [2.0, 4.0]]), np.diag([1.0, 0.0]):
        assert check_grads(subspaces, a)


def test_the_derivative_of_pinv_loses_no_digits():
    rng = np.random.default_rng(3)
    for _ in range(20):
        q, r = (np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2))
        inverse, t = (r / [1.0, 0.1, 1e-3]) @ q, rng.standard_normal((3, 3))
        _, tangent = jvp(linalg.pinv, ((q.T * [1.0, 0.1, 1e-3]) @ r.T,), (t,))
        exact = -inverse @ t @ inverse
        assert np.max(abs(tangent - exact)) < 1e-12 * np.max(abs(exact))


def test_lstsq_is_the_pseudo_inverse():
    for shape in [(4, 2), (2, 4), (3, 3)]:
        check_grads(linalg.pinv, RANDOM.standard_normal(shape), order=2)
        a, b = RANDOM.standard_normal(shape), RANDOM.standard_normal(shape[0])
        x = slope(lambda a, b=b: linalg.lstsq(a, b, rcond=None)[0], a)
        np.testing.assert_allclose(x, slope(lambda a, b=b: linalg.pinv(a) @ b, a), rtol=1e-10)


# Einstein's sums by NumPy's own names, and the two ways to spell them.


def test_einsum_and_its_two_spellings():
    x, y = Tensor(RANDOM.standard_normal((2, 3))), Tensor(RANDOM.standard_normal((3, 3)))
    same = [
        np.einsum("ij,jj->i", x, y),
        np.einsum(x, [0, 1], y, [1, 1], [0]),
        np.einsum("ij, jj -> i", x, y, optimize=["einsum_path", (0, 1)]),
        np.einsum("...j,jj->...", x, y),
        x @ np.linalg.diagonal(y),
    ]
    for other in same[1:]:
        np.testing.assert_allclose(other.data, same[0].data)
        for found, expected in zip(
            gradients(other, [x, y], seed=np.ones(2)),
            gradients(same[0], [x, y], seed=np.ones(2)),
            strict=True,
        ):
            np.testing.assert_allclose(found, expected)
    np.testing.assert_array_equal(slope(lambda x: ad.einsum("ii", x), I2), I2)
    assert ad.einsum("i,i", np.arange(3), np.arange(3)) == 5
    assert ad.einsum(",i", 2.0, x[0]).shape == (3,)
    # the same operand twice
    np.testing.assert_allclose(
        slope(lambda x: ad.einsum("ij,ij", x, x), np.ones((2, 2))), 2 * np.ones((2, 2))
    )


def test_numpys_own_names():
    x = Tensor(np.arange(9.0).reshape(3, 3) + np.eye(3))
    for ours, theirs in [
        (linalg.trace(x), np.linalg.trace(x)),
        (linalg.trace(x), np.trace(x)),
        (linalg.matmul(x, x), np.linalg.matmul(x, x)),
        (linalg.norm(x), np.linalg.norm(x)),
        (ad.kron(x, x), np.kron(x, x)),
        (linalg.matrix_power(x, 3), x @ x @ x),
        (linalg.matrix_power(x, 0), Tensor(np.eye(3))),
    ]:
        np.testing.assert_allclose(ours.data, theirs.data)
    assert isinstance(np.linalg.svd(x), np.linalg._linalg.SVDResult)
    np.testing.assert_array_equal(slope(lambda x: linalg.matrix_power(x, 0), I2), 0 * I2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 3), (2, 3, 3), (3, 5)])
def test_the_last_column_that_qr_looks_at_may_depend_on_the_others(shape):
    a = np.random.default_rng(5).standard_normal(shape)
    last = shape[-2] - 1
    a[..., last] = a[..., :last].sum(axis=-1)
    assert check_grads(linalg.qr, a, order=2)


# Errors.


def log_det(x):
    return linalg.slogdet(x)[1]


def triangle(x):
    return linalg.qr(x)[1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x: linalg.inv(x),
            LinAlgError,
            r"inv cannot take float64 of shape \(2, 3",
        ),
        (lambda x: linalg.inv(0 * x[:, :2]), LinAlgError, "inv cannot take .* Singular"),
        (
            lambda x: linalg.solve(x[:, :2], x[0]),
            ValueError,
            r"solve cannot take float64 of shape \(2, 2\), float64 of shape \(3,\)",
        ),
        (
            lambda x: linalg.cholesky(-x @ x.T),
            LinAlgError,
            "cholesky cannot take .*posit",
        ),
        (linalg.det, LinAlgError, r"det cannot take .*\(2, 3\)"),
        (lambda x: linalg.norm(x, "nuc", axis=0), ValueError, "norm cannot take .*nuc"),
        (lambda x: linalg.norm(x, 7), ValueError, "no order 7 for matrices"),
        (lambda x: linalg.norm(x, axis=2), ValueError, "axis 2 is out of bounds"),
        (lambda x: linalg.norm(x[None], 2), ValueError, "one axis or two, not 3"),
        (lambda x: ad.dot(x, x), ValueError, r"dot cannot take .*\(2, 3\).*not aligned"),
        (lambda x: ad.einsum("ij,jk", x, x), ValueError, r"einsum cannot take .*\(2, 3\)"),
        (lambda x: ad.einsum("ij,jk", x), ValueError, "einsum cannot take .*more operands"),
        (lambda x: ad.cross(x[:, :2], x[:, :2]), ValueError, "vectors of 3 elements, got 2 and 2"),
        (lambda x: linalg.outer(x, x), ValueError, r"linalg.outer takes two vectors.*\(2, 3\)"),
        (
            lambda x: linalg.matrix_power(x, 2),
            LinAlgError,
            r"\(\.\.\., n, n\), got \(2, 3",
        ),
        (lambda x: linalg.matrix_power(x @ x.T, 0.5), TypeError, "integer exponent, not 0.5"),
        (lambda x: ad.cross(x, x, axis=2), ValueError, "axis 2 is out of bounds"),
        (lambda x: linalg.tensorsolve(x, x[0]), LinAlgError, r"as many .*\(2, 3\).*\(3,\)"),
        (
            lambda x: slope(lambda x: linalg.slogdet(x)[1], np.ones((2, 2))),
            LinAlgError,
            "slogdet has",
        ),
        (
            lambda x: slope(lambda x: linalg.qr(x)[1], np.ones((3, 2)) * [1, 0]),
            LinAlgError,
            "first 2 col",
        ),
        (
            lambda x: slope(triangle, np.ones((3, 3)) * [1, 1, 0]),
            LinAlgError,
            "first 2 col",
        ),
        (
            lambda x: slope(triangle, np.diag([1, 1j, 0])),
            LinAlgError,
            "first 3 col",
        ),
        (lambda x: linalg.tensorinv(x, 0), ValueError, "ind > 0, got 0"),
        (lambda x: np.trace(x, dtype=np.float32), TypeError, "trace has no parameter 'dtype'"),
        (lambda x: np.dot(x, x.T, out=np.empty((2, 2))), TypeError, "dot.out=...."),
    ],
)
def test_errors_name_the_function_and_its_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(Tensor(np.arange(6.0).reshape(2, 3)))


def test_qr_refuses_points_without_derivative():
    x = Tensor(np.arange(6.0).reshape(2, 3))
    h, _ = linalg.qr(x, mode="raw")
    with pytest.raises(ValueError, match="qr has no derivative in mode 'raw': use 'reduced'"):
        gradients(ad.sum(h), [x])


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 4), st.booleans())
def test_qr_of_columns_that_depend_to_rounding_has_no_derivative(scale, seed, n, rank, complex):
    """For any rounding of the diagonal of r by BLAS: dependence is never an exact zero."""
    rng = np.random.default_rng(seed)
    rank = min(rank, n - 1)
    a = rng.normal(size=(n + 1, rank)) @ rng.normal(size=(rank, n)) * scale
    a = a * (1 + 1j) if complex else a
    with pytest.raises(LinAlgError, match=f"first {n} columns are dependent"):
        jvp(lambda x: linalg.qr(x)[1], (a,), (np.ones_like(a),))
    independent = np.eye(n + 1, n) * scale
    assert np.all(np.isfinite(jvp(triangle, (independent,), (np.ones_like(independent),))[1]))


@pytest.mark.parametrize("shape", [(0, 2), (0, 0), (2, 0)])
def test_qr_of_an_empty_matrix_differentiates(shape):
    _, slope = jvp(lambda x: linalg.qr(x)[1], (np.ones(shape),), (np.ones(shape),))
    assert slope.shape == np.linalg.qr(np.ones(shape))[1].shape
