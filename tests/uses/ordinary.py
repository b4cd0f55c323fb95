"""Ordinary uses of the library, which pass strict type checkers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import autodiff
import autodiff as ad
from autodiff import (
    Check,
    KinkError,
    Tensor,
    Value,
    array,
    check_grads,
    checkpoint,
    custom_rule,
    detect_anomaly,
    detect_kinks,
    draw,
    elementwise_grad,
    explore,
    expression,
    fft,
    grad,
    gradients,
    grouped,
    hessian,
    hvp,
    jacobian,
    jvp,
    linalg,
    log,
    logsumexp,
    matmul,
    no_grad,
    numerical_gradient,
    sin,
    stack,
    stop_gradient,
    trace,
    value_and_grad,
    vjp,
    where,
    zeros,
)
from autodiff.testing import checks, strategies


def scalars() -> float:
    x1, x2 = Value(2, name="x1"), Value(5.0, name="x2")
    y = log(x1) + x1 * x2 - sin(x2)
    y = 2 * y / 3 - y**2 + (-x1) + abs(x2) + x1 % 2 + x1 // 2 + 1 / x2 + 2**x1
    y.backward()
    if y > 0 and x1 != x2 and x1.data <= 3:
        x1.data -= 0.1 * x1.grad
    number: float = x1.data
    shape: tuple[int, ...] = x1.shape
    print(x1.ndim, x1.size, x1.dtype, shape, x1.T, x1.real, x1.sum(), round(x1), f"{x1:.3f}")
    return number


def arrays() -> NDArray[np.float64]:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], name="x")
    w = Tensor(np.ones((2, 2)))
    y = ad.sum(ad.tanh(x @ w) * x[0] + x.T.reshape(-1)[:2], axis=0).mean()
    y += logsumexp(x, axis=1).sum() + matmul(x, w).max() + where(x > 0, x, 0.0).sum()
    y = y + linalg.det(x) + ad.real(fft.fft(x)).sum() + stack([x, w]).sum()
    y.backward()
    out = zeros(3)
    out[0] = y
    for row in x:
        out[1] += row.sum()
    joined = array([[y, 1.0], [2.0, out[0]]])
    joined.sum().backward(np.array(1.0))
    x.data -= 0.1 * x.grad
    result: NDArray[np.float64] = x.data
    return result


def loss(w: Any, x: NDArray[np.float64]) -> Any:
    return ad.mean((x @ w - 1.0) ** 2)


@custom_rule(vjp=lambda g, out, x: 3 * g * x**2)
def cube(x: Any) -> Any:
    return x**3


@checkpoint
def layer(x: Any) -> Any:
    return ad.tanh(x)


@grouped("norm")
def norm(x: Any) -> Any:
    return ad.sqrt(ad.sum(x * x))


def transforms() -> None:
    w, x = np.ones(3), np.ones((4, 3))
    slope = grad(loss)(w, x)
    value, slope = value_and_grad(loss)(w, x)
    print(grad(lambda w, x: loss(w, x), argnums=(0, 1))(w, x))
    print(value, slope, grad(grad(lambda t: t**3))(2.0), elementwise_grad(sin)(w))
    print(jacobian(sin)(w), hessian(norm)(w), jacobian(lambda t: array([t * t, t]))(2.0))
    output, tangent = jvp(sin, (w,), (w,))
    output, pullback = vjp(sin, w)
    (pulled,) = pullback(np.ones(3))
    (product,) = hvp(norm, (w,), (w,))
    print(output, tangent, pulled, product, stop_gradient(w), cube(2.0), layer(w))
    t = Value(3.0)
    (first,) = gradients(t**3, [t], record=True)
    print(gradients(first, [t]), numerical_gradient(lambda x: norm(x), w))
    found: list[Check] = check_grads(norm, w, order=2)
    print([check.passed for check in found], checks.Check, strategies)
    with no_grad(), detect_anomaly(), detect_kinks():
        print(sin(t))
    try:
        check_grads(ad.abs, 0.0)
    except KinkError as error:
        print(error)


def every_public_name() -> None:
    t, x = Value(3.0), np.ones((2, 2)) + np.eye(2)
    print(ad.add(t, 1), ad.relu(t), ad.softmax(x), ad.cross_entropy(x, labels=[0, 1]))
    print(ad.concatenate([x, x], axis=1), ad.vstack([x, x]), ad.split(x, 2), ad.diff(x))
    print(ad.sort(x), ad.median(x), ad.quantile(x, 0.5), ad.std(x), ad.cumsum(x), ad.dot(x, x))
    print(ad.einsum("ij,jk", x, x), ad.kron(x, x), ad.trapezoid(x), ad.polyval([1.0, 2.0], t))
    print(ad.linspace(0.0, t, 3), ad.full(3, t), ad.zeros_like(x), ad.pad(x, 1), ad.clip(t, 0, 1))
    print(linalg.inv(x), linalg.solve(x, x), linalg.svd(x), linalg.norm(x), linalg.eigh(x))
    print(fft.rfft(x), fft.irfft(x), fft.fft2(x), ad.conv2d, ad.max_pool2d)


def views() -> None:
    t = Value(3.0)
    y = sin(t) * t
    print(trace(y), expression(y))
    draw(y, partials=True)
    explore(y, show=False)
    print(autodiff.exp(t), ad.exp(1.0), y.op, y.inputs, y.name)
