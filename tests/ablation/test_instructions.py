"""Instructions of the firmware of an ablation: counted once per shape, in table and picture."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.grids import write_grid

from pipeline.ablation import table
from pipeline.ablation.grid import load_grid
from pipeline.ablation.instructions import N_FRAMES, count_instructions
from pipeline.core.errors import UserError
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import load_run
from pipeline.evaluation.bench_firmware import bench_frames
from pipeline.pages import frontier
from pipeline.target import firmware, sources

CORES = {"Cortex-M4F": 8781, "Cortex-M0+": 25_700}


def task(setting: str, seed: int, mss: float) -> dict:
    figures = {"near": {"mss": mss}, "far": {"mss": mss + 1}}
    return {
        "instrument": "flute",
        "setting": setting,
        "hold_out": "far",
        "seed": seed,
        "total_seconds": 10.0,
        "figures": {"int8": figures},
    }


RESULTS = {
    "grid": {"evaluate": {"figures": ["mss"], "systems": ["int8"]}},
    "instructions": {
        "teacher": dict.fromkeys(CORES, 100_000),
        "2 x 16 x 3, CD": CORES,
        "2 x 16 x 3, CD, then AD": CORES,
    },
    "tasks": [
        task("teacher", 0, 5.0),
        *(task("2 x 16 x 3, CD", seed, 5.0 + seed) for seed in (0, 1)),
        task("2 x 16 x 3, CD, then AD", 0, 6.0),
    ],
}


def test_table_has_a_column_of_instructions_for_each_core():
    head, _, first, second, _ = table.table_text(RESULTS).splitlines()
    assert head == "| setting | Cortex-M4F | Cortex-M0+ | mss | seconds |"
    assert first == "| teacher | 100 000 | 100 000 | 6.00 | 10 |"
    assert second == "| 2 x 16 x 3, CD | 8 781 | 25 700 | 6.50 ± 0.71 | 10 |"


def test_points_are_means_over_seeds_on_what_was_held_out():
    teacher, distilled, both = frontier.points(RESULTS)
    assert (teacher.shape, teacher.method, teacher.figure, teacher.spread) == ("teacher", "", 6, 0)
    assert (distilled.shape, distilled.method) == ("2 x 16 x 3", "CD")
    assert (distilled.figure, distilled.spread) == (6.5, pytest.approx(0.5**0.5))
    assert (both.method, both.instructions) == ("CD, then AD", CORES)


def test_picture_has_a_panel_for_each_core_and_the_same_bytes_again(tmp_path):
    pictures = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for picture in pictures:
        frontier.draw(RESULTS, picture)
    text = pictures[0].read_text()
    assert len(re.findall(r"<g id=\"axes_\d+\">", text)) == 2
    assert text == pictures[1].read_text()


@pytest.mark.parametrize(
    ("evaluate", "message"),
    [
        ('{systems = ["int8"], boards = ["pico"]}', "evaluate.boards = .*qemu_m0"),
        ('{boards = ["qemu_m4"]}', "evaluate.boards: counts int8 models"),
    ],
)
def test_boards_that_are_not_emulated_and_float_models_are_refused(tmp_path, evaluate, message):
    settings = f'evaluate = {evaluate}\n[settings.a]\nstart = "random"\n'
    with pytest.raises(UserError, match=message):
        load_grid(write_grid(tmp_path / "grid.toml", settings=settings))


def planned(setting: str, run_dir: Path) -> SimpleNamespace:
    return SimpleNamespace(setting=setting, run_dir=run_dir, config=load_run(run_dir))


@pytest.mark.firmware
def test_models_of_one_shape_are_counted_once(monkeypatch):
    flute, violin = (MODEL_DIR / name / "tiny" for name in ("flute", "violin"))
    other = planned("other", flute)
    other.config = replace(other.config, tcn=replace(other.config.tcn, kernel_size=2))
    plan = SimpleNamespace(tasks=[planned("a", flute), planned("b", violin), other])
    played = []

    def generate(run_dir):
        played.append(run_dir)
        return sources_generate(run_dir)

    sources_generate = sources.generate
    monkeypatch.setattr(sources, "generate", generate)
    counts = count_instructions(plan, ["qemu_m4"])
    assert played == [flute, flute]
    built = firmware.build("qemu_m4", sources_generate(flute))
    total = sum(firmware.render(built, bench_frames(N_FRAMES)).instructions.values())
    assert counts == {name: {"Cortex-M4F": round(total)} for name in ("a", "b", "other")}
    assert count_instructions(plan, []) == {}
