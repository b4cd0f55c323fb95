"""PyTorch's and JAX's functions whose names or parameters differ from NumPy's."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

Functions = dict[str, Callable[..., Any]]

PYTORCHS_PARAMETERS = {
    "axis": "dim",
    "axis1": "dim1",
    "axis2": "dim2",
    "axes": "dim",
    "keepdims": "keepdim",
}


def of_pytorch(torch: Any) -> Functions:
    functional = torch.nn.functional

    def every(x: Any, axis: Any) -> Any:
        if axis == ():
            raise TypeError("axis=() means all axes in PyTorch")
        return tuple(range(x.ndim)) if axis is None else axis

    def product(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        axes = every(x, axis)
        for i in sorted({i % x.ndim for i in np.atleast_1d(axes)}, reverse=True):
            x = torch.prod(x, int(i), keepdims)
        return x

    def take(x: Any, indices: Any, axis: Any, mode: str) -> Any:
        if np.ndim(indices) != 1:
            raise TypeError("PyTorch takes a list of indices only")
        return torch.index_select(x, axis, torch.tensor(indices))

    def vecdot(a: Any, b: Any, axis: int = -1) -> Any:
        if a.ndim != b.ndim:
            raise TypeError("PyTorch counts this axis in the result")
        return torch.linalg.vecdot(a, b, dim=axis)

    def in_order(x: Any, order: str) -> Any:
        if order != "C":
            raise TypeError("PyTorch has order C only")
        return x

    def setitem(x: Any, values: Any, index: Any) -> Any:
        x = x.clone()
        x[index] = values
        return x

    def scatter(x: Any, index: Any, shape: Any) -> Any:
        places = np.arange(prod(shape)).reshape(shape)[index]
        zeros = torch.zeros(prod(shape), dtype=x.dtype)
        return zeros.index_add(0, torch.tensor(places.ravel()), x.ravel()).reshape(shape)

    def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        return torch.linalg.svd(a, full_matrices) if compute_uv else torch.linalg.svdvals(a)

    def qr(a: Any, mode: str) -> Any:
        q, r = torch.linalg.qr(a)
        return r if mode == "r" else (q, r)

    def conv_transpose2d(
        y: Any, w: Any, size: Any, stride: Any, padding: int, dilation: Any, groups: int
    ) -> Any:
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        least = functional.conv_transpose2d(y, w, **options).shape[2:]
        further = [n - m for n, m in zip(size, least, strict=True)]
        return functional.conv_transpose2d(y, w, output_padding=further, **options)

    def quantile(
        a: Any,
        q: Any,
        axis: Any = None,
        keepdims: bool = False,
        method: str = "linear",
        of: Any = torch.quantile,
    ) -> Any:
        q = torch.as_tensor(q, dtype=a.dtype)
        return of(a, q, axis, keepdims, interpolation=method)

    return {
        "around": lambda x, decimals: torch.round(x, decimals=decimals),
        "average": lambda a, axis, keepdims: torch.mean(a, every(a, axis), keepdims),
        "avg_pool2d": lambda x, size, **options: functional.avg_pool2d(x, size, **options),
        "broadcast_to": lambda x, shape: torch.broadcast_to(x, shape),
        "clip": lambda a, a_min=None, a_max=None, min=None, max=None: torch.clip(
            a, min if a_min is None else a_min, max if a_max is None else a_max
        ),
        "conjugate": torch.conj,
        "conv_transpose2d": conv_transpose2d,
        "copy": torch.clone,
        "corrcoef": lambda x, dtype: torch.corrcoef(x),
        "cov": lambda m, dtype, ddof=1: torch.cov(m, correction=ddof),
        "cross_entropy": lambda x, labels: functional.cross_entropy(x, torch.tensor(labels)),
        "cross": lambda a, b, axis=-1: torch.linalg.cross(a, b, dim=axis),
        "cummax": lambda x, axis=0: torch.cummax(x, axis)[0],
        "cummin": lambda x, axis=0: torch.cummin(x, axis)[0],
        "degrees": torch.rad2deg,
        "diag": lambda x, k: torch.diag(x, k),
        "diagflat": lambda x, k: torch.diagflat(x, k),
        "divmod": lambda x, y: (torch.floor_divide(x, y), torch.remainder(x, y)),
        "expand_dims": lambda x, axis: torch.unsqueeze(x, axis),
        "fabs": torch.abs,
        "flip": lambda x, axis: torch.flip(x, every(x, axis)),
        "getitem": lambda x, index: x[index],
        "linalg.eig": lambda a: torch.linalg.eig(a),
        "linalg.eigh": lambda a, UPLO="L": torch.linalg.eigh(a, UPLO),
        "linalg.matrix_transpose": lambda x: x.mT,
        "linalg.outer": torch.outer,
        "linalg.qr": qr,
        "linalg.svd": svd,
        "linalg.vecdot": vecdot,
        "log_sigmoid": functional.logsigmoid,
        "logsumexp": lambda x, axis=None, keepdims=False: torch.logsumexp(
            x, every(x, axis), keepdims
        ),
        "matrix_transpose": lambda x: x.mT,
        "max": lambda x, axis=None, keepdims=False: torch.amax(x, every(x, axis), keepdims),
        "max_pool2d": lambda x, size, **options: functional.max_pool2d(x, size, **options),
        "median": lambda x, axis=None, keepdims=False: torch.quantile(x, 0.5, axis, keepdims),
        "min": lambda x, axis=None, keepdims=False: torch.amin(x, every(x, axis), keepdims),
        "nanpercentile": lambda a, q, **options: quantile(
            a, torch.as_tensor(q) / 100, of=torch.nanquantile, **options
        ),
        "nanquantile": lambda a, q, **options: quantile(a, q, of=torch.nanquantile, **options),
        "nanmedian": lambda x, axis=None, keepdims=False: torch.nanquantile(x, 0.5, axis, keepdims),
        "outer": lambda x, y: torch.outer(x.ravel(), y.ravel()),
        "percentile": lambda a, q, **options: quantile(a, torch.as_tensor(q) / 100, **options),
        "power": torch.pow,
        "prod": product,
        "quantile": quantile,
        "radians": torch.deg2rad,
        "ravel": lambda x, order: torch.ravel(in_order(x, order)),
        "repeat": lambda x, repeats, axis: torch.repeat_interleave(
            x, torch.tensor(repeats), dim=axis
        ),
        "reshape": lambda x, shape, order: torch.reshape(in_order(x, order), shape),
        "rint": torch.round,
        "roll": lambda x, shift, axis: torch.roll(x, shift, axis),
        "rot90": lambda x, k, axes: torch.rot90(x, k, axes),
        "scatter": scatter,
        "setitem": setitem,
        "sign": torch.sgn,
        "sort": lambda x, axis=-1: torch.sort(x, dim=axis)[0],
        "split": lambda x, indices_or_sections, axis: torch.tensor_split(
            x, indices_or_sections, axis
        ),
        "std": lambda x, axis=None, keepdims=False, ddof=0, correction=None: torch.std(
            x,
            every(x, axis),
            correction=ddof if correction is None else correction,
            keepdim=keepdims,
        ),
        "swapaxes": lambda x, axis1, axis2: torch.swapaxes(x, axis1, axis2),
        "take": take,
        "take_along_axis": lambda x, indices, axis: torch.take_along_dim(
            x, torch.tensor(indices), axis
        ),
        "tensordot": lambda a, b, axes: torch.tensordot(a, b, axes),
        "tile": lambda x, reps: torch.tile(x, reps),
        "trace": lambda x, offset, axis1, axis2: torch.sum(
            torch.diagonal(x, offset, axis1, axis2), -1
        ),
        "transpose": lambda x, axes=None: torch.permute(
            x, tuple(reversed(range(x.ndim))) if axes is None else axes
        ),
        "tril": lambda x, k: torch.tril(x, k),
        "triu": lambda x, k: torch.triu(x, k),
        "var": lambda x, axis=None, keepdims=False, ddof=0, correction=None: torch.var(
            x,
            every(x, axis),
            correction=ddof if correction is None else correction,
            keepdim=keepdims,
        ),
        "vecdot": vecdot,
        "where": lambda condition, x, y: torch.where(condition != 0, x, y),
    }


def of_jax(jax: Any) -> Functions:
    jnp = jax.numpy

    def pair(value: Any) -> tuple[int, int]:
        return value if isinstance(value, tuple) else (value, value)

    def conv2d(x: Any, w: Any, stride: Any, padding: int, dilation: Any, groups: int) -> Any:
        return jax.lax.conv_general_dilated(
            x,
            w,
            pair(stride),
            [(padding, padding)] * 2,
            rhs_dilation=pair(dilation),
            feature_group_count=groups,
        )

    def quantile(of: Any) -> Any:
        """Convert quantiles to double precision, since JAX would keep them in half."""
        return lambda a, q, **options: of(a, jax.numpy.asarray(q, float), **options)

    return {
        "affine": lambda x, w, b: x @ w + b,
        "choose": lambda index, arrays, mode: jnp.choose(np.array(index), arrays, mode=mode),
        "clip": lambda a, a_min=None, a_max=None, min=None, max=None: jnp.clip(
            a, min if a_min is None else a_min, max if a_max is None else a_max
        ),
        "conv2d": conv2d,
        "cummax": lambda x, axis=0: jax.lax.cummax(x, axis % x.ndim),
        "cummin": lambda x, axis=0: jax.lax.cummin(x, axis % x.ndim),
        "fix": jnp.trunc,
        "getitem": lambda x, index: x[index],
        "insert": lambda x, obj, values, axis: jnp.insert(
            x, obj if isinstance(obj, slice) else np.array(obj), values, axis
        ),
        "nanpercentile": quantile(jnp.nanpercentile),
        "nanquantile": quantile(jnp.nanquantile),
        "percentile": quantile(jnp.percentile),
        "quantile": quantile(jnp.quantile),
        "repeat": lambda x, repeats, axis: jnp.repeat(x, np.array(repeats), axis),
        "rot90": lambda x, k, axes: jnp.rot90(x, k, tuple(axes)),
        "scatter": lambda x, index, shape: jnp.zeros(shape, x.dtype).at[index].add(x),
        "setitem": lambda x, values, index: x.at[index].set(values),
        "take": lambda x, indices, axis, mode: jnp.take(
            x, indices, axis, mode=None if mode == "raise" else mode
        ),
    }


NOT_IN_PYTORCH = {
    "has no function for it": """
        accumulate append apply_along_axis apply_over_axes array_split astype bessel_i block
        broadcast_arrays cbrt choose compress convolve conv2d_kernel copyto correlate
        cumulative_prod cumulative_sum delete ediff1d extract fill_diagonal fold2d geomspace insert
        interp linalg.cofactor linalg.tensordot linalg.trace matvec modf nancumprod nancumsum
        nanmax nanmin nanprod nanstd nanvar partition piecewise place poly polyadd polyder polydiv
        polyfit polyint polymul polysub polyval ptp put_along_axis putmask real_if_close
        recurrence resize rollaxis roots sinc_derivative sliding_window_view sort_complex spacing
        trim_zeros unfold2d unstack unwrap vecmat affine
    """,
    "differs in parameters": """
        dsplit full_like hsplit linspace logspace meshgrid pad put select unique vsplit
    """,
    "has no derivative of it": "divmod floor_divide heaviside",
    "has gradient 0 where the exponent is a negative integer": "ldexp",
    "returns other residuals and singular values": "linalg.lstsq",
    "returns vectors of other signs": "linalg.eig linalg.eigh linalg.svd",
    "gives the gradient of an element that is set twice to both values": "setitem",
    "copies": "tensor",
}
NOT_IN_JAX = {
    "has no function for it": """
        accumulate avg_pool2d bessel_i conv2d_kernel conv_transpose2d copyto cross_entropy fold2d
        linalg.cofactor max_pool2d putmask real_if_close recurrence sinc_derivative
        sliding_window_view tensor unfold2d
    """,
    "has no arrays that are changed in place": "fill_diagonal place put put_along_axis",
    "compiles no shapes that depend on the data": "compress extract trim_zeros unique",
    "differs in parameters": "gradient partition",
    "has no derivative of it, or no second one": """
        linalg.eig linalg.eigvals nextafter roots spacing
    """,
    "has derivative 0 on complex numbers": "sign",
    "keeps leading zeros": "polydiv",
    "returns other residuals": "linalg.lstsq",
    "returns vectors of other signs": "linalg.eigh linalg.svd",
}
"""Rows that are not compared, by reason."""
