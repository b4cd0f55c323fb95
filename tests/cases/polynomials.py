"""What the functions of `autodiff.ops.polynomials` are tried with."""

from hypothesis import strategies as st

from cases.case import Case

CASES: dict[str, st.SearchStrategy[Case]] = {}
