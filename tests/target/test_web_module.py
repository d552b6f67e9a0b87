"""The module of the instrument page plays the samples of the host, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
from support import small_player
from support.performances import play
from support.small_player import bend, control, off, on, program_change
from support.sounds import make_tone
from support.web_module import play_module

from pipeline.audio.pcm import to_pcm
from pipeline.core.paths import MODEL_DIR
from pipeline.emit.constants import LIVE_F0_HZ
from pipeline.model.noise import UNTRAINED, NoiseParameters
from pipeline.reference.upsampler import upsample
from pipeline.target.player import Score, build_player, perform
from pipeline.target.sources import generate
from pipeline.target.transfer import build_transfer, transfer
from pipeline.target.web_module import build_web_module

pytestmark = pytest.mark.firmware

N_VOICES = 8
MONO, POLY = 126, 127
# Every instrument, mono and poly, with slurs, stolen voices, bend, vibrato, pedal and portamento.
TUNE: Score = [
    *((10 * i, on(50 + 3 * i, 40 + 8 * i)) for i in range(10)),
    (110, control(64, 127)),
    *((112 + i, off(50 + 3 * i)) for i in range(10)),
    (125, bend(5000)),
    (135, control(64, 0)),
    (136, bend(0)),
    (140, control(MONO, 1)),
    (141, program_change(1)),
    *((150 + 15 * i, on(60 + 2 * i, 100)) for i in range(5)),
    (160, control(1, 100)),
    (190, control(65, 127)),
    (191, control(5, 40)),
    (230, control(123, 0)),
    (260, control(POLY, 0)),
    (261, program_change(2)),
    (262, on(48)),
    (263, on(55)),
    (280, program_change(3)),
    (281, on(72, 90)),
    (330, control(7, 60)),
    (340, control(123, 0)),
    (420, control(121, 0)),
]
UNTIL = 450


@pytest.fixture(scope="module")
def module(small_instruments: Path, run_folder: Path) -> Path:
    return build_web_module(small_instruments, build_dir=run_folder / "web-small")


@pytest.fixture(scope="module")
def expected(small_instruments: Path, run_folder: Path) -> np.ndarray:
    """What the host plays of the tune."""
    host = build_player(
        "host", small_instruments, n_voices=N_VOICES, build_dir=run_folder / "player-8"
    )
    return play(host, TUNE, UNTIL).pcm


def test_module_plays_the_samples_of_the_host(module, expected):
    played = play_module(module, score=[*TUNE, (UNTIL, control(120, 0))])
    assert np.abs(expected).max() > 10_000
    np.testing.assert_array_equal(played[: len(expected)], expected)


def test_system_reset_and_active_sensing_act_as_on_a_board(module, small_instruments, run_folder):
    host = build_player(
        "host", small_instruments, n_voices=N_VOICES, build_dir=run_folder / "player-8"
    )
    loud = [(0, program_change(1)), (0, control(7, 127)), (1, on(60)), (20, on(64))]
    score = [*loud, (50, b"\xff"), (60, on(67)), (90, b"\xfe"), (90, on(72)), (600, off(72))]
    expected = perform(host, score).pcm
    played = play_module(module, score=score)
    np.testing.assert_array_equal(played[: len(expected)], expected[: len(played)])
    assert not played[52 * 64 : 60 * 64].any() and played[60 * 64 : 70 * 64].any()
    assert not played[-64 * 64 :].any()  # no byte came for 300 ms


def test_module_without_noise_plays_what_a_firmware_with_silent_noise_does(
    generate_once, module, run_folder
):
    silent = NoiseParameters(UNTRAINED.colour - 20, 0 * UNTRAINED.slopes)
    folder = generate_once("small_silent", lambda out: small_player.generate(out, silent))
    host = build_player("host", folder, n_voices=N_VOICES, build_dir=run_folder / "player-silent")
    expected = play(host, TUNE, UNTIL).pcm
    score = [*TUNE, (UNTIL, control(120, 0))]
    played = play_module(module, score=score, noise=False)[: len(expected)]
    np.testing.assert_array_equal(played, expected)
    assert (played != play_module(module, score=score)[: len(expected)]).any()


def test_module_plays_48_khz_by_the_upsampler_of_the_firmware(module, expected):
    played = play_module(module, score=[*TUNE, (UNTIL, control(120, 0))], rate=48_000)
    np.testing.assert_array_equal(played[: 3 * len(expected)], upsample(expected))


@pytest.mark.parametrize("gain_db", [0.0, -6.0, "auto"])
def test_module_follows_a_sound_as_the_host_does(small_instruments, module, run_folder, gain_db):
    parts = [np.zeros(500), make_tone(0.5, 330, level=0.4), make_tone(0.4, 587, level=0.7)]
    sound = to_pcm(np.concatenate([*parts, np.zeros(4000)]))
    program = build_transfer("host", small_instruments, build_dir=run_folder / "web-transfer")
    low, high = LIVE_F0_HZ
    gain = "live" if gain_db == "auto" else gain_db
    expected = transfer(program, sound, f0_min_hz=low, f0_max_hz=high, gain_db=gain).pcm
    assert np.abs(expected).max() > 1000
    played = play_module(module, sound=sound, gain_db=gain_db)
    np.testing.assert_array_equal(played, expected)


def test_shipped_instruments_with_their_reverb_play_the_samples_of_the_host(run_folder):
    names = ("flute", "trumpet", "violin", "piano")
    folder = generate(*(MODEL_DIR / name / "reduced_cd" for name in names), reverb_seconds=0.25)
    module = build_web_module(folder, build_dir=run_folder / "web-shipped")
    host = build_player("host", folder, n_voices=N_VOICES, build_dir=run_folder / "player-shipped")
    expected = perform(host, TUNE).pcm
    played = play_module(module, score=[*TUNE, (len(expected) // 64 - 1, b"\xfe")], reverb=True)
    np.testing.assert_array_equal(played, expected)
