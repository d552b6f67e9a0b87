"""Turns the float TCN into the quantized step model that runs on the device, one frame at a time.

The step model (see `pipeline.step_model`) computes what the network computes, as 1x1 convolutions
over each convolution's past and current inputs. `pipeline.quantize` decides on weights and ranges
and leaves them in the run folder as ``decoder_<format>.npz``; this stage makes
``decoder_<format>.tflite`` of them, always with the same bytes.
"""

import argparse
import hashlib
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.quantization.tflite_writer import convert_run


def main(argv: list[str] | None = None) -> None:
    """Makes the .tflite files of a run folder, always with the same bytes."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.convert", description=main.__doc__)
    parser.add_argument(
        "--run", type=Path, required=True, help="run folder, after pipeline.quantize"
    )
    args = parser.parse_args(argv)
    for path in convert_run(args.run).values():
        data = path.read_bytes()
        print(f"{path}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:12]}")
    print(f"next: python -m pipeline.codegen --run {args.run} --out build/generated")


if __name__ == "__main__":
    run_main(main)
