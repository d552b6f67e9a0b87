"""A pretrained instrument is built, flashed, played and simulated without TensorFlow.

The tests run in a virtual environment with only the packages of ``requirements-device.txt``.
"""

import re
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest

from pipeline.core.paths import MODEL_DIR, REPOSITORY

pytestmark = pytest.mark.firmware

REQUIREMENTS = REPOSITORY / "requirements-device.txt"
RUN = MODEL_DIR / "flute" / "reduced_cd"
Run = Callable[..., str]

# Renders a .npy file of frames with the reference of the device and compares it with a WAV file.
COMPARE = f"""
import sys, wave
from pathlib import Path
import numpy as np
from pipeline.core.patch_files import load_patch
from pipeline.quantization.weights import load_noise
from pipeline.reference.device import simulate

run, frames, wav = Path({str(RUN)!r}), np.load(sys.argv[1]), wave.open(sys.argv[2])
played = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
model = run / "decoder_int8.tflite"
expected = simulate(model, load_patch("flute"), load_noise(run), frames).pcm
print(np.abs(expected).max() > 1000 and np.array_equal(played, expected))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs Python in an environment with only the packages for the device; returns its output."""
    folder = tmp_path_factory.mktemp("device")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"

    def run(*arguments: object, status: int = 0) -> str:
        done = subprocess.run(
            [python, *map(str, arguments)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr if status else done.stdout

    run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS)
    return run


@pytest.fixture(scope="module")
def generated(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C of the pretrained flute."""
    out = tmp_path_factory.mktemp("generated")
    run("-m", "pipeline.codegen", "--run", RUN, "--out", out)
    return out


def test_device_packages_are_a_subset_of_all_packages():
    def requirements(text: str) -> set[str]:
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        return {line for line in lines if re.match(r"[\w-]+ [<>=]", line)}

    few = requirements(REQUIREMENTS.read_text())
    assert few and few <= requirements((REPOSITORY / "setup.cfg").read_text())


def test_environment_has_neither_tensorflow_nor_its_dependencies(run):
    names = ("tensorflow", "keras", "tf_keras", "scipy", "librosa", "matplotlib", "PIL")
    code = f"from importlib.util import find_spec; print([n for n in {names} if find_spec(n)])"
    assert run("-c", code) == "[]\n"


@pytest.mark.parametrize("module", ["bench", "toolchain", "tables"])
def test_module_is_imported(run, module):
    run("-c", f"import pipeline.{module}")


@pytest.mark.parametrize("board", ["host", "qemu_m4"])
def test_firmware_equals_the_reference_of_the_device(run, generated, tmp_path, board):
    frames = np.stack([np.geomspace(440, 880, 250), np.linspace(-40, -10, 250)], axis=1)
    np.save(tmp_path / "frames.npy", frames.astype(np.float32))
    options = ["--board", board, "--build-dir", tmp_path / "build", "--out", tmp_path / "out.wav"]
    options += ["--generated", generated, "--frames", tmp_path / "frames.npy"]
    run("-m", "pipeline.firmware", *options)
    assert run("-c", COMPARE, tmp_path / "frames.npy", tmp_path / "out.wav") == "True\n"


def test_pretrained_flute_with_reverb_becomes_c(run, tmp_path):
    run("-m", "pipeline.codegen", "--run", RUN, "--reverb", "0.25", "--out", tmp_path)
    assert "reverb_response_t" in (tmp_path / "flute_reduced_cd_reverb.c").read_text()


def test_image_for_the_pico_is_built(run, generated):
    output = run("-m", "pipeline.flash", "--board", "pico", "--generated", generated, "--dry-run")
    assert "\n2 voices take " in output and "\npico: flash " in output and ".uf2" in output


def test_midi_file_is_played(run, tmp_path):
    midi, track = mido.MidiFile(), mido.MidiTrack()
    midi.tracks.append(track)
    track.append(mido.Message("note_on", note=72, velocity=90))
    track.append(mido.Message("note_off", note=72, time=480))
    midi.save(tmp_path / "tune.mid")
    options = ["--midi", tmp_path / "tune.mid", "--instrument", "flute", "--board", "host"]
    run("-m", "pipeline.render", *options, "--out", tmp_path / "tune.wav")
    assert (tmp_path / "tune.wav").stat().st_size > 16_000


@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("transfer --audio in.wav --instrument flute --out out.wav", "scipy"),
        ("train --instrument flute", "keras"),
    ],
)
def test_command_that_needs_another_package_names_it_in_one_line(run, command, package):
    module, *options = command.split()
    line = run("-m", f"pipeline.{module}", *options, status=2)
    assert line.startswith(f"error: the Python package {package} is not installed: ")
    assert line.count("\n") == 1
