"""Folders as they are found: broken files, odd names, links, and other things beside the sounds."""

import os
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.bad_recordings import write_bad_recordings
from support.sounds import make_tone, write_tones

from pipeline.audio import analysis
from pipeline.audio.analysis import KEPT_SILENCE, analyse, find_sound
from pipeline.audio.features import Features
from pipeline.audio.loading import load_audio
from pipeline.audio.pcm import to_pcm
from pipeline.audio.recordings import Found, open_recordings, source_names
from pipeline.audio.samples import SampleFile
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument

FLUTE = load_instrument("flute").data


def names_of(found: Found) -> list[str]:
    return [recording.name for recording in found.recordings]


def test_bad_files_do_not_stop_good_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pack"
    write_tones(folder, "a.wav", "sub/z.flac")
    bad = write_bad_recordings(folder)
    found = open_recordings([folder], FLUTE)
    assert names_of(found) == ["pack/a.wav", "pack/sub/z.flac"]
    passed_over = {passed.path.name: passed for passed in found.passed_over}
    assert set(passed_over) == set(bad) - {"absent.wav"}
    for name, passed in passed_over.items():
        assert bad[name] in passed.message
    found.warn("dataset.json")
    lines = capsys.readouterr().err.splitlines()
    assert "passed over: 2 files: silent: offset.wav, silence.wav: " in "\n".join(lines)
    assert "2 files: NaN or infinite samples: infinite.wav, nan.wav: export" in "\n".join(lines)
    assert lines[-1].endswith("; all are listed in dataset.json")
    assert len(lines) == len({passed.reason for passed in found.passed_over})
    assert set(found.by_path()) == {str(passed.path) for passed in found.passed_over}


def test_only_if_nothing_is_left_there_is_an_error_that_sums_up(tmp_path: Path) -> None:
    bad = write_bad_recordings(tmp_path)
    with pytest.raises(UserError) as raised:
        open_recordings([tmp_path], FLUTE)
    message = str(raised.value)
    assert "\n" not in message and "no usable recording: 2 files: " in message
    for reason in ("silent", "not audio", "empty file", "a format that is not read here"):
        assert reason in message
    for name in set(bad) - {"text.wav"}:
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"text\.wav is not readable audio \(it is text\): remove"):
        open_recordings([tmp_path], FLUTE)
    (tmp_path / "text.wav").rename(tmp_path / "text.txt")
    with pytest.raises(UserError, match="holds no audio: put recordings there"):
        open_recordings([tmp_path], FLUTE)
    with pytest.raises(UserError, match="absent does not exist"):
        open_recordings([tmp_path / "absent"], FLUTE)


def test_sounds_that_are_not_read_are_named_and_other_files_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    write_tones(folder, "a.wav", "no suffix", "odd.wave")
    for name in ("b.m4a", "c.M4A", "d.wma", "e.mp4", "f.mkv", "g.aac", "h.zip", "i.nki"):
        (folder / name).write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    for name in ("readme.txt", "cover.jpg", "._a.wav", ".hidden.wav", "notes.mid", "empty"):
        (folder / name).write_bytes(b"x" * (name != "empty"))
    write_tones(folder, ".ipynb_checkpoints/a-checkpoint.wav", "__MACOSX/._a.wav")
    found = open_recordings([folder], FLUTE)
    assert names_of(found) == ["pack/a.wav", "pack/no suffix", "pack/odd.wave"]
    reasons = {passed.path.name: passed.reason for passed in found.passed_over}
    assert reasons == {
        "b.m4a": "m4a is not read here",
        "c.M4A": "m4a is not read here",
        "d.wma": "wma is not read here",
        "e.mp4": "mp4 is not read here",
        "f.mkv": "mkv is not read here",
        "g.aac": "aac is not read here",
        "h.zip": "an archive",
        "i.nki": "a sampler's own format",
    }
    assert (
        found.lines()[0] == "2 files: m4a is not read here: b.m4a, c.M4A: convert it to WAV or FLAC"
    )


