"""Grids: what they say, and what they cannot say."""

import pytest
from support.grids import SETTINGS, write_grid

from pipeline.ablation.grid import load_grid
from pipeline.core.errors import UserError
from pipeline.core.paths import ABLATION_DIR


def test_each_stands_for_every_source_in_turn(tmp_path):
    grid = load_grid(write_grid(tmp_path / "g.toml", head='hold_out = ["each", "none", "near"]\n'))
    assert grid.hold_out == ["near", "far", "none"]
    assert (grid.name, grid.seeds, list(grid.settings)) == ("g", [0], ["small"])


@pytest.mark.parametrize(
    ("head", "settings", "message"),
    [
        ('hold_out = ["urmp"]', "", r"hold_out = \['urmp'\]: give one or more of none, each, near"),
        ("seeds = [1, 1]", "", r"seeds = \[1, 1\]: give one or more, each once"),
        ("seeds = [-1]", "", r"whole numbers from 0 to 4294967295"),
        ("colour = 1", "", "unknown entry colour; allowed: description"),
        ("", "[settings.b]\nstart = 'c'", "settings.b.start = 'c': .* random, pretrained, small"),
        ("", "[settings.b]\nvariant = 'reduced_cd'", "settings.b.teacher is missing"),
        ("", "[settings.b]\nvariant = 'tiny'", "settings.b.teacher is missing: a tiny model"),
        ("", "[settings.b]\nteacher = 'small'", "settings.b.teacher: a reduced model has none"),
        ("", "[settings.b]\nvariant = 'full'\nstart = 'small'", "has another shape than a full"),
        (
            "",
            "[settings.b]\nas_long_as = 'small'\ntrain.steps = 1",
            "settings.b.as_long_as and train.steps",
        ),
        ("", "[settings.b]\nas_long_as = 'small'", "as_long_as: give start = the earlier"),
        ("", "[settings.b]\nsources = ['x']", r"settings.b.sources = \['x'\]: .* of near, far"),
        ("", "[settings.random]", "'random' has a meaning in start"),
    ],
)
def test_contradictions_are_refused_with_file_and_entry(tmp_path, head, settings, message):
    path = write_grid(tmp_path / "g.toml", head=head, settings=SETTINGS + settings)
    with pytest.raises(UserError, match=message) as error:
        load_grid(path)
    assert str(error.value).startswith(str(path))


def test_grid_that_is_missing_is_reported_with_those_of_the_repository(tmp_path):
    message = r"no\.toml is missing: give one of data/ablations/by_.*patches\.toml, or your own$"
    with pytest.raises(UserError, match=message):
        load_grid(tmp_path / "no.toml")
    with pytest.raises(UserError, match="ablations is a folder: give a TOML file"):
        load_grid(ABLATION_DIR)


def test_a_column_that_is_not_measured_is_refused(tmp_path):
    settings = SETTINGS.replace('"loudness_error_db"', '"hue"')
    with pytest.raises(UserError, match=r"figures = \['mss', 'hue'\]: give one or more of mss, "):
        load_grid(write_grid(tmp_path / "g.toml", settings=settings))


@pytest.mark.parametrize("path", sorted(ABLATION_DIR.glob("*.toml")), ids=lambda path: path.stem)
def test_grids_of_the_repository_are_valid(path):
    grid = load_grid(path)
    assert not grid.description.endswith(".")  # the page adds it
    takes_long = any(setting.train.get("steps", 0) > 20_000 for setting in grid.settings.values())
    assert len(grid.seeds) >= (1 if takes_long else 3)
    assert f"`{grid.name}`" in (ABLATION_DIR / "README.md").read_text()
