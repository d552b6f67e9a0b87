"""Counts what the decoder takes in the TFLM interpreter, by core, kernels and kind of model.

    TFLM_DIR=DIR PYTHONPATH=tests python -m support.tflm_cases [RUN]

It prints the table of the README. ``TFLM_DIR`` is a tflite-micro tree with a library for each core
and kind of kernels, as the README says. RUN is a run folder with int8 and 16x8 models.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from support.older_models import as_convolutions

from pipeline.core.markdown import table, thousands
from pipeline.core.paths import MODEL_DIR
from pipeline.emit.presets import Preset, load_preset, write_firmware_source
from pipeline.evaluation.bench_firmware import bench_frames
from pipeline.target import firmware
from pipeline.target.boards import ALL_BOARDS

BOARDS = ("qemu_m4", "qemu_m0")
KERNELS = {"cmsis_nn": "CMSIS-NN", "reference": "reference"}
COLUMNS = ("int8", "int8 as CONV_2D, as earlier models", "16x8")
N_FRAMES = 25


def presets(run_dir: Path, folder: Path) -> Iterator[Preset]:
    """Yields the models of the columns."""
    int8, int16 = (load_preset(run_dir, fmt=fmt) for fmt in ("int8", "int16x8"))
    older = folder / "older.tflite"
    older.write_bytes(as_convolutions(int8.tflite.read_bytes()))
    yield from (int8, replace(int8, tflite=older), int16)


def count(preset: Preset, board: str, kernels: str, tflm_dir: Path, folder: Path) -> float:
    """Returns the decoder's instructions per frame."""
    write_firmware_source([preset], folder / "generated")
    built = firmware.build(
        board,
        folder / "generated",
        engine="tflm",
        tflm_dir=tflm_dir,
        build_dir=folder / f"{board}-{kernels}",
        options={"TFLM_KERNELS": kernels},
    )
    return firmware.render(built, bench_frames(N_FRAMES)).instructions["decoder"]


def main() -> None:
    """Prints the table."""
    run_dir = Path(sys.argv[1]) if len(sys.argv) > 1 else MODEL_DIR / "flute" / "reduced_cd"
    tflm_dir = Path(os.environ["TFLM_DIR"])
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        models = list(presets(run_dir, Path(scratch)))
        for board in BOARDS:
            for kernels, name in KERNELS.items():
                counts = [
                    thousands(count(model, board, kernels, tflm_dir, Path(scratch)))
                    for model in models
                ]
                rows.append([f"{ALL_BOARDS[board].core}, {name}", *counts])
                print(rows[-1], file=sys.stderr, flush=True)
    print(table(["kernels of TFLM", *COLUMNS], rows, n_numeric=len(COLUMNS)))


if __name__ == "__main__":
    main()