def test_links_are_followed_once_and_never_in_a_circle(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    write_tones(folder, "sub/a.wav")
    write_tones(tmp_path, "elsewhere/b.wav")
    (folder / "back").symlink_to(folder)
    (folder / "sub" / "up").symlink_to("..")
    (folder / "again").symlink_to("sub")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "lost.wav").symlink_to("nowhere.wav")
    (folder / "round.wav").symlink_to("round.wav")
    os.mkfifo(folder / "pipe.wav")
    found = open_recordings([folder], FLUTE)
    assert names_of(found) == ["pack/linked/b.wav", "pack/sub/a.wav"]
    assert {passed.path.name: passed.reason for passed in found.passed_over} == dict.fromkeys(
        ("lost.wav", "round.wav", "pipe.wav"), "not a file"
    )


def test_names_with_anything_in_them_are_kept(tmp_path: Path) -> None:
    names = ["a b.wav", "Flöte.wav", "🎷 solo.wav", "it's: 100 %.wav", "x" * 200 + ".wav"]
    write_tones(tmp_path / "päck", *names)
    raw = os.fsencode(tmp_path / "päck") + b"/gr\xfcn.wav"  # Latin-1, as from an old archive
    shutil.copy(os.fsencode(tmp_path / "päck" / "a b.wav"), raw)
    sf.write(tmp_path / "päck" / "new\nline.wav", make_tone(0.2), SAMPLE_RATE)
    found = open_recordings([tmp_path / "päck"], FLUTE)
    expected = [f"päck/{name}" for name in (*names, "gr\ufffdn.wav", "new?line.wav")]
    assert sorted(names_of(found)) == sorted(expected)
    analyses = list(analyse(found.recordings, FLUTE, tmp_path / "cache"))
    assert len(analyses) == 2  # the content of all others is the same
    for name in names_of(found):
        name.encode()


def test_umlauts_have_the_same_name_on_every_system(tmp_path: Path) -> None:
    write_tones(tmp_path / "pack", "Flo\u0308te.wav")
    assert names_of(open_recordings([tmp_path / "pack"], FLUTE)) == ["pack/Fl\u00f6te.wav"]


def test_what_may_not_be_read_is_named(unprivileged: Path) -> None:
    folder = unprivileged / "pack"
    write_tones(folder, "a.wav", "closed.wav", "closed/b.wav")
    (folder / "closed.wav").chmod(0)
    (folder / "closed").chmod(0)
    folder.chmod(0o555)  # a read-only folder is enough
    try:
        found = open_recordings([folder], FLUTE)
    finally:
        folder.chmod(0o755)
        (folder / "closed").chmod(0o755)
    assert names_of(found) == ["pack/a.wav"]
    assert {passed.path.name: passed.reason for passed in found.passed_over} == {
        "closed.wav": "cannot be read",
        "closed": "a folder that cannot be read",
    }


def test_sources_are_named_after_their_folders_and_told_apart(tmp_path: Path) -> None:
    write_tones(tmp_path, "one/flute/a.wav", "two/flute/a.wav", "two/horn/a.wav")
    folders = [tmp_path / "one/flute", tmp_path / "two/flute", tmp_path / "two/horn"]
    assert source_names(folders) == ["one/flute", "two/flute", "horn"]
    found = open_recordings([*folders, tmp_path / "one" / ".." / "one/flute"], FLUTE)
    assert names_of(found) == ["one/flute/a.wav", "two/flute/a.wav", "horn/a.wav"]
    assert [recording.source for recording in found.recordings] == source_names(folders)
    assert source_names([tmp_path / "one/flute/a.wav"]) == ["flute"]


def test_a_folder_without_audio_beside_a_good_one_is_named(tmp_path: Path) -> None:
    write_tones(tmp_path, "good/a.wav")
    (tmp_path / "empty").mkdir()
    found = open_recordings([tmp_path / "good", tmp_path / "empty"], FLUTE)
    assert names_of(found) == ["good/a.wav"]
    assert "a folder without audio: empty" in found.lines()[0]


