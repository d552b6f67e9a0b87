"""Selection of the expression table that belongs to a model."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core import paths
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig, TrainConfig
from pipeline.core.runs import RunConfig
from pipeline.model.expression import PLAIN, Expression, find_expression

Replace = Callable[[object, object], None]


def make_run(folder: Path, instrument: str = "flute") -> Path:
    """Writes the configuration of a run; returns its folder."""
    run_dir = folder / instrument / "reduced_cd"
    RunConfig(instrument, "flute", "reduced_cd", TcnConfig(2, 8), TrainConfig()).save(run_dir)
    return run_dir


def save_table(folder: Path, lowest_note: int) -> Expression:
    """Writes a table, identified by its lowest note, into a folder."""
    table = dataclasses.replace(PLAIN, lowest_note=lowest_note)
    table.save(folder / "expression.toml", "a test")
    return table


def test_model_uses_the_table_beside_its_run_folder(tmp_path: Path, replace: Replace) -> None:
    runs = tmp_path / "runs"
    replace(paths.RUN_DIR, runs)
    save_table(make_run(runs).parent, 30)
    run_dir = make_run(tmp_path / "shipped")
    own = save_table(run_dir.parent, 31)
    assert find_expression(run_dir) == own
    assert find_expression(runs / "flute" / "reduced_cd").lowest_note == 30


def test_model_without_a_table_uses_the_pretrained_one(tmp_path: Path, replace: Replace) -> None:
    models = tmp_path / "models"
    replace(paths.MODEL_DIR, models)
    run_dir = make_run(tmp_path / "elsewhere")
    assert find_expression(run_dir) == PLAIN
    pretrained = save_table(make_run(models).parent, 32)
    assert find_expression(run_dir) == pretrained


def test_folder_that_is_not_a_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run folder"):
        find_expression(tmp_path)
