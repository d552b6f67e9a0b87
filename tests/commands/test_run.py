"""One command makes an instrument from recordings, however often it is interrupted."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from support.refusals import refusal
from support.small_run import make_run
from support.sounds import make_tone

from pipeline import quantize
from pipeline.core.errors import UserError
from pipeline.core.files import TEMPORARY
from pipeline.core.paths import PROFILE_DIR
from pipeline.core.stage_runner import StageRunner
from pipeline.core.stages import Stage, only_run
from pipeline.run import main

pytestmark = [pytest.mark.firmware, pytest.mark.slow]

SHORTER = {  # entries of the quick profile; the result of training does not matter here
    "steps = 450": "steps = 2",
    "batch_size = 4": "batch_size = 2\ncrop_frames = 40",
    "qat_epochs = 40": "qat_epochs = 0",
    "stages_at_once = 1": "stages_at_once = 2",
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three short takes, one of them in stereo and at another rate."""
    folder = tmp_path_factory.mktemp("recordings")
    swell = np.linspace(0.2, 1, 64_000, dtype=np.float32)
    for name, f0_hz in (("low", 392.0), ("middle", 523.25), ("high", 784.0)):
        sf.write(folder / f"{name}.flac", swell * make_tone(4.0, f0_hz), 16_000)
    audio, rate = sf.read(folder / "high.flac")
    (folder / "high.flac").unlink()
    stereo = np.repeat(audio, 3)[:, None] * [1.0, 0.5]
    sf.write(folder / "high.wav", stereo, 3 * rate, subtype="PCM_24")
    return folder


def command(recordings, runs):
    profile = runs / "test.toml"
    if not profile.exists():
        text = (PROFILE_DIR / "quick.toml").read_text()
        for old, new in SHORTER.items():
            assert old in text
            text = text.replace(old, new)
        profile.write_text(text)
    options = ["--instrument", "flute", "--audio", str(recordings), "--runs", str(runs)]
    options += ["--profile", str(profile), "--students", "reduced_cd"]
    return [sys.executable, "-m", "pipeline.run", *options]


def start_until(path, recordings, runs):
    """Starts the command and returns its process as soon as `path` exists."""
    process = subprocess.Popen(
        command(recordings, runs),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs inherit that SIGINT is ignored; a user's Ctrl-C is not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    return process


def steps_of(checkpoint):
    """Returns the history of a training until its checkpoint."""
    with np.load(checkpoint) as stored:
        return json.loads(str(stored["history"]))


def files_of(folder):
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "logs" not in path.parts
    }


def test_mistyped_command_does_not_cost_the_training(recordings, tmp_path):
    """Interrupts a training, then gives two other folders, and then the first command again."""
    folder, checkpoint = tmp_path / "flute", tmp_path / "flute" / "full" / "checkpoint.npz"
    command(recordings, tmp_path)
    profile = tmp_path / "test.toml"
    text = profile.read_text().replace("validate_every = 150", "validate_every = 2")
    profile.write_text(text.replace("\nsteps = 2\n", "\nsteps = 5000\n"))

    def interrupt(process):
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130

    interrupt(start_until(checkpoint, recordings, tmp_path))
    dataset, history = (folder / "dataset.npz").read_bytes(), steps_of(checkpoint)
    before = files_of(folder)

    (tmp_path / "empty").mkdir()
    assert "empty holds no audio" in refuse(tmp_path / "empty", tmp_path)
    assert files_of(folder) == before

    (tmp_path / "others").mkdir()
    shutil.copy(recordings / "low.flac", tmp_path / "others")
    (folder / "dataset.npz").unlink()
    interrupt(start_until(folder / "dataset.npz", tmp_path / "others", tmp_path))
    assert (folder / "dataset.npz").read_bytes() != dataset
    assert steps_of(checkpoint) == history

    resumed = start_until(checkpoint, recordings, tmp_path)
    while steps_of(checkpoint) == history:
        assert resumed.poll() is None, resumed.stderr.read()
        time.sleep(0.02)
    interrupt(resumed)
    assert (folder / "dataset.npz").read_bytes() == dataset
    assert steps_of(checkpoint)[: len(history)] == history
    with pytest.raises(UserError, match=r"full: training stopped at step \d+ of 5000: continue"):
        quantize.main(["--run", str(folder / "full")])


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def finished(recordings, tmp_path_factory):
    """The run folder, and the output of the command after one interruption and one kill."""
    runs = tmp_path_factory.mktemp("runs")
    folder = runs / "flute"
    stopped = start_until(folder / "dataset.npz", recordings, runs)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert errors.strip().splitlines()[-1] == "interrupted; the same command continues from here"
    dataset = (folder / "dataset.npz").read_bytes()

    killed = start_until(folder / "reduced_cd" / "config.toml", recordings, runs)
    stages = Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text().split()
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    while any(is_running(stage) for stage in stages):  # the kill also ends the current stage
        time.sleep(0.02)
    assert not (folder / "reduced_cd" / "metrics.json").exists()
    # A kill may leave such a file.
    (folder / f"{TEMPORARY}{killed.pid}.dataset.npz").write_bytes(b"half")

    done = subprocess.run(command(recordings, runs), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "dataset.npz").read_bytes() == dataset
    return folder, done.stdout


