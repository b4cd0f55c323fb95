"""Numerical derivatives with error bounds.

Central differences at decreasing steps are extrapolated to step zero (L. F. Richardson 1911; error
estimates as in C. J. F. Ridders, Advances in Engineering Software 4, 1982). If the function takes
complex numbers, Im f(x + ih) / h avoids cancellation (W. Squire, G. Trapp, SIAM Review 40, 1998).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, NamedTuple, ParamSpec

import numpy as np
from numpy.typing import NDArray

from autodiff.core import trees

LEVELS = 9
CUT = 3.9  # not an integer, so that rounding differs from step to step
FIRST_STEP = 1 / 16
CLASSIC_STEP = 1e-4
COMPLEX_STEP = 1e-20
METHODS = "richardson", "complex", "central"

Array = NDArray[Any]
_P = ParamSpec("_P")


class Estimate(NamedTuple):
    """A numerical derivative of each element of the result."""

    value: Array
    error: Array
    """Error bound; `inf` where a value is not finite or no derivative exists."""
    step: float
    """The longest of the steps used for the elements."""
    kink: Array
    """Whether there is a kink or a jump within the finest steps."""


def directional_derivative(
    f: Callable[[float], Any], scale: float = 1.0, eps: float = 0.0
) -> Estimate:
    """Compute df/dt at t = 0 by Richardson extrapolation, with an error bound.

    Parameters
    ----------
    f : callable
        Takes one float, returns a number or an array, real or complex.
    scale : float
        The distance over which `f` varies; steps go from 1/16 to 1e-6 of it.
    eps : float
        The machine epsilon of `f`, if it is coarser than the result's.

    Returns
    -------
    Estimate
        The bound includes truncation, and rounding inside `f`. Estimates from coarse steps are used
        only if finer steps confirm them, so kinks beyond the finest steps do no harm.
    """
    steps = scale * FIRST_STEP * CUT ** -np.arange(LEVELS)
    here = np.asarray(f(0.0))
    with np.errstate(all="ignore"):  # a step may leave the domain; it is then ignored
        above = [np.asarray(f(step)) for step in steps]
        below = [np.asarray(f(-step)) for step in steps]
    eps = max(eps, _eps(here.dtype))
    wide = complex if here.dtype.kind == "c" else float
    size = np.fmax.reduce(np.abs([*above, *below]), axis=0)
    with np.errstate(all="ignore"):
        # table[i][k] extrapolates levels i - k to i; found[j] is the best with coarsest level j
        table: list[list[Array]] = []
        for step, high, low in zip(steps, above, below, strict=True):
            row = [(high.astype(wide) - low.astype(wide)) / (2 * step)]
            for k, coarser in enumerate(table[-1] if table else (), 1):
                row.append(row[-1] + (row[-1] - coarser) / (CUT ** (2 * k) - 1))
            table.append(row)
        grain = _roughness(here, above, below) + 8 * eps * size
        found = [(np.zeros(size.shape, wide), np.full(size.shape, np.inf)) for _ in steps]
        for i, (step, row) in enumerate(zip(steps, table, strict=True)):
            noise = 2 * (grain + 8 * eps * scale * abs(row[0])) / step
            for k in range(1, i + 1):
                spread = np.maximum(abs(row[k] - row[k - 1]), abs(row[k] - table[i - 1][k - 1]))
                found[i - k] = _tighter(found[i - k], (row[k], 2 * spread + noise))
        best, error = found[-2]
        longest = np.full(size.shape, steps[-2])
        borne_out = np.isfinite(error)
        for step, (value, bound) in reversed(list(zip(steps, found, strict=True))[:-2]):
            borne_out &= abs(value - best) <= bound + error
            better = borne_out & (bound < error)
            best, error = np.where(better, value, best), np.where(better, bound, error)
            longest = np.where(better, step, longest)
        kink = _kinks(steps, here.astype(wide), above, below, eps * size, found[-2][1])
    error = np.where(kink, np.inf, error)
    return Estimate(best, error, float(np.max(longest, initial=0)), kink)


def _roughness(here: Array, above: list[Array], below: list[Array]) -> Array:
    """Estimate the noise of the values: what a parabola through the finest two steps leaves."""
    (high, higher), (low, lower) = above[:-3:-1], below[:-3:-1]
    odd = (high - low) - (higher - lower) / CUT
    even = (high + low - 2 * here) - (higher + lower - 2 * here) / CUT**2
    grain: Array = np.maximum(abs(odd), abs(even)) / 2
    return grain


def _tighter(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    better = other[1] < one[1]
    return np.where(better, other[0], one[0]), np.where(better, other[1], one[1])


def _kinks(
    steps: Array, here: Array, above: list[Array], below: list[Array], grain: Array, finest: Array
) -> Array:
    """Return whether `f` has a kink or a jump at 0, for each element."""
    high, low = np.stack(above), np.stack(below)
    jumps = high - low
    jump = _settled(jumps[3:]) & (abs(jumps[-1]) > 1024 * grain)
    bends = ((high - here) - (here - low)) / steps.reshape(-1, *[1] * here.ndim)
    # the bend of a smooth function is proportional to the step, so extrapolation removes it
    bends = (CUT * bends[1:] - bends[:-1]) / (CUT - 1)
    seen = abs(bends[-3]) > 64 * grain / steps[-3]
    kink = seen & _settled(bends[2:-2])
    # ignore a kink between the two finest steps if their differences agree
    kink &= _settled(bends[-3:-1]) | (finest > abs(bends[-3]) / 8)
    either: Array = jump | kink
    return either


def _settled(sequence: Array) -> Array:
    """Return for each element whether successive entries differ by a factor of less than 2."""
    size = abs(sequence)
    near = abs(np.diff(sequence, axis=0)) < 0.5 * np.maximum(size[1:], size[:-1])
    settled: Array = np.all(near, axis=0)
    return settled


def complex_step(line: Line, eps: float) -> Estimate:
    """Compute the derivative of an analytic function at t = 0 by the complex step.

    The error bound is the spread over neighbouring lines and other steps, which measures rounding.
    The function is assumed to be analytic; the caller has to check that.

    Raises
    ------
    TypeError
        If the function raises for a complex number, or returns a real one.
    """
    values = []
    for each, stretch in ((line, 1.0), (line.near(1), 1.3), (line.near(2), 0.7)):
        step = COMPLEX_STEP * each.scale * stretch
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                result = np.asarray(each(1j * step))
        except Exception as raised:
            raise TypeError(f"given a complex number, the function raised {raised!r}") from raised
        eps = max(eps, _eps(result.dtype))
        if result.dtype.kind != "c":
            raise TypeError("given a complex number, the function returned a real one")
        values.append(result.imag.astype(float) / step)
    with np.errstate(all="ignore"):
        spread = np.max(np.abs(np.subtract(values, values[0])), axis=0)
        size = abs(values[0]) + abs(result.real.astype(float)) / line.scale
        error = 8 * spread + 64 * eps * size
    error = np.where(np.isfinite(error), error, np.inf)
    return Estimate(values[0], error, COMPLEX_STEP * line.scale, np.zeros(error.shape, bool))


def agree(one: Estimate, other: Estimate) -> bool:
    """Return whether two estimates agree within their error bounds."""
    return bool(np.all(abs(one.value - other.value) <= one.error + other.error))


def _eps(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 2.0**-52


class Point:
    """A point in the space of a container's numbers and arrays."""

    def __init__(self, tree: Any) -> None:
        self.tree = trees.mapped(_float, tree)
        self.leaves = trees.leaves(self.tree)
        self.eps = max((_eps(leaf.dtype) for leaf in self.leaves), default=0.0)

    def moved(self, direction: Sequence[Any], t: complex) -> Any:
        """Return a copy moved by `t` times a direction (an array for each leaf)."""
        made = []
        for leaf, v in zip(self.leaves, direction, strict=True):
            dtype = np.result_type(leaf.dtype, np.complex64) if np.iscomplexobj(t) else leaf.dtype
            new = leaf + dtype.type(t) * v
            made.append(np.asarray(new) if isinstance(leaf, np.ndarray) else new)
        return trees.rebuilt(self.tree, made)

    def near(self, seed: int) -> Point:
        """Return a point that differs by a few units in the last place."""
        random = np.random.default_rng(seed)
        made = []
        for leaf in self.leaves:
            factor = 1 + 2 * _eps(leaf.dtype) * random.standard_normal(leaf.shape)
            new = leaf * factor.astype(leaf.real.dtype)
            made.append(np.asarray(new) if isinstance(leaf, np.ndarray) else new)
        return Point(trees.rebuilt(self.tree, made))

    def scale(self, direction: Sequence[Any]) -> float:
        """Return the step along a direction that changes the point by about its own size."""
        moving = [leaf * (v != 0) for leaf, v in zip(self.leaves, direction, strict=True)]
        return _largest(moving) / _largest(direction)

    def units(self) -> Iterator[tuple[int, list[Array]]]:
        """Yield the leaf number and each unit vector; for a complex leaf, also 1j times it."""
        zeros = [np.zeros_like(leaf) for leaf in self.leaves]
        for k, leaf in enumerate(self.leaves):
            for index in np.ndindex(leaf.shape):
                for unit in (1.0, 1j) if leaf.dtype.kind == "c" else (1.0,):
                    one = np.zeros_like(zeros[k])
                    one[index] = unit
                    yield k, [*zeros[:k], one, *zeros[k + 1 :]]

    def random(self, random: np.random.Generator) -> list[Array]:
        """Draw a normally distributed direction."""
        return [normal(random, leaf) for leaf in self.leaves]


