"""Controls of the instrument itself act on all channels, with and without an MPE zone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import small_player
from support.small_player import LEVEL_DB, bend, control, on

from pipeline.target.build import build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

ZONE = [control(101, 0), control(100, 6), control(6, 15)]
END = [*ZONE[:2], control(6, 0)]
UPPER = [bytes([0xBF, *message[1:]]) for message in ZONE]  # that of channel 16
NOTE = bytes([0x91, 60, 127])  # on channel 2, a member of the zone

Measure = Callable[..., tuple[float, float, int]]


def everywhere(*messages: bytes) -> list[str]:
    return [f"*{message.hex()}" for message in messages]


@pytest.fixture(scope="module")
def measure(run_folder: Path, small_instruments: Path) -> Measure:
    """Returns note number, loudness in dB, and volume after messages."""
    sources = [Path(__file__).with_name("everywhere.c"), *small_player.SOURCES]
    program = build_program(
        "host",
        [*sources, *sorted(small_instruments.glob("*.c"))],
        out=run_folder / "everywhere",
        include_dirs=[small_instruments],
        sanitize=True,
    )

    def run(*messages: bytes | str) -> tuple[float, float, int]:
        words = [word if isinstance(word, str) else word.hex() for word in messages]
        done = run_program(program, arguments=words)
        f0_hz, loudness_db, volume = map(float, done.console.split())
        return 69 + 12 * float(np.log2(f0_hz / 440)), loudness_db, int(volume)

    return run


@pytest.mark.parametrize(
    "before",
    [[], ZONE, UPPER, [*ZONE, *END]],
    ids=["no zone", "lower zone", "upper zone", "ended"],
)
@pytest.mark.parametrize(
    ("messages", "semitones", "gain_db"),
    [
        ([control(7, 50)], 0, 40 * np.log10(50 / 100)),
        ([control(11, 64)], 0, 40 * np.log10(64 / 127)),
        ([control(2, 40)], 0, 40 * np.log10(40 / 127)),
        ([bytes([0xD0, 127])], 0, 12),
        ([bend(4096)], 1, 0),
        ([control(101, 0), control(100, 1), control(6, 96)], 0.5, 0),
        ([control(101, 0), control(100, 1), *[control(96, 0)] * 80], 80 / 8192, 0),
        ([control(101, 0), control(100, 2), control(6, 76)], 12, 0),
    ],
)
def test_control_has_the_same_effect_with_and_without_a_zone(
    measure: Measure, before, messages, semitones, gain_db
):
    pitch, loudness_db, _ = measure(*before, *everywhere(*messages), NOTE)
    assert pitch == pytest.approx(60 + semitones, abs=0.003)
    assert loudness_db == pytest.approx(LEVEL_DB + gain_db, abs=0.02)


def test_volume_stays_when_a_zone_begins_and_ends(measure: Measure):
    volume = everywhere(control(7, 50))
    halved = pytest.approx(LEVEL_DB + 40 * np.log10(50 / 100), abs=0.02)
    for messages in (
        [*volume, *ZONE],
        [*volume, *UPPER],
        [*ZONE, *volume, *UPPER],  # the members change the zone
        [*ZONE, *volume, *END],
        [*ZONE, *volume],
    ):
        assert measure(*messages, NOTE)[1:] == (halved, 50)


def test_control_adds_to_what_the_controller_sets_on_a_member(measure: Measure):
    own = [bytes([0xE1, 0, 80]), bytes([0xB1, 7, 80])]  # 12 semitones
    pitch, loudness_db, _ = measure(*ZONE, *own, *everywhere(bend(4096), control(7, 50)), NOTE)
    assert pitch == pytest.approx(73, abs=0.01)
    assert loudness_db == pytest.approx(LEVEL_DB + 40 * np.log10(0.8 * 0.5), abs=0.02)


def test_channel_outside_the_zone_is_set_itself(measure: Measure):
    zone = [*ZONE[:2], control(6, 1)]
    outside = bytes([0x92, *on(60)[1:]])
    for note in (NOTE, outside):
        _, loudness_db, volume = measure(*zone, *everywhere(control(7, 50)), note)
        assert loudness_db == pytest.approx(LEVEL_DB + 40 * np.log10(0.5), abs=0.02)
        assert volume == 50
