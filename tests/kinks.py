"""Points where a derivative is a convention, with our values and the deviations of PyTorch and JAX.

`python tests/kinks.py > docs/kinks.md` makes the page. The values of the peers are recorded here;
tests compare them where the peers are installed. The table is most of this file, so it is one file.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from math import inf, nan, pi
from typing import Any, NamedTuple

import numpy as np

Slopes = tuple[Any, ...]
ERROR = "LinAlgError"
NONE = "–"
"""For a peer without the function, or without its derivative."""


class Kink(NamedTuple):
    """A function of x, y and z at a point, and its derivative by each.

    The derivative of an array is that of the sum of its elements times 1, 2, 3 …
    """

    text: str
    point: tuple[Any, ...]
    ours: Slopes | str
    """The name of the error, if there is one."""
    why: str = ""
    pytorch: Slopes | str | None = None
    """The peer's answer, if it differs."""
    jax: Slopes | str | None = None

    def arrays(self) -> list[Any]:
        """Return the point as arrays of floats or complex numbers."""
        return [np.asarray(x, complex if np.iscomplexobj(x) else float) for x in self.point]

    def of(self, function: Callable[[str], Callable[..., Any]], arguments: Sequence[Any]) -> Any:
        """Return the result, with a library's functions by their names."""
        names = re.findall(r"[a-z][\w.]*(?=\()", self.text)
        namespace = {name.replace(".", "_"): function(name) for name in names}
        namespace |= dict(zip("xyz", arguments, strict=False), inf=inf)
        return eval(self.text.replace("linalg.", "linalg_"), namespace)


