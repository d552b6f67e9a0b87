"""Measures how clean the firmware's sound is after upsampling from 16 to 48 kHz.

    python -m pipeline.upsampler

This plays a scale with every pretrained instrument and compares the upsampled sound
(``tflm_app/upsampler``) with that of an FM core at 48 kHz.
"""

from collections.abc import Sequence

from pipeline.core.cli import run_main
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import shipped_instruments
from pipeline.core.parser import Parser
from pipeline.core.paths import MODEL_DIR
from pipeline.evaluation.aliasing import compare


def main(argv: Sequence[str] | None = None) -> None:
    """Measures how clean the firmware's sound is after upsampling from 16 to 48 kHz."""
    Parser("upsampler", main.__doc__).parse_args(argv)
    runs = {name: MODEL_DIR / name / "reduced_cd" for name in shipped_instruments()}
    runs = {name: run for name, run in runs.items() if (run / "decoder_int8.tflite").is_file()}
    if not runs:
        raise UserError(f"{MODEL_DIR} holds no quantized reduced_cd model: restore the folder")
    print("playing a scale at 16 and at 48 kHz with each instrument", flush=True)
    for name, run_dir in runs.items():
        figures = ", ".join(f"{key} {db:.1f} dB" for key, db in compare(run_dir, name).items())
        print(f"{name}: {figures}", flush=True)


if __name__ == "__main__":
    run_main(main)
