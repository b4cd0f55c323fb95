"""Random programs of operations on numbers and arrays, each operation one expression as text.

A program prints and computes this text, compiled once, with the names of `import numpy as np` and
`from autodiff import *`. Whether an operation fits into a program is decided by its values alone,
not by the derivative under test.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, NamedTuple

import numpy as np

import autodiff
from autodiff.ops import making
from autodiff.ops.table import TABLE, Elementwise

REACH = 0.0217  # operations must be smooth this far around operands; avoids round numbers
LARGEST, STEEPEST = 1e3, 1e2  # maximum of results and of slopes
ELEMENTS = 64  # maximum size of arrays

NOT_DRAWN = {
    "chain": "the product of the chain rule itself, which every derivative uses",
    "checkpoint": "takes a function",
    "spacing": "its steps are too close to be seen in values",
    "pack": "joins nodes for rules with several results",
    **dict.fromkeys({*making.__all__} - {"full_like"}, "makes an array to write into"),
    "copyto": "changes its argument",
    "fill_diagonal": "changes its argument",
    "place": "changes its argument",
    "put": "changes its argument",
    "put_along_axis": "changes its argument",
    "putmask": "changes its argument",
}
"""Functions that programs do not use, with the reason."""

# Elementwise rows are added below.
ON_ARRAYS = """
sum({0})
sum({0}, axis=0)
sum({0}, axis=-1, where=[True, False, True], initial=0.5)
mean({0})
mean({0}, axis=-1, keepdims=True)
prod({0})
prod({0}, axis=-1)
var({0}, axis=0)
std({0}, axis=-1, ddof=1)
max({0}, axis=0)
min({0})
ptp({0}, axis=-1)
average({0}, weights=exp({1}))
median({0}, axis=-1)
quantile({0}, 0.3)
percentile({0}, [20, 70], axis=-1)
cov({0})
corrcoef({0})
logsumexp({0}, axis=0)
softmax({0}, axis=-1)
log_softmax({0}, axis=0)
cross_entropy({0}, labels=[0, 2])

{0}[0]
{0}[-1]
{0}[::-1]
{0}[..., 1:]
{0}[..., None]
{0}[[2, 0, 2]]
{0}[[0, 1, 1], [2, 0, 0]]
{0}[np.array([True, False, True])]
{0}.T
ravel({0})
reshape({0}, (-1, 1), order="F")
transpose({0})
matrix_transpose({0})
swapaxes({0}, 0, -1)
moveaxis({0}, 0, -1)
rollaxis({0}, 1)
expand_dims({0}, 1)
squeeze({0}[None])
broadcast_to({0}, (2, 1, 3))
broadcast_arrays({0}, {1})[0]
atleast_1d({0})
atleast_2d({0})
atleast_3d({0})
astype({0}, float)
copy({0})
tensor({0})
full_like({0}, {1})
scatter({0}, index=[3, 0, 0], shape=(4,))
setitem({0}, {1}, index=0)

roll({0}, 1)
flip({0})
fliplr({0})
flipud({0})
rot90({0})
tril({0})
triu({0}, 1)
diag({0})
diagflat({0})
diagonal({0}, 1)
take({0}, [2, 0, 2])
take({0}, [1, 1], axis=-1)
take_along_axis({0}, np.array([[2, 0]]), axis=-1)
repeat({0}, 2)
repeat({0}, [1, 0, 2], axis=-1)
tile({0}, 2)
resize({0}, (2, 2))
sliding_window_view({0}, 2, axis=-1)
pad({0}, 1)
pad({0}, (0, 2), mode="edge")
pad({0}, 1, mode="wrap")
pad({0}, 2, mode="reflect")
pad({0}, 1, mode="mean")
pad({0}, 2, mode="linear_ramp")
pad({0}, 1, mode="maximum")
sort({0})
sort({0}, axis=0)
real(sort_complex({0}))
partition({0}, [0, 1, 2])
unique({0})
trim_zeros(pad({0}, 1))
compress([True, False, True], {0}, axis=-1)
extract([True, False, True], {0})
delete({0}, 1)
insert({0}, [1, 2], {1})
where(np.arange(3) != 1, {0}, {1})
choose([1, 0, 1], [{0}, {1}])
select([[True, False, False], [True, True, False]], [{0}, {1}], 0.5)
clip({0}, -1, 1)
clip({0}, {1}, {2})
nan_to_num({0})
real_if_close({0})
divmod({0}, {1})[1]
modf({0})[0]
frexp({0})[0]
ldexp({0}, 1)
round({0}, 1)
fix({0})