KINKS: dict[str, list[Kink]] = {
    "Corners: the smallest subgradient": [
        Kink("absolute(x)", (0.0,), (0,), jax=(1,)),
        Kink("fabs(x)", (0.0,), (0,), jax=(1,)),
        Kink("relu(x)", (0.0,), (0,)),
        Kink("copysign(x, y)", (0.0, 1.0), (0, 0), jax=(1, 0)),
        Kink("clip(x, y, z)", (0.0, 0.0, 1.0), (1, 0, 0), "a bound lies inside", jax=(0.5, 0.5, 0)),
        Kink("clip(x, y, z)", (1.0, 0.0, 1.0), (1, 0, 0), "a bound lies inside", jax=(0.5, 0, 0.5)),
        Kink("clip(x, y, z)", (0.5, 1.0, 0.0), (0, 0, 1), "if bounds are crossed, the upper one"),
        Kink("maximum(x, 0 * x)", (0.0,), (0.5,), "a tie: half each"),
        Kink(
            "interp(x, y, z)",
            ([0, 1, 2], [0, 1, 2], [0, 2, 3]),
            ([2, 2, 3], [-2, -2, -3], [1, 2, 3]),
            "at a knot: the piece to its right; at the end: the last piece",
            pytorch=NONE,
        ),
        Kink(
            "quantile(x, y)",
            ([0, 1, 3], 0.5),
            ([0, 1, 0], 4),
            "at an element: the piece to its right; at the end: the last piece",
            pytorch=([0, 1, 0], 0),
            jax=([0, 1, 0], 0),
        ),
        Kink(
            "quantile(x, y)",
            ([0, 1, 3], 1.0),
            ([0, 0, 1], 4),
            pytorch=([0, 0, 1], 0),
            jax=([0, 0, 1], 0),
        ),
        Kink("ptp(x)", ([2, 2],), ([0, 0],), pytorch=NONE),
        Kink("hypot(x, y)", (0.0, 0.0), (0, 0), pytorch=(nan, nan), jax=(0.5, 0.5)),
        Kink("arctan2(x, y)", (0.0, 0.0), (0, 0), "0 instead of NaN", jax=(nan, nan)),
        Kink("linalg.norm(x)", ([0, 0],), ([0, 0],), jax=([nan, nan],)),
        Kink("linalg.norm(x, 1)", ([0, 2],), ([0, 1],), jax=([1, 1],)),
        Kink("linalg.norm(x, inf)", ([2, -2],), ([0.5, -0.5],), "a tie: equal shares"),
        Kink("linalg.norm(x, inf)", ([0, 0],), ([0, 0],), jax=([0.25, 0.25],)),
        Kink("linalg.norm(x, 3)", ([0, 0],), ([0, 0],), jax=([nan, nan],)),
        Kink("linalg.norm(x, -inf)", ([2, 2],), ([0.5, 0.5],), "a tie: equal shares"),
        Kink("linalg.norm(x, 0)", ([0, 2],), ([0, 0],), "a step"),
        Kink(
            "linalg.norm(x)",
            ([[0, 0], [0, 0]],),
            ([[0, 0], [0, 0]],),
            jax=([[nan, nan], [nan, nan]],),
        ),
        Kink(
            "linalg.norm(x, 'nuc')",
            ([[0, 0], [0, 0]],),
            ([[0, 0], [0, 0]],),
            pytorch=([[1, 0], [0, 1]],),
            jax=([[1, 0], [0, 1]],),
        ),
        Kink(
            "linalg.norm(x, 2)",
            ([[0, 0], [0, 0]],),
            ([[0, 0], [0, 0]],),
            pytorch=([[0.5, 0], [0, 0.5]],),
            jax=([[0.25, 0], [0, 0.25]],),
        ),
        Kink(
            "linalg.norm(x, 2)", ([[1, 0], [0, 1]],), ([[0.5, 0], [0, 0.5]],), "a tie: equal shares"
        ),
        Kink(
            "linalg.svdvals(x)",
            ([[0, 0], [0, 0]],),
            ([[0, 0], [0, 0]],),
            pytorch=([[1, 0], [0, 2]],),
            jax=([[1, 0], [0, 2]],),
        ),
        Kink("std(x)", ([2, 2],), ([0, 0],), jax=([nan, nan],)),
        Kink("var(x)", ([2, 2],), ([0, 0],), "smooth"),
        Kink("absolute(x)", (0j,), (0j,)),
    ],
    "Steps: 0 where they jump too": [
        Kink("sign(x)", (0.0,), (0,)),
        Kink("heaviside(x, y)", (0.0, 0.5), (0, 1), "at 0 the value is y", pytorch=NONE),
        Kink("floor(x)", (1.0,), (0,)),
        Kink("ceil(x)", (1.0,), (0,)),
        Kink("trunc(x)", (1.0,), (0,)),
        Kink("fix(x)", (1.0,), (0,)),
        Kink("rint(x)", (0.5,), (0,)),
        Kink("round(x)", (0.5,), (0,)),
        Kink("floor_divide(x, y)", (6.0, 3.0), (0, 0), pytorch=NONE),
        Kink("remainder(x, y)", (6.0, 3.0), (1, -2), "of x − 2y"),
        Kink("fmod(x, y)", (6.0, 3.0), (1, -2), "of x − 2y"),
        Kink("remainder(x, y)", (1.3, 0.1), (1, -12), "of x − 12y, as the value", jax=(1, -13)),
        Kink("fmod(x, y)", (2.1, 0.7), (1, -3), "of x − 3y: 2.1 / 0.7 rounds to 3"),
        Kink(
            "remainder(x, y)",
            (1.0, 0.0),
            (1, nan),
            "NaN in y, as the value",
            pytorch=(1, -inf),
            jax=(1, -inf),
        ),
        Kink("modf(x)[0]", (2.0,), (1,), "of x − 2", pytorch=NONE),
        Kink("frexp(x)[0]", (2.0,), (0.25,), "of x / 4"),
        Kink("spacing(x)", (1.0,), (0,), pytorch=NONE, jax=NONE),
        Kink("nextafter(x, y)", (0.0, 1.0), (1, 0), "that of x", jax=NONE),
        Kink("copysign(x, y)", (2.0, 0.0), (1, 0)),
        Kink("copysign(x, y)", (2.0, -0.0), (-1, 0)),
        Kink("copysign(x, y)", (-2.0, -0.0), (1, 0)),
        Kink("angle(x)", (0.0,), (0,), jax=(nan,)),
        Kink("angle(x)", (-1.0,), (0,), "constant on either side"),
        Kink("angle(x)", (0j,), (0j,), jax=(complex(nan, nan),)),
        Kink("arctan2(x, y)", (0.0, -1.0), (-1, 0), "on the branch cut: along the circle"),
        Kink("real(sign(x))", (0j,), (0j,)),
        Kink("unwrap(x)", ([0, pi],), ([1, 2],), "moved by periods", pytorch=NONE, jax=([3, 0],)),
        Kink("nan_to_num(x)", (nan,), (0,), "replaced elements are constant"),
        Kink("nan_to_num(x)", (inf,), (0,), "replaced elements are constant"),
        Kink("nan_to_num(x)", (-inf,), (0,), "replaced elements are constant"),
        Kink(
            "nan_to_num(1 / x)",
            (0.0,),
            (0,),
            "replaced elements are constant",
            pytorch=(nan,),
            jax=(nan,),
        ),
    ],
    "Ties": [
        Kink("maximum(x, y)", (1.0, 1.0), (0.5, 0.5)),
        Kink("minimum(x, y)", (1.0, 1.0), (0.5, 0.5)),
        Kink("fmax(x, y)", (1.0, 1.0), (0.5, 0.5), pytorch=(1, 0), jax=(0, 1)),
        Kink("fmin(x, y)", (1.0, 1.0), (0.5, 0.5), pytorch=(1, 0), jax=(0, 1)),
        Kink("maximum(x, y)", (nan, 1.0), (1, 0), "the NaN is taken", pytorch=(1, 1), jax=(0, 0)),
        Kink("maximum(x, y)", (1.0, nan), (0, 1), "the NaN is taken", pytorch=(1, 1), jax=(0, 0)),
        Kink("minimum(x, y)", (nan, 1.0), (1, 0), "the NaN is taken", pytorch=(1, 1), jax=(0, 0)),
        Kink("minimum(x, y)", (1.0, nan), (0, 1), "the NaN is taken", pytorch=(1, 1), jax=(0, 0)),
        Kink("fmax(x, y)", (nan, 1.0), (0, 1), "the number is taken"),
        Kink("fmax(x, y)", (1.0, nan), (1, 0), "the number is taken"),
        Kink("fmin(x, y)", (nan, 1.0), (0, 1), "the number is taken"),
        Kink("fmin(x, y)", (1.0, nan), (1, 0), "the number is taken"),
        Kink(
            "clip(x, y, z)",
            (nan, 0.0, 1.0),
            (1, 0, 0),
            "the NaN is taken",
            pytorch=(0, 0, 0),
            jax=(0, 0, 0),
        ),
        Kink(
            "clip(x, y, z)",
            (0.5, nan, 1.0),
            (0, 1, 0),
            "the NaN is taken",
            pytorch=(0, 0, 0),
            jax=(0, 0, 0),
        ),
        Kink(
            "maximum(x, y)",
            (nan, nan),
            (1, 0),
            "both are NaN: the first",
            pytorch=(1, 1),
            jax=(0, 0),
        ),
        Kink("max(x)", ([1, 3, 3],), ([0, 0.5, 0.5],)),
        Kink(
            "min(x)", ([2, 2, 2],), ([0.3333333333333333, 0.3333333333333333, 0.3333333333333333],)
        ),
        Kink("nanmax(x)", ([nan, 2, 2],), ([0, 0.5, 0.5],), pytorch=NONE),
        Kink(
            "max(x)",
            ([nan, 2, 2],),
            ([0, 0, 0],),
            "0 where the result is NaN",
            pytorch=([nan, nan, nan],),
        ),
        Kink("sort(x)", ([2, 2, 1],), ([2, 3, 1],), "the stable order's"),
        Kink(
            "partition(x, 0)",
            ([2, 2],),
            ([1, 2],),
            "the stable order's",
            pytorch=NONE,
            jax=([3, 0],),
        ),
        Kink("unique(x)", ([2, 2],), ([1, 0],), "the first", pytorch=NONE, jax=NONE),
        Kink("median(x)", ([2, 2, 2],), ([0, 1, 0],), "the stable order's"),
        Kink("median(x)", ([1, 2, 2, 3],), ([0, 0.5, 0.5, 0],), "the stable order's"),
        Kink("quantile(x, 0.5)", ([2, 2, 2],), ([0, 1, 0],), "the stable order's"),
        Kink("percentile(x, 25)", ([1, 1, 2],), ([0.5, 0.5, 0],), "the stable order's"),
        Kink(
            "cummax(x)",
            ([1, 2, 2],),
            ([1, 3.5, 1.5],),
            "equal shares of the elements so far",
            pytorch=([1, 2, 3],),
        ),
        Kink(
            "cummin(x)",
            ([2, 2, 2],),
            ([3, 2, 1],),
            "equal shares of the elements so far",
            pytorch=([1, 2, 3],),
            jax=([2.75, 1.75, 1.5],),
        ),
        Kink(
            "max_pool2d(x, 2)",
            ([[[[1, 3], [3, 2]]]],),
            ([[[[0, 0.5], [0.5, 0]]]],),
            pytorch=([[[[0, 1], [0, 0]]]],),
            jax=NONE,
        ),
        Kink(
            "logaddexp(x, y)",
            (inf, inf),
            (0.5, 0.5),
            "by continuity along x = y",
            pytorch=(nan, nan),
            jax=(1, 1),
        ),
        Kink(
            "logaddexp(x, y)",
            (-inf, -inf),
            (0.5, 0.5),
            "by continuity along x = y",
            pytorch=(nan, nan),
            jax=(nan, nan),
        ),
        Kink(
            "logaddexp2(x, y)",
            (-inf, -inf),
            (0.5, 0.5),
            "by continuity along x = y",
            pytorch=(nan, nan),
            jax=(nan, nan),
        ),
        Kink(
            "logsumexp(x)",
            ([-inf, -inf],),
            ([0.5, 0.5],),
            "by continuity along the diagonal",
            pytorch=([nan, nan],),
            jax=([nan, nan],),
        ),
        Kink(
            "logsumexp(x)",
            ([inf, inf],),
            ([0.5, 0.5],),
            "by continuity along the diagonal",
            pytorch=([nan, nan],),
            jax=([nan, nan],),
        ),
        Kink(
            "softmax(x, axis=0)",
            ([inf, 0],),
            ([0, 0],),
            "saturated",
            pytorch=([nan, nan],),
            jax=([nan, nan],),
        ),
        Kink(
            "linalg.eigvalsh(x)",
            ([[1, 0], [0, 1]],),
            ([[1, 0], [0, 2]],),
            "in the order and the vectors that LAPACK returns",
        ),
        Kink(
            "linalg.svdvals(x)",
            ([[1, 0], [0, 1]],),
            ([[1, 0], [0, 2]],),
            "in the order and the vectors that LAPACK returns",
        ),
        Kink(
            "linalg.eigh(x)[1]",
            ([[1, 0], [0, 1]],),
            ERROR,
            "vectors of equal values are not determined",
            pytorch=([[nan, nan], [nan, nan]],),
            jax=([[nan, nan], [nan, nan]],),
        ),
        Kink(
            "linalg.svd(x)[0]",
            ([[1, 0], [0, 1]],),
            ERROR,
            "vectors of equal values are not determined",
            pytorch=([[nan, nan], [nan, nan]],),
            jax=([[nan, nan], [nan, nan]],),
        ),
        Kink(
            "linalg.eigvals(x)",
            ([[1, 0], [0, 1]],),
            ([[1, 0], [0, 2]],),
            "in the order and the vectors that LAPACK returns",
        ),
        Kink(
            "linalg.cond(x)",
            ([[1, 0], [0, 1]],),
            ([[1, 0], [0, -1]],),
            "the pair that LAPACK returns",
        ),
    ],
    "Zeros": [
        Kink("prod(x)", ([0, 2, 3],), ([6, 0, 0],), "exact"),
        Kink("prod(x)", ([0, 0, 3],), ([0, 0, 0],), "exact"),
        Kink("cumprod(x, axis=0)", ([0, 2, 3],), ([23, 0, 0],), "exact"),
        Kink("cumprod(x, axis=0)", ([0, 0, 3],), ([1, 0, 0],), "exact"),
        Kink("x ** 0", (0.0,), (0,), "constant"),
        Kink("x ** 1", (0.0,), (1,)),
        Kink("x ** 2", (0.0,), (0,)),
        Kink("0.0 ** x", (2.0,), (0,), "constant for x > 0"),
        Kink(
            "power(x, y)",
            (0.0, 0.0),
            (0, -inf),
            "x⁰ is 1; 0ʸ falls from 1 to 0",
            pytorch=(0, 0),
            jax=(nan, 0),
        ),
        Kink("power(x, y)", (0.0, 1.0), (1, 0)),
        Kink("power(x, y)", (0.0, 2.0), (0, 0)),
        Kink("power(x, y)", (0.0, 0.5), (inf, 0), "infinite in x"),
        Kink("power(x, y)", (-2.0, 3.0), (12, nan), "real in x only"),
        Kink("power(x, y)", (-2.0, 0.5), (nan, nan), "NaN, as the value"),
        Kink("float_power(x, y)", (0.0, 2.0), (0, 0)),
        Kink("sinc(x)", (0.0,), (0,), "smooth"),
        Kink("i0(x)", (0.0,), (0,), "smooth"),
        Kink(
            "linalg.det(x)",
            ([[0, 0], [0, 2]],),
            ([[2, 0], [0, 0]],),
            "exact",
            pytorch=([[0, 0], [0, 0]],),
        ),
        Kink(
            "linalg.pinv(x)",
            ([[0, 0], [0, 0]],),
            ERROR,
            "the result jumps where the rank changes",
            pytorch=([[0, 0], [0, 0]],),
            jax=([[0, 0], [0, 0]],),
        ),
        Kink(
            "linalg.pinv(x, 0.1)",
            ([[1, 0], [0, 0]],),
            ([[-1, 3], [2, 0]],),
            "the limit rcond keeps the rank",
        ),
        Kink(
            "x * log(x)",
            (0.0,),
            (-inf,),
            "the limit, though the value is NaN",
            pytorch=(nan,),
            jax=(nan,),
        ),
    ],
    "Infinite slopes": [
        Kink("sqrt(x)", (0.0,), (inf,)),
        Kink("cbrt(x)", (0.0,), (inf,), pytorch=NONE),
        Kink("log(x)", (0.0,), (inf,)),
        Kink("log2(x)", (0.0,), (inf,)),
        Kink("log10(x)", (0.0,), (inf,)),
        Kink("log1p(x)", (-1.0,), (inf,)),
        Kink("reciprocal(x)", (0.0,), (-inf,)),
        Kink("divide(x, y)", (1.0, 0.0), (inf, -inf)),
        Kink("divide(x, y)", (0.0, 0.0), (inf, nan), "NaN in y, as the value"),
        Kink("arcsin(x)", (1.0,), (inf,)),
        Kink("arcsin(x)", (-1.0,), (inf,)),
        Kink("arccos(x)", (1.0,), (-inf,)),
        Kink("arccosh(x)", (1.0,), (inf,)),
        Kink("arctanh(x)", (1.0,), (inf,)),
        Kink("arctanh(x)", (-1.0,), (inf,)),
        Kink("sqrt(x)", (-1.0,), (nan,), "NaN, as the value"),
        Kink("log(x)", (-1.0,), (-1,), "of log(−x), though the value is NaN"),
        Kink("arccos(x)", (2.0,), (nan,), "NaN, as the value"),
        Kink("sqrt(x)", (0j,), (complex(nan, nan),), "infinite, without a direction"),
    ],
    "The branch not taken": [
        Kink("where(x > 0, sqrt(x), 0 * x)", (0.0,), (0,), pytorch=(nan,), jax=(nan,)),
        Kink("where(x > 0, log(x), x)", (-1.0,), (1,)),
        Kink("where(x < 1, x, exp(x))", (1000.0,), (inf,), "exp overflows, and is taken"),
        Kink("where(x > 1, x, 1 / x)", (0.0,), (-inf,), "1 / x is taken"),
        Kink("where(x != 0, x / x, 1 + 0 * x)", (0.0,), (0,), pytorch=(nan,), jax=(nan,)),
        Kink("where(x > 0, x ** 0.5, x)", (-1.0,), (1,), pytorch=(nan,), jax=(nan,)),
        Kink("sqrt(x ** 2)", (0.0,), (0,), "0 · ∞ is 0", pytorch=(nan,), jax=(nan,)),
        Kink(
            "0 * log(x)",
            (0.0,),
            (0,),
            "0 · ∞ is 0, though the value is NaN",
            pytorch=(nan,),
            jax=(nan,),
        ),
        Kink("relu(1 / x)", (0.0,), (-inf,), "relu takes the infinity"),
    ],
    "The ends of the numbers": [
        Kink("exp(x)", (1000.0,), (inf,)),
        Kink("exp(x)", (-inf,), (0,)),
        Kink("sigmoid(x)", (800.0,), (0,)),
        Kink("sigmoid(x)", (-inf,), (0,)),
        Kink("tanh(x)", (800.0,), (0,)),
        Kink("tanh(x)", (inf,), (0,)),
        Kink("softplus(x)", (1e300,), (1,)),
        Kink("softplus(x)", (-1e300,), (0,)),
        Kink("softplus(x)", (-inf,), (0,)),
        Kink("log_sigmoid(x)", (-1e300,), (1,)),
        Kink("log_sigmoid(x)", (1e300,), (0,)),
        Kink("arctan(x)", (1e200,), (0,)),
        Kink("arctan(x)", (inf,), (0,)),
        Kink("arctan(x)", (-inf,), (0,)),
        Kink("arcsinh(x)", (1e200,), (1e-200,), pytorch=(0,), jax=(0,)),
        Kink("arccosh(x)", (1e200,), (1e-200,), pytorch=(0,), jax=(0,)),
        Kink("log1p(x)", (inf,), (0,)),
        Kink("log(x)", (inf,), (0,)),
        Kink("hypot(x, y)", (3e300, 4e300), (0.6, 0.8), jax=(0.6, 1.25)),
        Kink("hypot(x, y)", (3e-300, 4e-300), (0.6000000000000001, 0.8), jax=(nan, -inf)),
        Kink("hypot(x, y)", (inf, 1.0), (nan, 0), "∞ / ∞ in x", jax=(nan, nan)),
        Kink(
            "arctan2(x, y)",
            (3e-200, -4e-200),
            (-1.6e199, -1.2e199),
            pytorch=(0, 0),
            jax=(-inf, -inf),
        ),
        Kink("logaddexp(x, y)", (1e300, 0.0), (1, 0)),
        Kink("logaddexp(x, y)", (-inf, 3.0), (0, 1)),
        Kink("logaddexp2(x, y)", (-inf, 3.0), (0, 1)),
        Kink("logsumexp(x)", ([10000, -inf],), ([1, 0],)),
        Kink(
            "linalg.norm(x)", ([3e200, 4e200],), ([0, 0],), "the value overflows, as NumPy's does"
        ),
        Kink(
            "linalg.norm(x)",
            ([3e-200, 4e-200],),
            ([0, 0],),
            "the value is 0, as NumPy's is",
            jax=([inf, inf],),
        ),
        Kink("std(x)", ([1e200, -1e200],), ([0, 0],), "the value overflows"),
        Kink("cosh(x)", (1000.0,), (inf,)),
        Kink("square(x)", (1e200,), (2e200,)),
        Kink("absolute(x)", (-inf,), (-1,)),
        Kink("sinc(x)", (inf,), (nan,), "NaN, as the value"),
        Kink(
            "sinc(x)",
            (1e17,),
            (9.999999999999999e-18,),
            pytorch=(-5.300447339957113e-18,),
            jax=(-5.300447339957113e-18,),
        ),
        Kink("sin(x)", (inf,), (nan,), "NaN, as the value"),
    ],
}