def test_digital_silence_at_the_ends_is_cut_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    tone = make_tone(1.0)
    for name, before, after in (("long", 3.0, 2.0), ("short", 0.05, 0.0)):
        parts = [np.zeros(round(before * SAMPLE_RATE)), tone, np.zeros(round(after * SAMPLE_RATE))]
        sf.write(tmp_path / "pack" / f"{name}.wav", np.concatenate(parts), SAMPLE_RATE)
    found = open_recordings([tmp_path / "pack"], FLUTE)
    long, short = analyse(found.recordings, FLUTE, tmp_path / "cache")
    whole = to_pcm(load_audio(tmp_path / "pack" / "long.wav"))
    first, last = np.flatnonzero(whole)[[0, -1]]
    assert long.n_cut == (first - KEPT_SILENCE, len(whole) - 1 - last - KEPT_SILENCE)
    np.testing.assert_array_equal(long.audio, whole[long.n_cut[0] : len(whole) - long.n_cut[1]])
    assert long.features.loudness_db[0] < -60  # the kept silence shows the onset
    assert short.n_cut == (0, 0)
    assert len(long.features.f0_hz) == -(-len(long.audio) // 64)


def test_silence_with_an_offset_is_silence_and_pauses_stay() -> None:
    quiet = np.full(5000, 7, np.int16)
    sound = to_pcm(make_tone(0.5))
    start, end = find_sound(np.concatenate([quiet, sound, quiet, sound, quiet]))
    assert start == pytest.approx(5000 - KEPT_SILENCE, abs=1)
    assert end == pytest.approx(10000 + 2 * len(sound) + KEPT_SILENCE, abs=2)
    assert find_sound(quiet) == (0, 5000)


@pytest.mark.parametrize("piece", [4, 999, 5000, 7000, 100_000])
def test_sound_is_found_across_pieces(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(analysis, "PIECE", piece)
    audio = np.zeros(12_000, np.int16)
    audio[5000], audio[6999] = 100, -100
    assert find_sound(audio) == (5000 - KEPT_SILENCE, 7000 + KEPT_SILENCE)
    audio[0] = audio[-1] = 1
    assert find_sound(audio) == (0, 12_000)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"PK\3\4"])
def test_damaged_samples_in_the_cache_are_named(tmp_path: Path, content: bytes) -> None:
    sf.write(tmp_path / "a.wav", make_tone(0.5), SAMPLE_RATE)
    recordings = open_recordings([tmp_path / "a.wav"], FLUTE).recordings
    list(analyse(recordings, FLUTE, tmp_path / "cache"))
    (samples,) = (tmp_path / "cache").glob("*.npy")
    samples.unlink()
    (take,) = analyse(recordings, FLUTE, tmp_path / "cache")  # they are made again
    assert len(take.audio) == SAMPLE_RATE // 2
    samples.write_bytes(content)
    with pytest.raises(UserError, match=rf"{samples.name} is missing or damaged .*: delete it and"):
        list(analyse(recordings, FLUTE, tmp_path / "cache"))


def test_analyses_do_not_hold_the_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(audio: SampleFile, **_: float) -> Features:
        n_frames = -(-len(audio) // 64)
        return Features(*(np.full(n_frames, value, np.float32) for value in (440, -20, 0.9)))

    monkeypatch.setattr(analysis, "extract_features", measure)
    for seconds in (50, 51, 52):
        noise = np.random.default_rng(seconds).normal(0, 0.1, seconds * SAMPLE_RATE)
        sf.write(tmp_path / f"{seconds}.wav", noise, SAMPLE_RATE)
    recordings = open_recordings([tmp_path], FLUTE).recordings
    list(analyse(recordings, FLUTE, tmp_path / "cache"))
    tracemalloc.start()
    takes = list(analyse(recordings, FLUTE, tmp_path / "cache"))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    n_samples = [len(take.audio) for take in takes]
    assert n_samples == [800_000, 816_000, 832_000]
    assert peak_bytes < sum(n_samples)  # half of what the samples would take
