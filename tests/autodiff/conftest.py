"""A fixture for tests that add rows."""

import pytest

from autodiff.ops.registry import BY_FUNCTION, TABLE


@pytest.fixture
def own_rows():
    """Restore the table after a test that adds rows."""
    before = dict(TABLE), dict(BY_FUNCTION)
    yield
    for table, old in zip((TABLE, BY_FUNCTION), before, strict=True):
        table.clear()
        table.update(old)
