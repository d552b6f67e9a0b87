"""The tflm engine equals the aot engine on an emulated Cortex-M4F, and both report their cost."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from support.older_models import as_convolutions
from tensorflow.lite.python import schema_py_generated

from pipeline.core.constants import FORMATS, FRAME_RATE
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.patch_files import load_patch
from pipeline.core.paths import MODEL_DIR
from pipeline.emit.presets import Preset, write_firmware_source
from pipeline.evaluation import bench_firmware
from pipeline.model.noise import UNTRAINED
from pipeline.pages import bench_tables
from pipeline.quantization.tflite_writer import random_step_model
from pipeline.target import firmware

pytestmark = pytest.mark.firmware

BOARD = "qemu_m4"
ENGINES = ("aot", "tflm")
FULLY_CONNECTED, TANH = 9, 28  # tflite BuiltinOperator
TFLM_DIR = Path(os.environ["TFLM_DIR"])
REDUCED = TcnConfig(n_blocks=3, hidden_channels=64)
ODD = TcnConfig(n_blocks=2, hidden_channels=7, kernel_size=4)  # nothing is a multiple of four


def melody(n_frames: int = 1200) -> np.ndarray:
    """Returns a phrase with leaps, vibrato, swells, a rest, and values that no instrument produces.

    Returns:
        f0_hz and loudness_db, float32 of shape [n_frames, 2].
    """
    t = np.arange(n_frames) / FRAME_RATE
    notes = np.array([69, 71, 74, 81, 79, 72, 88, 62, 65, 77, 70, 60])
    semitones = notes[(t / 0.4).astype(int) % len(notes)] - 69 + 0.4 * np.sin(2 * np.pi * 5.5 * t)
    loudness_db = -25 + 20 * np.sin(2 * np.pi * 0.9 * t)
    loudness_db[n_frames // 2 :][:100] = -80
    frames = np.stack([440 * 2 ** (semitones / 12), loudness_db], axis=1).astype(np.float32)
    frames[::97] = [np.nan, np.inf]
    frames[50::97] = [1e9, -1e9]
    return frames


def instruments(fmt: str, folder: Path) -> list[Preset]:
    """Returns decoders with random weights, at int8 an older one, too, and the committed ones."""
    models = {
        name: random_step_model(config, 1, fmt)
        for name, config in (("reduced", REDUCED), ("odd", ODD))
    }
    if fmt == "int8":
        models["older"] = as_convolutions(models["reduced"])
    made = []
    for name, data in models.items():
        path = folder / f"{name}_{fmt}.tflite"
        path.write_bytes(data)
        made.append(Preset(name, path, load_patch("flute"), UNTRAINED))
    for variant in ("reduced_cd", "tiny"):
        for path in sorted(MODEL_DIR.glob(f"*/{variant}/decoder_{fmt}.tflite")):
            name = f"{path.parent.parent.name}_{variant}"
            made.append(Preset(name, path, load_patch("flute"), UNTRAINED))
    return made


@pytest.fixture(scope="module", params=FORMATS)
def built(request, tmp_path_factory):
    """The format, the instruments in the firmware, and the firmware by engine."""
    folder = tmp_path_factory.mktemp(request.param)
    presets = instruments(request.param, folder)
    write_firmware_source(presets, folder / "generated")
    firmwares = {
        engine: firmware.build(
            BOARD,
            folder / "generated",
            engine=engine,
            build_dir=folder / engine,
            tflm_dir=TFLM_DIR if engine == "tflm" else None,
        )
        for engine in ENGINES
    }
    return request.param, presets, firmwares


def test_tflm_engine_equals_aot_engine_over_a_melody(built):
    _, presets, firmwares = built
    for preset, instrument in enumerate(presets):
        aot, tflm = (firmware.render(firmwares[e], melody(), preset=preset) for e in ENGINES)
        np.testing.assert_array_equal(tflm.logits, aot.logits, err_msg=instrument.name)
        np.testing.assert_array_equal(tflm.levels_q32, aot.levels_q32, err_msg=instrument.name)
        np.testing.assert_array_equal(tflm.pcm, aot.pcm, err_msg=instrument.name)
        assert len(np.unique(tflm.logits, axis=0)) > 300, f"{instrument.name} hardly moves"


def test_bench_reports_both_engines(built, capsys):
    fmt, _, firmwares = built
    rows = {
        e: {"run": "random", "format": fmt, **bench_firmware.bench_firmware(firmwares[e])}
        for e in ENGINES
    }
    bench_tables.print_models(list(rows.values()))
    with capsys.disabled():
        print("\n" + capsys.readouterr().out)
    aot, tflm = (rows[e] for e in ENGINES)
    assert (aot["engine"], tflm["engine"]) == ENGINES
    assert aot["instructions_per_frame"]["decoder"] < tflm["instructions_per_frame"]["decoder"]
    for size in ("decoder_code", "decoder_state", "firmware_flash", "firmware_ram"):
        assert 0 < aot["bytes"][size] < tflm["bytes"][size], size


def test_tflite_micro_tree_without_a_library_is_named_in_one_line(tmp_path):
    write_firmware_source(instruments("int8", tmp_path)[1:2], tmp_path / "generated")
    with pytest.raises(UserError, match=r"libtensorflow-microlite\.a is missing"):
        firmware.build(
            BOARD,
            tmp_path / "generated",
            engine="tflm",
            build_dir=tmp_path / "build",
            tflm_dir=tmp_path,
        )


def edit(path: Path, pattern: str, replacement: str) -> None:
    text, n_edits = re.subn(pattern, replacement, path.read_text())
    assert n_edits, f"{path} has no {pattern}"
    path.write_text(text)


def start(generated: Path, folder: Path) -> str:
    """Returns the error with which a firmware of the tflm engine ends when its decoder starts."""
    built = firmware.build(
        BOARD, generated, engine="tflm", build_dir=folder / "build", tflm_dir=TFLM_DIR
    )
    with pytest.raises(UserError) as error:
        firmware.render(built, melody(1))
    return str(error.value)


def test_arena_that_is_too_small_is_named_with_its_size(tmp_path):
    generated = tmp_path / "generated"
    write_firmware_source(instruments("int8", tmp_path)[:1], generated)
    edit(generated / "decoder_config.h", r"(DECODER_TFLM_ARENA_BYTES) \d+", r"\1 4000")
    edit(generated / "reduced_model.c", r" \|\| DECODER_TFLM_ARENA_BYTES < \d+", "")
    assert re.search("larger arena than .*, 4000 bytes$", start(generated, tmp_path))


def test_operator_that_the_engine_lacks_is_named(tmp_path):
    generated = tmp_path / "generated"
    (preset, *_) = instruments("int8", tmp_path)
    write_firmware_source([preset], generated)
    data = preset.tflite.read_bytes()
    model = schema_py_generated.Model.GetRootAs(data)
    changed = bytearray(data)
    for i in range(model.OperatorCodesLength()):
        table = model.OperatorCodes(i)._tab
        for field in (4, 10):  # the deprecated code and the code, which is absent if it is 0
            if table.Offset(field) and data[table.Pos + table.Offset(field)] == FULLY_CONNECTED:
                changed[table.Pos + table.Offset(field)] = TANH
    assert changed != data
    numbers = "".join(f"{byte}," for byte in changed)
    edit(generated / "reduced_model.c", r"(tflite\[\d+\].*= \{)[\d,\s]*\}", rf"\g<1>{numbers}}}")
    assert start(generated, tmp_path).endswith("BuiltinOperator 028")
