"""The library of two instruments, as all tests of exports use it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.exports import write_sources


@pytest.fixture(scope="session")
def exported_sources(generate_once: Callable[..., Path]) -> Path:
    """The folder ``src`` of an export of the tiny flute and the tiny piano."""
    return generate_once("exported_sources", write_sources)


@pytest.fixture(scope="session")
def sources(exported_sources: Path) -> dict[str, str]:
    """The texts of that folder by path, as `library_sources` returns them."""
    files = (path for path in exported_sources.rglob("*") if path.is_file())
    return {str(path.relative_to(exported_sources)): path.read_text() for path in sorted(files)}