def _float(leaf: Any) -> Any:
    array = np.array(leaf)
    if array.dtype.kind not in "fc":
        array = array.astype(float)
    return array if isinstance(leaf, np.ndarray) else array[()]


def _largest(arrays: Sequence[Any]) -> float:
    return max([1.0, *(float(np.max(np.abs(x), initial=0)) for x in arrays)])


def normal(random: np.random.Generator, like: Any) -> Array:
    """Draw normally distributed numbers of the shape and floating dtype of an array."""
    like = np.asarray(like)
    drawn: Array = np.asarray(random.standard_normal(like.shape))
    if like.dtype.kind == "c":
        drawn = drawn + 1j * random.standard_normal(like.shape)
    return drawn.astype(like.dtype) if like.dtype.kind in "fc" else drawn


def flat(tree: Any) -> Array:
    """Return all numbers of a container in one vector."""
    leaves = trees.leaves(tree)
    return np.concatenate([np.ravel(leaf) for leaf in leaves]) if leaves else np.zeros(0)


def precision(tree: Any) -> float:
    """Return the coarsest machine epsilon among the leaves of a container."""
    return max((_eps(np.asarray(leaf).dtype) for leaf in trees.leaves(tree)), default=0.0)


def _signature_of(
    model: Callable[_P, Any],
) -> Callable[[Callable[..., Any]], Callable[_P, Any]]:
    """Give a function the signature of another one, for `help`, completion and type checkers."""

    def decorate(f: Callable[..., Any]) -> Callable[_P, Any]:
        vars(f)["__signature__"] = signature(model)
        return f

    return decorate


