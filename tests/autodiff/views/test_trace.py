"""Traces, against the survey's own tables."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Tensor, Value, log, sin, trace

# Baydin et al. 2018, table 3, with the values to six digits and the results numbered as made here.
SURVEY = """\
Forward evaluation trace ↓ │ Reverse adjoint trace ↑
v₋₁ = x1 = 2               │ x̄1 = v̄₋₁ = 5.5
v₀ = x2 = 5                │ x̄2 = v̄₀ = 1.71634
v₁ = log(v₋₁) = 0.693147   │ v̄₋₁ = v̄₋₁ + v̄₁ × 1/v₋₁ = 5.5
v₂ = v₋₁ × v₀ = 10         │ v̄₀ = v̄₀ + v̄₂ × v₋₁ = 1.71634
                           │ v̄₋₁ = v̄₂ × v₀ = 5
v₃ = sin(v₀) = −0.958924   │ v̄₀ = v̄₃ × cos(v₀) = −0.283662
v₄ = v₁ + v₂ = 10.6931     │ v̄₂ = v̄₄ × 1 = 1
                           │ v̄₁ = v̄₄ × 1 = 1
v₅ = v₄ − v₃ = 11.6521     │ v̄₃ = v̄₅ × (−1) = −1
                           │ v̄₄ = v̄₅ × 1 = 1
y = v₅ = 11.6521           │ v̄₅ = ȳ = 1"""


def test_the_surveys_example():
    x1, x2 = Value(2, "x1"), Value(5, "x2")
    a, b, c = log(x1), x1 * x2, sin(x2)
    assert str(trace((a + b) - c)) == SURVEY


@given(st.floats(0.1, 3), st.floats(0.1, 3))
def test_the_last_adjoints_are_the_gradients(a, b):
    x, y = Value(a), Value(b)
    z = x**y / (x - sin(y) * 3) - y
    steps = trace(z).steps
    z.backward()
    for step, node in zip(steps, (x, y), strict=False):
        assert step.adjoints[0].value == node.grad
        assert step.primal.value == node.data


def test_tensors_and_seeds():
    w = Tensor([1.0, 2.0], "w")
    text = str(trace((w * 2).sum(), seed=3.0))
    assert "v₂ = sum(v₁) = 6" in text
    assert "v̄₁ = v̄₂ × ∂v₂/∂v₁ = array(2,)" in text
    (line,) = trace(w.sum(), seed=3.0).steps[0].adjoints
    np.testing.assert_array_equal(line.value, [3.0, 3.0])


def test_a_lone_variable():
    assert "v₀ = x = 3" in str(trace(Value(3, "x")))


def test_several_results_of_one_operation():
    a = Tensor([[2.0, 1.0], [1.0, 2.0]])
    y = np.linalg.eigh(a)[0][1]
    printed = str(trace(y))
    assert "eigh" in printed
    assert "(array(2,), array(2, 2))" in printed
    assert "(array(2,), 0)" in printed  # the vectors have no part in it


def test_complex_numbers_and_empty_arrays():
    z = Tensor(1 + 2j)
    assert "5 " in str(trace(np.real(z * np.conj(z)))).replace("\n", " ")
    assert "array(0,)" in str(trace(np.sum(Tensor(np.ones(0)))))
