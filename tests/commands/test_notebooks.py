"""Every notebook runs from top to bottom and shows plots and sounds."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbclient
import nbformat
import pytest
from jupyter_client.manager import KernelManager

from pipeline.core.paths import REPOSITORY

pytestmark = [pytest.mark.firmware, pytest.mark.slow]

MOST_SECONDS = 180  # per notebook, on a busy machine
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
SHORTER = {  # what the trainings learn does not matter here
    "02_distill": {"    steps=60": "    steps=4", "validate_every=15": "validate_every=2"}
}
Execute = Callable[[Path], nbformat.NotebookNode]


@contextmanager
def kernel(**folders: Path) -> Iterator[Execute]:
    """Yields a function that executes a notebook as Jupyter does; all share a process.

    Args:
        folders: Folders by the name in `pipeline.core.paths` of those that they replace.
    """
    first = "%reset -f\nfrom pathlib import Path\nfrom pipeline.core import paths\n"
    first += "".join(f"paths.{name} = Path({str(at)!r})\n" for name, at in folders.items())
    manager = KernelManager(kernel_name="python3")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    manager.start_kernel(cwd=str(NOTEBOOKS[0].parent), env=environment)

    def execute(path: Path) -> nbformat.NotebookNode:
        notebook = nbformat.read(path, as_version=4)
        for old, new in SHORTER.get(path.stem, {}).items():
            (cell,) = [cell for cell in notebook.cells if old in cell.source]
            cell.source = cell.source.replace(old, new)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
        end = time.monotonic() + MOST_SECONDS
        nbclient.NotebookClient(
            notebook, km=manager, timeout_func=lambda cell: max(1, end - time.monotonic())
        ).execute()
        return notebook

    try:
        yield execute
    finally:
        manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def execute(tmp_path_factory) -> Iterator[Execute]:
    with kernel(RUN_DIR=tmp_path_factory.mktemp("runs")) as execute:
        yield execute


@pytest.fixture(scope="module")
def no_models(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("no-models")


@pytest.fixture(scope="module")
def execute_without_models(no_models) -> Iterator[Execute]:
    with kernel(RUN_DIR=no_models / "runs", MODEL_DIR=no_models) as execute:
        yield execute


def outputs(notebook, kind):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    data = [output.get("data", {}) for cell in cells for output in cell.outputs]
    return [entry[kind] for entry in data if kind in entry]


def test_notebooks_are_the_four_of_the_readme():
    names = [path.stem for path in NOTEBOOKS]
    assert names == ["01_listen", "02_distill", "03_quantize", "04_on_device"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_plots_and_sounds(path, execute):
    stored = nbformat.read(path, as_version=4)
    nbformat.validate(stored)
    assert stored.metadata.kernelspec.name == "python3"
    # Notebooks are committed without outputs.
    assert all(not c.outputs for c in stored.cells if c.cell_type == "code")
    notebook = execute(path)
    assert len(outputs(notebook, "image/png")) >= 3
    n_players = sum(html.count("<audio controls") for html in outputs(notebook, "text/html"))
    assert n_players >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_without_models_names_the_command_to_run_first(
    path, no_models, execute_without_models
):
    with pytest.raises(nbclient.exceptions.CellExecutionError) as error:
        execute_without_models(path)
    # It names the searched folder once, and a command that trains into the default folder.
    message = r"no trained (\w+) flute in (\S+): run python -m (.*) --instrument flute first"
    variant, folder, stage = re.search(message, str(error.value)).groups()
    assert folder == f"{no_models}/flute/{variant}"
    stages = {
        "full": "pipeline.train --variant full",
        "reduced_cd": "pipeline.distill --method control",
    }
    assert stage == stages[variant]
