"""Every public NumPy function has a state, and the state is correct."""

import io
import re
from operator import attrgetter
from pathlib import Path

import numpy as np
import numpy_coverage as page_of
import pytest

from autodiff import Tensor, Value
from autodiff.nodes.protocols import full_name
from autodiff.ops.plain import (
    MAKER_NAMES,
    PLAIN,
    PLAIN_NAMES,
    REFUSED,
    REFUSED_NAMES,
    found,
)
from autodiff.ops.registry import BY_FUNCTION

NEWER: dict[str, tuple[int, int]] = {}  # name in our tables: first NumPy version with it
X = np.array([[1.5, -2.0, 0.0], [0.5, np.inf, -1.0]])
Y = np.array([[1.5, 2.0, 0.0], [-0.5, 1.0, np.nan]])
SORTED = np.array([-1.0, 0.5, 0.5, 2.0])

OF_ONE = """
    isfinite isinf isnan logical_not signbit all any iscomplex iscomplexobj isneginf isposinf
    isreal isrealobj argmax argmin argpartition argsort argwhere count_nonzero flatnonzero
    nonzero tril_indices_from triu_indices_from common_type min_scalar_type ndim
    result_type shape size array2string array_repr array_str
"""
OF_TWO = """
    equal greater greater_equal less less_equal logical_and logical_or logical_xor not_equal
    allclose array_equal array_equiv isclose isin may_share_memory shares_memory result_type
"""
EXAMPLES = {
    **dict.fromkeys(
        OF_ONE.split(),
        lambda f, x, y: f(x) if f is not np.argpartition else f(x, 1),
    ),
    **dict.fromkeys(
        OF_TWO.split(),
        lambda f, x, y: [f(x, x), f(x, y), f(X, y), f(x, Y)],
    ),
    "nanargmax": lambda f, x, y: f(y),
    "nanargmin": lambda f, x, y: f(y, axis=1),
    "diag_indices_from": lambda f, x, y: f(x[:, :2]),
    "digitize": lambda f, x, y: f(x, bins=SORTED),
    "searchsorted": lambda f, x, y: f(SORTED, v=x, side="right"),
    "lexsort": lambda f, x, y: f((x[0], y[0])),
    "can_cast": lambda f, x, y: f(x, np.float32),
    "einsum_path": lambda f, x, y: f("ij,kj->ik", x, y),
    "linalg.matrix_rank": lambda f, x, y: f(x[:1]),
}  # fmt: skip


def name_of(function):
    return full_name(function).removeprefix("numpy.")


@pytest.mark.parametrize("function", sorted(PLAIN, key=name_of), ids=name_of)
def test_plain_functions_give_what_they_give_on_the_data(function):
    name = name_of(function)
    if name not in EXAMPLES:
        pytest.fail(f"EXAMPLES has no call of {name!r}")
    expected = EXAMPLES[name](function, X, Y)
    found = EXAMPLES[name](function, Tensor(X), Tensor(Y))
    assert type(found) is type(expected)
    np.testing.assert_equal(found, expected)
    assert "Tensor" not in repr(found)


def test_examples_are_of_plain_functions():
    assert {name for name in EXAMPLES if found(name)} == {name_of(function) for function in PLAIN}


PAIRED = """
    bitwise_and bitwise_or bitwise_xor gcd histogram2d intersect1d lcm left_shift right_shift
    setdiff1d setxor1d union1d
"""
REFUSED_CALLS = {
    "bincount": [lambda f, x: f(x), lambda f, x: f(np.arange(6), weights=x)],
    "busday_count": [lambda f, x: f(x, x)],
    "busday_offset": [lambda f, x: f(x, 1)],
    "histogram": [lambda f, x: f(x), lambda f, x: f(np.arange(6), weights=x)],
    "histogramdd": [lambda f, x: f([x, x])],
    "ravel_multi_index": [lambda f, x: f((x, x), (3, 3))],
    "unravel_index": [lambda f, x: f(x, (3, 3))],
    "save": [lambda f, x: f(io.BytesIO(), x)],
    "savez": [lambda f, x: f(io.BytesIO(), x), lambda f, x: f(io.BytesIO(), x=x)],
    "savez_compressed": [lambda f, x: f(io.BytesIO(), x)],
    "savetxt": [lambda f, x: f(io.StringIO(), x)],
    **{name: [lambda f, x: f(x, x), lambda f, x: f(np.arange(3), x)] for name in PAIRED.split()},
}


@pytest.mark.parametrize("x", [Tensor(X), Value(1.5)], ids=["Tensor", "Value"])
@pytest.mark.parametrize("function", REFUSED, ids=name_of)
def test_refused_functions_are_named(function, x):
    for call in REFUSED_CALLS.get(name_of(function), [lambda f, x: f(x)]):
        with pytest.raises(TypeError) as error:
            call(function, x)
        assert str(error.value) == f"{full_name(function)} {REFUSED[function]}"


UNASKED = page_of.UNASKED_NAMES.split() + MAKER_NAMES[page_of.CONVERSION].split()
UNASKED_CALLS = {
    "bmat": lambda f, x: f([[x]]),
    "nested_iters": lambda f, x: f(x, [[0], [1]]),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("name", UNASKED)
def test_functions_without_protocols_do_not_get_the_data(name):
    call = UNASKED_CALLS.get(name, lambda f, x: f(x))
    with pytest.raises((TypeError, AttributeError), match=r"Tensor|cannot be written back"):
        call(attrgetter(name)(np), Tensor(X))


def test_every_public_function_has_a_state():
    unknown = {
        f"{module}.{name}".removeprefix("numpy.")
        for module, name, function in page_of.public_functions()
        if page_of.state_of(function)[0] == page_of.TO_DO
    }
    assert not unknown


def test_no_function_has_two_states():
    groups = [
        PLAIN_NAMES,
        *REFUSED_NAMES.values(),
        *MAKER_NAMES.values(),
        page_of.UNASKED_NAMES,
    ]
    groups += [*page_of.NOT_OF_ARRAYS_NAMES.values(), page_of.DEPRECATED_NAMES]
    functions = [function for names in groups for function in found(names)]
    assert len(functions) == len(set(functions))
    assert not set(functions) & BY_FUNCTION.keys()


def test_names_are_numpys():
    groups = [
        PLAIN_NAMES,
        *REFUSED_NAMES.values(),
        *MAKER_NAMES.values(),
        page_of.UNASKED_NAMES,
    ]
    groups += page_of.NOT_OF_ARRAYS_NAMES.values()
    public = {
        f"{module}.{name}".removeprefix("numpy.") for module, name, _ in page_of.public_functions()
    }
    stale = {name for names in groups for name in names.split()} - public
    version = tuple(map(int, np.__version__.split(".")[:2]))
    assert {name for name in stale if NEWER.get(name, (0, 0)) <= version} == set()


def test_the_page_is_of_this_code():
    page = (Path(__file__).parents[1] / "docs" / "numpy.md").read_text()
    (version,) = re.findall(r"NumPy (\d+\.\d+) on", page)
    if not np.__version__.startswith(f"{version}."):
        pytest.skip(f"the page was made with NumPy {version}")
    assert page == page_of.page()
