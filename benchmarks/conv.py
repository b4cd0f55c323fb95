"""Σ conv2d(x, w)²: forward, and the gradients by images and kernels, float32.

A batch of 16 images of 8 channels and 28 × 28 pixels, 16 kernels of 3 × 3, padded to keep the size.
The floor is handwritten NumPy: a matrix product whose columns are the windows of the images.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import autodiff as ad
from benchmarks.derivatives import FLOOR, TORCH, Array, Step, race, torch
from benchmarks.timing import OURS, against, report, target

PAD, SIDE = 1, 3


def by_hand(x: Array, w: Array) -> Step:
    n, c, size, _ = x.shape
    kernels = w.reshape(len(w), -1)

    def step() -> Any:
        padded = np.pad(x, ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD)))
        windows = sliding_window_view(padded, (size, size), (2, 3))
        columns = windows.reshape(n, c * SIDE * SIDE, size * size)
        out = kernels @ columns
        np.vdot(out, out)
        g = 2 * out
        by_w = (g @ columns.swapaxes(1, 2)).sum(axis=0).reshape(w.shape)
        back = (kernels.T @ g).reshape(n, c, SIDE, SIDE, size, size)
        by_x = np.zeros_like(padded)
        for i in range(SIDE):
            for j in range(SIDE):
                by_x[:, :, i : i + size, j : j + size] += back[:, :, i, j]
        return by_x[:, :, PAD:-PAD, PAD:-PAD], by_w

    return step


def ours(x: Array, w: Array) -> Step:
    def loss(x: Any, w: Any) -> Any:
        return np.sum(ad.conv2d(x, w, padding=PAD) ** 2)

    return partial(ad.grad(loss, (0, 1)), x, w)


def torch_eager(x: Array, w: Array) -> Step:
    library = torch()
    leaves = [library.tensor(array, requires_grad=True) for array in (x, w)]

    def step() -> Any:
        out = library.conv2d(*leaves, padding=PAD)
        return library.autograd.grad((out * out).sum(), leaves)

    return step


def jax_jit(x: Array, w: Array) -> Step:
    import jax
    import jax.numpy as jnp

    def loss(x: Any, w: Any) -> Any:
        return jnp.sum(jax.lax.conv(x, w, (1, 1), "SAME") ** 2)

    derivative = jax.jit(jax.grad(loss, (0, 1)))
    points = jnp.asarray(x), jnp.asarray(w)
    return lambda: jax.block_until_ready(derivative(*points))


def mygrad(x: Array, w: Array) -> Step:
    import mygrad as mg
    from mygrad.nnet.layers import conv_nd

    mg.turn_memory_guarding_off()  # recommended by its manual
    leaves = [mg.tensor(array) for array in (x, w)]

    def step() -> Any:
        mg.sum(conv_nd(*leaves, stride=1, padding=PAD) ** 2).backward()
        return tuple(leaf.grad for leaf in leaves)

    return step


MAKERS = {FLOOR: by_hand, OURS: ours, TORCH: torch_eager, "JAX jit": jax_jit, "MyGrad": mygrad}


def main() -> None:
    draw = np.random.default_rng(0).standard_normal
    x, w = (draw(shape, np.float32) for shape in ((16, 8, 28, 28), (16, 8, SIDE, SIDE)))
    makers = {name: partial(make, x, w) for name, make in MAKERS.items()}
    times = race(makers, 2, 30, tolerance=1e-4)
    report(times, "ms", 1e6)
    if TORCH in times:
        target(f"ours / {TORCH}", against(times, TORCH), 1.0)


if __name__ == "__main__":
    main()
