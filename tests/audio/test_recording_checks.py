"""Recordings with issues are used, and each kind of issue is reported in one line."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from support.sounds import make_curve_tone

from pipeline import data
from pipeline.audio.features import extract_features
from pipeline.audio.loading import check_file, load_recording
from pipeline.audio.pcm import to_pcm
from pipeline.audio.recording_checks import check_recording, find_issues
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.instrument_config import load_instrument

FLUTE = load_instrument("flute").data
NOISE = np.random.default_rng(0).normal(size=4 * SAMPLE_RATE)
LEVEL = float(np.std(make_curve_tone(523.25, 4.0)))


def chord(*notes_hz: float) -> npt.NDArray[np.float32]:
    return np.sum([make_curve_tone(f0_hz, 4.0, level=0.25) for f0_hz in notes_hz], axis=0)


def issues_of(path: Path, sound: npt.ArrayLike, rate: int = SAMPLE_RATE) -> str:
    sf.write(path, sound, rate)
    audio, facts = load_recording(path)
    features = extract_features(audio, f0_min_hz=FLUTE.f0_min_hz, f0_max_hz=FLUTE.f0_max_hz)
    checks = check_recording(to_pcm(audio), features, facts, FLUTE)
    return "; ".join(map(str, find_issues(checks, FLUTE)))


@pytest.mark.parametrize("f0_hz", [246.9, 261.6, 523.25, 1046.5, 2093.0, 2217.5])
def test_tones_within_the_range_have_no_issues(tmp_path: Path, f0_hz: float) -> None:
    assert issues_of(tmp_path / "tone.wav", make_curve_tone(f0_hz, 4.0)) == ""


def test_noise_that_hides_the_pitch_is_reported(tmp_path: Path) -> None:
    clear = make_curve_tone(523.25, 4.0)
    assert issues_of(tmp_path / "little.wav", 0.3 * (clear + 0.3 * LEVEL * NOISE)) == ""
    noisy = issues_of(tmp_path / "much.wav", 0.3 * (clear + 0.7 * LEVEL * NOISE))
    assert "mean confidence 0.6" in noisy and "noise" in noisy and "%" not in noisy


@pytest.mark.parametrize(
    "notes_hz", [(392.0, 493.9, 587.3), (440.0, 523.25, 659.3), (392.0, 493.9), (392.0, 554.4)]
)
def test_several_notes_at_once_are_reported_as_unclear(
    tmp_path: Path, notes_hz: tuple[float, ...]
) -> None:
    seen = issues_of(tmp_path / "chord.wav", chord(*notes_hz))
    assert "mean confidence 0." in seen and "several notes at once" in seen


@pytest.mark.parametrize(
    ("f0_hz", "word"),
    [
        *((f0_hz, "100 % repeats slower than 230 Hz") for f0_hz in (82.4, 110.0, 164.8, 220.0)),
        *((f0_hz, "100 % lies above 2300 Hz") for f0_hz in (2489.0, 2793.8, 3520.0, 5000.0)),
    ],
)
def test_tones_below_and_above_the_range_are_found(tmp_path: Path, f0_hz: float, word: str) -> None:
    assert word in issues_of(tmp_path / "tone.wav", make_curve_tone(f0_hz, 4.0))


def test_a_note_in_range_with_a_weak_fundamental_is_not_above_it(tmp_path: Path) -> None:
    t = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    partials = ((1, 0.08), (2, 1.0), (3, 0.05), (4, 0.3))  # as of a soft high note of a trumpet
    tone = sum(level * np.sin(2 * np.pi * n * 1300 * t) for n, level in partials)
    assert issues_of(tmp_path / "tone.wav", 0.5 * tone) == ""


def test_share_out_of_range_counts_sounding_frames_only(tmp_path: Path) -> None:
    low_and_high = np.concatenate([make_curve_tone(523.25, 3.0), make_curve_tone(2793.8, 2.0)])
    assert "% lies above" in (seen := issues_of(tmp_path / "both.wav", low_and_high))
    assert float(seen.partition("(")[2].partition(" ")[0]) == pytest.approx(40, abs=2)
    little = np.concatenate([make_curve_tone(523.25, 4.0), make_curve_tone(2793.8, 0.5)])
    assert issues_of(tmp_path / "little.wav", little) == ""


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_clipping_is_found_in_the_file_even_when_turned_down(tmp_path: Path, rate: int) -> None:
    time = np.arange(4 * rate) / rate
    swelling = (0.5 + time / 4) * np.sin(2 * np.pi * 330 * time)
    assert issues_of(tmp_path / "whole.wav", 0.66 * swelling, rate) == ""
    for gain in (1.0, 0.3):
        seen = issues_of(tmp_path / "clipped.wav", gain * np.clip(swelling, -0.999, 0.999), rate)
        assert "of its samples are clipped" in seen
        # The sine exceeds the limit during acos(limit) * 2 / pi of its period.
        beyond = np.mean(np.abs(swelling) > 0.999)
        assert check_file(tmp_path / "clipped.wav").clipped_share == pytest.approx(beyond, rel=0.1)


def test_quiet_recordings_are_not_called_clipped(tmp_path: Path) -> None:
    sf.write(tmp_path / "quiet.wav", 1e-3 * make_curve_tone(261.6, 4.0), SAMPLE_RATE)
    assert check_file(tmp_path / "quiet.wav").clipped_share == 0


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_hum_is_reported_where_it_is_loud(tmp_path: Path, mains_hz: int) -> None:
    time = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    notes = make_curve_tone(440.0, 4.0) * (time % 2 < 1)
    hum = np.sin(2 * np.pi * mains_hz * time)
    assert f"hum ({mains_hz} Hz at -43 dBFS)" in issues_of(tmp_path / "a.wav", notes + 0.01 * hum)
    assert issues_of(tmp_path / "a.wav", notes + 1e-4 * hum) == ""


def test_what_was_mended_in_a_file_is_reported(tmp_path: Path) -> None:
    tone = make_curve_tone(440.0, 4.0, level=0.4)
    silent = np.zeros_like(tone)
    for sound, words in (
        (np.stack([tone, silent], 1), "silent channels, which are left out (1 of 2)"),
        (np.stack([tone, -tone], 1), "cancel each other, of which the loudest is used (channel 1)"),
        (tone + 0.2, "DC offset, which is removed (20.0 % of full scale)"),
    ):
        assert words in issues_of(tmp_path / "a.wav", sound)
    sf.write(tmp_path / "cut.flac", tone, SAMPLE_RATE)
    content = (tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    audio, facts = load_recording(tmp_path / "cut.flac")
    features = extract_features(audio, f0_min_hz=FLUTE.f0_min_hz, f0_max_hz=FLUTE.f0_max_hz)
    (issue,) = find_issues(check_recording(to_pcm(audio), features, facts, FLUTE), FLUTE)
    assert issue.kind.startswith("a damaged file") and issue.detail.endswith("% of its length")


def test_data_stage_uses_the_recordings_and_reports_each_kind_of_issue_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    sounds = {
        f"clipped_{n}": np.clip(4 * make_curve_tone(f0_hz, 3.0), -1, 1)
        for n, f0_hz in zip("abcde", (440, 490, 550, 620, 700), strict=True)
    } | {
        "chord": chord(392.0, 493.9, 587.3),
        "clean": make_curve_tone(440.0, 4.0),
        "high": make_curve_tone(2793.8, 4.0),
        "noisy": 0.3 * (make_curve_tone(440.0, 4.0) + LEVEL * NOISE),
    }
    for name, sound in sounds.items():
        sf.write(folder / f"{name}.wav", sound, SAMPLE_RATE)
    (folder / "empty.wav").touch()
    (folder / "take.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    out = tmp_path / "flute" / "dataset.json"
    for _ in range(2):  # the second time, the analyses come from the cache
        data.main(["--instrument", "flute", "--audio", str(folder), "--runs", str(tmp_path)])
        lines = capsys.readouterr().err.splitlines()
        warnings = [line for line in lines if line.startswith("warning: ")]
        (clipping,) = [line for line in warnings if "clipped samples" in line]
        assert clipping.startswith("warning: 5 recordings: clipped samples: in/clipped_a.wav (")
        assert clipping.count(".wav") == 3
        assert clipping.endswith(f"and 2 more; all are listed in {out}")
        (above,) = [line for line in warnings if "highest" in line or "lie above" in line]
        assert "1 of 9 recordings (4.0 s) lie above 2300 Hz" in above and "in/high.wav" in above
        assert "warning: f0_max_hz = 2949 under [data] would take them in" in warnings
        passed_over = [line for line in lines if line.startswith("passed over: ")]
        assert [line.split(": ")[1:4] for line in passed_over] == [
            ["1 file", "m4a is not read here", "take.m4a"],
            ["1 file", "empty file", "empty.wav"],
        ]
    summary = json.loads(out.read_text())
    assert set(summary["warnings"]) == {f"in/{name}.wav" for name in sounds if name != "clean"}
    assert set(summary["passed_over"]) == {str(folder / "take.m4a"), str(folder / "empty.wav")}
    with np.load(tmp_path / "flute" / "dataset.npz") as dataset:
        names = set(dataset["recording"])
    assert "in/clipped_a.wav" in names or any("joined" in name for name in names)
    assert "in/high.wav" not in names  # its pitch would be learnt an octave too low
