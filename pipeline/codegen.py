"""Compiles quantized models and FM patches to the C of a firmware.

    python -m pipeline.codegen --run data/models/flute/reduced_cd --out build/generated

Each run folder becomes a preset: its decoder (`pipeline.emit.decoder`), FM patch
(`pipeline.emit.fm`), noise (`pipeline.emit.noise`) and, with ``--reverb``, reverb
(`pipeline.emit.reverb`). All presets share ``decoder_config.h``, the size of the decoder's state,
``instruments.c``, the table of presets, and ``expressions.c``, which states how they play MIDI.
"""

from collections.abc import Sequence

from pipeline.core.cli import command_line, run_main
from pipeline.core.options import add_format, add_models, add_out, add_reverb_seconds, new_folder
from pipeline.core.parser import Parser
from pipeline.core.paths import shown
from pipeline.emit import weight_packing
from pipeline.emit.presets import load_preset, write_firmware_source
from pipeline.quantization.tflite_reader import read_step_model
from pipeline.target.sources import select_models


def main(argv: Sequence[str] | None = None) -> None:
    """Compiles quantized models and FM patches to the C of a firmware."""
    parser = Parser("codegen", main.__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    add_models(parser, source, help="a quantized model")
    add_format(parser)
    add_reverb_seconds(parser)
    add_out(parser, "folder for the C files", kind=new_folder)
    args = parser.parse_args(argv)
    for line in select_models(args):
        print(line)
    presets = [
        load_preset(run_dir, fmt=args.format, reverb_seconds=args.reverb) for run_dir in args.run
    ]
    files = write_firmware_source(presets, args.out)
    for preset in presets:
        model = read_step_model(preset.tflite)
        ring_bytes = 2 * weight_packing.rings(model)[-1].end
        print(f"{preset.name}: {model.n_mac} MAC per frame, rings of {ring_bytes} bytes")
    print(f"{len(files)} files in {shown(args.out)}")
    print(f"next: {command_line('firmware', '--generated', args.out)}")


if __name__ == "__main__":
    run_main(main)
