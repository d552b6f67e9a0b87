"""Fixtures of all tests, and which files pytest leaves out."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.replacing import replaced

from pipeline.core import paths

# The tflm engine needs a built tflite-micro tree.
collect_ignore = [] if os.environ.get("TFLM_DIR") else ["target/test_tflm_engine.py"]


@pytest.fixture(scope="session", autouse=True)
def no_runs_of_the_developer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Makes the default folder of run folders an empty one: no test may depend on ``runs/``."""
    with replaced(paths.RUN_DIR, tmp_path_factory.mktemp("no_runs")):
        yield


@pytest.fixture
def replace() -> Iterator[Callable[[object, object], None]]:
    """Replaces an object of the pipeline until the test ends, wherever a module names it."""
    with ExitStack() as stack:
        yield lambda original, substitute: stack.enter_context(replaced(original, substitute))


@pytest.fixture
def build_dir(tmp_path: Path) -> Iterator[Path]:
    """A build folder of the test's own, instead of the repository's."""
    with replaced(paths.BUILD_DIR, tmp_path / "build"):
        yield tmp_path / "build"