def test_interrupted_run_continues_where_it_stopped(finished):
    _, output = finished
    stages = [line for line in output.splitlines() if line.startswith("[")]
    assert [line.endswith("(up to date)") for line in stages[:3]] == [True, True, False]
    assert len(stages) == int(stages[0].partition("/")[2].partition("]")[0])


def test_run_makes_models_c_firmware_and_sounds(finished):
    folder, output = finished
    assert (folder / "firmware" / "render").read_bytes().startswith(b"\x7fELF")
    for fmt in ("int8", "int16x8"):
        assert (folder / "reduced_cd" / f"decoder_{fmt}.tflite").is_file()
        assert "flute_reduced_cd" in (folder / f"reduced_cd/c_{fmt}/instruments.c").read_text()
    audio_folder = folder / "page" / "audio" / "flute"
    report = json.loads((audio_folder / "metrics.json").read_text())
    assert set(report["systems"]) == {
        *("lpc", "lpc_noise", "full", "reduced_cd"),
        *("reduced_cd_mcu", "reduced_cd_mcu16", "reduced_cd_mcu_reverb"),
    }
    with np.load(folder / "dataset.npz") as dataset:
        (tested,) = dataset["recording"][dataset["split"] == 2]
    (recording,) = report["peak_dbfs"]  # only the test recording is evaluated
    source, _, name = str(tested).partition("/")
    assert recording.startswith(f"{source}_{Path(name).stem}_")
    for system in ("reference", *report["systems"]):
        audio, rate = sf.read(audio_folder / f"{recording}.{system}.wav")
        assert (len(audio), rate) == (64_000, 16_000)
    assert not list(folder.rglob(f"{TEMPORARY}*"))  # no temporary file remains
    *_, page, play, following = output.splitlines()
    assert page.startswith(f"{folder}/page/index.html: open it")
    for line, module in (
        (play, "play a MIDI file: python -m pipeline.render"),
        (following, "next: python -m pipeline.flash"),
    ):
        assert line.startswith(module) and f"--run {folder}/reduced_cd" in line
    assert output.count("next: ") == 1  # the stages print no such line


def test_page_plays_what_was_evaluated(finished):
    folder, output = finished
    assert f"everything in {folder}/page/audio/flute is up to date" in output  # not rendered again
    page = (folder / "page" / "index.html").read_text()
    assert page.count('<article class="player"') == 8 and "not available" not in page


def test_finished_run_repeats_no_stage(finished, recordings, capsys):
    folder, _ = finished
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    main(command(recordings, folder.parent)[3:])
    stages = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert all(line.endswith("(up to date)") for line in stages)
    del times[folder / ".lock"]
    assert times == {path: path.stat().st_mtime_ns for path in times}


def refuse(recordings, runs):
    """Runs the command, which must end with status 2; returns its error line."""
    done = subprocess.run(command(recordings, runs), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and done.stderr.strip().endswith(lines[0])
    return lines[0]


def test_folder_of_another_run_is_refused_and_left_unchanged(finished, recordings, tmp_path):
    folder = tmp_path / "flute"
    folder.mkdir()
    shutil.copytree(finished[0] / "request", folder / "request")
    shutil.copy(finished[0] / "dataset.npz", folder)
    make_run(folder / "full", instrument="piano", variant="full")
    os.utime(folder / "full" / "config.toml", (0, 0))  # old enough to restart the training
    before = {path: path.read_bytes() for path in (folder / "full").iterdir()}
    assert f"{folder / 'full'} holds a piano, not a flute" in refuse(recordings, tmp_path)
    assert before == {path: path.read_bytes() for path in (folder / "full").iterdir()}

    (folder / "dataset.npz").write_bytes((folder / "dataset.npz").read_bytes()[:5000])
    assert f"{folder / 'dataset.npz'} is damaged" in refuse(recordings, tmp_path)


def test_concurrent_run_of_the_same_instrument_is_refused(recordings, tmp_path):
    with (
        only_run(tmp_path / "flute"),
        pytest.raises(UserError, match=r"flute is in use by another run"),
    ):
        main(command(recordings, tmp_path)[3:])


def test_stage_is_outdated_only_by_newer_inputs(tmp_path):
    make_run(tmp_path / "run")
    out, tflite = tmp_path / "c", tmp_path / "run" / "decoder_int8.tflite"
    options = ["--run", str(tmp_path / "run"), "--out", str(out)]
    stage = Stage("C", "codegen", options, out / "instruments.c", [tflite, tmp_path / "absent"])
    assert not stage.is_done
    StageRunner([stage], at_once=1, n_cores=1).run()
    assert stage.is_done
    later = time.time_ns() + 10**9
    os.utime(tflite, ns=(later, later))
    assert not stage.is_done
    os.utime(tflite)
    # instruments.c has the same content as before, but a new time.
    StageRunner([stage], at_once=1, n_cores=1).run()
    assert stage.is_done


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--audio", "no/such/folder"], "no/such/folder does not exist: give a folder"),
        (["--audio", "EMPTY"], "empty holds no audio: put recordings there"),
    ],
)
def test_bad_folders_give_one_line_and_status_2(tmp_path, capfd, options, message):
    (tmp_path / "empty").mkdir()
    options = [str(tmp_path / "empty") if word == "EMPTY" else word for word in options]
    line = refusal(capfd, main, "--instrument", "flute", "--runs", tmp_path / "r", *options)
    assert message in line
