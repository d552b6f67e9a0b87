"""The data stage, from recordings to ``dataset.npz``: content, sources, interruptions."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from support.takes import make_note

from pipeline import data
from pipeline.audio import analysis
from pipeline.audio.features import extract_features
from pipeline.audio.loading import load_audio
from pipeline.audio.pcm import to_pcm
from pipeline.audio.recordings import Recording
from pipeline.audio.rumble import remove_rumble
from pipeline.core.constants import CALIBRATED_LEVEL_DB, SAMPLE_RATE, TEST
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.training.dataset import load_dataset
from pipeline.training.held_out import write_held_out

Arrays = dict[str, np.ndarray]


@pytest.fixture
def single_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Analyses recordings in this process, because starting workers takes longer here."""
    monkeypatch.setattr(analysis, "MIN_PARALLEL", 100)


@pytest.fixture(autouse=True)
def without_live_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out live features, which need a compiler (see ``test_live_clips.py``)."""
    monkeypatch.setattr(data, "live_extractor", lambda _: None)


def melody(seconds: float, seed: int = 0, level: float = 0.4) -> np.ndarray:
    """Returns half-second notes of random pitch, float64 of shape [seconds * 16000]."""
    rng = np.random.default_rng(seed)
    n_samples = round(seconds * SAMPLE_RATE)
    notes = rng.integers(62, 90, n_samples // 8000 + 1)
    f0_hz = np.repeat(440 * 2 ** ((notes - 69) / 12), 8000)[:n_samples]
    phase = 2 * np.pi * np.cumsum(f0_hz) / SAMPLE_RATE
    rise = np.minimum(np.arange(n_samples) / 320, 1)
    return level * rise * (np.sin(phase) + 0.3 * np.sin(2 * phase)) / 1.3


def write_recordings(folder: Path, n_recordings: int, seconds: float = 4.0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n_recordings):
        name = "abcdefghij"[i]  # no numbers, which would be looked at for a continuation
        sf.write(folder / f"take_{name}.wav", melody(seconds, seed=i), SAMPLE_RATE)


def run(folder: Path, out: Path, *more: str) -> tuple[Arrays, dict[str, Any]]:
    data.main(["--instrument", "flute", "--audio", str(folder), "--runs", str(out), *more])
    with np.load(out / "flute" / "dataset.npz") as stored:
        return dict(stored), json.loads((out / "flute" / "dataset.json").read_text())


def test_dataset_holds_the_recordings_at_the_calibrated_level(tmp_path: Path, capsys: Any) -> None:
    write_recordings(tmp_path / "in", 3, seconds=8.0)
    dataset, summary = run(tmp_path / "in", tmp_path / "out")
    assert {name: (values.dtype.kind, values.shape[1:]) for name, values in dataset.items()} == {
        "audio": ("i", (64_000,)),
        "f0_hz": ("f", (1000,)),
        "loudness_db": ("f", (1000,)),
        "confidence": ("f", (1000,)),
        "context_f0_hz": ("f", (124,)),
        "context_loudness_db": ("f", (124,)),
        "sounding": ("b", (1000,)),
        "n_valid_frames": ("i", ()),
        "split": ("u", ()),
        "recording": ("U", ()),
        "source": ("U", ()),
        "joined": ("b", ()),
        "real": ("b", ()),
    }
    assert dataset["real"].all() and dataset["sounding"].all() and not dataset["joined"].any()
    assert set(dataset["source"]) == {"in"}
    clips = np.flatnonzero(dataset["recording"] == "in/take_a.wav")
    source = summary["sources"]["in"]
    assert source["own_gains_db"] == {}  # less than ten seconds each
    recorded = np.round(32768 * load_audio(tmp_path / "in" / "take_a.wav")) / 32768
    samples = 10 ** (source["gain_db"] / 20) * recorded
    clean = remove_rumble(to_pcm(samples), 230)
    np.testing.assert_allclose(dataset["audio"][clips].ravel(), clean, atol=1)
    expected = extract_features(samples, f0_min_hz=230, f0_max_hz=2300)
    np.testing.assert_allclose(dataset["f0_hz"][clips].ravel(), expected.f0_hz, rtol=1e-4)
    np.testing.assert_allclose(
        dataset["loudness_db"][clips].ravel(), expected.loudness_db, atol=1e-3
    )
    level_db = np.percentile(dataset["loudness_db"][dataset["confidence"] >= 0.8], 95)
    assert level_db == pytest.approx(CALIBRATED_LEVEL_DB, abs=0.1)
    assert f"gain {source['gain_db']:+.1f} dB" in capsys.readouterr().out
    # The first clip begins from silence, the second one continues the first.
    assert (dataset["context_loudness_db"][clips[0]] == -80).all()
    np.testing.assert_array_equal(
        dataset["context_loudness_db"][clips[1]], dataset["loudness_db"][clips[0], 876:]
    )
    assert summary["seconds"]["given"] == summary["seconds"]["used"] == 24.0


@pytest.mark.usefixtures("single_process")
def test_pack_of_short_notes_is_used_whole(tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    rng = np.random.default_rng(2)
    lengths = rng.uniform(0.25, 2.5, 40)
    for i, seconds in enumerate(lengths):
        note = make_note(seconds, 262 * 2 ** (i % 24 / 12))
        silence = np.zeros(round(rng.uniform(0, 0.5) * SAMPLE_RATE), np.float32)
        sf.write(folder / f"note {i}.flac", np.concatenate([silence, note, silence]), SAMPLE_RATE)
    dataset, summary = run(folder, tmp_path / "out")
    sounding = dataset["sounding"]
    seconds = summary["seconds"]
    assert summary["n_recordings"] == 40 and seconds["lost"] == 0
    assert seconds["used"] >= lengths.sum() - 40 * 0.02  # at most a few frames of each fade
    assert seconds["joined"] == pytest.approx(sounding[dataset["joined"]].sum() / 250, abs=0.1)
    assert seconds["used"] == pytest.approx(sounding.sum() / 250, abs=0.1)
    splits = summary["sources"]["pack"]["splits"]
    for split, share in (("train", 0.75), ("valid", 0.125), ("test", 0.125)):
        part = splits[split]["sounding_seconds"] / seconds["used"]
        assert part == pytest.approx(share, abs=0.05), split
    # A joined clip has recordings of one split only, and all recordings are somewhere.
    by_split = {name: set(part["recordings"]) for name, part in splits.items()}
    assert len(set().union(*by_split.values())) == sum(map(len, by_split.values())) == 40
    for clip in np.flatnonzero(dataset["joined"]):
        members = summary["joined_clips"][str(dataset["recording"][clip])]
        assert set(members) <= by_split[("train", "valid", "test")[dataset["split"][clip]]]
    silent = dataset["audio"].reshape(*sounding.shape, 64)[~sounding]
    assert not silent.any() and (dataset["loudness_db"][~sounding] == -80).all()
    printed = capsys.readouterr().out
    assert f"{seconds['joined']:.0f} s of them joined" in printed


def test_only_recording_is_learnt_from_and_said_to_be_alone(tmp_path: Path, capsys: Any) -> None:
    write_recordings(tmp_path / "in", 1)
    dataset, _ = run(tmp_path / "in", tmp_path / "out")
    assert dataset["split"].tolist() == [0]
    assert capsys.readouterr().out.count("only one recording: nothing is held out") == 1


def test_unpitched_and_duplicate_recordings_are_counted(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 2)
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * SAMPLE_RATE)
    sf.write(tmp_path / "in" / "noise.wav", noise, SAMPLE_RATE)
    (tmp_path / "in" / "again.wav").write_bytes((tmp_path / "in" / "take_a.wav").read_bytes())
    (tmp_path / "in" / "bad.wav").write_bytes(b"RIFF and nothing more")
    (tmp_path / "in" / "notes.txt").write_text("not a recording, and no reason to stop")
    dataset, summary = run(tmp_path / "in", tmp_path / "out")
    assert len(dataset["audio"]) == 2 and summary["duplicates"] == 1
    assert summary["seconds"]["unclear"] == 5.0
    assert summary["sources"]["in"]["unused"] == ["in/noise.wav"]
    assert list(summary["warnings"]) == ["in/noise.wav"]
    assert [Path(path).name for path in summary["passed_over"]] == ["bad.wav"]


def test_split_of_recordings_does_not_change_when_a_corpus_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recordings(tmp_path / "in", 4)
    alone, _ = run(tmp_path / "in", tmp_path / "out")
    write_recordings(tmp_path / "rendered", 4, seconds=3.9)
    rendered = [
        Recording(f"corpus/{path.stem}", path, real=False, source="FluidR3_GM")
        for path in sorted((tmp_path / "rendered").iterdir())
    ]
    monkeypatch.setattr(data, "render_corpus", lambda config, folder, sound_sets: rendered)
    both, summary = run(tmp_path / "in", tmp_path / "out", "--corpus")
    real = both["real"]
    assert set(both["source"][~real]) == {"FluidR3_GM"}
    assert dict(zip(both["recording"][real], both["split"][real], strict=True)) == dict(
        zip(alone["recording"], alone["split"], strict=True)
    )
    assert set(both["split"][real]) == set(both["split"][~real]) == {0, 1, 2}
    assert not summary["sources"]["FluidR3_GM"]["real"]


@pytest.mark.usefixtures("single_process")
def test_held_out_source_is_the_test(tmp_path: Path) -> None:
    write_recordings(tmp_path / "known", 3)
    write_recordings(tmp_path / "unknown", 2, seconds=3.8)
    folder, more = tmp_path / "known", ["--audio", str(tmp_path / "unknown")]
    dataset, _ = run(folder, tmp_path / "out", *more, "--hold-out", "unknown")
    assert (dataset["split"][dataset["source"] == "unknown"] == TEST).all()
    before = (tmp_path / "out/flute/dataset.npz").read_bytes()
    with pytest.raises(UserError, match="--hold-out unknow: no such source: give one of known, "):
        run(folder, tmp_path / "out", *more, "--hold-out", "unknow")
    assert (tmp_path / "out/flute/dataset.npz").read_bytes() == before
    write_held_out(tmp_path / "out/flute/dataset.npz", tmp_path / "held_out", 2)
    names = sorted(path.name for path in (tmp_path / "held_out").iterdir())
    assert [name.split("_take_")[0] for name in names] == ["known", "unknown"]  # in turn


@pytest.mark.usefixtures("single_process")
def test_copies_of_what_is_held_out_are_not_learnt(tmp_path: Path) -> None:
    write_recordings(tmp_path / "all", 5)
    write_recordings(tmp_path / "all" / "some", 2)  # the same as the first two
    more = ["--audio", str(tmp_path / "all" / "some"), "--hold-out", "some"]
    dataset, summary = run(tmp_path / "all", tmp_path / "out", *more)
    assert summary["sources"]["some"]["splits"]["test"]["recordings"] == [
        "some/take_a.wav",
        "some/take_b.wav",
    ]
    learnt = summary["sources"]["all"]["splits"]
    names = [name for split in learnt.values() for name in split["recordings"]]
    assert sorted(names) == ["all/take_c.wav", "all/take_d.wav", "all/take_e.wav"]
    assert summary["duplicates"] == 4
    assert set(dataset["split"][dataset["source"] == "some"]) == {TEST}


@pytest.mark.usefixtures("single_process")
def test_source_of_noise_can_be_neither_held_out_nor_all_that_is_learnt(tmp_path: Path) -> None:
    write_recordings(tmp_path / "notes", 3)
    (tmp_path / "noise").mkdir()
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLE_RATE)
    sf.write(tmp_path / "noise" / "noise.wav", noise, SAMPLE_RATE)
    more = ["--audio", str(tmp_path / "noise"), "--hold-out"]
    with pytest.raises(UserError, match="--hold-out noise: it has nothing usable"):
        run(tmp_path / "notes", tmp_path / "out", *more, "noise")
    with pytest.raises(UserError, match="--hold-out notes leaves nothing usable to train on"):
        run(tmp_path / "notes", tmp_path / "out", *more, "notes")
    assert not (tmp_path / "out/flute/dataset.npz").exists()


@pytest.mark.usefixtures("single_process")
def test_held_out_sounds_have_no_gaps(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    for i in range(20):
        note = make_note(0.5, 300 + 20 * i)
        sf.write(folder / f"note{i}.wav", np.concatenate([note, np.zeros(4000)]), SAMPLE_RATE)
    dataset, _ = run(folder, tmp_path / "out")
    write_held_out(tmp_path / "out/flute/dataset.npz", tmp_path / "held_out", 1)
    (path,) = (tmp_path / "held_out").iterdir()
    clip = int(np.flatnonzero(dataset["split"] == TEST)[0])
    title = str(dataset["recording"][clip]).replace("/", "_").removesuffix(".wav")
    assert path.name == f"{title}_{clip:03d}.wav"
    samples, _ = sf.read(path, dtype="int16")
    sounding = dataset["sounding"][clip]
    np.testing.assert_array_equal(
        samples.reshape(-1, 64), dataset["audio"][clip].reshape(-1, 64)[sounding]
    )


def test_dataset_of_another_version_is_named_with_the_command_to_run(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 1)
    dataset, _ = run(tmp_path / "in", tmp_path / "out")
    path = tmp_path / "out/flute/dataset.npz"
    old = {name: values for name, values in dataset.items() if name not in ("sounding", "source")}
    np.savez(path, **old)
    with pytest.raises(UserError) as raised:
        load_dataset(path, load_instrument("flute"))
    assert str(raised.value) == (
        f"{path} has no sounding, source, so another version has written it: "
        f"run python -m pipeline.data --instrument flute --runs {tmp_path / 'out'}"
    )


def test_same_recordings_give_the_same_bytes(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 3, seconds=2.5)
    run(tmp_path / "in", tmp_path / "a")
    run(tmp_path / "in", tmp_path / "b")
    for name in ("dataset.npz", "dataset.json"):
        first, second = (tmp_path / out / "flute" / name for out in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_interrupted_stage_continues_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recordings(tmp_path / "in", 4)
    analysed: list[str] = []
    analyse_file = analysis._analyse_file

    def counting(recording: Recording, *rest: Any) -> None:
        if len(analysed) == 2 and interrupting:
            raise KeyboardInterrupt
        analysed.append(recording.path.name)
        analyse_file(recording, *rest)

    monkeypatch.setattr(analysis, "_analyse_file", counting)
    interrupting = True
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out/flute/dataset.npz").exists()
    interrupting = False
    resumed, _ = run(tmp_path / "in", tmp_path / "out")
    assert analysed == [f"take_{name}.wav" for name in "abcd"]  # each exactly once
    unbroken, _ = run(tmp_path / "in", tmp_path / "fresh")
    for name, values in unbroken.items():
        np.testing.assert_array_equal(resumed[name], values)


def test_parallel_analysis_gives_the_same_result(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 5)
    dataset, _ = run(tmp_path / "in", tmp_path / "out")
    clip = int(np.flatnonzero(dataset["recording"] == "in/take_d.wav")[0])
    expected = extract_features(
        load_audio(tmp_path / "in" / "take_d.wav"), f0_min_hz=230, f0_max_hz=2300
    )
    np.testing.assert_allclose(dataset["f0_hz"][clip], expected.f0_hz, rtol=1e-6)


def test_nothing_to_learn_from_is_one_line(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLE_RATE)
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in" / "noise.wav", noise, SAMPLE_RATE)
    with pytest.raises(UserError, match="nothing usable for the flute") as raised:
        run(tmp_path / "in", tmp_path / "out")
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="no recordings"):
        data.main(["--instrument", "flute", "--no-corpus", "--runs", str(tmp_path)])


@pytest.mark.slow
def test_killed_stage_leaves_only_complete_files(tmp_path: Path) -> None:
    write_recordings(tmp_path / "in", 6)
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
    run(tmp_path / "in", tmp_path / "out")
    for name in ("dataset.npz", "dataset.json"):
        resumed, unbroken = (tmp_path / out / "flute" / name for out in ("out", "unbroken"))
        assert resumed.read_bytes() == unbroken.read_bytes()


def test_recordings_are_prepared_without_importing_keras() -> None:
    commands = ["data", "inspect", "new_instrument", "live_pitch"]
    program = f"import sys, {', '.join(f'pipeline.{name}' for name in commands)}\n"
    program += "print(*{'keras', 'tensorflow', 'jax'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().split() == []


def test_folder_that_may_not_be_written_is_named_before_the_work(unprivileged: Path) -> None:
    write_recordings(unprivileged / "in", 1)
    (unprivileged / "new").mkdir(0o555)
    (unprivileged / "old").mkdir()
    (unprivileged / "old" / "flute").mkdir(0o555)
    for runs in ("new", "old"):
        with pytest.raises(PermissionError) as raised:
            run(unprivileged / "in", unprivileged / runs)
        assert raised.value.filename == str(unprivileged / runs / "flute")
