"""Products and linear algebra where formulas break down, and their errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.linalg import LinAlgError

import autodiff as ad
from autodiff import Tensor, check_grads, grad, gradients, jacobian, jvp, linalg
from autodiff.core.walks import push

INF = math.inf
I2 = np.eye(2)
MODES = ("reduced", "complete")
RANDOM = np.random.default_rng(0)


def slope(f, x):
    """Return the gradient of sum(f(x)), which must be the same in both modes."""
    x = Tensor(x)
    y = f(x)
    pulled = gradients(y, [x], seed=np.ones(y.shape, y.dtype))[0]
    pushed = []
    for index in np.ndindex(x.shape):
        t = np.zeros(x.shape)
        t[index] = 1
        with np.errstate(all="ignore"):
            pushed.append(np.sum(push({x: t}, [y])[y]).real)
    np.testing.assert_allclose(pulled, np.reshape(pushed, x.shape), rtol=1e-12, atol=1e-14)
    return pulled


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


# Repeated eigenvalues and singular values.


@pytest.mark.parametrize("a", [np.eye(3), np.zeros((3, 3)), np.diag([1.0, 1.0, 2.0])])
def test_values_alone_have_derivatives_where_they_are_repeated(a):
    for f in (
        lambda x: ad.sum(linalg.eigvalsh(x)),
        lambda x: ad.sum(linalg.eigh(x)[0]),
        lambda x: ad.sum(linalg.eigvals(x)),
        lambda x: ad.sum(linalg.eig(x)[0]),
    ):
        np.testing.assert_allclose(slope(f, a), np.eye(3), atol=1e-15)
    for f in (
        linalg.svdvals,
        lambda x: linalg.svd(x)[1],
        lambda x: linalg.svd(x, full_matrices=False).S,
    ):
        np.testing.assert_allclose(slope(f, a), np.sign(a), atol=1e-15)


@pytest.mark.parametrize("n", [2, 3])
def test_functions_of_a_matrix_by_eig_are_refused_where_eigenvalues_are_repeated(n):
    def f(x):
        w, v = linalg.eig(x)
        return (v * ad.exp(w)) @ linalg.inv(v)

    x = Tensor(np.eye(n))
    with pytest.raises(LinAlgError, match=r"vectors of .*that coincide"):
        gradients(f(x), [x], seed=1 + np.arange(n * n).reshape(n, n))
    with pytest.raises(LinAlgError, match=r"vectors of .*that coincide"):
        jvp(f, (np.eye(n),), (np.ones((n, n)),))


def test_vectors_that_complete_a_basis_have_no_derivative():
    a = RANDOM.standard_normal((4, 2))
    for f, k in [(lambda x: linalg.svd(x)[0], 2), (lambda x: linalg.qr(x, "complete")[0], 2)]:
        x = Tensor(a)
        vectors = f(x)
        with pytest.raises(LinAlgError, match="only complete a basis"):
            gradients(ad.sum(vectors[:, k:]), [x])
        assert np.isfinite(gradients(ad.sum(vectors[:, :k]), [x])[0]).all()
    q, r = linalg.qr(Tensor(a), mode="complete")
    assert (q.shape, r.shape) == ((4, 4), (4, 2))
    thin, full = (jacobian(lambda x, mode=mode: linalg.qr(x, mode)[1])(a) for mode in MODES)
    np.testing.assert_allclose(full[:2], thin)
    np.testing.assert_array_equal(full[2:], 0)
    stack = np.stack([a, a + 1, a[::-1]])
    for f in (lambda x: linalg.svd(x)[0], lambda x: linalg.qr(x, "complete")[0]):
        with pytest.raises(LinAlgError, match="only complete a basis"):
            jvp(f, (stack,), (np.ones(stack.shape),))
        _, tangent = jvp(lambda x, f=f: f(x)[..., :2], (stack,), (np.ones(stack.shape),))
        assert np.isfinite(tangent).all()


# Rank and multiplicity are decided relative to rounding, for any BLAS kernel.


def turned(values, seed=0, rows=None, complex=False):
    """Return a matrix with these singular values, or without `rows` these eigenvalues."""
    rng = np.random.default_rng(seed)
    n = len(values)

    def orthogonal(m):
        a = rng.normal(size=(m, m)) + 1j * complex * rng.normal(size=(m, m))
        return np.linalg.qr(a if complex else a.real)[0][:, :n]

    v = orthogonal(n)
    u = v if rows is None else orthogonal(rows)
    return (u * values) @ v.conj().T


ROUNDED = pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
EITHER = pytest.mark.parametrize("complex", [False, True])


def refused(f, a, message):
    """Check that both modes raise."""
    with pytest.raises(LinAlgError, match=message):
        grad(lambda x: ad.sum(ad.real(f(x))))(a)
    with pytest.raises(LinAlgError, match=message):
        jvp(f, (a,), (np.arange(1.0, a.size + 1).reshape(a.shape),))


@ROUNDED
@EITHER
@given(st.integers(0, 2**32 - 1))
def test_eigenvectors_of_eigenvalues_that_coincide_to_rounding(scale, complex, seed):
    a = turned(np.array([1.0, 1.0, 3.0]) * scale, seed, complex=complex)
    refused(lambda x: linalg.eigh(x)[1], a, "eigh has no derivative .* that coincide")
    refused(lambda x: linalg.eigh(x)[1][:, :1], a, "eigh has no derivative .* that coincide")
    refused(lambda x: linalg.eig(x)[1], a, "eig has no derivative .* that coincide")
    # results that do not depend on them have derivatives: here the projector on the third
    for f in (
        lambda x: linalg.eigh(x)[1][:, 2:] @ linalg.eigh(x)[1][:, 2:].conj().T,
        lambda x: linalg.svd(x)[0][:, :1] @ linalg.svd(x)[2][:1],
    ):
        t = turned([0.3, -0.5, 0.9], seed + 1, complex=complex)
        p = (a / scale - np.eye(3)) / 2
        exact = (p @ t @ (np.eye(3) - p) + (np.eye(3) - p) @ t @ p) / 2 / scale
        _, tangent = jvp(f, (a,), (t,))
        np.testing.assert_allclose(tangent * scale, exact * scale, atol=1e-12)
        pulled = grad(lambda x, f=f, t=t: ad.sum(ad.real(f(x) * t.conj())))(a)
        np.testing.assert_allclose(
            np.sum(pulled * t.conj()).real * scale,
            np.sum(exact * t.conj()).real * scale,
            atol=1e-12,
        )


@ROUNDED
@EITHER
@given(st.integers(0, 2**32 - 1), st.sampled_from([(3, None), (4, 4), (5, 5)]))
def test_singular_vectors_of_values_that_coincide_or_vanish_to_rounding(scale, complex, seed, rows):
    _, m = rows
    a = turned(np.array([2.0, 2.0, 1.0]) * scale, seed, rows=m or 3, complex=complex)
    thin = {"full_matrices": False}
    refused(lambda x: linalg.svd(x, **thin)[0], a, "svd has no derivative .* that coincide")
    refused(lambda x: linalg.svd(x, **thin)[2][:2], a, "svd has no derivative .* that coincide")
    deficient = turned(np.array([2.0, 1.0, 0.0]) * scale, seed, rows=5, complex=complex)
    refused(lambda x: linalg.svd(x, **thin)[0][:, 2], deficient, "svd has no derivative")
    for x, simple in ((a, 2), (deficient, 0)):
        for f in (
            lambda x, k=simple: linalg.svd(x, **thin)[0][:, k],
            lambda x: linalg.svdvals(x),
            lambda x: ad.sum(linalg.svd(x, **thin)[1] ** 2),
        ):
            _, tangent = jvp(f, (x,), (np.ones_like(x),))
            assert np.isfinite(tangent).all()
    np.testing.assert_allclose(
        grad(lambda x: ad.sum(linalg.svdvals(x / scale) ** 2))(a) * scale, 2 * a / scale, atol=1e-13
    )


@ROUNDED
@EITHER
@given(st.integers(0, 2**32 - 1))
def test_a_rank_that_is_not_full_to_rounding(scale, complex, seed):
    values = np.array([2.0, 1.0, 0.0]) * scale
    square = turned(values, seed, rows=3, complex=complex)
    tall = turned(values, seed, rows=5, complex=complex)
    for a in (square, tall, tall.T):
        refused(linalg.pinv, a, "pinv has no derivative .* rank is not full")
    refused(lambda x: linalg.lstsq(x, np.ones(5), rcond=None)[0], tall, "lstsq .* rank 2")
    refused(lambda x: linalg.slogdet(x / scale)[1], square, "slogdet has no derivative")
    np.testing.assert_allclose(
        grad(lambda x: ad.real(linalg.det(x / scale)))(square) * scale,
        linalg.cofactor(square / scale).conj(),
    )
    nuclear = grad(lambda x: linalg.norm(x, "nuc"))(square)
    u, _, vh = np.linalg.svd(square)
    np.testing.assert_allclose(nuclear, u[:, :2] @ vh[:2], atol=1e-14)


@pytest.mark.parametrize("n", [2, 5])
@EITHER
def test_singular_values_that_reach_the_norm_to_rounding_share_equally(n, complex):
    for seed in range(10):
        a = turned(np.ones(n), seed, rows=n, complex=complex)
        for order in (2, -2):
            g = grad(lambda x, order=order: linalg.norm(x, order))(a)
            np.testing.assert_allclose(g, a / n, atol=1e-14)


@EITHER
@pytest.mark.parametrize("shape", [(3, 3), (3, 5), (5, 3)])
def test_pinv_with_a_limit_of_its_own(shape, complex):
    for values in ([2.0, 1.0, 0.01], [2.0, 1.0, 0.0], [2.0, 0.01, 0.02]):
        a = turned(np.array(values), 3, rows=max(shape), complex=complex)
        a = a if a.shape == shape else a.T
        assert check_grads(lambda x: linalg.pinv(x, rcond=0.1), a, order=2)
        assert check_grads(lambda x: linalg.pinv(x, rtol=0.1), a)
    stack = np.stack([np.diag([2.0, 1, 0.1]), np.diag([2.0, 1, 1])])
    assert check_grads(lambda x: linalg.pinv(x, rcond=np.array([0.2, 0.1])), stack)
    refused(lambda x: linalg.pinv(x, rcond=0.5), np.diag([2.0, 1.0]), "pinv has no derivative")
    deficient = np.diag([2.0, 0.0])  # the first order at which the power series matters
    assert check_grads(lambda x: linalg.pinv(x, rcond=0.1), deficient, order=3)
    assert check_grads(lambda x: linalg.pinv(x, rtol=None), turned(np.array([2.0, 1.0, 0.5]), 3))
    symmetric = turned(np.array([2.0, -1.0, 0.01]), 3)
    assert check_grads(
        lambda x: linalg.pinv((x + x.T) / 2, rcond=0.1, hermitian=True), symmetric, order=2
    )


def test_defective_matrices_have_no_derivative_of_eig():
    refused(linalg.eigvals, np.eye(2) + np.eye(2, k=1), "eigenvectors are dependent")
    refused(linalg.eigvals, np.diag([1.0, 2.0], 1), "eigenvectors are dependent")


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e4, 1e5]))
def test_ill_conditioned_eigenvectors_move_eigenvalues_that_coincide_apart(seed, condition):
    """Rounding of the matrix is amplified by the condition of the vectors (Bauer and Fike)."""
    rng = np.random.default_rng(seed)
    u, v = (np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2))
    vectors = (u * [1.0, 0.5, 1 / condition]) @ v
    a = vectors @ np.diag([1.0, 1.0, 3.0]) @ np.linalg.inv(vectors)
    refused(lambda x: linalg.eig(x)[1], a, "eig has no derivative .* that coincide")


def test_values_and_a_simple_vector_together_beside_values_that_coincide():
    def f(x):
        w, v = linalg.eigh(x)
        return w[2] * v[0, 2] ** 2 + np.sum(w) * v[1, 2] ** 2

    a, t = turned(np.array([1.0, 1.0, 3.0])), turned(np.array([0.3, -0.5, 0.9]), 1)
    _, tangent = jvp(f, (a,), (t,))
    np.testing.assert_allclose(np.sum(grad(f)(a) * t), tangent, rtol=1e-12)
    step = 1e-6
    numerical = (f(a + step * t) - f(a - step * t)) / (2 * step)
    np.testing.assert_allclose(tangent, numerical, rtol=1e-6)


def test_a_simple_singular_vector_beside_several_zeros():
    a, t = np.diag([2.0, 0.0, 0.0]), np.arange(9.0).reshape(3, 3)
    _, along = jvp(lambda x: linalg.svd(x)[0][:, 0] * linalg.svd(x)[0][0, 0], (a,), (t,))
    np.testing.assert_allclose(along, [0.0, t[1, 0] / 2, t[2, 0] / 2], atol=1e-14)
    pulled = grad(lambda x: linalg.svd(x)[0][1, 0] * linalg.svd(x)[0][0, 0])(a)
    np.testing.assert_allclose(pulled, [[0.0, 0, 0], [0.5, 0, 0], [0, 0, 0]], atol=1e-14)


def test_vectors_of_zero_values_in_a_stack_of_wide_matrices():
    stack = np.stack([np.eye(2, 4), np.diag([2.0, 0.0]) @ np.eye(2, 4)])[1:]
    refused(lambda x: linalg.svd(x, full_matrices=False)[2][:, 1], stack, "svd has no derivative")
    _, tangent = jvp(lambda x: linalg.svd(x)[2][:, 0], (stack,), (np.ones_like(stack),))
    assert np.isfinite(tangent).all()


def test_cancelling_cotangents_do_not_hide_coinciding_eigenvalues():
    def element(x):
        w, v = linalg.eig(x)
        return ad.real(((v * ad.exp(w)) @ linalg.inv(v))[0, 1])

    with pytest.raises(LinAlgError, match="eig has no derivative"):
        grad(element)(np.eye(2))


def test_decompositions_of_hermitian_matrices_have_the_symmetric_derivative():
    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    for uplo in "LU":
        # the other triangle is not read
        read = a + (np.triu(np.ones((2, 2)), 1) if uplo == "L" else np.tril(np.ones((2, 2)), -1))
        g = slope(lambda x, uplo=uplo: linalg.eigh(x, UPLO=uplo)[0][:1], read)
        np.testing.assert_allclose(g, g.T)
        of_vectors = slope(lambda x, uplo=uplo: linalg.eigh(x, UPLO=uplo)[1][0], read)
        np.testing.assert_allclose(of_vectors, of_vectors.T)
        for matrix in (a, read):
            np.testing.assert_allclose(
                g, slope(lambda x, uplo=uplo: linalg.eigvalsh(x, uplo)[:1], matrix), rtol=1e-14
            )
    t = np.array([[0.5, 2.0], [-1.0, 0.3]])
    for f in (linalg.cholesky, linalg.eigvalsh, lambda x: linalg.eigh(x)[0]):
        _, tangent = jvp(f, (a,), (t,))
        np.testing.assert_allclose(tangent, jvp(f, (a,), ((t + t.T) / 2,))[1], rtol=1e-14)
    for f in (
        linalg.cholesky,
        lambda x: linalg.pinv(x, hermitian=True)[0],
        lambda x: linalg.svd(x, hermitian=True)[0],
        lambda x: linalg.svd(x, compute_uv=False, hermitian=True)[:1],
    ):
        g = slope(f, a)
        np.testing.assert_allclose(g, g.T, atol=1e-15)
    g = slope(linalg.cholesky, a)
    np.testing.assert_allclose(g, slope(lambda x: linalg.cholesky(x, upper=True), a))


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