def every() -> list[Kink]:
    return [kink for kinks in KINKS.values() for kink in kinks]


def weights(result: Any) -> Any:
    """Return 1, 2, 3 … in the shape of a result."""
    return np.arange(1.0, np.size(result) + 1).reshape(np.shape(result))


INTRODUCTION = """\
# Where a derivative is a convention

At a corner, a step or a tie no derivative exists, and a library returns a value by convention. At
other points the derivative exists, or has a limit, but the usual formula fails. This page lists
our values at {count} such points. They are the same in both modes, for numbers and for arrays.
The columns PyTorch ({pytorch}) and JAX ({jax}) are empty where the library agrees; – means
that it lacks the function or its derivative. If a result is an array, the derivative is that of
the sum of its elements times 1, 2, 3 …

Inside `with autodiff.detect_kinks():` a derivative at a point without one raises a `KinkError`.
It names the operation (in the column `detect_kinks`), its line, and the value by convention. The
last table lists the points without a derivative of each row of the table.
`python tests/kinks.py > docs/kinks.md` makes this page; the tests compare it with the code, and
with the peers where they are installed.
"""
COINCIDING = """
## Eigenvalues and singular values that coincide

Two values coincide if their distance is within the rounding of the factorisation (size · eps · the
largest). Their vectors have no derivative: a change of the matrix, however small, may turn them.
Functions of the values alone have theirs, if it exists: `s.sum()`, `(s**2).sum()`, the largest of
them if it is simple. So have functions of the other vectors, such as the projector
`v[:, -1:] @ v[:, -1:].T` on a simple eigenvalue.

A function of the vectors of `eigh` and `svd` that is the same however they are turned is smooth, as
`u @ diag(s) @ vh` and `u @ vh` are. Its first derivative is right in both modes. No rule can give
it: at the identity, the two have equal cotangents by `u`, `s` and `vh` off the diagonal, but along
`t` the derivatives `t` and `(t - t.T) / 2`. So the graph that follows the decomposition is
recomputed for turned vectors, several times, and in reverse mode once or twice for each vector of
the space. A function that is not smooth raises a `LinAlgError`; so do second derivatives through
turned vectors, and functions of the vectors of `eig`.
"""
VERSIONS = {"pytorch": "2.13", "jax": "0.10"}


