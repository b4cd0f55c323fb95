"""Special functions that are not there yet: what the errors advise is right."""

import re

import numpy as np
import pytest

import autodiff
from autodiff import Tensor, Value, check_grads
from autodiff.core.missing import INSTEAD, RULES, SPECIAL, advice

POINT = 0.3


@pytest.fixture
def special():
    return pytest.importorskip("scipy.special")


@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_a_function_that_is_not_there_says_what_to_do(name):
    expected = f"module 'autodiff' has no attribute '{name}': not available yet, {advice(name)}"
    with pytest.raises(AttributeError, match=f"^{re.escape(expected)}$"):
        getattr(autodiff, name)


def test_a_name_that_means_nothing_has_no_advice():
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        autodiff.nonsense  # noqa: B018


@pytest.mark.parametrize("node", [Value(POINT), Tensor([POINT])])
@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_scipys_function_of_a_node_says_what_to_do(special, name, node):
    function = getattr(special, name)
    if not isinstance(function, np.ufunc):
        pytest.skip("a Python function, which refuses the node as an array")
    name = function.__name__
    expected = f"scipy.special.{name} has no derivative here yet: {advice(name)}, or take x.data"
    with pytest.raises(TypeError, match=f"^{re.escape(expected)}"):
        function(*[node] * function.nin)


@pytest.mark.parametrize("name", RULES)
def test_the_rule_that_is_advised_is_right(special, name):
    import scipy

    statement = advice(name).removeprefix("state its derivative yourself, ")
    names = {"autodiff": autodiff, "np": np, "scipy": scipy}
    exec(statement, names)
    f = names[name]
    assert f(POINT) == getattr(special, name)(POINT)
    check_grads(f, POINT)
    check_grads(f, np.array([POINT, 0.7]))


@pytest.mark.parametrize("name", INSTEAD)
def test_the_expression_that_is_advised_is_the_function(special, name):
    x = np.array([0.1, POINT, 0.9])
    found = eval(INSTEAD[name], {"autodiff": autodiff, "x": x})
    np.testing.assert_allclose(found, getattr(special, name)(x), rtol=1e-14)


def test_what_is_in_the_table_is_not_said_to_be_missing():
    assert not SPECIAL & {*autodiff.__all__}
