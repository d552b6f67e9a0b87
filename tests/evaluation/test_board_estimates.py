"""What a board has measured is compared with the estimates for the same models."""

import pytest
from support.fake_board import REPORT, report_lines
from support.replacing import replaced

from pipeline.core.errors import UserError
from pipeline.core.paths import MODEL_DIR
from pipeline.evaluation import board_estimates
from pipeline.evaluation.board_estimates import Estimates, estimate_costs, estimate_report
from pipeline.evaluation.board_report import report_text
from pipeline.evaluation.selftest_report import parse_report
from pipeline.target import selftest
from pipeline.target.boards import ALL_BOARDS

TINY = MODEL_DIR / "flute" / "tiny"


def report_of(checksum: int, board: str = "pico"):
    changes = {"begin": {"board": board}, "model": {"tflite": f"{checksum:#010x}"}}
    return parse_report(report_lines(changes))


@pytest.fixture
def asked():
    """Replaces the estimate of a model; lists what was asked for."""
    found = []

    def estimate(*arguments):
        found.append(arguments)
        return {"decoder": 500.0, "block": 2020.0}

    with replaced(board_estimates.estimate_costs, estimate):
        yield found


@pytest.mark.parametrize("fmt", ["int8", "int16x8"])
def test_model_is_found_by_its_name_and_checksum(asked, fmt):
    report = report_of(selftest.model_checksum(TINY / f"decoder_{fmt}.tflite"))
    estimates = estimate_report(report)
    assert asked == [(TINY, fmt, ALL_BOARDS["pico"])]
    text = report_text(report, estimates)
    assert "| decoder | 1 000 | 1 010 | 1 020 | 25.2 % | 1 510 | 1 520 | 500 | 2.02 |\n" in text
    assert "| block | 1 000 | 1 010 | 1 020 | 25.2 % | 1 510 | 1 520 | 2 020 | 0.50 |\n" in text


def test_other_model_of_the_same_name_is_not_compared(asked):
    report = report_of(1)
    estimates = estimate_report(report)
    remark = "no estimate for flute_tiny: its run folder was not found; give it by --run"
    assert asked == [] and estimates.remarks == [remark]
    assert f"\n{remark}\n" in report_text(report, estimates)


def test_given_run_folder_is_used_whatever_its_name(asked, tmp_path):
    (tmp_path / "decoder_int8.tflite").write_bytes(b"model")
    report = report_of(selftest.model_checksum(tmp_path / "decoder_int8.tflite"))
    estimate_report(report, [TINY, tmp_path])
    assert asked == [(tmp_path, "int8", ALL_BOARDS["pico"])]


@pytest.mark.parametrize("error", [UserError("no cc"), OSError(2, "No such file", "qemu")])
def test_estimate_that_fails_becomes_a_remark(error):
    def fail(*_):
        raise error

    report = report_of(selftest.model_checksum(TINY / "decoder_int8.tflite"))
    with replaced(board_estimates.estimate_costs, fail):
        estimates = estimate_report(report)
    assert estimates == Estimates({}, [f"no estimate for flute_tiny: {error}"])


@pytest.mark.parametrize("board", ["stranger", "host"])
def test_board_of_which_nothing_is_known_has_no_estimates(asked, board):
    estimates = estimate_report(report_of(1, board))
    assert estimates == Estimates({}, [f"{board} is not a board of this project"])
    assert asked == []


@pytest.mark.firmware
def test_estimate_is_in_cycles_of_the_chip_or_counts_instructions(small_run, build_dir):
    counted = estimate_costs(small_run, "int8", ALL_BOARDS["qemu_m0"])
    estimated = estimate_costs(small_run, "int8", ALL_BOARDS["pico"])
    assert set(counted) == {"frame", *selftest.STAGES, "block"} == set(estimated)
    assert counted["block"] == pytest.approx(sum(counted.values()) / 2)
    for stage, n in counted.items():
        assert 1.05 * n < estimated[stage] < 1.6 * n
    assert {line["stage"] for line in REPORT if line["part"] == "cost"} <= set(counted)
