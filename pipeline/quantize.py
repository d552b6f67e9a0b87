"""Decides how the network is rounded to integers, by comparison, and keeps the table.

What a quantized network needs, beyond weights, is the range of every value. It is calibrated on a
fixed list of clips, drawn once and kept as ``calibration.npz`` in the run folder, so that
everything here can be repeated without the data set. For int8 three ways are compared:

- ``ptq``: ranges from the smallest to the largest value;
- ``ptq_equalized``: the same after scaling the hidden channels to similar ranges, which the
  float network does not notice;
- ``qat``: training under quantization with tfmot from there on (`pipeline.qat`).

Each is converted, streamed through the kernels that the device's are bit-exact with, and judged by
its distance to the float network: the error of the audible levels in dB, and the spectral distance
of the audio. The best, by the product of both, is left as ``decoder_int8.npz``, plain ``ptq`` at
16x8 as ``decoder_int16x8.npz``, and the .tflite files beside.
"""

import argparse
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.quantization.selection import quantize_run


def main(argv: list[str] | None = None) -> None:
    """Compares ways to quantize a trained network and leaves the best in its run folder."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.quantize", description=main.__doc__)
    parser.add_argument("--run", type=Path, required=True, help="trained run folder")
    parser.add_argument("--dataset", type=Path, help="data set to draw calibration clips from anew")
    parser.add_argument("--epochs", type=int, default=150, help="most epochs of training, 0: none")
    args = parser.parse_args(argv)
    figures = quantize_run(args.run, dataset=args.dataset, epochs=args.epochs)
    print(f"{'format':8} {'method':14} {'level error':>12} {'MSS to float':>13}")
    for fmt, methods in figures["methods"].items():
        for method, row in methods.items():
            shipped = "  shipped" if figures["shipped"][fmt] == method else ""
            error, distance = row["level_error_db"], row["mss_to_float"]
            print(f"{fmt:8} {method:14} {error:9.3f} dB {distance:13.3f}{shipped}")
    print(f"wrote {args.run}/decoder_int8.tflite, decoder_int16x8.tflite and quantization.json")
    print(f"next: python -m pipeline.codegen --run {args.run}")


if __name__ == "__main__":
    run_main(main)
