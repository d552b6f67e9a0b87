"""Commands for run folders carry everything that their reader needs."""

from pathlib import Path

import pytest

from pipeline.core import paths
from pipeline.core.errors import UserError
from pipeline.core.runs import find_run, runs_option, training_command


@pytest.fixture
def instruments(tmp_path, replace):
    """A folder of instruments that contains a clarinet alone."""
    folder = tmp_path / "instruments"
    folder.mkdir()
    (folder / "clarinet.toml").touch()
    replace(paths.INSTRUMENT_DIR, folder)
    return folder


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("RUNS/clarinet/full", "train --variant full --instrument clarinet"),
        ("MODELS/clarinet/reduced", "train --variant reduced --instrument clarinet"),
        ("other/clarinet/reduced_ad", "distill --method audio --instrument clarinet --runs other"),
        ("two words/clarinet/reduced_cd", "distill --method control --instrument clarinet --runs "),
        ("RUNS/clarinet/tiny", "distill --variant tiny --method control --instrument clarinet"),
        ("other/kazoo/full", "train"),
        ("other/clarinet", "train"),
    ],
)
def test_training_command_makes_the_model_of_a_folder(instruments, folder, command):
    places = {"RUNS": paths.RUN_DIR, "MODELS": paths.MODEL_DIR}
    first, *others = Path(folder).parts
    written = training_command(Path(places.get(first, first), *others))
    end = "'two words'" if first == "two words" else ""
    assert written == f"python -m pipeline.{command}{end}"


def test_folder_that_commands_use_by_default_is_not_repeated():
    assert runs_option(None) == runs_option(paths.RUN_DIR) == ""
    assert runs_option(Path("my runs")) == " --runs 'my runs'"


def test_missing_variant_is_reported_with_both_places(instruments, tmp_path):
    with pytest.raises(UserError) as error:
        find_run("clarinet", "full", tmp_path)
    assert f"{tmp_path}/clarinet/full or {paths.MODEL_DIR}/clarinet/full" in str(error.value)
    assert f"train --variant full --instrument clarinet --runs {tmp_path}" in str(error.value)
