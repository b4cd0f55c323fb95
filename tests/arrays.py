"""What each function of the table does on arrays of another library, as strict as CuPy's.

`python -m tests.arrays > docs/arrays.md` makes the page.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from cases import CASES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strict import Strict, device, get

from autodiff import Tensor, gradients
from autodiff.core.graph import Node
from autodiff.core.walks import push

LACKS = """
    cummax cummin linalg.eig linalg.eigvals linalg.multi_dot linalg.vecdot matvec nanpercentile
    nanquantile put_along_axis sliding_window_view spacing unstack vecdot vecmat
"""
"""Functions that CuPy does not have, or not what ours are made of."""
PARTLY = {
    "where, initial": "amax amin max min nanmax nanmin nanprod nansum prod sum",
    "where": "mean nanmean",
    "where, mean, correction": "nanstd nanvar std var",
    "upper": "linalg.cholesky",
    "hermitian": "linalg.pinv linalg.svd",
    "mode": "take",
    "weights": "percentile quantile",
}
"""Functions that CuPy has without these parameters."""


class Outcome(NamedTuple):
    """Of one call."""

    has: bool
    """Whether CuPy has what is called, with these parameters."""
    error: Exception | None
    """Why ours does not compute it, with its derivatives."""


def _parts(result: Any) -> list[Any]:
    parts = result if isinstance(result, tuple | list) else [result]
    return [part for part in parts if isinstance(part, Node)]


def _like(x: Node, numbers: Any) -> Any:
    return Strict(numbers) if isinstance(x.data, Strict) else numbers


def _everything(function: Any, case: Any, arrays: list[Any]) -> list[Any]:
    """The results of a call on nodes, and its derivatives in both modes."""
    inputs = [Tensor(array) for array in arrays]
    found = []
    for out in _parts(case.call(function, inputs, case.params)):
        places = np.arange(out.size).reshape(out.shape)
        seed = _like(out, np.cos(places + 1.0).astype(out.dtype))
        tangents = {
            x: _like(x, np.sin(np.arange(x.size).reshape(x.shape) + 1.0).astype(x.dtype))
            for x in inputs
        }
        found += [out.data, *gradients(out, inputs, seed=seed), push(tangents, [out])[out]]
    return found


def _given(function: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters other than those that NumPy would take anyway, on the device."""
    try:
        known = inspect.signature(function).parameters
    except ValueError:
        known = {}
    defaults = {name: parameter.default for name, parameter in known.items()}
    return {
        name: device(value)
        for name, value in params.items()
        if isinstance(value, np.ndarray) or name not in defaults or defaults[name] != value
    }


def outcome(function: Any, case: Any, rng: np.random.Generator) -> Outcome:
    """Try one case, and compare it with NumPy's arrays.

    Raises
    ------
    AssertionError
        If there is a result, and it is another, or no array of the same library.
    """
    arrays = [np.asarray(array) for array in case.make(*case.arrays(rng))]
    theirs = replace(case, params=_given(function.plain, case.params))
    strict = [Strict(array) for array in arrays]
    try:
        theirs.call(function.plain, strict, theirs.params)
        has = True
    except (TypeError, KeyError, AttributeError):
        has = False
    expected = _everything(function.ours, case, arrays)
    try:
        found = _everything(function.ours, theirs, strict)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        return Outcome(has, error)
    for ours, numpys in zip(found, expected, strict=True):
        assert isinstance(ours, Strict)
        assert ours.dtype == numpys.dtype
        np.testing.assert_allclose(get(ours), numpys, rtol=1e-9, atol=1e-9)
    return Outcome(has, None)


def outcomes(function: Any) -> list[Outcome]:
    """Those of some cases, always the same ones."""
    found = []

    @settings(
        max_examples=8,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), st.integers(0, 2**32 - 1))
    def collect(data: Any, seed: int) -> None:
        case = data.draw(CASES[function.name])
        found.append(outcome(function, case, np.random.default_rng(seed)))

    collect()
    return found


INTRODUCTION = """\
# Arrays of other libraries

A Tensor holds any array that speaks NumPy's protocols (`__array_ufunc__`, `__array_function__`) and
has NumPy's usual methods: `Tensor(cupy_array)`, `grad(f)(dask_array)`. Results, gradients, tangents
and Jacobians are arrays of the same library; nothing becomes a NumPy array on the way.

```python
x = cupy.linspace(0.0, 1.0, 1000)
grad(lambda x: np.sum(np.tanh(x) ** 2))(x)  # a cupy.ndarray
```

- Constants beside a Tensor are arrays of its own library. Where that library refuses to mix its
  arrays with NumPy's, as CuPy does, so does the Tensor.
- A write to a Tensor (`y[i] = v`, `y += 1`, docs/in_place.md) copies the array, and views of it
  follow as those of NumPy's arrays do. Where one assignment names an element twice, CuPy does not
  say which value stays. `autodiff.zeros_like(x)` is of the library of `x`, `autodiff.zeros(n)` is
  NumPy's.
- CuPy returns NaN for singular matrices where NumPy raises an error.
- `check_grads` and `numerical_gradient` take NumPy's arrays.

## pandas

A Series, a column of a DataFrame, an Index or an extension array is taken as an array of its
numbers, in their order: a Tensor has no labels, so nothing is aligned by them. Missing values are
NaN.

```python
s = pd.Series([1.0, 2.0], index=["a", "b"])
s * Tensor([3.0, 4.0])  # Tensor([3., 8.]), as Tensor([3.0, 4.0]) * s
grad(lambda x: np.sum(x**2))(s)  # array([2., 4.])
pd.Series(grad(lambda x: np.sum(x**2))(s), index=s.index)  # with its labels again
```

- Inside the function the argument is a Tensor, and the gradient by it is a NumPy array.
- Operators and NumPy's functions take them as constants, on either side; a DataFrame too, as a
  matrix. As an argument a DataFrame goes in as `df.to_numpy()`.
- What pandas computes itself (`series @ node`, `df.assign(w=node)`, `pd.Series(node)`) is a
  `TypeError` for a Tensor. A Series of texts or dates beside a node is one, too.

## What CuPy has

The tests run every function of the table on a stand-in array: it has the functions, parameters and
methods of CuPy 13.6 (read from its sources), never converts to a NumPy array, and does not mix with
one. Values and derivatives in both modes are compared with those on NumPy's arrays.
(`python -m tests.arrays > docs/arrays.md` makes this page; a test holds it to the code.)

{passes} of {all} functions pass. The others fail with an error where CuPy lacks something:
"""


def page(names: set[str]) -> str:
    """The page, of a table with functions of these names."""
    lacking = LACKS.split()
    partly = [name for group in PARTLY.values() for name in group.split()]
    rows = [(lacking, "there is no such function in CuPy, or none that it is made of")]
    rows += [(group.split(), f"without {missing}") for missing, group in PARTLY.items()]
    text = INTRODUCTION.format(passes=len(names) - len(lacking) - len(partly), all=len(names))
    text += "\n| function | on CuPy's arrays |\n| --- | --- |\n"
    for group, note in rows:
        text += f"| {', '.join(f'`{name}`' for name in sorted(group))} | {note} |\n"
    return text


if __name__ == "__main__":
    from functions import FUNCTIONS

    print(page({*FUNCTIONS}), end="")
