"""The firmware's way from 16 to 48 kHz: ``tflm_app/upsampler``, its taps and its bits.

``python -m pipeline.upsampler --taps`` writes the taps, ``upsampler_taps.c``; ``--compare`` tells
how clean the sound is beside that of an FM core at 48 kHz, on a played scale.
"""

import argparse
from collections.abc import Sequence

from pipeline.core.cli import run_main
from pipeline.core.constants import INSTRUMENTS
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.paths import MODEL_DIR
from pipeline.emit.tables import TAPS_PATH, upsampler_taps_text
from pipeline.evaluation.aliasing import compare


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the taps of the firmware's upsampler, or measures what it does to the sound."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.upsampler", description=main.__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--taps", action="store_true", help="write upsampler_taps.c")
    action.add_argument("--compare", action="store_true", help="measure, with data/models")
    arguments = parser.parse_args(argv)
    if arguments.taps:
        with atomic_write(TAPS_PATH) as temporary:
            temporary.write_text(upsampler_taps_text())
        print(TAPS_PATH)
        return
    runs = {name: MODEL_DIR / name / "reduced_cd" for name in INSTRUMENTS}
    runs = {name: run for name, run in runs.items() if (run / "decoder_int8.tflite").is_file()}
    if not runs:
        raise UserError(f"{MODEL_DIR} holds no models: train some first")
    for name, run_dir in runs.items():
        figures = ", ".join(f"{key} {db:.1f} dB" for key, db in compare(run_dir, name).items())
        print(f"{name}: {figures}")


if __name__ == "__main__":
    run_main(main)