@dataclass(frozen=True)
class Line:
    """Restrict `f` to a line: `t ↦ f(x + t·v)`, with its outputs flattened."""

    f: Callable[[Any], Any]
    point: Point
    direction: Sequence[Any]

    def __call__(self, t: Any) -> Array:
        return flat(self.f(self.point.moved(self.direction, t)))

    @property
    def scale(self) -> float:
        """`Point.scale` of the direction."""
        return self.point.scale(self.direction)

    def near(self, seed: int) -> Line:
        """Return a parallel line, displaced by a few units in the last place."""
        return replace(self, point=self.point.near(seed))


def numerical_jacobian(
    f: Callable[[Any], Any],
    x: Any,
    *,
    method: str = "richardson",
    step: float = CLASSIC_STEP,
    with_error: bool = False,
) -> Any:
    """Compute the Jacobian of `f` at `x` numerically.

    Parameters
    ----------
    f : callable
        Takes a number, an array or a nested container like `x`; returns any of them.
    x : number, array or container
        The point; it is not changed. Integers are converted to float64.
    method : {"richardson", "complex", "central"}
        "richardson" extrapolates 9 central differences (19 evaluations per element), with an error
        bound. "complex" is Im f(x + ih) / h (3 evaluations per element), exact up to rounding, for
        analytic functions of real arguments that also take complex ones; one extrapolated
        difference along a random direction checks that. "central" is the classic
        (f(x + step) - f(x - step)) / 2·step (2 evaluations per element).
    step : float
        The step of "central".
    with_error : bool
        Whether to return error bounds too (not for "central"). They are infinite where values are
        not finite, and at a kink or a jump.

    Returns
    -------
    jacobian, or (jacobian, error)
        Arrays of shape `output.shape + x.shape`, floats for numbers; for containers, a structure
        like the result with structures like `x` as leaves, as from `jacobian`. By a complex number,
        the derivative of a real result is ∂/∂real + i ∂/∂imaginary (the gradient). A complex result
        must be holomorphic, and has its complex derivative.

    Raises
    ------
    ValueError
        If `method` is "complex", but `f` is not analytic or does not take complex numbers.
    TypeError
        If a complex function of complex numbers is not holomorphic.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import numerical_jacobian
    >>> numerical_jacobian(lambda x: x**2, np.array([1.0, 2.0])).round(9)
    array([[2., 0.],
           [0., 4.]])
    >>> slopes, error = numerical_jacobian(np.exp, 0.0, method="complex", with_error=True)
    >>> slopes, error < 1e-13
    (1.0, True)
    """
    if method not in METHODS:
        raise ValueError(f"method must be 'richardson', 'complex' or 'central', not {method!r}")
    if with_error and method == "central":
        raise ValueError("method='central' has no error bound: use method='richardson'")
    point, output = Point(x), None

    def returned(x: Any) -> Any:
        nonlocal output
        output = f(x)
        return output

    if method == "complex":
        _require_analytic(f, point)
    found: list[list[Estimate]] = [[] for _ in point.leaves]
    for k, direction in point.units():
        line = Line(returned, point, direction)
        if method == "central":
            found[k].append(_central(line, step))
        elif method == "complex":
            found[k].append(complex_step(line, point.eps))
        else:
            found[k].append(directional_derivative(line, line.scale, point.eps))
    if not any(found):
        returned(point.tree)
    values, errors = _blocks([np.asarray(leaf) for leaf in trees.leaves(output)], point, found)
    made = [
        trees.rebuilt(output, [trees.rebuilt(point.tree, row) for row in block])
        for block in (values, errors)
    ]
    return (made[0], made[1]) if with_error else made[0]


