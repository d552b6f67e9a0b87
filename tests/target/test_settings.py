"""Settings that survive power-off: the log in flash, power cuts, and the player after a restart."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from support import small_player
from support.play_app import Events, answers, pcm, records
from support.small_player import control, on

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.paths import APP_DIR
from pipeline.emit import presets
from pipeline.target.build import Program, build_program, make
from pipeline.target.emulator import ProgramRun, run_program

pytestmark = pytest.mark.firmware

SOURCES = Path(__file__).parent / "settings"
SECTOR_BYTES, RECORD_BYTES = 256, 64  # of the host
MAGIC, VERSION = 0x4C4D464E, 1
PLACES_PER_SECTOR = 4096 // RECORD_BYTES
CUTS = [2824, 4450, 4450, 600, 775]  # every step, by kind of flash, times the seeds


def run_harness(folder: Path, name: str) -> list[str]:
    sources = [SOURCES / name, SOURCES / "flash_model.c", APP_DIR / "settings" / "record_log.c"]
    program = build_program(
        "host", sources, out=folder, include_dirs=[APP_DIR / "boards", SOURCES], sanitize=True
    )
    run = run_program(program)
    assert run.status == 0, run.console
    return run.console.splitlines()


def test_power_that_fails_at_any_step_leaves_the_old_or_the_new_settings(tmp_path):
    assert run_harness(tmp_path, "power_cuts.c") == [str(n) for n in CUTS]


def test_log_notices_damage_and_wears_both_sectors_alike(tmp_path):
    wear, verdict = run_harness(tmp_path, "record_log.c")
    n_saves, *n_erasures = map(int, wear.split())
    # The first sector was blank, and needed no erasure.
    assert n_erasures == [
        n_saves // (2 * PLACES_PER_SECTOR) - 1,
        n_saves // (2 * PLACES_PER_SECTOR),
    ]
    assert verdict == "right"


# --- the player -----------------------------------------------------------------------------------

CHANGES = b"program 2\rchannel 3\rtranspose -5\rtune 7\rvelocity 2\r"
QUESTIONS = b"program\rchannel\rtranspose\rtune\rvelocity\r"
SHIPPED_STATE = [
    *("*0 flute", " 1 violin", " 2 piano", "channel 0", "transpose 0", "tune 0"),
    *("*0 linear", " 1 soft", " 2 hard", " 3 fixed"),
]
CHANGED_STATE = [
    *(" 0 flute", " 1 violin", "*2 piano", "channel 3", "transpose -5", "tune 7"),
    *(" 0 linear", " 1 soft", "*2 hard", " 3 fixed"),
]


@pytest.fixture(scope="module")
def player(small_instruments: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The small instruments on the host."""
    settings = {"GENERATED_DIR": small_instruments, "PLAYER_VOICES": 2, "SANITIZE": "ON"}
    return make("host", tmp_path_factory.mktemp("settings"), settings, "play")


def start(program: Program, flash: bytes, midi: Events = (), typed: Events = ()) -> ProgramRun:
    """Plays with the flash that the last run has left; b"" is that of a new board."""
    inputs = {"midi.score": records(midi), "console.score": records(typed)}
    if flash:
        inputs["flash.bin"] = flash
    run = run_program(program, inputs=inputs, outputs=["audio.pcm", "console.txt", "flash.bin"])
    assert run.status == 0, run.console
    return run


def state(program: Program, flash: bytes) -> list[str]:
    """Returns what the console shows after a start."""
    return answers(start(program, flash, [], [(3, QUESTIONS)]))[1:]


def save(program: Program, typed: bytes, flash: bytes = b"", midi: Events = ()) -> bytes:
    """Returns the flash after settings were changed and saved."""
    run = start(program, flash, midi, [(20, typed + b"save\r")])
    assert answers(run)[-1] == "saved"
    return run.files["flash.bin"]


def record(sequence: int, data: bytes, version: int = VERSION) -> bytes:
    """Encodes a record of the log, as ``settings/record_log.h`` describes it."""
    content = struct.pack("<3I48s", MAGIC, sequence, version, data)
    return content + struct.pack("<I", zlib.crc32(content))


