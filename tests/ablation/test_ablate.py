"""The command, from a grid and recordings to results and a table."""

import json
from pathlib import Path

import pytest
from support.grids import CHAIN, write_grid, write_sources

from pipeline import ablate
from pipeline.ablation.table import table_text
from pipeline.ablation.task import TRAINING, run_task
from pipeline.core.errors import UserError
from pipeline.core.runs import load_run

pytestmark = pytest.mark.slow
HEAD = """\
hold_out = ["far"]
evaluate = {clips = 1, figures = ["mss"]}
[new_instruments.flute]
patch = "flute"
data = {f0_min_hz = 230, f0_max_hz = 2300}
full = {n_blocks = 2, hidden_channels = 4}
reduced = {n_blocks = 2, hidden_channels = 3}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, list[str]]:
    """Runs a grid with a teacher, students and a control; returns the folder and the arguments."""
    folder = tmp_path_factory.mktemp("ablation")
    grid = write_grid(folder / "grid.toml", head=HEAD, settings=CHAIN)
    places = write_sources(folder / "recordings")
    folders = ["--work", str(folder / "work"), "--out", str(folder / "out")]
    arguments = [str(grid), *places, *folders, "--jobs", "1"]
    ablate.main(arguments)
    return folder, arguments


def results_of(folder: Path) -> dict:
    return json.loads((folder / "out" / "results.json").read_text())


def test_results_hold_figures_by_source_and_what_made_them(made):
    folder, _ = made
    results = results_of(folder)
    assert results["command"] == (
        "python -m pipeline.ablate grid.toml --source near=DIR --source far=DIR"
    )
    assert str(folder) not in json.dumps(results)
    assert {"code", "numpy", "tensorflow"} <= set(results["versions"][0])
    for task in results["tasks"]:
        assert set(task["figures"]["float"]) == {"near", "far"}
        run = load_run(folder / "work" / "runs" / "flute" / task["run"])
        assert (run.hash, run.train.seed) == (task["config_hash"], task["seed"])
    table = (folder / "out" / "table.md").read_text()
    rows = [row.split("|")[1].strip() for row in table.splitlines() if row.startswith("| ")]
    assert rows == ["setting", "---", "full", "reduced", "CD", "longer"]


@pytest.fixture(scope="module")
def trainings(made) -> dict[str, dict]:
    """What the run folder of each setting says about its training: the steps and the seconds."""
    runs = {task["setting"]: task["run"] for task in results_of(made[0])["tasks"]}
    folder = made[0] / "work" / "runs" / "flute"
    return {name: json.loads((folder / run / TRAINING).read_text()) for name, run in runs.items()}


@pytest.mark.parametrize(
    ("setting", "others"),
    [("full", []), ("reduced", []), ("CD", ["full", "reduced"]), ("longer", ["reduced"])],
)
def test_seconds_include_those_of_what_a_model_is_made_from(made, trainings, setting, others):
    (task,) = (task for task in results_of(made[0])["tasks"] if task["setting"] == setting)
    seconds = {name: trainings[name]["seconds"] for name in (setting, *others)}
    assert min(seconds.values()) > 0.1
    assert task["seconds"] == round(seconds[setting], 1)
    assert task["total_seconds"] == pytest.approx(sum(seconds.values()), abs=0.051)


def test_the_control_takes_the_steps_that_fit_into_the_time_of_the_distilled(trainings):
    """What the teacher and the distillation took is time for further steps of the reduced model."""
    seconds = {name: training["seconds"] for name, training in trainings.items()}
    steps = {name: training["steps"] for name, training in trainings.items()}
    fitting = round((seconds["full"] + seconds["CD"]) * 4 / seconds["reduced"])
    assert steps == {"full": 4, "reduced": 4, "CD": 4, "longer": fitting}


def test_anchors_alone_are_judged_without_a_training(made, tmp_path, capsys):
    """Of a setting that needs the model of another, too, with a seed that has no models."""
    folder, arguments = made
    settings = "[settings.first]\nstart = 'random'\n[settings.second]\nstart = 'first'\n"
    head = HEAD.replace("clips = 1,", "clips = 1, systems = ['lpc', 'lpc_noise'],")
    grid = write_grid(tmp_path / "grid.toml", head=f"seeds = [7]\n{head}", settings=settings)
    ablate.main([str(grid), *arguments[1:], "--out", str(tmp_path / "out")])
    assert "2 tasks, 2 of them to do" in capsys.readouterr().out
    results = results_of(tmp_path)
    for task in results["tasks"]:
        run = folder / "work" / "runs" / "flute" / task["run"]
        (result,) = run.glob("result-*.json")
        assert {path.name for path in run.iterdir()} == {".lock", "log.txt", result.name}
        assert "seconds" not in task and "steps" not in task
        assert task["figures"] == results["tasks"][0]["figures"]
    assert results["tasks"][0]["figures"]["lpc"]["far"]["mss"] > 0
    rows = [row for row in table_text(results).splitlines() if "lpc" in row]
    assert len(rows) == 4 and all(row.endswith(" | — |") for row in rows)


def test_what_is_done_is_not_done_again(made, replace, capsys):
    folder, arguments = made
    before = results_of(folder)
    replace(run_task, None)
    ablate.main(arguments)
    assert results_of(folder) == before
    assert "4 tasks, 0 of them to do" in capsys.readouterr().out


def test_a_task_that_fails_leaves_the_others_and_the_old_results(made, capsys):
    folder, arguments = made
    before = results_of(folder)
    bad = "\n[settings.bad]\nstart = 'reduced'\ninstrument.reduced.hidden_channels = 5\n"
    after = "[settings.after]\nstart = 'bad'\n"
    write_grid(folder / "grid.toml", head=HEAD, settings=CHAIN + bad + after)
    message = r"^bad, seed 0: flute, far held out: .* another shape.*\(4 of 6 tasks are done"
    with pytest.raises(UserError, match=message):
        ablate.main(arguments)
    assert "6 tasks, 2 of them to do" in capsys.readouterr().out
    assert results_of(folder) == before
