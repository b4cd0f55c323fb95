"""dtypes from float16 to complex128, and other libraries' arrays, are kept."""

import dask.array
import numpy as np
import pytest

import autodiff as ad
from autodiff import Tensor, Value, grad, hessian, jacobian, jvp

REAL = [np.float16, np.float32, np.float64]
COMPLEX = [np.complex64, np.complex128]


def program(x):
    """Mix Python numbers and several NumPy functions."""
    y = np.tanh(2 * x - 0.5) * np.exp(-x) + x**2 / 3
    return np.sum(np.concatenate([y, y[::-1]]).reshape(2, -1) @ y) + np.mean(y)


@pytest.mark.parametrize("dtype", REAL + COMPLEX)
def test_a_dtype_is_kept_in_both_directions(dtype):
    x = np.linspace(-1, 1, 5).astype(dtype)
    t = Tensor(x)
    y = program(t)
    assert t.dtype == y.dtype == dtype
    y.backward(1)
    assert t.grad.dtype == dtype
    output, tangent = jvp(program, (x,), (x,))
    assert output.dtype == tangent.dtype == dtype
    if dtype in REAL:
        assert hessian(program)(x).dtype == dtype
        reference = grad(program)(x.astype(float))
        np.testing.assert_allclose(t.grad, reference, rtol=50 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_integers_become_float64_in_a_leaf_and_stay_in_a_constant(dtype):
    assert Tensor(np.ones(2, dtype)).dtype == np.float64
    x = Tensor(np.ones(2, np.float32))
    y = x * np.ones(2, dtype)
    assert y.dtype == np.result_type(np.float32, dtype)
    y.sum().backward()
    assert x.grad.dtype == np.float32


def test_the_complex_gradient_descends():
    target = np.array([1 + 2j, -3j])
    z = Tensor(np.zeros(2, complex))
    for _ in range(100):
        loss = np.sum(np.abs(z - target) ** 2)
        loss.backward()
        z.data -= 0.1 * z.grad
    np.testing.assert_allclose(z.data, target, atol=1e-8)


def test_real_and_complex_numbers_mix():
    x, z = Tensor([1.0, 2.0]), Tensor([1 + 1j, 2 - 1j])
    loss = np.sum(np.abs(x * z) ** 2)
    loss.backward()
    assert x.grad.dtype == np.float64
    assert z.grad.dtype == np.complex128
    np.testing.assert_allclose(x.grad, 2 * x.data * np.abs(z.data) ** 2)
    np.testing.assert_allclose(z.grad, 2 * x.data**2 * z.data)
    v = Value(2.0)
    y = ad.real(v * 1j * (1 - 2j))
    y.backward()
    assert v.grad == 2.0


def f(x):
    kept = np.where(x > 0.5, np.sqrt(x - 0.5), 0)  # infinite slope at 0.5
    return np.mean(np.tanh(x @ np.ones((3, 2)) + 1.0) ** 2) + np.sum(kept) + ad.logsumexp(x)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the branch not taken warns
def test_lazy_arrays_stay_lazy():
    x = np.linspace(0, 1, 6).reshape(2, 3)
    x[0, 1] = 0.5
    lazy = dask.array.from_array(x, chunks=(1, 3))
    t = Tensor(lazy)
    assert isinstance(t.data, dask.array.Array)
    assert "dask" in repr(t)
    y = f(t)
    y.backward()
    for ours, numpys in ((y.data, f(x)), (t.grad, grad(f)(x)), (grad(f)(lazy), grad(f)(x))):
        assert isinstance(ours, dask.array.Array)
        np.testing.assert_allclose(ours.compute(), numpys, rtol=1e-14)
    tangent = jvp(f, (lazy,), (lazy,))[1]
    assert isinstance(tangent, dask.array.Array)
    np.testing.assert_allclose(tangent.compute(), np.sum(grad(f)(x) * x), rtol=1e-14)
    t.data = t.data - 0.5 * t.grad
    np.testing.assert_allclose(t.data.compute(), x - 0.5 * grad(f)(x), rtol=1e-14)


def test_arrays_on_a_gpu_stay_there():
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no GPU")
    x = np.linspace(0.1, 1, 6).reshape(2, 3)
    t = Tensor(cupy.asarray(x))
    y = np.sum(np.exp(t) * np.tanh(t) + t**2)
    y.backward()
    assert isinstance(t.grad, cupy.ndarray)
    np.testing.assert_allclose(
        t.grad.get(), grad(lambda x: np.sum(np.exp(x) * np.tanh(x) + x**2))(x), rtol=1e-12
    )


def test_real_results_of_complex_numbers_have_the_same_jacobian_in_both_modes():
    z = np.array([1 + 2j, 3 - 1j])

    def sizes(z):
        return np.concatenate([np.abs(z) ** 2, np.real(z)])

    forward, reverse = (jacobian(sizes, mode=mode)(z) for mode in ("forward", "reverse"))
    expected = [[2 + 4j, 0], [0, 6 - 2j], [1, 0], [0, 1]]
    np.testing.assert_allclose(forward, expected)
    np.testing.assert_allclose(reverse, expected)
    np.testing.assert_allclose(jacobian(sizes)(z), expected)


def test_a_jacobian_by_real_and_complex_numbers_at_once():
    def f(z, x):
        return {"product": z * x, "size": np.abs(z) ** 2 * x}

    made = jacobian(f, (0, 1))(np.array(1 + 2j), np.array(3.0))
    np.testing.assert_allclose(made["product"], (3, 1 + 2j))
    np.testing.assert_allclose(made["size"], (3 * (2 + 4j), 5))
