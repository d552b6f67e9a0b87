"""The data stage: how it cuts and splits recordings, and bad or interrupted input."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import data
from pipeline.audio import recordings
from pipeline.audio.composition import compose_corpus, compose_melody
from pipeline.audio.features import Features, extract_features
from pipeline.audio.loading import load_audio
from pipeline.audio.soundfont import render_midi
from pipeline.core.constants import CLIP_FRAMES, SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.training import clips, dataset_building

FLUTE = load_instrument("flute")
MIN_FRAMES = 750


def melody(seconds: float, seed: int = 0, level: float = 0.4) -> np.ndarray:
    """Returns half-second notes of random pitch, float64 of shape [seconds * 16000]."""
    rng = np.random.default_rng(seed)
    n_samples = round(seconds * SAMPLE_RATE)
    notes = rng.integers(62, 90, n_samples // 8000 + 1)
    f0_hz = np.repeat(440 * 2 ** ((notes - 69) / 12), 8000)[:n_samples]
    phase = 2 * np.pi * np.cumsum(f0_hz) / SAMPLE_RATE
    return level * (np.sin(phase) + 0.3 * np.sin(2 * phase)) / 1.3


def write_recordings(folder: Path, n_recordings: int, seconds: float = 4.5) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n_recordings):
        sf.write(folder / f"take_{i:02d}.wav", melody(seconds, seed=i), SAMPLE_RATE)


def run(folder: Path, out: Path, *more: str) -> dict[str, np.ndarray]:
    data.main(["--instrument", "flute", "--audio", str(folder), "--runs", str(out), *more])
    with np.load(out / "flute" / "dataset.npz") as stored:
        return dict(stored)


def features_of(loudness_db: np.ndarray) -> Features:
    one = np.ones(len(loudness_db), dtype=np.float32)
    return Features(f0_hz=440 * one, loudness_db=loudness_db.astype(np.float32), confidence=one)


def test_segments_end_exactly_at_the_silences() -> None:
    loudness_db = np.full(4000, -70.0)
    loudness_db[100:1200] = -20
    loudness_db[1300:1400] = -30  # after a pause of 100 frames, 0.4 s: no split
    loudness_db[1526:3000] = -59.9  # after 126 frames: a split; the level is still within 40 dB
    assert clips.split_at_silences(features_of(loudness_db), FLUTE.data) == [
        (100, 1400),
        (1526, 3000),
    ]


def test_clips_are_placed_as_documented() -> None:
    def placed(n_frames: int, *segments: tuple[int, int]) -> list[int]:
        return clips.chunk(n_frames, list(segments), MIN_FRAMES)

    assert placed(5000, (100, 2100)) == [100, 1100]
    assert placed(5000, (100, 2849)) == [100, 1100]  # less than 3 s remain: no further clip
    assert placed(5000, (100, 2850)) == [100, 1100, 2100]  # the last clip extends beyond 2850
    assert placed(5000, (4200, 5000)) == [4000]  # starts earlier to avoid padding
    assert placed(5000, (0, 749), (1000, 1750)) == [1000]
    assert placed(1000, (500, 600)) == [0]  # one clip for the whole recording
    assert placed(750, (0, 750)) == [0]
    assert placed(749, (0, 749)) == []


@settings(deadline=None)
@given(
    n_frames=st.integers(1, 8000),
    edges=st.lists(st.integers(0, 8000), min_size=2, max_size=12, unique=True),
)
def test_clips_lie_within_the_recording(n_frames: int, edges: list[int]) -> None:
    bounds = sorted(min(edge, n_frames) for edge in edges)
    segments = list(zip(bounds[::2], bounds[1::2], strict=False))
    for start in clips.chunk(n_frames, segments, MIN_FRAMES):
        assert start >= 0 and (start == 0 or start + CLIP_FRAMES <= n_frames)


@settings(deadline=None)
@given(
    names=st.lists(st.text(min_size=1), min_size=2, max_size=60, unique=True), seed=st.integers()
)
def test_every_recording_is_in_one_split_independent_of_the_order(
    names: list[str], seed: int
) -> None:
    splits = dataset_building.split_recordings(names, seed)
    assert splits == dataset_building.split_recordings(names[::-1], seed)
    counts = np.bincount(list(splits.values()), minlength=3)
    assert sorted(splits) == sorted(names) and counts[0] >= 1 and counts[1] >= 1
    assert abs(counts[1] - len(names) / 8) <= 1 and abs(counts[2] - len(names) / 8) <= 1


def test_dataset_holds_the_samples_of_the_recordings(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 3, seconds=8.0)
    short = melody(3.5, seed=9)
    sf.write(tmp_path / "in" / "short.flac", short, SAMPLE_RATE)
    dataset = run(tmp_path / "in", tmp_path / "out")
    assert {name: (values.dtype, values.shape[1:]) for name, values in dataset.items()} == {
        "audio": (np.int16, (64_000,)),
        "f0_hz": (np.float32, (1000,)),
        "loudness_db": (np.float32, (1000,)),
        "confidence": (np.float32, (1000,)),
        "n_valid_frames": (np.int32, ()),
        "split": (np.uint8, ()),
        "recording": (dataset["recording"].dtype, ()),
        "real": (np.bool_, ()),
    }
    assert dataset["recording"].tolist() == ["in/short.flac"] + [
        f"in/take_{i:02d}.wav" for i in range(3) for _ in range(2)
    ]
    assert dataset["real"].all()
    assert dataset["n_valid_frames"].tolist() == [875] + 6 * [1000]
    np.testing.assert_array_equal(dataset["audio"][0, : len(short)], np.round(short * 32768))
    assert not dataset["audio"][0, 56_000:].any() and (dataset["loudness_db"][0, 875:] == -80).all()
    second = load_audio(tmp_path / "in" / "take_00.wav")
    np.testing.assert_array_equal(dataset["audio"][1:3].ravel(), np.round(second * 32768))
    expected = extract_features(second, f0_min_hz=230, f0_max_hz=2300)
    np.testing.assert_array_equal(dataset["f0_hz"][1:3].ravel(), expected.f0_hz)
    np.testing.assert_array_equal(dataset["loudness_db"][1:3].ravel(), expected.loudness_db)


def test_unpitched_and_duplicate_recordings_are_dropped_and_counted(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 2)
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * SAMPLE_RATE)
    sf.write(tmp_path / "in" / "noise.wav", noise, SAMPLE_RATE)
    sf.write(tmp_path / "in" / "brief.wav", melody(1.0), SAMPLE_RATE)
    (tmp_path / "in" / "again.wav").write_bytes((tmp_path / "in" / "take_00.wav").read_bytes())
    (tmp_path / "in" / "notes.txt").write_text("not a recording, and no reason to stop")
    dataset = run(tmp_path / "in", tmp_path / "out")
    assert len(dataset["audio"]) == 2
    summary = json.loads((tmp_path / "out" / "flute" / "dataset.json").read_text())
    dropped = {"duplicate recordings": 1, "too short": 1, "low confidence": 1}
    assert summary["dropped"] == dropped and summary["n_clips"] == 2


def test_split_of_recordings_does_not_change_when_a_corpus_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recordings(tmp_path / "in", 4, seconds=4.0)
    alone = run(tmp_path / "in", tmp_path / "out")
    write_recordings(tmp_path / "rendered", 4, seconds=4.1)
    rendered = [
        recordings.Recording(f"corpus/{path.stem}", path, real=False, source="FluidR3_GM")
        for path in sorted((tmp_path / "rendered").iterdir())
    ]
    monkeypatch.setattr(data, "render_corpus", lambda config, folder: rendered)
    both = run(tmp_path / "in", tmp_path / "out", "--corpus")
    assert both["real"].sum() == 4 and (~both["real"]).sum() == 4
    np.testing.assert_array_equal(both["recording"][both["real"]], alone["recording"])
    np.testing.assert_array_equal(both["split"][both["real"]], alone["split"])
    for part in (both["split"][both["real"]], both["split"][~both["real"]]):
        assert set(part) == {0, 1, 2}


def test_same_recordings_give_the_same_bytes(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 3)
    run(tmp_path / "in", tmp_path / "a")
    run(tmp_path / "in", tmp_path / "b")
    for name in ("dataset.npz", "dataset.json"):
        assert (tmp_path / "a/flute" / name).read_bytes() == (
            tmp_path / "b/flute" / name
        ).read_bytes()


def corrupt(path: Path) -> None:
    path.write_bytes(b"RIFF and nothing more")


def fall_silent(path: Path) -> None:
    sf.write(path, np.zeros(SAMPLE_RATE), SAMPLE_RATE)


def lose_numbers(path: Path) -> None:
    sf.write(path, np.full(SAMPLE_RATE, np.nan), SAMPLE_RATE, subtype="FLOAT")


@pytest.mark.parametrize("spoil", [corrupt, fall_silent, lose_numbers])
def test_bad_file_stops_the_stage_and_existing_files_stay(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    write_recordings(tmp_path / "in", 2)
    run(tmp_path / "in", tmp_path / "out")
    before = (tmp_path / "out/flute/dataset.npz").read_bytes()
    spoil(tmp_path / "in" / "bad.wav")
    with pytest.raises(UserError, match=r"bad\.wav") as raised:
        run(tmp_path / "in", tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert (tmp_path / "out/flute/dataset.npz").read_bytes() == before
    left = {path.name for path in (tmp_path / "out" / "flute").rglob("*") if path.is_file()}
    assert not [name for name in left if name.startswith(".")]


def test_interrupted_stage_continues_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recordings(tmp_path / "in", 4)
    analysed: list[str] = []
    analyse_file = recordings._analyse_file

    def interrupted(path: Path, *rest: object) -> None:
        if len(analysed) == 2:
            raise KeyboardInterrupt
        analysed.append(path.name)
        analyse_file(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(recordings, "_analyse_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out/flute/dataset.npz").exists()
    monkeypatch.setattr(
        recordings,
        "_analyse_file",
        lambda path, *rest: (analysed.append(path.name), analyse_file(path, *rest)),
    )
    resumed = run(tmp_path / "in", tmp_path / "out")
    assert analysed == [f"take_{i:02d}.wav" for i in range(4)]  # each exactly once
    unbroken = run(tmp_path / "in", tmp_path / "fresh")
    for name, values in unbroken.items():
        np.testing.assert_array_equal(resumed[name], values)


def test_parallel_analysis_gives_the_same_result(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 5, seconds=4.0)
    dataset = run(tmp_path / "in", tmp_path / "out")
    assert len(dataset["audio"]) == 5
    expected = extract_features(
        load_audio(tmp_path / "in" / "take_03.wav"), f0_min_hz=230, f0_max_hz=2300
    )
    np.testing.assert_allclose(dataset["f0_hz"][3], expected.f0_hz, rtol=1e-6)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_urmp_layout_gives_only_the_tracks_of_the_instrument(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "01_Jupiter_vn_vc/AuSep_1_vn_01_Jupiter.wav",
        "01_Jupiter_vn_vc/AuMix_01_Jupiter_vn_vc.wav",
        "17_Nocturne_vn_fl_cl/AuSep_2_fl_17_Nocturne.wav",
        "17_Nocturne_vn_fl_cl/AuSep_3_cl_17_Nocturne.wav",
    )
    found = recordings.find_recordings(tmp_path, FLUTE.data)
    assert [recording.path.name for recording in found] == ["AuSep_2_fl_17_Nocturne.wav"]
    with pytest.raises(UserError, match=r"AuSep_.*tpt"):
        recordings.find_recordings(tmp_path, load_instrument("trumpet").data)


def test_jazznet_layout_gives_arpeggios_and_scales(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "arpeggios/maj-arpeggio/C#-4-maj-arpeggio-0.wav",
        "chords/aug-chord/A-1-aug-chord-2.wav",
        "progressions/ii-V-I/D-3-ii-V-I-0.wav",
        "scales/phrygian/Eb-5-phrygian-3.wav",
    )
    found = recordings.find_recordings(tmp_path, load_instrument("piano").data)
    names = [recording.path.name for recording in found]
    assert names == ["C#-4-maj-arpeggio-0.wav", "Eb-5-phrygian-3.wav"]


def test_unusable_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent does not exist"):
        recordings.find_recordings(tmp_path / "absent", FLUTE.data)
    touch(tmp_path, "readme.txt", ".hidden/a.wav", "._a.wav")
    with pytest.raises(UserError, match="holds no audio"):
        recordings.find_recordings(tmp_path, FLUTE.data)
    sf.write(tmp_path / "brief.wav", melody(1.0), SAMPLE_RATE)
    with pytest.raises(UserError, match="no usable clip"):
        run(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="no recordings"):
        data.main(["--instrument", "flute", "--no-corpus", "--runs", str(tmp_path)])


def notes_of(midi: mido.MidiFile) -> list[int]:
    return [m.note for m in midi.tracks[0] if m.type == "note_on"]


@pytest.mark.parametrize("instrument", ["flute", "trumpet", "violin", "piano"])
def test_default_corpus_covers_the_instrument(instrument: str) -> None:
    corpus = load_instrument(instrument).corpus
    phrases = compose_corpus(load_instrument(instrument))
    messages = [message for midi in phrases for message in midi.tracks[0]]
    assert sum(midi.length for midi in phrases[::6]) * 6 > 600
    notes = [m for m in messages if m.type == "note_on"]
    assert {m.note for m in notes} == set(range(corpus.lowest_note, corpus.highest_note + 1))
    assert np.ptp([m.velocity for m in notes]) > 80
    swells = {m.value for m in messages if m.type == "control_change" and m.control == 11}
    bends = {m.pitch for m in messages if m.type == "pitchwheel"}
    if corpus.decays:
        assert not swells and not bends
    else:
        assert len(swells) > 50 and len(bends) > 50


def test_default_corpus_depends_only_on_the_seed() -> None:
    corpus, again = compose_corpus(FLUTE, n_phrases=4), compose_corpus(FLUTE, n_phrases=4)
    assert [midi.tracks[0] for midi in corpus] == [midi.tracks[0] for midi in again]
    other = compose_corpus(replace(FLUTE, data=replace(FLUTE.data, seed=1)), n_phrases=4)
    assert [notes_of(midi) for midi in other] != [notes_of(midi) for midi in corpus]


def test_melody_is_a_playable_tune_of_about_eight_seconds() -> None:
    for seed in range(20):
        midi = compose_melody(FLUTE, seed)
        notes = notes_of(midi)
        assert 7 < midi.length < 10
        assert np.ptp(notes) >= 5 and max(np.abs(np.diff(notes))) <= 12
        assert all(FLUTE.corpus.lowest_note <= note <= FLUTE.corpus.highest_note for note in notes)
    assert notes_of(compose_melody(FLUTE, 0)) != notes_of(compose_melody(FLUTE, 1))


@pytest.mark.fluidsynth
def test_rendered_notes_sound_at_their_pitch(tmp_path: Path) -> None:
    track = mido.MidiTrack()
    for note in (60, 72, 84, 96):
        track.append(mido.Message("note_on", note=note, velocity=90))
        track.append(mido.Message("note_off", note=note, time=960))
    mido.MidiFile(tracks=[track]).save(tmp_path / "notes.mid")
    render_midi(tmp_path / "notes.mid", FLUTE.corpus.gm_program, tmp_path / "notes.wav")
    audio = load_audio(tmp_path / "notes.wav")
    f0_hz = extract_features(audio, f0_min_hz=230, f0_max_hz=2300).f0_hz
    for i, note in enumerate((60, 72, 84, 96)):
        middle = f0_hz[250 * i + 60 : 250 * i + 220]
        # The soundfont is not tuned exactly.
        assert abs(69 + 12 * np.log2(np.median(middle) / 440) - note) < 0.3


@pytest.mark.fluidsynth
def test_missing_synthesizer_and_wrong_scores_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.mid").write_text("no score")
    with pytest.raises(UserError, match=r"bad\.mid is not a MIDI file"):
        render_midi(tmp_path / "bad.mid", 73, tmp_path / "out.wav")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get install fluidsynth"):
        render_midi(tmp_path / "bad.mid", 73, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.slow
def test_killed_stage_leaves_only_complete_files(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 6, seconds=4.0)
    run(tmp_path / "in", tmp_path / "unbroken")
    command = [sys.executable, "-m", "pipeline.data", "--instrument", "flute"]
    command += ["--audio", str(tmp_path / "in"), "--runs", str(tmp_path / "out")]
    features = tmp_path / "out" / "flute" / "features"
    random = np.random.default_rng(5)
    for _ in range(2):
        there = len(list(features.glob("[!.]*.npz")))
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list(features.glob("[!.]*.npz"))) == there:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.3))
        process.kill()
        process.wait()
        for entry in features.glob("[!.]*.npz"):  # complete, even if the kill interrupted a write
            with np.load(entry) as stored:
                assert np.isfinite(stored["f0_hz"]).all()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    for name in ("dataset.npz", "dataset.json"):
        resumed, unbroken = (tmp_path / out / "flute" / name for out in ("out", "unbroken"))
        assert resumed.read_bytes() == unbroken.read_bytes()
