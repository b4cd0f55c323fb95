"""Eigenvalues and singular values that are repeated or zero, exactly or to rounding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrices import slope
from numpy.linalg import LinAlgError

import autodiff as ad
from autodiff import Tensor, check_grads, grad, gradients, jacobian, jvp, linalg

RANDOM = np.random.default_rng(0)
MODES = ("reduced", "complete")


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
