"""Rows for one test."""

import pytest

from autodiff.ops.table import BY_FUNCTION, TABLE


@pytest.fixture
def own_rows():
    """The test may add rows: the table is afterwards as it was."""
    before = dict(TABLE), dict(BY_FUNCTION)
    yield
    for table, old in zip((TABLE, BY_FUNCTION), before, strict=True):
        table.clear()
        table.update(old)
