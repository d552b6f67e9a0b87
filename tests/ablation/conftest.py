"""Settings of the tests of ablations."""

from collections.abc import Iterator

import pytest

from pipeline.audio import analysis


@pytest.fixture(autouse=True, scope="package")
def single_process() -> Iterator[None]:
    """Analyses recordings in this process, because starting workers takes longer here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis, "MIN_PARALLEL", 100)
        yield
