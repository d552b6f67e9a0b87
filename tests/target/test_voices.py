"""Voices for which a board has no memory or no time are refused, with the number that fits."""

import argparse
from pathlib import Path

import pytest

from pipeline import firmware as firmware_command
from pipeline.core.errors import UserError
from pipeline.core.paths import MODEL_DIR
from pipeline.target import sources, voices
from pipeline.target.boards import INSTRUMENT_BOARDS

RUN = MODEL_DIR / "flute" / "reduced_cd"

CONFIG = "#define DECODER_N_MAC {n_mac}\n#define DECODER_ACTIVATION_BYTES {n_bytes}\n"


@pytest.mark.parametrize(
    ("board", "n_mac", "n_bytes", "n_voices"),
    [
        ("stm32f4_discovery", 51_200, 1, 6),
        ("stm32f4_discovery", 51_200, 2, 3),
        ("stm32f4_discovery", 2_048, 1, 24),
        ("stm32f4_discovery", 2_048, 2, 24),
        ("stm32f4_discovery", 397_312, 1, 1),
        ("nucleo_h743zi", 51_200, 1, 16),
        ("nucleo_h743zi", 397_312, 1, 2),
        ("nucleo_h743zi", 2_048, 1, 48),
        ("pico", 51_200, 1, 2),
        ("pico", 51_200, 2, 2),  # one per core
        ("pico", 2_048, 1, 16),
        ("pico2", 12_524, 1, 8),
        ("pico2", 2_048, 1, 32),
    ],
)
def test_default_number_of_voices_follows_from_the_cost_of_the_models(
    board, n_mac, n_bytes, n_voices, tmp_path
):
    (tmp_path / "decoder_config.h").write_text(CONFIG.format(n_mac=n_mac, n_bytes=n_bytes))
    assert voices.default_voices(INSTRUMENT_BOARDS[board], tmp_path) == n_voices


def test_generated_code_without_costs_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(UserError, match=r"decoder_config\.h .*python -m pipeline\.codegen"):
        voices.default_voices(INSTRUMENT_BOARDS["pico"], tmp_path)


def test_advice_names_memory_and_time_and_takes_the_smaller():
    advice = voices.remedy(64, in_memory=50, in_time=4)
    assert advice == "there is memory for 50 and time for 4 of 64 voices: --voices 4"
    advice = voices.remedy(8, in_memory=3, in_time=8)
    assert advice == "there is memory for 3 of 8 voices: --voices 3"
    assert voices.remedy(5, in_memory=5, in_time=4) == "there is time for 4 of 5 voices: --voices 4"
    assert voices.remedy(8, in_memory=0, in_time=8) == "take a smaller model, or fewer models"


def test_most_voices_are_the_largest_number_within_the_limit():
    estimate = voices.TimeEstimate(lambda n_voices: 0.1 + 0.2 * n_voices, limit=0.9)
    assert [estimate.most_voices(n) for n in (2, 4, 16)] == [2, 4, 4]
    assert voices.TimeEstimate(lambda n_voices: 1.0 + n_voices, 0.9).most_voices(8) == 0


def test_one_voice_takes_and_two_take(replace, tmp_path: Path):
    replace(voices.check_time, lambda *_, **__: 0.25)
    (tmp_path / "decoder_config.h").write_text(CONFIG.format(n_mac=51_200, n_bytes=1))
    given = argparse.Namespace(board="pico", voices=1, option=[])
    takes = "at most 25 % of a block's 4 ms, all else included, by estimate"
    assert sources.describe_time(given, tmp_path) == f"1 voice takes {takes}"
    given.voices = None
    assert sources.describe_time(given, tmp_path) == f"2 voices take {takes}"  # the board's number
    given.option = [("PLAYER_VOICES", "3")]
    assert sources.describe_time(given, tmp_path) == f"3 voices take {takes}"


def test_voices_of_a_board_that_plays_frames_are_refused():
    with pytest.raises(UserError, match="qemu_m4 plays frames with one voice: leave out --voices"):
        firmware_command.main(["--run", str(RUN), "--board", "qemu_m4", "--voices", "2"])


@pytest.mark.firmware
def test_voices_that_are_too_slow_are_refused_with_the_number_that_is_not(tmp_path: Path):
    pico, generated = INSTRUMENT_BOARDS["pico"], sources.generate(RUN)
    estimate = voices.estimate_time(pico, generated)
    assert 0.3 < estimate.share(2) < 0.5 and 0.7 < estimate.share(4) < 0.95
    assert estimate.share(3) == estimate.share(4), "the second core renders two of three voices"
    most = estimate.most_voices(64)
    assert 2 <= most < 6
    given = argparse.Namespace(board="pico", voices=16, option=[])
    message = rf"pico has no time for 16 voices: .* time for {most} of 16 voices: --voices {most}$"
    with pytest.raises(UserError, match=message):
        sources.describe_time(given, generated)
    given.voices = most
    assert sources.describe_time(given, generated).startswith(f"{most} voices take ")