concatenate([{0}, {1}])
concatenate([{0}, {1}], axis=None)
stack([{0}, {1}])
stack([{0}, {1}], axis=-1)
vstack([{0}, {1}])
hstack([{0}, {1}])
dstack([{0}, {1}])
column_stack([{0}, {1}])
append({0}, {1})
block([[{0}, {1}]])
meshgrid({0}, {1})[0]
split({0}, 3, axis=-1)[1]
array_split({0}, 2, axis=-1)[0]
hsplit({0}, [1])[1]
vsplit({0}, [1])[0]
dsplit({0}[None], 3)[2]
unstack({0})[1]
linspace({0}, {1}, 3)
logspace({0}, {1}, 3, base=2)
geomspace({0}, {1}, 3)

cumsum({0}, axis=0)
cumprod({0}, axis=-1)
cummax({0}, axis=-1)
cummin({0}, axis=0)
cumulative_sum({0}, axis=0, include_initial=True)
cumulative_prod({0}, axis=-1)
recurrence({0}, {1})
diff({0}, axis=-1)
ediff1d({0}, to_end={1})
gradient({0}, axis=-1)
gradient({0}, cumsum(exp({1})))
trapezoid({0}, {1})
unwrap(4 * {0})
interp({0}, [-1.0, 0.0, 2.0], {1})
interp({0}, cumsum(exp({1})), {2})
convolve({0}, {1})
convolve({0}, {1}, mode="same")
correlate({0}, {1}, mode="full")
polyval({0}, {1})
poly({0})
polyadd({0}, {1})
polysub({0}, {1})
polymul({0}, {1})
polydiv(ravel({0}), ravel({1}))[1]
polyder({0})
polyint({0})
vander({0}, 3)
polyfit({0}, {1}, 1)
abs(roots({0}))
bessel_i({0}, 1)
sinc_derivative({0}, 1)
apply_along_axis(cumsum, 0, {0})
apply_over_axes(sum, {0}, [0, -1])
piecewise({0}, [{0} > 1, {0} < 0], [sin, square, 0.5])

nansum(where(np.arange(3) != 1, {0}, np.nan), axis=-1)
nanprod(where(np.arange(3) != 1, {0}, np.nan), axis=-1)
nanmean(where(np.arange(3) != 1, {0}, np.nan), axis=-1)
nanvar(where(np.arange(3) != 1, {0}, np.nan), axis=-1)
nanstd(where(np.arange(3) != 1, {0}, np.nan))
nanmax(where(np.arange(3) != 1, {0}, np.nan), axis=-1)
nanmin(where(np.arange(3) != 1, {0}, np.nan))
nanmedian(where(np.arange(3) != 1, {0}, np.nan), axis=-1)
nanquantile(where(np.arange(3) != 1, {0}, np.nan), 0.4)
nanpercentile(where(np.arange(3) != 1, {0}, np.nan), 70, axis=-1)
nancumsum(where(np.arange(3) != 1, {0}, np.nan), axis=-1)
nancumprod(where(np.arange(3) != 1, {0}, np.nan), axis=-1)

{0} @ {1}
dot({0}, {1})
inner({0}, {1})
outer({0}, {1})
vdot({0}, {1})
vecdot({0}, {1})
matvec({0}, {1})
vecmat({0}, {1})
affine({0}, {1}, {2})
tensordot({0}, {1}, 1)
np.einsum("...i,...i->...", {0}, {1})
np.einsum("ij,jk->ki", {0}, {1})
np.einsum("ii->i", {0})
np.trace({0})
kron({0}, {1})
cross({0}, {1})
linalg.matmul({0}, {1})
linalg.multi_dot([{0}, {1}, {0}])
linalg.outer({0}, {1})
linalg.vecdot({0}, {1})
linalg.tensordot({0}, {1}, 1)
linalg.cross({0}, {1})
linalg.trace({0})
linalg.diagonal({0})
linalg.matrix_transpose({0})
linalg.inv({0})
linalg.solve({0}, {1})
linalg.tensorinv({0}, ind=1)
linalg.tensorsolve({0}, {1})
linalg.pinv({0})
linalg.lstsq({0}, {1})[0]
linalg.det({0})
linalg.cofactor({0})
linalg.slogdet({0})[1]
linalg.cholesky({0} @ matrix_transpose({0}))
linalg.qr({0})[1]
linalg.eigh({0} + matrix_transpose({0}))[0]
abs(linalg.eigh({0} + matrix_transpose({0}))[1])
linalg.eigvalsh({0} + matrix_transpose({0}))
abs(linalg.eig({0})[1])
abs(linalg.eigvals({0}))
abs(linalg.svd({0}, full_matrices=False)[0])
linalg.svdvals({0})
linalg.norm({0})
linalg.norm({0}, axis=0)
linalg.norm({0}, "nuc")
linalg.vector_norm({0}, axis=-1, ord=3)
linalg.matrix_norm({0}, ord=2)
linalg.cond({0})
linalg.matrix_power({0}, 3)
linalg.matrix_power({0}, -1)

