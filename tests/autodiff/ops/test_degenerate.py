"""Functions of eigh and svd that are smooth where values coincide, and those that are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.linalg import LinAlgError

import autodiff as ad
from autodiff import checkpoint, detect_anomaly, detect_kinks, grad, hessian, jvp
from autodiff.testing import KinkError

THIN = {"full_matrices": False}
EYE = np.eye(2)


def adjoint(x):
    return np.conj(x).swapaxes(-1, -2)


def by_svd(power, **how):
    """Return u sᵖ vᴴ as a function of the matrix."""

    def f(x):
        u, s, vh = np.linalg.svd(x, **how)
        k = s.shape[-1]
        return (u[..., :k] * s[..., None, :] ** power) @ vh[..., :k, :]

    return f


def by_terms(x):
    u, s, vh = np.linalg.svd(x)
    return sum(s[k] * np.outer(u[:, k], vh[k]) for k in range(s.size))


def by_eigh(power):
    def f(x):
        w, v = np.linalg.eigh(x)
        return (v * w[..., None, :] ** power) @ adjoint(v)

    return f


def products(*factors):
    """Return the sum of the products with one factor (x, t) replaced by its tangent t."""
    total = 0
    for k in range(len(factors)):
        term = factors[k][1]
        for x, _ in reversed(factors[:k]):
            term = x @ term
        for x, _ in factors[k + 1 :]:
            term = term @ x
        total = total + term
    return total


def unitary(rng, n, is_complex):
    a = rng.normal(size=(n, n)) + 1j * is_complex * rng.normal(size=(n, n))
    return np.linalg.qr(a if is_complex else a.real)[0]


def like(rng, a):
    return rng.normal(size=a.shape) + (1j * rng.normal(size=a.shape) if np.iscomplexobj(a) else 0)


def holds(f, a, t, exact, rng, tolerance=1e-11):
    """Check both modes against the exact tangent of f at `a` along t."""
    scale = max(1.0, np.abs(exact).max())
    _, tangent = jvp(f, (a,), (t,))
    np.testing.assert_allclose(tangent, exact, atol=tolerance * scale)
    weights = like(rng, exact)
    pulled = grad(lambda x: ad.sum(ad.real(np.conj(weights) * f(x))))(a)
    assert pulled.dtype == a.dtype
    found, expected = np.vdot(pulled, t).real, np.vdot(weights, exact).real
    np.testing.assert_allclose(found, expected, atol=10 * tolerance * scale)


VALUES = st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=2, max_size=4)


@given(VALUES, st.integers(0, 2), st.integers(0, 2), st.booleans(), st.integers(0, 2**32 - 1))
def test_smooth_functions_of_singular_vectors(values, rows, columns, is_complex, seed):
    rng = np.random.default_rng(seed)
    k = len(values)
    u, v = unitary(rng, k + rows, is_complex), unitary(rng, k + columns, is_complex)
    a = (u[:, :k] * values) @ adjoint(v[:, :k])
    t = like(rng, a)
    cube = products((a, t), (adjoint(a), adjoint(t)), (a, t))
    for how in ({}, THIN):
        holds(by_svd(1, **how), a, t, t, rng)
        holds(by_svd(3, **how), a, t, cube, rng)
    holds(by_terms, a, t, t, rng) if not is_complex else None


@given(VALUES, st.booleans(), st.integers(0, 2**32 - 1))
def test_smooth_functions_of_eigenvectors(values, is_complex, seed):
    rng = np.random.default_rng(seed)
    v = unitary(rng, len(values), is_complex)
    a = (v * (np.array(values) - 1)) @ adjoint(v)
    a, t = (a + adjoint(a)) / 2, like(rng, a)
    h = (t + adjoint(t)) / 2
    holds(by_eigh(1), a, t, h, rng)
    holds(by_eigh(3), a, t, products((a, h), (a, h), (a, h)), rng)


def test_exact_zeros_and_equal_values():
    """Where cotangents vanish exactly, and no rounding gives the singular case away."""
    rng = np.random.default_rng(0)
    for a in (np.zeros((2, 2)), np.zeros((3, 2)), np.diag([2.0, 0.0]), np.eye(3, 2) * [1, 0], EYE):
        for f in (by_svd(1), by_svd(1, **THIN), by_terms):
            holds(f, a, t := like(rng, a), t, rng, tolerance=1e-14)

    def similar(x):
        w, v = np.linalg.eigh(x)
        return (v * w) @ np.linalg.inv(v)  # its cotangents cancel at the identity

    t = like(rng, EYE)
    holds(similar, EYE, t, (t + t.T) / 2, rng, tolerance=1e-14)


def test_the_polar_factor_where_all_singular_values_coincide():
    rng = np.random.default_rng(0)
    t = like(rng, EYE)
    holds(by_svd(0), 3 * EYE, t, (t - t.T) / 6, rng)


def test_stacks_with_some_degenerate_matrices():
    rng = np.random.default_rng(0)
    stack = np.stack([np.diag([1.0, 1, 3]), np.diag([0.0, 0, 3]), like(rng, np.eye(3))])
    t = like(rng, stack)
    holds(by_svd(1), stack, t, t, rng)
    symmetric = stack + adjoint(stack)
    holds(by_eigh(1), symmetric, t, (t + adjoint(t)) / 2, rng)


def test_float32_and_hermitian():
    rng = np.random.default_rng(0)
    a = np.eye(3, dtype=np.float32)
    t = like(rng, a).astype(np.float32)
    holds(by_svd(1), a, t, t, rng, tolerance=1e-5)
    t = like(rng, a)
    a = np.diag([2.0, -2, 1])
    holds(by_svd(1, hermitian=True), a, t, (t + t.T) / 2, rng)


def test_several_decompositions():
    rng = np.random.default_rng(0)
    a = np.diag([2.0, 2, 0])
    t = like(rng, a)

    def twice(x):
        return by_svd(1)(by_svd(3)(x))

    holds(twice, a, t, products((a, t), (a.T, t.T), (a, t)), rng)
    holds(lambda x: by_svd(1)(x) * by_svd(1, **THIN)(x), a, t, 2 * a * t, rng)
    holds(checkpoint(by_svd(1)), a, t, t, rng)

    def filled(x):
        y = ad.zeros(3)
        for k in range(3):
            y[k] = np.sum(by_svd(1)(x)[k])
        return y

    holds(filled, a, t, t.sum(axis=1), rng)


@pytest.mark.parametrize("side", ["left", "right"])
def test_vectors_that_complete_a_basis(side):
    def projector(x):
        u, _, vh = np.linalg.svd(x)
        more = u[:, 2:] if side == "left" else vh[2:].T
        return more @ more.T

    rng = np.random.default_rng(0)
    a = like(rng, np.empty((4, 2)))
    t = like(rng, a)
    inner = (np.eye(4) - a @ np.linalg.pinv(a)) @ t @ np.linalg.pinv(a)
    exact = -(inner + inner.T)
    a, t = (a, t) if side == "left" else (a.T, t.T)
    holds(projector, a, t, exact, rng)


def test_other_vectors_beside_values_that_coincide():
    def f(x):
        w, v = np.linalg.eigh((x + x.T) / 2)
        p = v[:, -1:] @ v[:, -1:].T
        return p[0, 1] * p[2, 2] + w[2] ** 2 * p[0, 0]

    def masked(x):
        w, v = np.linalg.eigh((x + x.T) / 2)
        p = v * [0, 0, 1] @ v.T
        return p[0, 1] * p[2, 2] + w[2] ** 2 * p[0, 0]

    rng = np.random.default_rng(0)
    v = unitary(rng, 3, False)
    a = (v * [1.0, 1, 3]) @ v.T
    exact = grad(f)(a)
    np.testing.assert_allclose(grad(masked)(a), exact, atol=1e-14)
    t = like(rng, a)
    for g in (f, masked):
        np.testing.assert_allclose(jvp(g, (a,), (t,))[1], np.sum(exact * t), atol=1e-13)
    step = 1e-5
    numerical = (grad(f)(a + step * t) - grad(f)(a - step * t)) / (2 * step)
    second = np.tensordot(hessian(f)(a), t)
    np.testing.assert_allclose(second, numerical, atol=1e-8)
    np.testing.assert_allclose(jvp(grad(f), (a,), (t,))[1], numerical, atol=1e-8)


def test_a_null_vector_alone_is_determined_up_to_its_sign():
    def null(x):
        return np.linalg.svd(x, **THIN)[2][2]

    a, t = np.diag([2.0, 1, 0]), np.arange(9.0).reshape(3, 3)
    _, along = jvp(null, (a,), (t,))
    sign = null(a)[2]
    np.testing.assert_allclose(along, sign * np.array([-t[0, 2] / 2, -t[1, 2], 0]), atol=1e-14)
    np.testing.assert_allclose(grad(lambda x: null(x)[0])(a)[0, 2], -sign / 2, atol=1e-14)


NOT_SMOOTH = {
    "a vector": (lambda x: np.linalg.eigh(x)[1][0, 0], EYE),
    "a vector and a gap": (lambda x: _gap(x) * np.linalg.eigh(x)[1][0, 0] ** 2, EYE),
    "one node's": (lambda x: (lambda w, v: (w[1] - w[0]) * v[0, 0] ** 2)(*np.linalg.eigh(x)), EYE),
    "a singular vector": (lambda x: np.linalg.svd(x)[0][:, 0], EYE),
    "the sign of a pair": (
        lambda x: (lambda u, s, vh: u[2, 2] * vh[2])(*np.linalg.svd(x)),
        np.diag([2.0, 1, 0]),
    ),
    "a value and its vector": (
        lambda x: (lambda u, s, vh: s[0] * u[0, 0] ** 2)(*np.linalg.svd(x)),
        EYE,
    ),
    "complement": (lambda x: np.sum(np.linalg.svd(x)[0][:, 2:]), np.eye(4, 2) * [2, 1]),
    "vectors of two nodes": (
        lambda x: (np.linalg.svd(x)[0] * np.linalg.svd(x)[1]) @ np.linalg.svd(x)[2],
        EYE,
    ),
}


def _gap(x):
    w = np.linalg.eigvalsh(x)
    return w[1] - w[0]


@pytest.mark.parametrize("name", NOT_SMOOTH)
def test_what_is_not_smooth_is_refused(name):
    f, a = NOT_SMOOTH[name]
    weights = np.cos(np.arange(np.size(f(a)))).reshape(np.shape(f(a)))
    with pytest.raises(LinAlgError, match="has no derivative at this input"):
        grad(lambda x: np.sum(weights * f(x)))(a)
    with pytest.raises(LinAlgError, match="has no derivative at this input"):
        jvp(f, (a,), (np.arange(1.0, a.size + 1).reshape(a.shape),))
    with detect_kinks(), pytest.raises(KinkError, match="has no derivative at"):
        grad(lambda x: np.sum(weights * f(x)))(a)


def test_second_derivatives_through_the_vectors_are_refused():
    def f(x):
        return np.sum(by_svd(1)(x) ** 3)

    with pytest.raises(LinAlgError, match="svd has no derivative"):
        hessian(f)(EYE)
    # here values and vectors come from two decompositions of one matrix
    with pytest.raises(LinAlgError, match="svd has no derivative"):
        hessian(lambda x: np.sum(np.linalg.svdvals(x) ** 2))(EYE)


@pytest.mark.parametrize("watched", [detect_kinks, detect_anomaly])
def test_watchers_are_quiet_where_the_function_is_smooth(watched):
    t = np.arange(4.0).reshape(2, 2)
    for f in (by_svd(1), by_svd(0), by_svd(3)):
        with watched():
            grad(lambda x, f=f: np.sum(f(x) * t))(EYE)
            jvp(f, (EYE,), (t,))


def test_values_keep_their_convention_beside_other_vectors():
    def f(x):
        w, v = np.linalg.eigh(x)
        return w[0] + v[0, 2] * v[1, 2]

    a = np.diag([1.0, 1, 3])
    np.testing.assert_allclose(grad(f)(a)[0, 0], 1)
    with detect_kinks(), pytest.raises(KinkError, match="eigh has no derivative at"):
        grad(f)(a)


def test_the_nuclear_norm_beside_a_vector_where_a_value_is_0():
    def f(x):
        u, s, vh = np.linalg.svd(x)
        return np.sum(s) + u[1, 0] * vh[0, 2]

    a = np.diag([2.0, 1, 0])
    g = grad(f)(a)
    np.testing.assert_allclose(np.diagonal(g), [1, 1, 0], atol=1e-14)