def test_saved_settings_are_those_of_the_next_start(player):
    assert state(player, b"") == SHIPPED_STATE
    flash = save(player, CHANGES)
    assert state(player, flash) == CHANGED_STATE
    assert flash[:RECORD_BYTES] == record(
        0, struct.pack("<4B2b", 2, 2, 0, 2, -5, 7) + bytes([100] * 16)
    )
    for _ in range(9):  # more than both sectors have places for
        flash = save(player, b"tune 1\r", flash)
    assert state(player, flash) == [line.replace("tune 7", "tune 1") for line in CHANGED_STATE]


def test_settings_that_were_not_saved_are_forgotten(player):
    run = start(player, b"", [], [(3, CHANGES)])
    assert "flash.bin" not in run.files


def test_volume_and_mode_survive_and_a_system_reset_restores_them(player):
    messages = [(3, control(7, 40) + control(126, 0) + bytes([0xB2, 7, 60]))]
    flash = save(player, b"", midi=messages)
    settings = flash[12:60]
    assert settings[2] == 1 and list(settings[6:22]) == [40, 100, 60, *[100] * 13]
    notes = [(30, on(60)), (32, on(64)), (60, b"")]
    played = pcm(start(player, flash, notes))
    np.testing.assert_array_equal(played, pcm(start(player, b"", messages + notes)))
    loud = [(3, control(7, 127) + control(127, 0)), (5, b"\xff")]
    np.testing.assert_array_equal(played, pcm(start(player, flash, loud + notes)))
    assert (played != pcm(start(player, b"", notes))).any()


def test_defaults_are_kept_for_the_next_start_too(player):
    flash = save(player, CHANGES)
    run = start(player, flash, [], [(20, b"defaults\r"), (40, QUESTIONS)])
    assert answers(run)[1:] == ["saved", *SHIPPED_STATE]
    assert state(player, run.files["flash.bin"]) == SHIPPED_STATE


def test_settings_survive_a_firmware_with_fewer_instruments(player, small_instruments, tmp_path):
    generated = tmp_path / "generated"
    generated.mkdir()
    model = small_instruments / "decoder.tflite"
    presets.write_firmware_source(small_player.small_presets(model)[:1], generated)
    one = make("host", tmp_path / "one", {"GENERATED_DIR": generated, "PLAYER_VOICES": 2}, "play")
    flash = save(player, CHANGES)
    assert state(one, flash) == ["*0 flute", *CHANGED_STATE[3:]]
    assert state(player, flash) == CHANGED_STATE


@pytest.mark.parametrize(
    "flash",
    [
        bytes(2 * SECTOR_BYTES),
        b"\xff" * 2 * SECTOR_BYTES,
        np.random.default_rng(1).bytes(2 * SECTOR_BYTES),
        record(5, bytes([3] * 48), version=VERSION + 1).ljust(2 * SECTOR_BYTES, b"\xff"),
        record(5, b"\xfe" * 48).ljust(2 * SECTOR_BYTES, b"\xff"),
        record(5, bytes([17, 3, 2, 4, 25, 101]) + b"\x80" * 19).ljust(2 * SECTOR_BYTES, b"\xff"),
    ],
    ids=["zeros", "blank", "random", "newer version", "no such values", "just beyond the limits"],
)
def test_content_that_is_no_setting_of_this_firmware_gives_the_defaults(player, flash):
    assert state(player, flash) == SHIPPED_STATE
    assert state(player, save(player, CHANGES, flash)) == CHANGED_STATE


def test_sound_fades_out_for_a_save_and_in_again(player):
    notes = [(3, on(60)), (100, b"")]
    saved = pcm(start(player, b"", notes, [(40, b"save\r"), (60, b"stats\r")]))
    plain = pcm(start(player, b"", notes, [(60, b"stats\r")]))
    saved, plain = saved.reshape(-1, HOP_SAMPLES), plain.reshape(-1, HOP_SAMPLES)
    silent = np.flatnonzero(~saved[5:90].any(axis=1)) + 5
    assert 1 <= len(silent) <= 3 and 40 <= silent[0] <= 45
    np.testing.assert_array_equal(saved[: silent[0] - 1], plain[: silent[0] - 1])
    steps = np.abs(np.diff(saved[30:60].ravel().astype(int)))
    assert steps.max() <= 1.2 * np.abs(np.diff(plain[5:60].ravel().astype(int))).max()
    assert saved[silent[-1] + 2 : 90].any(axis=1).all()


def test_a_save_is_no_underrun(player):
    typed = [(20, b"save\r"), (60, b"stats\r")]
    assert "underruns 0" in answers(start(player, b"", [(3, on(60))], typed))
