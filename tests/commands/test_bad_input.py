"""Bad input ends every command with one line and status 2, and leaves existing files alone."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import soundfile as sf
from support.bad_recordings import write_bad_recordings
from support.full_disk import limited_disk
from support.refusals import refusal
from support.small_run import make_run
from support.sounds import make_tone
from tensorflow.lite.tools import flatbuffer_utils

from pipeline import (
    bench,
    codegen,
    convert,
    data,
    demo,
    distill,
    evaluate,
    firmware,
    page,
    quantize,
    train,
    web,
)
from pipeline.core.constants import FRAME_RATE, SAMPLE_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument
from pipeline.core.runs import load_run
from pipeline.model.ddx7 import load_model, save_model
from pipeline.training.dataset import load_dataset

RUN = "flute/reduced_cd"
FLUIDSYNTH = pytest.mark.fluidsynth


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A folder with the run folders of a small untrained flute, and recordings beside it."""
    runs = tmp_path_factory.mktemp("template")
    for variant in ("full", "reduced_cd"):
        make_run(runs / "flute" / variant, variant=variant)
    (runs / "audio" / "flute").mkdir(parents=True)
    for name, f0_hz in (("low", 392.0), ("high", 784.0)):
        sf.write(runs / "audio" / "flute" / f"{name}.wav", make_tone(4.0, f0_hz), SAMPLE_RATE)
    data.main(["--instrument", "flute", "--audio", str(runs / "audio"), "--runs", str(runs)])
    quantize.main(["--run", str(runs / RUN), "--epochs", "0"])
    return runs


@pytest.fixture
def runs(template, tmp_path, monkeypatch):
    """A copy of the template, which is the current folder during the test."""
    shutil.copytree(template, tmp_path / "runs")
    monkeypatch.chdir(tmp_path / "runs")
    return tmp_path / "runs"


COMMANDS = {
    "data": (data, "--instrument flute --audio audio --runs out"),
    "train": (
        train,
        "--instrument flute --dataset flute/dataset.npz --runs out --steps 1 --batch-size 1 "
        "--crop-frames 64",
    ),
    "distill": (
        distill,
        "--instrument flute --method control --teacher flute/full --dataset flute/dataset.npz "
        "--runs out --steps 1",
    ),
    "quantize": (quantize, f"--run {RUN} --dataset flute/dataset.npz --epochs 0"),
    "convert": (convert, f"--run {RUN}"),
    "codegen": (codegen, f"--run {RUN} --out out"),
    "firmware": (firmware, f"--run {RUN} --board host"),
    "evaluate": (
        evaluate,
        "--instrument flute --audio audio --out out --runs . --board host "
        "--variants full reduced_cd",
    ),
    "page": (
        page,
        "--instrument flute --audio audio --out out --runs . --board host "
        "--variants full reduced_cd",
    ),
    "demo": (demo, f"--run {RUN} --out ../demo"),
}


def refuse(command, capsys, *more):
    """Runs a command, which must end with status 2; returns its error line."""
    module, options = COMMANDS[command]
    arguments = options.split()
    if "--audio" in more:  # instead of the good recordings, not in addition
        position = arguments.index("--audio")
        del arguments[position : position + 2]
    return refusal(capsys, module.main, *arguments, *more, alone=False)


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_tflite(runs):
    cut(runs / RUN / "decoder_int8.tflite")


def cut_weights(runs):
    for variant in ("full", "reduced_cd"):
        cut(runs / "flute" / variant / "model.weights.h5")


def cut_config(runs):
    for variant in ("full", "reduced_cd"):
        (runs / "flute" / variant / "config.toml").write_text('hash = "0"\ninstrum')


def lose_run(runs):
    shutil.rmtree(runs / "flute")


def cut_dataset(runs):
    cut(runs / "flute" / "dataset.npz")


def stop_training(runs):
    for variant in ("full", "reduced_cd"):
        path = runs / "flute" / variant / "checkpoint.npz"
        np.savez(path, history=np.array('[{"step": 3}]'))


def set_unknown_op(runs):
    path = runs / RUN / "decoder_int8.tflite"
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    for code in model.operatorCodes:
        code.builtinCode = code.deprecatedBuiltinCode = 14  # LOGISTIC
    path.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))


