"""Quantizes a trained network: compares ways to round it to integers and keeps the best.

    python -m pipeline.quantize --run runs/flute/reduced_cd

Besides its weights, a quantized network needs the range of every value. Ranges are calibrated on a
fixed list of clips, drawn once from the data set and kept as ``calibration.npz`` in the run folder,
so that this command can be repeated without the data set. Four methods compete for int8:

- ``ptq``: ranges from the smallest to the largest value;
- ``ptq_equalized``: the same after scaling the hidden channels to similar ranges, which leaves the
  float network unchanged;
- ``ptq_narrowed``: the same with ranges narrowed where that lowers the error of the levels;
- ``qat``: quantization-aware training with tfmot, starting from ``ptq_narrowed``
  (`pipeline.quantization.qat`).

Each candidate is converted, run by kernels that equal the device's bit for bit, and scored by its
distance to the float network: the error of the audible levels in dB times the spectral distance of
the audio. The best becomes ``decoder_int8.npz``, and plain ``ptq`` at 16x8 becomes
``decoder_int16x8.npz``, with the .tflite files beside them.
"""

from collections.abc import Sequence

from pipeline.core.cli import command_line, run_main
from pipeline.core.options import add_run
from pipeline.core.parser import Parser, whole
from pipeline.core.paths import shown
from pipeline.core.processes import used_alone
from pipeline.core.runs import load_run
from pipeline.core.training_options import add_dataset
from pipeline.quantization.selection import quantize_run


def main(argv: Sequence[str] | None = None) -> None:
    """Compares ways to quantize a trained network and keeps the best in its run folder."""
    parser = Parser("quantize", main.__doc__)
    add_run(parser, "run folder of the trained model", required=True)
    add_dataset(
        parser, "data set to draw new calibration clips from (default: use the run folder's clips)"
    )
    parser.add_argument(
        "--epochs",
        type=whole(0, 10_000),
        default=40,
        metavar="N",
        help="largest number of epochs of quantization-aware training; 0 for none "
        "(default: %(default)s)",
    )
    args = parser.parse_args(argv)
    load_run(args.run)
    print(f"comparing ways to quantize {shown(args.run)}, which takes a minute or two", flush=True)
    with used_alone(args.run):
        figures = quantize_run(args.run, dataset=args.dataset, epochs=args.epochs)
    print(f"{'format':8} {'method':14} {'level error':>12} {'MSS to float':>13}")
    for fmt, methods in figures["methods"].items():
        for method, row in methods.items():
            shipped = "  shipped" if figures["shipped"][fmt] == method else ""
            error, distance = row["level_error_db"], row["mss_to_float"]
            print(f"{fmt:8} {method:14} {error:9.3f} dB {distance:13.3f}{shipped}")
    print(
        f"wrote {shown(args.run)}/decoder_int8.tflite, decoder_int16x8.tflite and quantization.json"
    )
    print(f"next: {command_line('codegen', '--run', args.run, '--out', 'build/generated')}")


if __name__ == "__main__":
    run_main(main)
