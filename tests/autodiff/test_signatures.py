"""inspect.signature, help, `?` and completion for every public function."""

import inspect
import pydoc
import rlcompleter

import pytest

import autodiff as ad
from autodiff.ops.table import TABLE, Elementwise

PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (ad, ad.linalg, ad.fft)
    for name in module.__all__
    if callable(getattr(module, name)) and not isinstance(getattr(module, name), type)
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_a_signature_and_help(name):
    function = PUBLIC[name]
    parameters = inspect.signature(function).parameters
    text = pydoc.render_doc(function, renderer=pydoc.plaintext)
    assert f"{function.__name__}(" in text
    assert inspect.getdoc(function).partition("\n")[0] in text
    for parameter in parameters:
        assert parameter in text


@pytest.mark.parametrize("name", [name for name in TABLE if hasattr(TABLE[name], "function")])
def test_a_row_takes_the_parameters_in_its_signature(name):
    op = TABLE[name]
    parameters = list(inspect.signature(op).parameters.values())
    leading = 1 if op.arity < 0 else op.arity
    if isinstance(op, Elementwise):
        assert len([p for p in parameters if p.kind is p.POSITIONAL_ONLY]) == op.arity
        return
    named = {p.name: p.name for p in parameters[leading:] if p.name != "out"}
    _, found = op.bind([()] * leading, named)
    assert found.keys() <= {*op.parameters}
    by_position = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    _, found = op.bind([()] * leading + by_position[leading:], {})
    assert all(key == value for key, value in found.items())


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (ad.sin, "(x, /, *, out=None, where=True, dtype=None)"),
        (ad.where, "(condition, x, y, /)"),
        (ad.relu, "(x, /)"),
        (ad.sum, "(a, axis=None, dtype=None, out=None, keepdims=False, initial=0, where=True)"),
        (ad.max, "(a, axis=None, out=None, keepdims=False, initial=None, where=True)"),
        (ad.transpose, "(a, axes=None)"),
        (ad.logsumexp, "(x, axis=None, keepdims=False)"),
        (ad.conv2d, "(x, w, stride=1, padding=0, dilation=1, groups=1)"),
    ],
)
def test_signatures(function, signature):
    assert str(inspect.signature(function)) == signature


def test_a_custom_rule_has_its_functions_signature():
    @ad.custom_rule(vjp=lambda g, out, x, scale=1.0: g * scale)
    def scaled(x, scale: float = 1.0):
        """Multiply."""
        return x * scale

    assert str(inspect.signature(scaled)) == "(x, scale: float = 1.0)"
    assert "scaled(x, scale: float = 1.0)" in pydoc.render_doc(scaled, renderer=pydoc.plaintext)


def test_a_row_as_a_method_leaves_out_its_node():
    assert str(inspect.signature(ad.Value(1.0).clip)).startswith("(a_min")
    assert "axis" in inspect.signature(ad.Tensor([1.0]).sum).parameters
    assert "a" not in inspect.signature(ad.Tensor([1.0]).sum).parameters


def test_classes_of_rows_have_signatures_of_their_own():
    assert inspect.signature(Elementwise) is not None


def test_completion_offers_all_public_names():
    completer = rlcompleter.Completer({"autodiff": ad})
    offered = {word.rstrip("()") for word in completer.attr_matches("autodiff.")}
    assert {f"autodiff.{name}" for name in ad.__all__} <= offered
    assert completer.attr_matches("autodiff.logsu") == ["autodiff.logsumexp("]
    assert {*ad.__all__} <= {*dir(ad)}


def test_ipython_shows_signature_and_docstring():
    oinspect = pytest.importorskip("IPython.core.oinspect")
    themed = "theme_name" in inspect.signature(oinspect.Inspector).parameters  # from IPython 9 on
    inspector = oinspect.Inspector(**({"theme_name": "nocolor"} if themed else {}))
    found = inspector.info(ad.sin, oname="sin")
    assert found["docstring"] == ad.sin.__doc__
    assert inspector._getdef(ad.sin, "sin") == "sin(x, /, *, out=None, where=True, dtype=None)"


def test_jedi_shows_signatures():
    jedi = pytest.importorskip("jedi")
    (found,) = jedi.Interpreter("ad.logsumexp(", [{"ad": ad}]).get_signatures()
    assert [parameter.name for parameter in found.params] == ["x", "axis", "keepdims"]
    offered = {c.name for c in jedi.Interpreter("ad.log", [{"ad": ad}]).complete()}
    assert {"log", "log1p", "logsumexp"} <= offered


def test_numerical_functions_share_a_signature():
    gradient, jacobian = map(inspect.signature, (ad.numerical_gradient, ad.numerical_jacobian))
    assert gradient == jacobian
    assert [*gradient.parameters] == ["f", "x", "method", "step", "with_error"]