def change_instrument_to_piano(runs):
    for variant in ("full", "reduced_cd"):
        folder = runs / "flute" / variant
        dataclasses.replace(load_run(folder), instrument="piano").save(folder)


@pytest.mark.parametrize(
    ("spoil", "command", "message"),
    [
        (cut_tflite, "firmware", f"{RUN}/decoder_int8.tflite"),
        (cut_tflite, "codegen", f"{RUN}/decoder_int8.tflite"),
        (cut_tflite, "evaluate", "flute/reduced_cd/decoder_int8.tflite"),
        (set_unknown_op, "firmware", "LOGISTIC"),
        (cut_tflite, "page", "flute/reduced_cd/decoder_int8.tflite"),
        pytest.param(cut_tflite, "demo", f"{RUN}/decoder_int8.tflite", marks=FLUIDSYNTH),
        (set_unknown_op, "evaluate", "LOGISTIC"),
        (cut_weights, "quantize", f"{RUN}/model.weights.h5 is damaged"),
        (cut_weights, "distill", "flute/full/model.weights.h5"),
        (cut_weights, "evaluate", "model.weights.h5"),
        (cut_weights, "page", "model.weights.h5"),
        pytest.param(cut_weights, "demo", f"{RUN}/model.weights.h5", marks=FLUIDSYNTH),
        (cut_config, "quantize", f"{RUN}/config.toml"),
        (cut_config, "codegen", f"{RUN}/config.toml"),
        (cut_config, "firmware", f"{RUN}/config.toml"),
        (cut_config, "evaluate", "config.toml"),
        (cut_dataset, "train", "flute/dataset.npz is damaged"),
        (cut_dataset, "quantize", "flute/dataset.npz is damaged"),
        *(
            (stop_training, command, "training stopped at step 3 of ")
            for command in ("quantize", "convert", "codegen", "firmware", "evaluate", "distill")
        ),
        (lose_run, "quantize", f"{RUN} does not exist"),
        (
            lose_run,
            "firmware",
            "run python -m pipeline.distill --method control --instrument flute",
        ),
        (
            lose_run,
            "distill",
            "run python -m pipeline.train --variant full --instrument flute",
        ),
        (lose_run, "demo", f"{RUN} does not exist"),
        (change_instrument_to_piano, "evaluate", "holds a piano, not a flute"),
        (change_instrument_to_piano, "page", "holds a piano, not a flute"),
        (change_instrument_to_piano, "demo", f"{RUN} holds a piano, not a flute"),
        (change_instrument_to_piano, "distill", "flute/full holds a piano, not a flute"),
    ],
)
def test_damaged_run_folder_is_named_and_left_unchanged(runs, capsys, spoil, command, message):
    spoil(runs)
    before = content(runs)
    assert message in refuse(command, capsys)
    assert content(runs) == before


def test_training_never_replaces_the_folder_of_another_instrument(runs, capsys):
    change_instrument_to_piano(runs)
    before = content(runs / "flute")
    line = refuse("train", capsys, "--runs", ".", "--restart")
    assert "flute/full holds a piano, not a flute" in line
    assert content(runs / "flute") == before


@pytest.mark.parametrize("word", ["--run", "--out"])
def test_folders_of_the_instrument_page_are_checked_before_the_work(tmp_path, capsys, word):
    (tmp_path / "file").touch()
    words = ["--out", tmp_path / "page", word, tmp_path / "file"]
    reason = {"--run": "is not a run folder", "--out": "is a file: give a folder"}[word]
    with pytest.raises(UserError, match=reason):
        web.main([str(word) for word in words])
    assert not capsys.readouterr().out, "no model was chosen yet"


@pytest.mark.parametrize("command", ["data", "evaluate", "page"])
def test_bad_recordings_are_named(runs, capsys, command):
    spoilt = runs / "spoilt"
    spoilt.mkdir()
    for name, word in write_bad_recordings(spoilt).items():
        only = runs / "only"
        (only / "flute").mkdir(parents=True)
        if (spoilt / name).exists():
            shutil.copy(spoilt / name, only / "flute")
        else:
            word = "holds no audio"
        before = content(runs / "flute")
        line = refuse(command, capsys, "--audio", str(only), *(["--mcu"] * (command != "data")))
        assert word in line and (name in line or word == "holds no audio")
        assert content(runs / "flute") == before
        shutil.rmtree(only)


