"""Errors for special functions that do not exist yet, and the advice in them."""

import re

import numpy as np
import pytest

import autodiff
from autodiff import Tensor, Value, check_grads
from autodiff.core.missing import INSTEAD, SPECIAL, advice

POINT = 0.3


@pytest.fixture
def special():
    return pytest.importorskip("scipy.special")


@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_the_error_for_a_missing_function_has_advice(name):
    expected = f"module 'autodiff' has no attribute '{name}': not available yet, {advice(name)}"
    with pytest.raises(AttributeError, match=f"^{re.escape(expected)}$"):
        getattr(autodiff, name)


def test_an_unknown_name_has_no_advice():
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        autodiff.nonsense  # noqa: B018


@pytest.mark.parametrize("node", [Value(POINT), Tensor([POINT])])
@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_the_error_for_a_scipy_function_of_a_node_has_advice(special, name, node):
    function = getattr(special, name)
    if not isinstance(function, np.ufunc):
        pytest.skip("a Python function, which refuses the node as an array")
    name = function.__name__
    expected = f"scipy.special.{name} has no derivative here yet: {advice(name)}, or take x.data"
    with pytest.raises(TypeError, match=f"^{re.escape(expected)}"):
        function(*[node] * function.nin)


def test_the_advised_rule_works_once_its_partial_is_filled_in(special):
    import scipy

    statement = advice("erf").removeprefix("state its derivative yourself, ")
    statement = statement.partition(", with one partial")[0]
    names = {"autodiff": autodiff, "np": np, "scipy": scipy}
    exec(statement.replace("...", "2 / np.sqrt(np.pi) * np.exp(-(x**2))"), names)
    erf = names["erf"]
    assert erf(POINT) == special.erf(POINT)
    check_grads(erf, POINT, order=2)
    check_grads(erf, np.array([POINT, 0.7]))


@pytest.mark.parametrize("name", INSTEAD)
def test_the_advised_expression_is_right(special, name):
    x = np.array([0.1, POINT, 0.9])
    found = eval(INSTEAD[name], {"autodiff": autodiff, "x": x})
    np.testing.assert_allclose(found, getattr(special, name)(x), rtol=1e-14)


def test_functions_in_the_table_have_no_advice():
    assert not SPECIAL & {*autodiff.__all__}
