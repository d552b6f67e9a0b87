"""Settings that survive power-off: the log in flash, power cuts, and the player after a restart."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from support import small_player
from support.play_app import Events, answers, pcm, play
from support.small_player import control, on

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.paths import APP_DIR
from pipeline.emit import presets
from pipeline.target.build import Program, build_program, make
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

SOURCES = Path(__file__).parent / "settings"
SECTOR_BYTES, RECORD_BYTES = 256, 64  # of the host
MAGIC, VERSION = 0x4C4D464E, 1
PLACES_PER_SECTOR = 4096 // RECORD_BYTES
CUTS = [2824, 4450, 4450, 600, 775]  # every step, by kind of flash, times the seeds


def run_harness(folder: Path, name: str) -> list[str]:
    log = [APP_DIR / "settings" / "record_log.c", APP_DIR / "crc32" / "crc32.c"]
    sources = [SOURCES / name, SOURCES / "flash_model.c", *log]
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


def state(program: Program, flash: bytes) -> list[str]:
    """Returns what the console shows after a start."""
    return answers(play(program, [], [(3, QUESTIONS)], flash=flash))[1:]


def save(program: Program, typed: bytes, flash: bytes = b"", midi: Events = ()) -> bytes:
    """Returns the flash after settings were changed and saved."""
    run = play(program, midi, [(20, typed + b"save\r")], flash=flash)
    assert answers(run)[-1] == "saved"
    return run.files["flash.bin"]


def record(sequence: int, data: bytes, version: int = VERSION) -> bytes:
    """Encodes a record of the log, as ``settings/record_log.h`` describes it."""
    content = struct.pack("<3I48s", MAGIC, sequence, version, data)
    return content + struct.pack("<I", zlib.crc32(content))


def test_saved_settings_are_those_of_the_next_start(play_on_host):
    assert state(play_on_host, b"") == SHIPPED_STATE
    flash = save(play_on_host, CHANGES)
    assert state(play_on_host, flash) == CHANGED_STATE
    assert flash[:RECORD_BYTES] == record(
        0, struct.pack("<4B2b", 2, 0, 0, 2, -5, 7) + bytes([100] * 16 + [2] * 16)
    )
    for _ in range(9):  # more than both sectors have places for
        flash = save(play_on_host, b"tune 1\r", flash)
    assert state(play_on_host, flash) == [
        line.replace("tune 7", "tune 1") for line in CHANGED_STATE
    ]


def test_settings_that_were_not_saved_are_forgotten(play_on_host):
    run = play(play_on_host, [], [(3, CHANGES)])
    assert "flash.bin" not in run.files


def test_volume_and_mode_survive_and_a_system_reset_restores_them(play_on_host):
    messages = [(3, control(7, 40) + control(126, 0) + bytes([0xB2, 7, 60]))]
    flash = save(play_on_host, b"", midi=messages)
    settings = flash[12:60]
    assert settings[2] == 1 and list(settings[6:22]) == [40, 100, 60, *[100] * 13]
    notes = [(30, on(60)), (32, on(64)), (60, b"")]
    played = pcm(play(play_on_host, notes, flash=flash))
    np.testing.assert_array_equal(played, pcm(play(play_on_host, messages + notes)))
    loud = [(3, control(7, 127) + control(127, 0)), (5, b"\xff")]
    np.testing.assert_array_equal(played, pcm(play(play_on_host, loud + notes, flash=flash)))
    assert (played != pcm(play(play_on_host, notes))).any()


def test_firmware_with_one_voice_keeps_the_choice_of_one_with_more(
    play_on_host, small_instruments, tmp_path
):
    settings = {"GENERATED_DIR": small_instruments, "PLAYER_VOICES": 1}
    single = make("host", tmp_path / "single", settings, "play")
    for is_mono, flash in enumerate((b"", save(play_on_host, b"", midi=[(3, control(126, 0))]))):
        saved = save(single, b"tune 5\r", flash)
        data = saved[12 + is_mono * RECORD_BYTES :]
        assert (data[2], data[5]) == (is_mono, 5)


def test_failed_save_leaves_what_a_system_reset_restores(small_instruments, tmp_path):
    sources = [SOURCES / "failed_save.c", SOURCES / "flash_model.c", *small_player.SOURCES]
    sources += [APP_DIR / "settings" / f"{name}.c" for name in ("settings", "record_log")]
    sources += [APP_DIR / "crc32" / "crc32.c", *sorted(small_instruments.glob("*.c"))]
    folders = [APP_DIR / "boards", SOURCES, small_instruments]
    program = build_program("host", sources, out=tmp_path, include_dirs=folders, sanitize=True)
    assert run_program(program).console.split() == ["1", "40", "0", "40"]


def test_defaults_are_kept_for_the_next_start_too(play_on_host):
    flash = save(play_on_host, CHANGES)
    run = play(play_on_host, [], [(20, b"defaults\r"), (40, QUESTIONS)], flash=flash)
    assert answers(run)[1:] == ["saved", *SHIPPED_STATE]
    assert state(play_on_host, run.files["flash.bin"]) == SHIPPED_STATE


def test_settings_survive_a_firmware_with_fewer_instruments(
    play_on_host, small_instruments, tmp_path
):
    generated = tmp_path / "generated"
    generated.mkdir()
    model = small_instruments / "decoder.tflite"
    presets.write_firmware_source(small_player.small_presets(model)[:1], generated)
    one = make("host", tmp_path / "one", {"GENERATED_DIR": generated, "PLAYER_VOICES": 2}, "play")
    flash = save(play_on_host, CHANGES)
    assert state(one, flash) == ["*0 flute", *CHANGED_STATE[3:]]
    assert state(play_on_host, flash) == CHANGED_STATE


@pytest.mark.parametrize(
    "flash",
    [
        bytes(2 * SECTOR_BYTES),
        b"\xff" * 2 * SECTOR_BYTES,
        np.random.default_rng(1).bytes(2 * SECTOR_BYTES),
        record(5, bytes([3] * 48), version=VERSION + 1).ljust(2 * SECTOR_BYTES, b"\xff"),
        record(5, b"\x80" * 48).ljust(2 * SECTOR_BYTES, b"\xff"),
        record(5, bytes([17, 2, 2, 4, 25, 101]) + b"\x80" * 16 + b"\x03" * 16).ljust(
            2 * SECTOR_BYTES, b"\xff"
        ),
    ],
    ids=["zeros", "blank", "random", "newer version", "no such values", "just beyond the limits"],
)
def test_content_that_is_no_setting_of_this_firmware_gives_the_defaults(play_on_host, flash):
    assert state(play_on_host, flash) == SHIPPED_STATE
    assert state(play_on_host, save(play_on_host, CHANGES, flash)) == CHANGED_STATE


def test_sound_fades_out_for_a_save_and_in_again(play_on_host):
    notes = [(3, on(60)), (100, b"")]
    saved = pcm(play(play_on_host, notes, [(40, b"save\r"), (60, b"stats\r")]))
    plain = pcm(play(play_on_host, notes, [(60, b"stats\r")]))
    saved, plain = saved.reshape(-1, HOP_SAMPLES), plain.reshape(-1, HOP_SAMPLES)
    silent = np.flatnonzero(~saved[5:90].any(axis=1)) + 5
    assert 1 <= len(silent) <= 3 and 40 <= silent[0] <= 45
    np.testing.assert_array_equal(saved[: silent[0] - 1], plain[: silent[0] - 1])
    steps = np.abs(np.diff(saved[30:60].ravel().astype(int)))
    assert steps.max() <= 1.2 * np.abs(np.diff(plain[5:60].ravel().astype(int))).max()
    assert saved[silent[-1] + 2 : 90].any(axis=1).all()


def test_a_save_is_no_underrun(play_on_host):
    typed = [(20, b"save\r"), (60, b"stats\r")]
    assert "underruns 0" in answers(play(play_on_host, [(3, on(60))], typed))
