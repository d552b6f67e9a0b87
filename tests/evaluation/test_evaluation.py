"""Metrics on sounds with known results, and the evaluation of recordings."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.refusals import refusal
from support.small_run import make_run
from support.sounds import make_tone

from pipeline import evaluate
from pipeline.audio.features import extract_features
from pipeline.audio.level import amplify, calibrate_audio, calibrate_features
from pipeline.audio.loading import load_audio
from pipeline.audio.pcm import from_pcm, to_pcm
from pipeline.audio.recordings import Recording
from pipeline.core import paths
from pipeline.core.constants import FORMATS, MAX_LEVEL, SAMPLE_RATE, VARIANT_LABELS
from pipeline.core.errors import UserError
from pipeline.core.patch_files import load_patch
from pipeline.evaluation import evaluation, model_files, rendering
from pipeline.evaluation.comparison import summarize
from pipeline.evaluation.evaluation_table import print_table
from pipeline.evaluation.systems import System, requested_systems
from pipeline.model import ddx7, metrics
from pipeline.model.silence_metrics import ZERO_DBFS
from pipeline.quantization.weights import load_noise
from pipeline.reference import device


def features_of(audio):
    return extract_features(audio, f0_min_hz=230.0, f0_max_hz=2300.0)


# --- metrics --------------------------------------------------------------------------------------


def test_every_distance_between_equal_sounds_is_zero():
    tone = make_tone(1.0)
    features = features_of(tone)
    assert metrics.mss_distance(tone, tone) == 0
    assert metrics.log_mel_distance(tone, tone) == 0
    assert metrics.f0_error_cents(features, features, min_confidence=0.8) == 0
    assert metrics.loudness_error_db(features, features) == 0


def test_halving_the_amplitude_is_an_error_of_six_decibels():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, SAMPLE_RATE).astype(np.float32)
    assert metrics.log_mel_distance(noise, noise / 2) == pytest.approx(6.02, abs=0.01)
    tone = make_tone(1.0)
    error = metrics.loudness_error_db(features_of(tone), features_of(tone / 2))
    assert error == pytest.approx(6.02, abs=0.02)
    levels = np.full((10, 6), MAX_LEVEL)
    assert metrics.level_error_db(levels, levels / 2) == pytest.approx(6.02, abs=0.01)


def test_semitone_up_or_down_is_a_hundred_cents():
    middle = features_of(make_tone(1.0, 440.0))
    for neighbour_hz in (440 * 2 ** (1 / 12), 440 / 2 ** (1 / 12)):
        other = features_of(make_tone(1.0, neighbour_hz))
        error = metrics.f0_error_cents(middle, other, min_confidence=0.8)
        assert error == pytest.approx(100, abs=1)


def test_pitch_error_ignores_noise_and_level_error_inaudible_levels():
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, SAMPLE_RATE).astype(np.float32)
    features = features_of(noise)
    assert metrics.f0_error_cents(features, features, min_confidence=0.9) is None
    levels = np.array([[0.1, 1e-5, 0.1, 0.1, 0.1, 0.1]])
    other = np.array([[0.1, 1e-6, 0.1, 0.1, 0.1, 0.1]])
    assert metrics.level_error_db(levels, other) == 0


def test_spectral_distance_of_a_long_recording_is_the_weighted_mean_of_its_parts(monkeypatch):
    monkeypatch.setattr(metrics, "MSS_SECONDS", 1)
    first, second = make_tone(1.0), make_tone(0.5, 330.0)
    reference = np.concatenate([first, second])
    estimate = np.concatenate([first, second / 2])
    alone = metrics.mss_distance(second, second / 2)
    assert metrics.mss_distance(reference, estimate) == pytest.approx(alone / 3, rel=1e-6)


def test_pcm_saturates_and_converts_back():
    audio = np.array([-2.0, -1.0, -0.5 / 32768, 0.0, 1.6 / 32768, 1.0, 2.0])
    np.testing.assert_array_equal(to_pcm(audio), [-32768, -32768, 0, 0, 2, 32767, 32767])
    samples = np.arange(-32768, 32768, 7).astype(np.int16)
    np.testing.assert_array_equal(to_pcm(from_pcm(samples)), samples)


# --- evaluation -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for variant in ("full", "reduced_cd"):
        make_run(folder / "flute" / variant, variant=variant)
    return folder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    sf.write(folder / "steady.wav", make_tone(1.0), SAMPLE_RATE, subtype="PCM_16")
    (folder / "notes.wav").write_text("not audio")
    return folder


@pytest.fixture(scope="module")
def soft_recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soft")
    glide = np.concatenate(
        [make_tone(0.6, 400.0, level=0.005), make_tone(0.61, 700.0, level=0.005)]
    )
    sf.write(folder / "steps.flac", glide, SAMPLE_RATE)
    return folder


@pytest.fixture(scope="module")
def evaluated(runs, recordings, soft_recordings, tmp_path_factory):
    """The folder that the command wrote, and its metrics."""
    out = tmp_path_factory.mktemp("out")
    options = ["--instrument", "flute", "--out", str(out)]
    options += ["--audio", str(recordings), "--audio", str(soft_recordings)]
    options += ["--runs", str(runs), "--board", "host", "--variants", "full", "reduced_cd"]
    options += ["--features", "live"]
    evaluate.main(options)
    return out, json.loads((out / "metrics.json").read_text())


def test_softer_recording_is_played_alike_at_its_own_level(runs, tmp_path):
    played, gains_db = {}, {}
    for name, level, gain in (("loud", 0.3, "auto"), ("soft", 0.03, "auto"), ("plain", 0.03, "0")):
        path = tmp_path / f"{name}.wav"
        sf.write(path, make_tone(0.4, level=level), SAMPLE_RATE, subtype="FLOAT")
        words = ["--instrument", "flute", "--runs", str(runs), "--audio", str(path), "--gain", gain]
        evaluate.main([*words, "--out", str(tmp_path), "--variants", "reduced_cd", "--mcu"])
        gains_db[name] = json.loads((tmp_path / "metrics.json").read_text())["gain_db"][name]
        played[name] = sf.read(tmp_path / f"{name}.reduced_cd.wav")[0]
    assert gains_db["soft"] - gains_db["loud"] == pytest.approx(20, abs=0.11)
    assert gains_db["plain"] == 0
    assert np.abs(10 * played["soft"] - played["loud"]).max() < 10 / 32768
    assert np.abs(10 * played["plain"] - played["loud"]).max() > 100 / 32768


def test_rendering_in_chunks_equals_rendering_at_once(runs, monkeypatch):
    model = ddx7.load_model(runs / "flute" / "reduced_cd")
    features = features_of(np.concatenate([make_tone(0.5), make_tone(0.5, 700.0)]))
    whole = model.render(features.f0_hz[None], features.loudness_db[None])
    monkeypatch.setattr(rendering, "CHUNK_FRAMES", 7)
    chunked = rendering.render_float(model, features)
    for name in ("levels", "dry", "audio"):
        np.testing.assert_allclose(chunked[name], whole[name][0], atol=2e-6)


def test_levels_of_every_other_frame_are_interpolated(runs):
    model = ddx7.load_model(runs / "flute" / "reduced_cd")
    features = features_of(np.concatenate([make_tone(0.3), make_tone(0.3, 700.0)]))
    all_frames = rendering.render_float(model, features)["levels"]
    played = rendering.render_float(model, features, levels_every=2)
    levels = played["levels"]
    np.testing.assert_array_equal(levels[1::2], all_frames[1::2])
    np.testing.assert_allclose(levels[2:-1:2], (levels[1:-2:2] + levels[3::2]) / 2, atol=1e-7)
    assert np.abs(levels - all_frames).max() > 1e-4
    assert len(played["dry"]) == 64 * len(levels)


@pytest.mark.firmware
def test_every_system_of_every_recording_is_rendered_and_measured(evaluated):
    out, report = evaluated
    systems = {
        "lpc",
        "lpc_noise",
        "full",
        "full_live",
        "reduced_cd",
        "reduced_cd_live",
        "reduced_cd_mcu",
    }
    assert set(report["systems"]) == systems
    names = {"steady": 16000, "steps": 19360}
    expected = {f"{name}.{s}.wav" for name in names for s in systems | {"reference"}}
    assert {path.name for path in out.iterdir()} == expected | {"metrics.json"}
    for name, n_samples in names.items():
        for system in systems:
            audio, rate = sf.read(out / f"{name}.{system}.wav")
            assert (len(audio), rate) == (n_samples, SAMPLE_RATE)


@pytest.mark.firmware
def test_figures_agree_with_the_wav_files(evaluated):
    out, report = evaluated
    for system, entry in report["systems"].items():
        for name, figures in entry["recordings"].items():
            pair = [
                sf.read(out / f"{name}.{kind}.wav", dtype="float32")[0]
                for kind in ("reference", system)
            ]
            assert figures["mss"] == pytest.approx(metrics.mss_distance(*pair), rel=1e-5)
            assert figures["log_mel_db"] == pytest.approx(metrics.log_mel_distance(*pair), rel=1e-5)
        distances = [figures["mss"] for figures in entry["recordings"].values()]
        assert entry["mean"]["mss"] == pytest.approx(np.mean(distances))
        # One of the two recordings peaks below -40 dBFS.
        audible = entry["recordings"]["steady"]["mss"]
        assert entry["mean"]["mss_audible"] == pytest.approx(audible)


@pytest.mark.firmware
def test_mean_and_spread_are_those_over_recordings_and_by_source(
    evaluated, recordings, soft_recordings
):
    _, report = evaluated
    names = {recordings.name: "steady", soft_recordings.name: "steps"}
    assert report["source"] == {name: source for source, name in names.items()}
    for entry in report["systems"].values():
        for figure in ("mss_sound", "loudness_error_db"):
            values = {name: entry["recordings"][name][figure] for name in names.values()}
            pair = list(values.values())
            assert entry["mean"][figure] == pytest.approx(np.mean(pair))
            spread = abs(pair[0] - pair[1]) / np.sqrt(2)
            assert entry["spread"][figure] == pytest.approx(spread)
            for source, name in names.items():
                part = entry["by_source"][source]
                assert part["mean"][figure] == values[name] and part["n_recordings"] == 1
                assert part["spread"][figure] is None


def test_mean_level_in_silence_is_that_of_the_power():
    rows = {"a": -80.0, "b": ZERO_DBFS, "c": None}
    figures = {name: {"mss": 1.0, "silence_dbfs": level} for name, level in rows.items()}
    peaks, sources = dict.fromkeys(rows, 0.0), dict.fromkeys(rows, "one")
    mean = summarize(figures, peaks, sources)["mean"]["silence_dbfs"]
    assert mean == pytest.approx(-80 - 10 * np.log10(2))
    only_zero = summarize({"b": figures["b"]}, peaks, sources)["mean"]["silence_dbfs"]
    assert only_zero == pytest.approx(ZERO_DBFS)


@pytest.mark.firmware
def test_table_fits_120_columns_and_has_a_line_per_source(evaluated, soft_recordings, capsys):
    _, report = evaluated
    systems = {"reduced_cd_mcu_reverb": report["systems"]["reduced_cd_mcu"]}
    wide = {name: -11.5 for name in systems["reduced_cd_mcu_reverb"]["mean"]}
    print_table(systems | {"lpc": {**report["systems"]["lpc"], "mean": wide}})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    found = next(line for line in lines if line.startswith(f"  {soft_recordings.name} (1)"))
    figures = report["systems"]["reduced_cd_mcu"]["recordings"]["steps"]
    columns = found.removeprefix(f"  {soft_recordings.name} (1)").split()
    assert columns[:3] == [
        f"{figures['mss']:.2f}",
        f"{figures['mss_sound']:.2f}",
        f"{figures['partial_error_db']:.1f}",
    ]


@pytest.mark.firmware
def test_mcu_system_equals_the_simulated_device(evaluated, runs):
    out, report = evaluated
    audio = load_audio(out / "steady.reference.wav")
    gain_db = report["gain_db"]["steady"]
    features = calibrate_features(features_of(audio), calibrate_audio(audio, gain_db))
    frames = features.frames
    tflite = runs / "flute" / "reduced_cd" / "decoder_int8.tflite"
    simulated = device.simulate(tflite, load_patch("flute"), load_noise(tflite.parent), frames)
    played, _ = sf.read(out / "steady.reduced_cd_mcu.wav", dtype="int16")
    as_recorded = to_pcm(amplify(from_pcm(simulated.pcm), -gain_db))
    np.testing.assert_array_equal(played, as_recorded[: len(audio)])
    figures = report["systems"]["reduced_cd_mcu"]["recordings"]["steady"]
    assert figures["level_error_db"] < 1
    assert figures["mss_to_float_unrounded"] < figures["mss"]


@pytest.mark.firmware
def test_live_features_barely_change_a_steady_tone(evaluated):
    _, report = evaluated
    offline, live = (report["systems"][name] for name in ("reduced_cd", "reduced_cd_live"))
    assert offline["model_digest"] == live["model_digest"] and "live" in live["domain"]
    distance = [entry["recordings"]["steady"]["mss"] for entry in (offline, live)]
    assert 0 < abs(distance[1] - distance[0]) < 0.2 * distance[0]


@pytest.mark.firmware
def test_bad_file_is_named_and_the_others_are_evaluated(evaluated):
    _, report = evaluated
    ((path, reason),) = report["passed_over"].items()
    assert Path(path).name == "notes.wav" and "it is text" in reason
    assert not report["failed"]
    assert set(report["peak_dbfs"]) == {"steady", "steps"}


@pytest.mark.parametrize("is_stage", [True, False])
def test_only_a_stage_shows_progress_bars_in_a_pipe(recordings, tmp_path, capfd, is_stage):
    take = Recording("steady", recordings / "steady.wav", real=True, source="recordings")
    evaluation.Evaluation("flute", [], is_stage=is_stage).evaluate_all({"steady": take}, tmp_path)
    shown = capfd.readouterr().err
    assert ("100%|" in shown) == ("\r" in shown) == is_stage


def test_untrained_variant_is_skipped_with_a_message(runs, recordings, replace, tmp_path):
    replace(paths.MODEL_DIR, tmp_path / "none")
    systems = requested_systems(["full", "reduced"], [])
    flute = evaluation.Evaluation("flute", systems, runs=runs)
    assert [system.name for system in flute.systems] == ["full"]
    (reason,) = flute.missing.values()
    assert [system.name for system in flute.missing] == ["reduced"]
    command = f"python -m pipeline.train --variant reduced --instrument flute --runs {runs} first"
    assert command in reason
    systems = requested_systems(["full"], ["reduced_cd"])
    violin = evaluation.Evaluation("violin", systems, runs=runs)
    missing = {system.name for system in violin.missing}
    assert missing == {"full", "reduced_cd", "reduced_cd_mcu"} and not violin.has_models
    options = ["--instrument", "violin", "--runs", str(runs), "--out", str(tmp_path / "out")]
    with pytest.raises(UserError, match=r"pipeline\.train"):
        evaluate.main([*options, "--audio", str(recordings)])


def test_report_names_the_folder_of_every_model(replace, tmp_path):
    runs, pretrained = tmp_path / "runs", tmp_path / "data" / "models"
    replace(paths.REPOSITORY, tmp_path)
    replace(paths.MODEL_DIR, pretrained)
    asked = requested_systems(["full", "reduced"], ["reduced"])
    sources = []
    for folder in (
        None,
        pretrained / "flute/full",
        pretrained / "flute/reduced",
        runs / "flute/full",
    ):
        if folder:
            folder.mkdir(parents=True)
            (folder / "model.weights.h5").touch()
        sources.append(model_files.model_sources(model_files.find_models("flute", asked, runs)[0]))
    assert sources == ["", "data/models", "data/models", "runs (full) and data/models (reduced)"]


def test_recordings_with_the_same_name_do_not_overwrite_each_other(tmp_path):
    found = [
        Recording(f"{source}/{name}", tmp_path / source / name, real=True, source=source)
        for source, names in {
            "one": ["a/x.wav", "b/x.wav", "x.flac", "b/y.wav"],
            "two": ["a/z.wav"],
            "three": ["a/z.wav"],
        }.items()
        for name in names
    ]
    names = model_files.output_names(found)
    assert list(names.values()) == found
    assert list(names) == [
        *("a__x.wav", "b__x.wav", "x.flac", "y"),
        *("two__a__z.wav", "three__a__z.wav"),
    ]


def test_system_names_are_unique_and_find_their_systems():
    asked = requested_systems(
        list(VARIANT_LABELS), ["reduced_cd"], formats=FORMATS, reverb=True, live=True
    )
    assert len({system.name for system in asked}) == len({s.label for s in asked}) == len(asked)
    assert all(System.from_name(system.name) == system for system in asked)
    names = [system.name for system in asked if system.is_firmware]
    assert names == ["reduced_cd_mcu", "reduced_cd_mcu16", "reduced_cd_mcu_reverb"]
    assert System.from_name("reduced_cd_mcu16").label == "Reduced + CD, 16x8"
    with pytest.raises(KeyError):
        System.from_name("reduced_cd_mcu32")


@pytest.mark.parametrize("case", ["missing", "empty", "inside"])
def test_bad_folders_give_one_line_and_status_2(case, tmp_path, recordings, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    audio = {"missing": tmp_path / "none", "empty": empty, "inside": recordings}[case]
    out = recordings / "results" if case == "inside" else tmp_path / "out"
    words = ["--instrument", "flute", "--audio", audio, "--out", out]
    line = refusal(capsys, evaluate.main, *words)
    assert str(out if case == "inside" else audio) in line
    assert not out.exists()
