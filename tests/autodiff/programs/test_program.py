"""Programs: the calls of a run, which give the function's own results on other data."""

import numpy as np
import pytest
from cases import CASES
from functions import FUNCTIONS, one_array
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import grad, program
from autodiff.core import trees

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=4)
A = RANDOM.normal(size=(4, 4))


def like(found, expected, rtol=1e-13):
    """Check that two containers have the same structure and dtypes, and equal numbers."""
    assert trees.paths(found) == trees.paths(expected)
    for mine, theirs in zip(trees.leaves(found), trees.leaves(expected), strict=True):
        assert np.shape(mine) == np.shape(theirs)
        assert np.result_type(mine) == np.result_type(theirs)
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)


def holds(f, *args, others=()):
    """Check a program of `f` on its own arguments and on others; return it."""
    made = program(f, *args)
    for given_args in (args, *others):
        like(made(*given_args), f(*given_args))
    return made


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@given(st.data(), st.sampled_from([np.float64, np.float32]))
def test_gradients_of_every_function(name, draw, dtype):
    case = draw.draw(CASES[name])
    one, other = (case.arrays(np.random.default_rng(seed), dtype) for seed in (1, 2))

    def total(*arrays):
        result = one_array(case(FUNCTIONS[name].ours, [*arrays]))
        return ad.sum(result * np.cos(np.arange(result.size)).astype(dtype))

    f = grad(total, argnums=tuple(range(len(one))))
    made = program(f, *one)
    slack = 100 * max(case.slack, 1) * np.finfo(dtype).eps
    like(made(*one), f(*one), slack)
    try:
        found = made(*other)
    except ValueError as error:
        assert "other branch" in str(error)
    else:
        like(found, f(*other), slack)
