"""Compiles quantized step models and FM patches to the C that goes into a firmware.

For every instrument this writes a decoder (`pipeline.decoder_codegen`), a patch
(`pipeline.fm_codegen`) and the noise beside it (`pipeline.breath`); for all of them together
``decoder_config.h``, which says how large the decoder's state is, ``instruments.c``, the table of
presets, and ``expressions.c``, how they play MIDI (`pipeline.expression_table`). Rooms
(`pipeline.room`) are written where they are asked for; a firmware that finds them plays every
preset in its own.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.emit import weight_packing
from pipeline.emit.presets import generate, load_preset
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.quantization.tflite_writer import FORMATS


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the stage from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.codegen", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--run", type=Path, action="append", required=True, help="run folder; may be repeated"
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="int8", help="of the activations (%(default)s)"
    )
    parser.add_argument(
        "--reverb",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="of the learnt rooms (none: dry)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the C files")
    arguments = parser.parse_args(argv)
    instruments = [
        load_preset(run_dir, fmt=arguments.format, reverb_seconds=arguments.reverb)
        for run_dir in arguments.run
    ]
    files = generate(instruments, arguments.out)
    for instrument in instruments:
        model = read_step_model(instrument.tflite)
        ring_bytes = 2 * weight_packing.rings(model)[-1].end
        print(f"{instrument.name}: {model.n_mac} MAC a frame, rings of {ring_bytes} bytes")
    print(f"{len(files)} files in {arguments.out}")
    print(f"next: python -m pipeline.firmware --generated {arguments.out}")


if __name__ == "__main__":
    run_main(main)
