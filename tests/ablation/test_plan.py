"""The plan of a grid: what is trained, what is shared, and what waits for what."""

from collections import Counter
from pathlib import Path

import pytest
from support.grids import CHAIN, SETTINGS, write_grid, write_sources

from pipeline.ablation.data_sets import Library
from pipeline.ablation.grid import load_grid
from pipeline.ablation.plan import Plan, make_plan
from pipeline.core.errors import UserError
from pipeline.core.paths import MODEL_DIR


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    write_sources(folder)
    return {name: folder / name for name in ("near", "far")}


def plan_of(folder: Path, places: dict[str, Path], *, head="", settings=SETTINGS) -> Plan:
    grid = load_grid(write_grid(folder / "grid.toml", head=head, settings=settings))
    return make_plan(grid, Library(folder / "data", places), folder / "runs")


def test_every_combination_is_a_task_with_its_own_seed(tmp_path, places):
    plan = plan_of(tmp_path, places, head='hold_out = ["each", "none"]\nseeds = [4, 5]\n')
    found = Counter((task.data.hold_out, task.config.train.seed) for task in plan.tasks)
    assert found == {(hold_out, seed): 1 for hold_out in ("near", "far", "none") for seed in (4, 5)}
    assert len({task.run_dir for task in plan.tasks}) == 6
    assert len(plan.data_sets) == 3  # seeds share them


def test_tasks_wait_for_those_that_they_are_made_from(tmp_path, places):
    plan = plan_of(tmp_path, places, settings=CHAIN)
    rounds = [[task.setting for task in tasks] for tasks in plan.rounds()]
    assert rounds == [["full", "reduced"], ["CD"], ["longer"]]
    full, reduced, cd, longer = plan.tasks
    assert (cd.teacher, cd.start) == (full.run_dir, reduced.run_dir)
    assert cd.made_from == (reduced.run_dir, full.run_dir)
    assert longer.as_long_as == (reduced.run_dir, full.run_dir, cd.run_dir)
    assert longer.made_from == (reduced.run_dir,)


def test_a_change_changes_the_folders_of_what_depends_on_it(tmp_path, places):
    before = plan_of(tmp_path, places, settings=CHAIN).tasks
    changed = CHAIN.replace('variant = "full"\n', 'variant = "full"\ntrain.steps = 9\n')
    after = plan_of(tmp_path, places, settings=changed).tasks
    same = [one.run_dir == other.run_dir for one, other in zip(before, after, strict=True)]
    assert same == [False, True, False, False]


def test_settings_that_train_alike_share_a_run_folder(tmp_path, places):
    again = '[settings.again]\nstart = "random"\n[settings.own]\nstart = "random"\n'
    again += 'instrument.patch = "two_stacks"\ntrain.learning_rate = 0.002\n'
    plan = plan_of(tmp_path, places, settings='[settings.one]\nstart = "random"\n' + again)
    one, other, own = plan.tasks
    assert one.run_dir == other.run_dir != own.run_dir
    assert (own.config.patch["name"], own.config.train.learning_rate) == ("two_stacks", 0.002)
    assert one.data.hash == own.data.hash  # the patch does not change the data set


def test_changed_recordings_make_another_data_set(tmp_path, places):
    def hashes() -> list[str]:
        return [data.hash for data in plan_of(tmp_path, places).data_sets]

    before = hashes()
    more = places["near"] / "flute" / "more.wav"
    more.write_bytes((places["near"] / "flute" / "take_a.wav").read_bytes())
    after = hashes()
    more.unlink()
    assert before == hashes() != after


def test_pretrained_start_is_the_nearest_model(tmp_path, places):
    settings = '[settings.a]\nstart = "pretrained"\n'
    (task,) = plan_of(tmp_path, places, settings=settings).tasks
    assert task.start == MODEL_DIR / "flute" / "reduced"
    assert task.made_from == ()


def test_a_setting_without_a_source_to_learn_from_is_left_out(tmp_path, places):
    head = 'hold_out = ["near", "far"]\n'
    settings = '[settings.all]\nstart = "random"\n[settings.far]\nsources = ["far"]\n'
    settings += 'start = "random"\n'
    plan = plan_of(tmp_path, places, head=head, settings=settings)
    assert [(task.setting, task.data.hold_out) for task in plan.tasks] == [
        ("all", "near"),
        ("far", "near"),
        ("all", "far"),
    ]
    assert [data.sources for data in plan.data_sets] == [("near", "far")] * 2


def test_a_new_instrument_is_described_in_the_grid(tmp_path, places):
    head = 'new_instruments.flute = {patch = "violin", data = {f0_min_hz = 200, f0_max_hz = 900}}\n'
    (task,) = plan_of(tmp_path, places, head=head).tasks
    assert (task.config.patch["name"], task.data.config.data.f0_max_hz) == ("violin", 900)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("train.stepz = 1", r"settings.a.train.stepz; allowed"),
        ("train.steps = 0", r"settings.a.train.steps = 0: give a whole number from 1"),
        ("train.seed = 1", r"settings.a.train.seed: give seeds"),
        ("instrument.patch = 'nothing'", r"patch = 'nothing': give one of"),
        ("instrument.data.hum = 1", r"settings.a.instrument.data.hum; allowed"),
        ("variant = 'reduced_ad'\nteacher = 'small'", "starts from 'reduced', which no earlier"),
    ],
)
def test_bad_changes_are_refused_before_any_work(tmp_path, places, settings, message):
    with pytest.raises(UserError, match=message):
        plan_of(tmp_path, places, settings=f"{SETTINGS}[settings.a]\n{settings}\n")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({}, r"near, far are no sound sets .*: give --source near=DIR --source far=DIR"),
        ({"near": "."}, r"^far is no sound set .*: give --source far=DIR, a folder"),
        ({"near": "none"}, r"--source near=none: none does not exist: give a folder"),
        ({"near": "file"}, r"--source near=file: file is a file: give a folder"),
        ({"near": "empty"}, r"--source near=empty: empty/flute does not exist: give a folder"),
        ({"x": "none"}, r"--source x: give one of the grid: near, far"),
        ({"near": ".", "far": ".", "x": "."}, r"--source x: give one of the grid: near, far"),
    ],
)
def test_sources_have_to_be_bound_to_folders(tmp_path, monkeypatch, places, message):
    for name in ("flute", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    library = Library(tmp_path, {name: Path(place) for name, place in places.items()})
    with pytest.raises(UserError, match=message):
        library.check_sources(["near", "far"], ["flute"])
