"""The table on arrays of another library, as strict as CuPy's: what passes, and what does not."""
