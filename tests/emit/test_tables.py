"""The committed tables of the firmware equal those that Python computes."""

import pytest

from pipeline.emit.tables import TABLES


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_committed_table_equals_what_python_computes(path):
    assert path.read_text() == TABLES[path]()
