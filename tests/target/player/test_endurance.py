"""The player keeps its pitch and loses no note in an hour."""

import json
from pathlib import Path

import numpy as np
import pytest
from support import small_player
from support.small_player import PATCH_NAMES

from pipeline.core.patch_files import load_patch
from pipeline.target.build import build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware


def perform_an_hour(work: Path, generated: Path) -> dict[str, float]:
    """Runs ``hour.c``, which takes a few seconds."""
    sources = [Path(__file__).parent / "hour.c", *small_player.SOURCES]
    sources += sorted(generated.glob("*.c"))
    program = build_program("host", sources, out=work / "hour", include_dirs=[generated])
    ratios = [str(float(load_patch(name).base_ratio)) for name in PATCH_NAMES]
    run = run_program(program, arguments=["3600", "1", *ratios])
    assert run.status == 0, run.console
    return json.loads(run.console)


def test_phases_do_not_drift_and_no_note_is_stuck_in_an_hour(tmp_path, small_instruments):
    report = perform_an_hour(tmp_path, small_instruments)
    finest = max(max(load_patch(name).multiples) for name in PATCH_NAMES)
    for who in ("drone", "busy"):
        error_db = 20 * np.log10(2 * np.pi * finest * report[f"{who}_error_turns"] + 1e-30)
        assert error_db < -80
    assert report["n_stuck"] == 0 and report["n_not_finite"] == 0
    assert report["n_sounding_most"] == 4 and report["drone_sounds"] == 1
    assert report["n_notes"] > 10_000 and report["n_stolen"] > 1000
