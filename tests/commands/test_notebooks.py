"""Every notebook runs from top to bottom and shows plots and sounds."""

import re
import time

import nbclient
import nbformat
import pytest

from pipeline.core.paths import REPOSITORY

pytestmark = [pytest.mark.firmware, pytest.mark.slow]

MOST_SECONDS = 180  # per notebook, on a busy machine
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def execute(path, monkeypatch, **folders):
    """Executes a notebook as Jupyter does, with `folders` in place of those in `paths`."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    notebook = nbformat.read(path, as_version=4)
    first = "from pathlib import Path\nfrom pipeline.core import paths\n"
    first += "".join(f"paths.{name} = Path({str(at)!r})\n" for name, at in folders.items())
    notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    resources = {"metadata": {"path": str(path.parent)}}
    end = time.monotonic() + MOST_SECONDS
    nbclient.NotebookClient(
        notebook, timeout_func=lambda cell: max(1, end - time.monotonic()), resources=resources
    ).execute()
    return notebook


def outputs(notebook, kind):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    data = [output.get("data", {}) for cell in cells for output in cell.outputs]
    return [entry[kind] for entry in data if kind in entry]


def test_notebooks_are_the_four_of_the_readme():
    names = [path.stem for path in NOTEBOOKS]
    assert names == ["01_listen", "02_distill", "03_quantize", "04_on_device"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_plots_and_sounds(path, monkeypatch, tmp_path):
    stored = nbformat.read(path, as_version=4)
    nbformat.validate(stored)
    assert stored.metadata.kernelspec.name == "python3"
    # Notebooks are committed without outputs.
    assert all(not c.outputs for c in stored.cells if c.cell_type == "code")
    notebook = execute(path, monkeypatch, RUN_DIR=tmp_path)
    assert len(outputs(notebook, "image/png")) >= 3
    n_players = sum(html.count("<audio controls") for html in outputs(notebook, "text/html"))
    assert n_players >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_without_models_names_the_command_to_run_first(path, monkeypatch, tmp_path):
    with pytest.raises(nbclient.exceptions.CellExecutionError) as error:
        execute(path, monkeypatch, RUN_DIR=tmp_path / "runs", MODEL_DIR=tmp_path)
    # It names the searched folder once, and a command that trains into the default folder.
    message = r"no trained (\w+) flute in (\S+): run python -m (.*) --instrument flute first"
    variant, folder, stage = re.search(message, str(error.value)).groups()
    assert folder == f"{tmp_path}/flute/{variant}"
    stages = {
        "full": "pipeline.train --variant full",
        "reduced_cd": "pipeline.distill --method control",
    }
    assert stage == stages[variant]
