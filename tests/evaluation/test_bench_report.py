"""Reports of the benchmark: tables, a picture, and files that are none."""

import dataclasses
import json

import pytest

from pipeline import bench_report
from pipeline.core.errors import UserError
from pipeline.evaluation.measured_boards import measured_text
from pipeline.pages import bench_tables, quality_cost
from pipeline.target.boards import ESTIMATED_BOARDS, INSTRUMENT_BOARDS


def model_row(instrument, variant, total, mss, *, board="qemu_m4", share=0.1, fits=True):
    (estimated,) = (one for one in ESTIMATED_BOARDS if one.emulated_by == board)
    return {
        "run": f"{instrument}/{variant}",
        "instrument": instrument,
        "variant": variant,
        "format": "int8",
        "engine": "aot",
        "board": board,
        "parameters": 51596,
        "mac_per_frame": 51200,
        "mss_valid": mss,
        "instructions_per_frame": {"total": total},
        "bytes": {"firmware_flash": 70328, "firmware_ram": 10580},
        "chips": [{"name": estimated.chip, "cpu_share": share, "fits": fits}],
    }


ROWS = [
    model_row("flute", "full", 370_000.4, {"real": 5.5, "rendered": 7.0}, share=0.9996),
    model_row("flute", "full", 1_030_000, {"real": 5.5}, board="qemu_m0", share=2.4, fits=False),
    model_row("flute", "reduced_cd", 57_217, {"real": 6.5}, share=0.1526),
    model_row("piano", "full", 370_000, {"rendered": 8.5}),
    model_row("violin", "full", 370_000, {}),
]


def test_markdown_has_a_row_per_model_and_a_column_per_chip():
    head, _, *rows = bench_tables.markdown({"rows": ROWS, "reverbs": []}).splitlines()
    assert head.endswith("| STM32F407, 168 MHz | RP2040, 125 MHz |")
    assert len(rows) == 4 and {row.count("|") for row in [head, *rows]} == {9}
    assert rows[0].startswith("| flute, Full | int8 | 51 596 | 51 200 | 70.3 kB | 10.6 kB |")
    assert rows[0].endswith("| 370 000, 100.0 % | 1 030 000, too large |")
    assert rows[1].endswith("| 57 217, 15.3 % |  |")


def board_row():
    live = {
        "instructions_per_block": 130_128,
        "worst_block_instructions": 133_450,
        "cpu_share": 0.0724,
    }
    return {
        "board": "nucleo_h743zi",
        "core": "Cortex-M7F",
        "clock_hz": 480e6,
        "run": "flute/reduced_cd",
        "instructions_per_block": 59_128,
        "cpu_share": 0.031,
        "limits": dataclasses.asdict(INSTRUMENT_BOARDS["nucleo_h743zi"].limits),
        "worst_share": 0.41,
        "within": {"cpu_share": True, "note_on_ms": True, "flash_bytes": True, "ram_bytes": False}
        | {"worst_share": True},
        "n_voices": 8,
        "ram_bytes_per_further_voice": 4120,
        "image_ram_bytes": 68_140,
        "live": live,
        "note_on_ms": 9.04,
        "flash_bytes": 86_500,
        "ram_bytes": 39_300,
    }


def test_boards_are_listed_with_their_limits_and_what_exceeds_them():
    row = board_row()
    text = bench_tables.markdown({"rows": [], "reverbs": [], "boards": [row]})
    line = text.splitlines()[2]
    assert line.startswith("| nucleo_h743zi, 480 MHz | Cortex-M7F | 59 128 | 3.1 % of 5.0 % |")
    assert "| 86.5 kB of 128.0 kB | 39.3 kB **exceeds** 32.0 kB | 41.0 % of 85.0 % |" in line
    assert "| 68.1 kB: 8, 4.1 kB each | 130 128 (133 450), 7.2 % |" in line
    assert line.endswith(f"| {measured_text('nucleo_h743zi')} |")
    assert "CPU shares are estimates" in text
    text = bench_tables.markdown({"rows": [], "reverbs": [], "boards": [{**row, "live": None}]})
    assert "| no input |" in text.splitlines()[2]


@pytest.mark.parametrize("missing", ["worst_share", "limits", "core"])
def test_file_of_an_older_version_is_named_with_what_it_lacks(tmp_path, missing):
    row = board_row()
    for figures in (row, row["within"], row["limits"]):
        figures.pop(missing, None)
    path = tmp_path / "boards.json"
    path.write_text(json.dumps({"rows": [], "reverbs": [], "boards": [row]}))
    with pytest.raises(UserError, match=rf"boards\.json has no {missing}, .*pipeline\.bench"):
        bench_report.main([str(path)])


@pytest.mark.parametrize("damage", [{"run": 3}, {"bytes": []}, {"parameters": "x"}])
def test_figures_of_the_wrong_type_end_with_one_line(tmp_path, damage):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"rows": [ROWS[0] | damage], "reverbs": []}))
    with pytest.raises(UserError, match=r"bench\.json has damaged figures: run python -m"):
        bench_report.main([str(path)])


def test_estimates_that_differ_by_more_than_15_percent_are_explained():
    row = {"loop": "decoder, int8", "core": "Cortex-M4F", "share": 0.523, "instructions": 187}
    row |= {"ours": 286.1, "theirs": 204.0, "by": "llvm-mca", "several_words": 100, "branches": 4}
    near = row | {"ours": 230.0}
    _, _, far, close, *notes = bench_tables.markdown({"cycles": [row, near]}).splitlines()
    assert far == (
        "| decoder, int8 | Cortex-M4F | 52 % | 187 | 286 | llvm-mca | 204 | **+40 %** | +100 | +4 "
        "| -22 |"
    )
    assert close.endswith("| 230 | llvm-mca | 204 | +13 % |  |  |  |")
    assert "15 %" in " ".join(notes)


def test_plot_shows_results_on_real_recordings_if_there_are_any(tmp_path):
    points = [(row["run"], mss, real) for row, mss, real in quality_cost.picture_points(ROWS)]
    assert points == [
        ("flute/full", 5.5, True),
        ("flute/reduced_cd", 6.5, True),
        ("piano/full", 8.5, False),
    ]
    (tmp_path / "bench.json").write_text(json.dumps({"rows": ROWS, "reverbs": []}))
    pictures = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for picture in pictures:
        bench_report.main([str(tmp_path / "bench.json"), "--picture", str(picture)])
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert pictures[0].read_text().rstrip().endswith("</svg>")


NO_TABLES = [b'{"rows": [1], "reverbs": []}', b'{"rows": [], "reverbs": 3}', b"3"]
NO_TABLES += [b'{"rows": [], "reverbs": [], "cycles": {}}', b'{"rows": [], "reverbs": []}']


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"rows": []}', b"\xff\xfe", *NO_TABLES])
def test_file_that_is_not_a_report_is_named_with_the_command_that_makes_one(tmp_path, content):
    path = tmp_path / "bench.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"bench\.json .*python -m pipeline\.bench --json"):
        bench_report.main([str(path)])


def test_plot_without_data_or_with_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(UserError, match="nothing to draw"):
        quality_cost.draw(ROWS[1:2], tmp_path / "a.svg")
    with pytest.raises(UserError, match=r"\.svg or \.png"):
        quality_cost.draw(ROWS, tmp_path / "a.txt")
