"""Worked examples, one runnable file an idea: `python -m demos` lists them."""
