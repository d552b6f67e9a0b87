"""The tables of ablations, and the files that quote them."""

import pytest

from pipeline.ablation import table
from pipeline.ablation.grid import load_grid
from pipeline.ablation.results import load_results, write_results
from pipeline.ablation.table import page_text, quote, table_text
from pipeline.core.errors import UserError
from pipeline.core.paths import ABLATION_DIR

GRID = """\
description = "What is tested"
instruments = ["flute"]
sources = ["near", "far"]
profile = "laptop"
seeds = [0, 1]
evaluate.figures = ["mss", "silence_dbfs"]
settings.a.start = "random"
"""


def task(hold_out, seed, near, far):
    figures = {
        name: {"recordings": 2, "mss": mss, "silence_dbfs": None}
        for name, mss in {"near": near, "far": far}.items()
    }
    return {
        "instrument": "flute",
        "setting": "a",
        "hold_out": hold_out,
        "seed": seed,
        "run": f"reduced-{hold_out}-{seed}",
        "total_seconds": 10.0 + seed,
        "figures": {"float": figures},
        "versions": {"numpy": "2.0"},
    }


TASKS = [task("far", 0, 1.0, 5.0), task("far", 1, 1.5, 6.0), task("none", 0, 2.0, 3.0)]
TABLE = """\
| setting | held out | judged on | mss | silence_dbfs | seconds |
| --- | --- | --- | ---: | ---: | ---: |
| a | far | far | 5.50 ± 0.71 | — | 10 |
| a | none | near | 2.00 | — | 10 |
| a | none | far | 3.00 | — | 10 |
"""


@pytest.fixture
def results(tmp_path):
    (tmp_path / "try.toml").write_text(GRID)
    grid = load_grid(tmp_path / "try.toml")
    return write_results(tmp_path / "try" / "results.json", grid, "python -m x", TASKS)


def test_rows_have_mean_and_spread_on_what_was_held_out_or_on_every_source(results):
    assert table_text(results) == TABLE


def test_anchors_have_no_seconds_and_only_int8_models_have_instructions(results):
    systems = ("float", "int8", "lpc", "lpc_noise")
    results["tasks"] = [
        entry | {"figures": dict.fromkeys(systems, entry["figures"]["float"])}
        for entry in results["tasks"]
        if entry["hold_out"] == "far"
    ]
    results["instructions"] = {"a": {"Cortex-M4F": 8800}}
    assert (
        table_text(results)
        == """\
| setting | plays | Cortex-M4F | mss | silence_dbfs | seconds |
| --- | --- | ---: | ---: | ---: | ---: |
| a | float | — | 5.50 ± 0.71 | — | 10 |
| a | int8 | 8 800 | 5.50 ± 0.71 | — | 10 |
| a | lpc | — | 5.50 ± 0.71 | — | — |
| a | lpc_noise | — | 5.50 ± 0.71 | — | — |
"""
    )


def test_known_sources_have_rows_on_request(results):
    results["grid"]["evaluate"]["known"] = True
    assert "| a | far | near | 1.25 ± 0.35 |" in table_text(results)


def test_written_results_are_read_again_with_grid_and_versions(tmp_path, results):
    found = load_results(tmp_path / "try" / "results.json")
    assert found == results
    assert found["versions"] == [{"numpy": "2.0"}]
    page = page_text(found)
    assert page.endswith(f"\n{TABLE}\nGrid {found['grid_hash']}, profile laptop; numpy 2.0.\n")
    assert "    python -m x\n" in page and "over seeds (0, 1)" in page


def test_a_readme_quotes_a_table_between_its_markers(tmp_path, results, replace):
    replace(ABLATION_DIR, tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- ablation: try -->\nold\n<!-- end -->\nb\n")
    renewed = f"a\n<!-- ablation: try -->\n\n{TABLE}\n<!-- end -->\nb\n"
    assert quote(readme) == renewed
    readme.write_text(renewed)
    assert quote(readme) == renewed
    readme.write_text("<!-- ablation: other -->\n<!-- end -->\n")
    with pytest.raises(UserError, match=r"other/results.json is missing: run python -m"):
        quote(readme)


def test_page_says_how_many_trainings_a_row_has(results):
    assert "deviation over seeds (0, 1) of the mean over recordings, on" in page_text(results)
    results["grid"]["seeds"] = [3]
    assert "Mean of one training (seed 3) over recordings, on" in page_text(results)


def test_page_names_settings_that_are_the_same_trainings_and_all_versions(results):
    assert "equal" not in page_text(results)
    others = [task | {"setting": name} for task in results["tasks"] for name in ("b", "c")]
    results["tasks"] += [task | {"run": f"{task['run']}{task['setting']}"} for task in others[1::2]]
    results["tasks"] += others[::2]
    results["versions"] += [{"numpy": "2.1", "code": "1f"}, {"numpy": "2.0", "code": "2e"}]
    page = page_text(results)
    assert "\nRows that are equal: a and b are the same trainings for the flute.\n\nGrid" in page
    assert page.endswith("; numpy 2.0 and 2.1, code 1f and 2e.\n")


def test_every_result_of_the_repository_has_a_generated_page(tmp_path, results, replace):
    replace(ABLATION_DIR, tmp_path)
    assert table.tables()[tmp_path / "try" / "table.md"]() == page_text(results)
