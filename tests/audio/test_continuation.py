"""Which files are consecutive pieces of one recording."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.full_disk import limited_disk
from support.sounds import make_curve_tone
from support.takes import make_note

from pipeline.audio.continuation import find_chains, join_continued, list_series
from pipeline.audio.recordings import Recording

RATE = 16_000


def list_recordings(folder: Path, source: str = "in") -> list[Recording]:
    return [
        Recording(f"{source}/{path.name}", path, real=True, source=source)
        for path in sorted(folder.iterdir())
    ]


def vibrato(seconds: float, rate: int = RATE) -> np.ndarray:
    """Returns a long tone with vibrato and a little noise, as an instrument has it."""
    t = np.arange(round(seconds * RATE)) / RATE
    tone = make_curve_tone(440 * (1 + 0.01 * np.sin(2 * np.pi * 5 * t)), seconds)
    noise = np.random.default_rng(3).normal(0, 2e-4, len(tone))
    return (tone + noise)[:: RATE // rate]


def write_pieces(folder: Path, samples: np.ndarray, cuts: list[int], **options: object) -> None:
    folder.mkdir(exist_ok=True)
    for number, piece in enumerate(np.split(samples, cuts)):
        sf.write(folder / f"take_{number:02d}.wav", piece, RATE, **options)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_pieces_of_a_recording_are_joined_to_its_very_samples(tmp_path: Path, subtype: str) -> None:
    samples = vibrato(3.0)
    write_pieces(tmp_path / "in", samples, [16_000, 30_011], subtype=subtype)
    whole = tmp_path / "whole.wav"
    sf.write(whole, samples, RATE, subtype=subtype)
    (joined,) = join_continued(list_recordings(tmp_path / "in"), tmp_path / "joined")
    assert joined.name == "in/take_00.wav to take_02.wav" and joined.source == "in"
    np.testing.assert_array_equal(sf.read(joined.path)[0], sf.read(whole)[0])
    made = joined.path.stat().st_mtime_ns
    (again,) = join_continued(list_recordings(tmp_path / "in"), tmp_path / "joined")
    assert again == joined and joined.path.stat().st_mtime_ns == made


def test_full_disk_is_the_error_and_nothing_is_left(tmp_path: Path) -> None:
    write_pieces(tmp_path / "in", vibrato(3.0), [16_000, 30_011])
    with limited_disk(50_000), pytest.raises(OSError, match="File too large") as raised:
        join_continued(list_recordings(tmp_path / "in"), tmp_path / "joined")
    assert raised.value.filename is not None
    assert Path(raised.value.filename).parent == tmp_path / "joined"
    assert not list((tmp_path / "joined").iterdir())


def test_missing_piece_ends_a_chain(tmp_path: Path) -> None:
    write_pieces(tmp_path / "in", vibrato(4.0), [9_000, 20_000, 31_000, 42_000, 53_000])
    (tmp_path / "in" / "take_02.wav").unlink()
    chains = find_chains(list_recordings(tmp_path / "in"))
    names = [[part.path.stem[-2:] for part in chain] for chain in chains]
    assert names == [["00", "01"], ["03", "04", "05"]]


def test_joined_recordings_take_the_place_of_the_first_piece(tmp_path: Path) -> None:
    write_pieces(tmp_path / "in", vibrato(2.0), [16_000])
    sf.write(tmp_path / "in" / "another.wav", make_note(1.0), RATE)
    sf.write(tmp_path / "in" / "zulu.wav", make_note(1.0), RATE)
    stale = tmp_path / "joined" / "old.wav"
    stale.parent.mkdir()
    sf.write(stale, np.zeros(9), RATE)
    names = [r.name for r in join_continued(list_recordings(tmp_path / "in"), stale.parent)]
    assert names == ["in/another.wav", "in/take_00.wav to take_01.wav", "in/zulu.wav"]
    assert not stale.exists()


def test_notes_and_cuts_elsewhere_are_not_joined(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):  # a chromatic scale of equal notes
        sf.write(folder / f"note_{number}.wav", make_note(0.6, 300 + 20 * number), RATE)
    tone = vibrato(3.0)
    sf.write(folder / "cut_1.wav", tone[:16_000], RATE)
    sf.write(folder / "cut_2.wav", tone[16_017:], RATE)  # 1 ms is missing
    for number in (1, 2):  # the same take twice, and no loop
        sf.write(folder / f"copy_{number}.wav", tone[:16_013], RATE)
    sf.write(folder / "loud_1.wav", tone[:16_000], RATE)
    sf.write(folder / "loud_2.wav", 0.5 * tone[16_000:], RATE)  # normalized apart
    rng = np.random.default_rng(0)
    sf.write(folder / "noise_1.wav", rng.normal(0, 0.1, 16_000), RATE)
    sf.write(folder / "noise_2.wav", rng.normal(0, 0.1, 16_000), RATE)
    (folder / "bad_1.wav").write_bytes(b"RIFF")
    sf.write(folder / "bad_2.wav", tone, RATE)
    recordings = list_recordings(folder)
    assert [len(pairs) for pairs in list_series(recordings)] == [1, 1, 1, 1, 1, 11]
    assert find_chains(recordings) == []
    assert join_continued(recordings, tmp_path / "joined") == recordings
    assert not (tmp_path / "joined").exists()


@pytest.mark.parametrize("fade_samples", [0, 16, 32, 160])
def test_notes_that_are_trimmed_and_faded_are_not_joined(tmp_path: Path, fade_samples: int) -> None:
    fade = np.ones(9_000)
    if fade_samples:
        ramp = np.arange(fade_samples) / fade_samples
        fade[:fade_samples], fade[-fade_samples:] = ramp, ramp[::-1]
    for number in range(20):
        tone = make_curve_tone(300 * 2 ** (number / 12), 1.0)[3_000:12_000]
        sf.write(tmp_path / f"note {number}.wav", fade * tone, RATE)
    assert find_chains(list_recordings(tmp_path)) == []


def test_only_files_of_one_folder_and_rate_are_joined(tmp_path: Path) -> None:
    tone = vibrato(2.0)
    for place, number in (("a", 1), ("b", 2)):
        (tmp_path / place).mkdir()
        half = tone[:16_000] if number == 1 else tone[16_000:]
        sf.write(tmp_path / place / f"take_{number}.wav", half, RATE)
    apart = list_recordings(tmp_path / "a") + list_recordings(tmp_path / "b")
    assert find_chains(apart) == []
    moved = tmp_path / "a" / "take_2.wav"
    sf.write(moved, tone[16_000:], 44_100)
    assert find_chains(list_recordings(tmp_path / "a")) == []
    sf.write(moved, tone[16_000:], RATE)
    assert len(find_chains(list_recordings(tmp_path / "a"))) == 1


@pytest.mark.parametrize("over", [1.05, 2.0, 10.0])
def test_clipped_tones_with_consecutive_names_are_not_joined(tmp_path: Path, over: float) -> None:
    random = np.random.default_rng(0)
    for number in range(20):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        f0_hz = random.uniform(100, 1000)
        for name, ratio in (("note_1", 1.0), ("note_2", 2 ** (random.integers(-3, 4) / 12))):
            phase = 2 * np.pi * f0_hz * ratio * np.arange(RATE // 2) / RATE + random.uniform(0, 6)
            tone = sum(np.sin(k * phase) / k for k in range(1, 6))
            tone = np.clip(over * tone / np.abs(tone).max(), -1, 1)
            sf.write(folder / f"{name}.wav", 0.99 * tone, RATE)
        assert find_chains(list_recordings(folder)) == []