def written(numbers: Slopes | str | None) -> str:
    """Return numbers and arrays as text for the page."""
    if numbers is None or isinstance(numbers, str):
        return numbers or ""
    return ", ".join(_number(x) for x in numbers)


def _number(x: Any) -> str:
    if isinstance(x, list):
        return f"[{', '.join(map(_number, x))}]"
    text = f"{x:.6g}" if isinstance(x, complex) else f"{x + 0.0:.6g}"
    return text.replace("inf", "∞").replace("nan", "NaN").replace("-", "−")


def page() -> str:
    """Return the page: the table of all points, in Markdown."""
    kinks = every()
    text = INTRODUCTION.format(count=len(kinks), **VERSIONS)
    by_pytorch = sum(isinstance(kink.pytorch, tuple) for kink in kinks)
    by_jax = sum(isinstance(kink.jax, tuple) for kink in kinks)
    for title, group in KINKS.items():
        columns = ["function", "at", "derivative", "why", "`detect_kinks`", "PyTorch", "JAX"]
        text += f"\n## {title}\n\n| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|\n"
        for kink in group:
            point, *rest = map(written, (kink.point, kink.ours))
            cells = [f"`{kink.text}`", point, *rest, kink.why, detected(kink)]
            text += f"| {' | '.join([*cells, written(kink.pytorch), written(kink.jax)])} |\n"
    total = (
        f"In all {len(kinks)} points: PyTorch deviates at {by_pytorch}, JAX at {by_jax} of them."
    )
    return f"{text}\n{total}\n{COINCIDING}{rows()}"


def detected(kink: Kink) -> str:
    """Return the operation that `detect_kinks` names in reverse mode."""
    from peers import floating, ours

    from autodiff import KinkError, detect_kinks, vjp

    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        try:
            with detect_kinks():
                out, pullback = vjp(lambda *x: floating(kink.of(ours, x))[0], *kink.arrays())
                pullback(weights(out))
        except KinkError as error:
            return f"`{str(error).partition(' ')[0]}`"
        except np.linalg.LinAlgError:
            return ""
    return ""


def rows() -> str:
    """Return the list of all rows that have points without a derivative."""
    from autodiff.ops.table import TABLE

    text = "\n## Points without a derivative, by row\n\n"
    text += "| function | has no derivative at |\n| --- | --- |\n"
    for name, op in sorted(TABLE.items()):
        if op.kinks:
            text += f"| `{name}` | {'; '.join(kink.where for kink in op.kinks)} |\n"
    return text


if __name__ == "__main__":
    print(page(), end="")
