"""Test cases of special functions with a parameter."""

from hypothesis import strategies as st

from cases.case import SHAPES, Case


def of_order(**options: bool) -> st.SearchStrategy[Case]:
    return st.builds(lambda shape, n: Case([shape], {"n": n}, **options), SHAPES, st.integers(0, 3))


CASES = {"bessel_i": of_order(), "sinc_derivative": of_order(complex=True)}