real(fft.fft({0}))
imag(fft.fft({0}, axis=0))
abs(fft.rfft({0}))
angle(fft.fft({0}))
fft.irfft(fft.rfft({0}) ** 2)
abs(fft.ifft({0} * 1j))
fft.fftshift({0})
fft.ifftshift({0})
fft.hfft({0})
real(fft.ihfft({0}))
real(conj(fft.fft2({0})))
imag(fft.ifft2({0}))
real(fft.fftn({0}))
abs(fft.ifftn({0}))
fft.irfft2(fft.rfft2({0}))
fft.irfftn(fft.rfftn({0}))

conv2d({0}[None, None], {1}[None, None])
conv2d({0}[None, None], {1}[None, None], stride=2, padding=1)
conv_transpose2d({0}[None, None], {1}[None, None])
conv2d_kernel({0}[None, None], {1}[None, None], size=(2, 1))
unfold2d({0}[None, None], size=2)
fold2d(reshape({0}, (1, 1, 1, 2, 1, 3)), image=(1, 4), size=(1, 2))
max_pool2d({0}[None, None], size=2, stride=1)
avg_pool2d({0}[None, None], size=2, stride=1)
"""


_names = {**vars(autodiff), "np": np}


def _is_known(text: str) -> bool:
    """Return whether this version of NumPy has all the names in an operation."""
    names = [node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)]
    return all(name in _names or hasattr(builtins, name) for name in names)


class Operation(NamedTuple):
    """An expression with `arity` operands, and the function that computes it."""

    text: str
    arity: int
    compute: Callable[..., Any]

    @classmethod
    def of(cls, text: str) -> Operation:
        """Compile an expression with operands {0}, {1} and so on."""
        arity = len({field for _, field, _, _ in Formatter().parse(text) if field})
        names = [f"operand{k}" for k in range(arity)]
        code = f"lambda {', '.join(names)}: {text.format(*names)}"
        return cls(text, arity, eval(code, _names))


def _call(row: Elementwise) -> str:
    return f"{row.name}({', '.join(f'{{{k}}}' for k in range(row.arity))})"


ON_NUMBERS = [
    Operation.of("where({0} > 0, {1}, {2})" if row.name == "where" else _call(row))
    for row in TABLE.values()
    if isinstance(row, Elementwise) and row.name not in NOT_DRAWN
]
"""Elementwise operations."""
ON_TENSORS = ON_NUMBERS + [
    Operation.of(text) for text in ON_ARRAYS.split("\n") if text and _is_known(text)
]
"""All operations."""
ADDED = Operation.of("add({0}, np.sum({1}))")
"""An operation on operands of any shapes."""


class Line(NamedTuple):
    """An operation, with the indices of its operands among arguments and earlier results."""

    operation: Operation
    operands: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class Program:
    """A function composed of operations, with a point around which it is smooth.

    Called with numbers, arrays, Values or Tensors, it returns its last line. Its `repr` is Python.
    """

    point: tuple[Any, ...]
    lines: tuple[Line, ...]

    __name__ = "program"

    def __call__(self, *args: Any) -> Any:
        values = list(args)
        for operation, operands in self.lines:
            values.append(operation.compute(*[values[i] for i in operands]))
        return values[-1]

    def __repr__(self) -> str:
        names = [f"x{i}" for i in range(len(self.point))]
        text = [f"def program({', '.join(names)}):"]
        for k, (operation, operands) in enumerate(self.lines):
            text.append(f"    v{k} = {operation.text.format(*[names[i] for i in operands])}")
            names.append(f"v{k}")
        given = [f"np.array({x.tolist()})" if np.ndim(x) else repr(x) for x in self.point]
        return "\n".join([*text, f"    return {names[-1]}", f"program({', '.join(given)})"])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # Hypothesis would print the fields otherwise


def irrelevant(program: Program) -> list[int]:
    """Return the arguments that are used, but do not change the result.

    Their derivatives are pure rounding (as of x / x), which cannot be compared.
    """
    first = len(program.point)
    used = {first + len(program.lines) - 1}
    for place in reversed(range(len(program.lines))):
        if first + place in used:
            used.update(program.lines[place].operands)
    return [k for k in range(first) if k in used and not _matters(program, k)]


def _matters(program: Program, k: int) -> bool:
    before, x, after = program.point[:k], program.point[k], program.point[k + 1 :]
    with np.errstate(all="ignore"):
        low, high = (program(*before, x + step, *after) for step in (-REACH, REACH))
    return bool(np.any(np.abs(high - low) > REACH / 100))


# Smoothness is judged by perturbed values: a list of a value at each of the displacements below.

_random = np.random.default_rng(0)
_slopes, _other_slopes, _offsets = (
    REACH * _random.uniform(0.5, 1, (3, 4096)) * _random.choice([-1, 1], (3, 4096))
)
# five points on a line through the operands, which crosses any tie there, and five beside it
_perturbations = np.stack(
    [t * _slopes for t in (0, -1, -0.5, 0.5, 1)]
    + [t * _other_slopes + _offsets / 2 for t in (-1, -0.5, 0, 0.5, 1)]
)
_THROUGH, _BESIDE = [1, 2, 0, 3, 4], [5, 6, 7, 8, 9]


def perturbed(value: Any, place: int) -> list[Any]:
    """Perturb an argument; `place` is its index among all values of the program."""
    return _perturb([value] * len(_perturbations), place)


def _perturb(values: list[Any], place: int) -> list[Any]:
    """Displace each element differently, so that no two stay equal."""
    shape, start = np.shape(values[0]), place * ELEMENTS % (_perturbations.shape[1] - ELEMENTS)
    moves: Any = _perturbations[:, start : start + np.size(values[0])].reshape(-1, *shape)
    return [x + move for x, move in zip(values, moves if shape else moves.tolist(), strict=True)]


def smooth_result(
    operation: Operation, operands: Sequence[list[Any]], place: int
) -> list[Any] | None:
    """Compute an operation on perturbed operands; return None unless it is moderate and smooth.

    Return None also if it raises or warns.
    """
    results = _along(operation, operands, _THROUGH, _BESIDE)
    if results is None:
        return None
    if len(operands) > 1:  # each operand alone too: at (0, 0) copysign is linear along many lines
        for k in range(len(operands)):
            alone = [x[:5] if i == k else x[:1] * 5 for i, x in enumerate(operands)]
            if _along(operation, alone, _THROUGH) is None:
                return None
    return _perturb(results, place)


def _along(
    operation: Operation, operands: Sequence[list[Any]], *lines: list[int]
) -> list[Any] | None:
    results: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            for inputs in zip(*operands, strict=True):
                result = operation.compute(*inputs)
                # a NumPy scalar can be indexed, but a Value cannot
                results.append(result if np.ndim(result) else float(result))
                if not _is_moderate(results[-1]):
                    return None
            slopes = np.diff(np.array(results)[[*lines]], axis=1) / (REACH / 2)
        except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError, Warning):
            return None
    steep = np.max(np.abs(slopes), axis=(0, 1))
    bends = np.abs(np.diff(slopes, axis=1))
    turns = np.abs(np.diff(slopes, 2, axis=1))  # large at a kink, small on a smooth curve
    scale = 1 + steep
    smooth = np.all(bends <= 0.1 * scale) and np.all(turns <= 0.005 * scale)
    return results if smooth and np.all(steep <= STEEPEST) else None


def _is_moderate(result: Any) -> bool:
    real = isinstance(result, float) or (
        isinstance(result, np.ndarray) and result.dtype.kind == "f"
    )
    return real and 0 < np.size(result) <= ELEMENTS and bool(np.all(np.abs(result) <= LARGEST))
