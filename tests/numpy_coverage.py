"""State of every public NumPy function on nodes.

`python -m tests.numpy_coverage` prints the page `docs/numpy.md`.
"""

from __future__ import annotations

import inspect
from collections import Counter, defaultdict
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff.ops import making
from autodiff.ops.general import General
from autodiff.ops.plain import MAKER_NAMES, PLAIN, REFUSED, found
from autodiff.ops.registry import BY_FUNCTION
from autodiff.ops.table import Elementwise, Linear

MODULES = ("numpy", "numpy.linalg", "numpy.fft", "numpy.lib.stride_tricks")

UNASKED_NAMES = """
    asarray_chkfinite asmatrix bmat from_dlpack isfortran lib.stride_tricks.as_strided nested_iters
"""
"""Functions that take arrays without NumPy's protocols."""

NOT_OF_ARRAYS_NAMES = {
    "makes an array or indices of sizes": """
        bartlett blackman broadcast_shapes diag_indices fft.fftfreq fft.rfftfreq hamming hanning
        indices kaiser mask_indices tril_indices triu_indices
    """,
    "looks at the type of one object": "isscalar iterable",
    "is about dtypes": "datetime_data isdtype issubdtype mintypecode promote_types typename",
    "is about the text of one number": """
        base_repr binary_repr format_float_positional format_float_scientific
    """,
    "reads a file": "fromregex load",
    "makes a ufunc from a Python function": "frompyfunc",
    "is about NumPy itself": """
        fft.test get_include get_printoptions getbufsize geterr geterrcall info linalg.test
        printoptions set_printoptions setbufsize seterr seterrcall show_config show_runtime test
    """,
}
CREATION, CONVERSION = MAKER_NAMES  # only CONVERSION takes nodes other than as `like`
DEPRECATED_NAMES = "in1d row_stack trapz"

DIFFERENTIABLE, ZERO, PLAINLY, REFUSES, NO_ARRAYS, TO_DO = (
    "differentiable",
    "zero derivative",
    "plain",
    "refused",
    "no arrays",
    "to do",
)
MAKES = [getattr(making, name) for name in making.__all__ if not name.startswith("full")]
_KINDS: dict[Any, str] = {Elementwise: "element by element", Linear: "linear", General: "general"}


def _notes() -> dict[Any, tuple[str, str]]:
    """Return status and note of the functions that are not in the table."""
    groups = [(NO_ARRAYS, note, names) for note, names in NOT_OF_ARRAYS_NAMES.items()]
    groups += [
        (NO_ARRAYS, CREATION, MAKER_NAMES[CREATION]),
        (REFUSES, CONVERSION, MAKER_NAMES[CONVERSION]),
        (REFUSES, "converts to a plain array, which would lose the derivative", UNASKED_NAMES),
    ]
    states = {function: (state, note) for state, note, names in groups for function in found(names)}
    states |= {function: (REFUSES, why) for function, why in REFUSED.items()}
    return states | dict.fromkeys(PLAIN, (PLAINLY, "computes with the data"))


def state_of(function: Any) -> tuple[str, str]:
    """Return the status of a NumPy function on nodes (differentiable, plain, ...), with a note."""
    op = BY_FUNCTION.get(function)
    if op is None:
        return _notes().get(function, (TO_DO, ""))
    if op in MAKES:
        return ZERO, "makes a Tensor to write into"
    if isinstance(op, Elementwise) and not any(op.partials):
        return ZERO, _KINDS[Elementwise]
    notes = (note for kind, note in _KINDS.items() if isinstance(op, kind))
    return DIFFERENTIABLE, next(notes, "composed of others")


def public_functions() -> Iterator[tuple[str, str, Any]]:
    """Yield module, name and object of every public callable that is not a class."""
    deprecated = DEPRECATED_NAMES.split()
    for module in MODULES:
        place = np if module == "numpy" else attrgetter(module.removeprefix("numpy."))(np)
        for name in dir(place):
            thing = None if name.startswith("_") or name in deprecated else getattr(place, name)
            if callable(thing) and not inspect.isclass(thing):
                yield module, name, thing


INTRODUCTION = """\
# NumPy on nodes

The status of each public function of NumPy {version} on a `Tensor` or a `Value`: {counts}.
`python -m tests.numpy_coverage > docs/numpy.md` makes this page; a test compares it with the code.

- **differentiable**: in both modes and to every order.
- **zero derivative**: a step function; its derivative is 0 wherever it exists.
- **plain**: the result has no derivative (booleans, indices, shapes, dtypes, text); it is computed
  from the data, as NumPy does for arrays.
- **refused**: raises an error that says what to write instead; nothing leaves the graph silently.
- **no arrays**: takes no arrays, so no nodes.

The methods of ufuncs (`np.add.reduce`) have the status of their ufuncs. Classes and other modules
(`np.vectorize`, `np.r_`, `np.random`, `np.ma`, `np.polynomial`) do not know nodes. If they compute
with a node's operators, that is recorded; if they convert it to an array, that raises.
"""


def page() -> str:
    """Return the page for the installed NumPy, in Markdown."""
    tables: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    counts: Counter[str] = Counter()
    for module, name, function in public_functions():
        state, note = state_of(function)
        tables[module][state, note].append(f"`{name}`")
        counts[state] += 1
    order = (DIFFERENTIABLE, ZERO, PLAINLY, REFUSES, NO_ARRAYS, TO_DO)
    text = INTRODUCTION.format(
        version=np.__version__.rpartition(".")[0],
        counts=", ".join(f"{counts[state]} {state}" for state in order if counts[state]),
    )
    for module, table in tables.items():
        text += f"\n## {module}\n\n| function | state | note |\n| --- | --- | --- |\n"
        for state, note in sorted(table, key=lambda key: (order.index(key[0]), key[1])):
            text += f"| {', '.join(table[state, note])} | {state} | {note} |\n"
    return text


if __name__ == "__main__":
    print(page(), end="")
