"""Worked examples, one file each: `python -m demos` lists them."""