def test_doubtful_recordings_are_evaluated_with_a_warning(runs, capsys):
    high = make_tone(1.0, 2637.0)
    sf.write(runs / "audio/flute/doubtful.wav", np.clip(24 * high, -1, 1), SAMPLE_RATE)
    evaluate.main([*COMMANDS["evaluate"][1].split(), "--mcu"])
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert [line.partition(": doubtful")[0] for line in lines] == [
        "warning: 1 recording: higher than the pitches looked for",
        "warning: 1 recording: clipped samples",
    ]
    assert "100 % lies above 2300 Hz" in lines[0] and "of its samples are clipped" in lines[1]
    report = json.loads((runs / "out" / "metrics.json").read_text())
    assert set(report["warnings"]) == {"doubtful"}
    assert set(report["systems"]["full"]["recordings"]) == {"doubtful", "high", "low"}


def test_any_sample_rate_width_and_number_of_channels_is_accepted(runs):
    tone = make_tone(4.0)
    shutil.rmtree(runs / "audio")
    (runs / "audio").mkdir()
    sf.write(runs / "audio/wide.wav", tone.repeat(6), 96_000, subtype="PCM_24")
    sf.write(runs / "audio/narrow.wav", tone[::2], 8_000)
    sf.write(runs / "audio/stereo.flac", tone[:, None].repeat(2, axis=1), SAMPLE_RATE)
    data.main(COMMANDS["data"][1].split())
    dataset = load_dataset(runs / "out/flute/dataset.npz", load_instrument("flute"))
    assert len(dataset["recording"]) == 3
    assert dataset["f0_hz"][:, FRAME_RATE:-FRAME_RATE] == pytest.approx(523.25, rel=1e-3)


@pytest.mark.parametrize("command", COMMANDS)
def test_full_disk_is_reported_and_existing_files_stay(runs, capsys, command):
    before = content(runs)
    with limited_disk(1000):
        line = refuse(command, capsys)
    assert "free some space and run the command again" in line
    after = content(runs)
    assert {path: after[path] for path in before} == before
    assert not [path for path in after if path.name.startswith(".") and path.name != ".lock"]


def test_model_folder_survives_a_failed_save_on_a_full_disk(runs):
    run_dir = runs / "flute" / "full"
    model = load_model(run_dir)
    before = content(run_dir)
    with limited_disk(1000), pytest.raises(OSError, match="too large"):
        save_model(model, run_dir)
    assert content(run_dir) == before
    save_model(model, run_dir)
    load_model(run_dir)


@pytest.mark.parametrize(
    ("command", "more", "message"),
    [
        ("firmware", ["--board", "qemu_m4"], "apt-get install cmake"),
        ("evaluate", ["--board", "qemu_m4"], "apt-get install cmake"),
        ("data", ["--corpus"], "apt-get install fluidsynth"),
    ],
)
def test_missing_tool_is_named_with_its_package(runs, capsys, monkeypatch, command, more, message):
    monkeypatch.setenv("PATH", str(runs))
    before = content(runs)
    assert message in refuse(command, capsys, *more)
    after = content(runs)
    assert {path: after[path] for path in before} == before


@pytest.mark.firmware
def test_missing_emulator_is_named_with_its_package(runs, capsys, monkeypatch, tmp_path, build_dir):
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for tool in os.listdir(folder) if os.path.isdir(folder) else []:
            if not tool.startswith("qemu-system") and not (tools / tool).is_symlink():
                (tools / tool).symlink_to(os.path.join(folder, tool))
    monkeypatch.setenv("PATH", str(tools))
    line = refuse("evaluate", capsys, "--board", "qemu_m4")
    assert "apt-get install qemu-system-arm" in line
    COMMANDS["bench"] = (bench, f"--run {RUN} --json out.json")
    assert "apt-get install qemu-system-arm" in refuse("bench", capsys)
    assert not (runs / "out.json").exists()