def _central(f: Callable[[float], Any], step: float) -> Estimate:
    value = (f(step) - f(-step)) / (2 * step)
    return Estimate(value, np.full(value.shape, np.inf), step, np.zeros(value.shape, bool))


def _require_analytic(f: Callable[[Any], Any], point: Point) -> None:
    direction = point.random(np.random.default_rng(0))
    line = Line(f, point, direction)
    instead = "use method='richardson'"
    if any(leaf.dtype.kind == "c" for leaf in point.leaves):
        raise ValueError(f"method='complex' is for real arguments: {instead}")
    difference = directional_derivative(line, line.scale, point.eps)
    try:
        step = complex_step(line, point.eps)
    except TypeError as error:
        raise ValueError(
            f"method='complex' needs a function of complex numbers ({error}): {instead}"
        ) from error
    if not agree(step, difference):
        raise ValueError(
            "method='complex' needs an analytic function, but finite differences of this one "
            f"disagree (it may use abs, max, real or conj): {instead}"
        )


def _blocks(
    outputs: list[Array], point: Point, found: list[list[Estimate]]
) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return derivatives and errors of each leaf of the result by each leaf of the point."""
    values: list[list[Any]] = [[] for _ in outputs]
    errors: list[list[Any]] = [[] for _ in outputs]
    for leaf, estimates in zip(point.leaves, found, strict=True):
        start = 0
        for out, made, bounds in zip(outputs, values, errors, strict=True):
            rows = slice(start, start := start + out.size)
            shape = out.shape + leaf.shape
            value = _columns([e.value[rows] for e in estimates], out.size)
            error = _columns([e.error[rows] for e in estimates], out.size)
            if leaf.dtype.kind == "c":
                value, turned = value[:, ::2], value[:, 1::2]
                error = np.hypot(error[:, ::2], error[:, 1::2])
                if out.dtype.kind != "c":
                    value = value.real + 1j * turned.real
                elif np.any(abs(turned - 1j * value) > 2 * error):
                    raise TypeError(
                        "this function of complex numbers has no complex derivative (it is not "
                        "holomorphic): differentiate its real and imaginary parts"
                    )
            elif out.dtype.kind != "c":
                value = value.real
            made.append(_plain(value.reshape(shape)))
            bounds.append(_plain(error.reshape(shape)))
    return values, errors


def _columns(columns: list[Array], rows: int) -> Array:
    if not columns:
        return np.zeros((rows, 0))
    return np.stack(columns, axis=1).astype(np.result_type(columns[0], float))


def _plain(x: Array) -> Any:
    return x if x.shape else x.item()


@_signature_of(numerical_jacobian)
def numerical_gradient(f: Callable[[Any], Any], x: Any, **options: Any) -> Any:
    """Compute the gradient of `f` at `x` numerically.

    Parameters
    ----------
    f : callable
        Takes a number, an array or a nested container like `x`; returns one number.
    x, method, step, with_error
        As for `numerical_jacobian`.

    Returns
    -------
    gradient, or (gradient, error)
        A float for a number, a float array of the shape of `x` for an array, a container of them
        for a container.

    Raises
    ------
    ValueError
        If `f` returns anything but one number, or as `numerical_jacobian` does.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import numerical_gradient
    >>> bool(abs(numerical_gradient(np.exp, 0.0) - 1) < 1e-13)
    True
    >>> numerical_gradient(lambda x: np.sum(x**2), np.array([1.0, 2.0])).round(9)
    array([2., 4.])
    >>> numerical_gradient(abs, 0.0, with_error=True)  # a kink
    (0.0, inf)
    """

    def one(x: Any) -> Any:
        value = np.asarray(f(x))
        if value.shape != ():
            raise ValueError(
                f"numerical_gradient needs one number, but f returned shape {value.shape}: "
                "numerical_jacobian takes any"
            )
        return value

    return numerical_jacobian(one, x, **options)
