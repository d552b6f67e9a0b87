"""Converts a quantized network to the .tflite models that the device runs once per frame.

    python -m pipeline.convert --run runs/flute/reduced_cd

The step model (`pipeline.quantization.step_model`) computes the network as 1x1 convolutions over
the past and current inputs of each convolution. `pipeline.quantize` chooses weights and ranges and
writes them as ``decoder_<format>.npz``. This command converts these files to
``decoder_<format>.tflite``; equal files give equal bytes.
"""

import hashlib
from collections.abc import Sequence

from pipeline.core.cli import command_line, run_main
from pipeline.core.options import add_run
from pipeline.core.parser import Parser
from pipeline.quantization.tflite_writer import convert_run


def main(argv: Sequence[str] | None = None) -> None:
    """Converts the quantized network of a run folder to .tflite models."""
    parser = Parser("convert", main.__doc__)
    add_run(parser, "run folder that pipeline.quantize has processed", required=True)
    args = parser.parse_args(argv)
    for path in convert_run(args.run).values():
        data = path.read_bytes()
        print(f"{path}: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:12]}")
    print(f"next: {command_line('codegen', '--run', args.run, '--out', 'build/generated')}")


if __name__ == "__main__":
    run_main(main)
