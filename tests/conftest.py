"""Fixtures and settings that all tests share."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.replacing import replaced

from pipeline.core import paths

NOBODY = 65534  # an unprivileged user

# The tflm engine needs a built tflite-micro tree.
collect_ignore = [] if os.environ.get("TFLM_DIR") else ["target/test_tflm_engine.py"]

if "PYTEST_XDIST_WORKER" in os.environ:  # with a worker per core, one thread each is fastest
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_configure(config: pytest.Config) -> None:
    """Uses an empty default folder of run folders, because no test may depend on ``runs/``."""
    stack = ExitStack()
    config.add_cleanup(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="no-runs-"))
    stack.enter_context(replaced(paths.RUN_DIR, Path(folder)))


@pytest.fixture
def replace() -> Iterator[Callable[[object, object], None]]:
    """Replaces an object of the pipeline in every module that names it, until the test ends."""
    with ExitStack() as stack:
        yield lambda original, substitute: stack.enter_context(replaced(original, substitute))


@pytest.fixture
def build_dir(tmp_path: Path) -> Iterator[Path]:
    """A separate build folder for the test, instead of the repository's."""
    with replaced(paths.BUILD_DIR, tmp_path / "build"):
        yield tmp_path / "build"


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers share; builds in it are locked and incremental."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def generate_once(run_folder: Path) -> Callable[[str, Callable[[Path], object]], Path]:
    """Fills a folder of `run_folder`, unless another worker has done so."""

    def generate(name: str, write: Callable[[Path], object]) -> Path:
        folder, done = run_folder / name, run_folder / f".{name}.done"
        with (run_folder / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
                write(folder)
                done.touch()
        return folder

    return generate


@pytest.fixture(scope="session")
def small_run(generate_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """The run folder ``flute/reduced_cd`` of a small untrained model; no test changes it."""

    def write(folder: Path) -> None:
        from support.small_run import make_run  # imports Keras

        make_run(folder / "flute" / "reduced_cd")

    return generate_once("small_run", write) / "flute" / "reduced_cd"


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Yields a folder of a user whom permissions stop, and makes the test run as that user."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))  # open to all users, unlike tmp_path
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        shutil.rmtree(folder)
