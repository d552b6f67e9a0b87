"""Measures how soon a note sounds after its note-on, by instrument.

    python -m pipeline.latency --instrument flute piano

prints when the first frame of a note begins to play, when the sound is 6 dB below its level, and
the jitter between equal notes (`pipeline.evaluation.latency`). The firmware's player plays on this
machine; the samples of the boards are the same.
"""

from collections.abc import Sequence
from dataclasses import asdict

from pipeline.core.cli import run_main
from pipeline.core.files import write_json
from pipeline.core.instrument_config import load_instrument
from pipeline.core.model_choice import chosen_models
from pipeline.core.options import add_json, add_models
from pipeline.core.parser import Parser
from pipeline.core.runs import decoder_name, load_run
from pipeline.evaluation.bench_cores import run_name
from pipeline.evaluation.latency import Latency, measure_latency
from pipeline.target.sources import generate


def main(argv: Sequence[str] | None = None) -> None:
    """Measures how soon a note sounds after its note-on, by instrument."""
    parser = Parser("latency", main.__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    add_models(parser, source, help="a quantized model that plays")
    add_json(parser, "the times of every model")
    args = parser.parse_args(argv)
    models = chosen_models(args, file=decoder_name("int8"))
    runs = [load_run(model.run_dir) for model in models]
    generated = generate(*(model.run_dir for model in models))
    found = measure_latency(generated, [load_instrument(run.instrument) for run in runs])
    measured = dict(zip(map(run_name, runs), found, strict=True))
    _print(measured)
    if args.json:
        write_json(args.json, {name: asdict(one) for name, one in measured.items()})


def _print(measured: dict[str, Latency]) -> None:
    width = max(len("milliseconds"), *map(len, measured))
    print(f"{'milliseconds':{width}}   frame begins   then 6 dB below its level (range)   jitter")
    for name, one in measured.items():
        onset = f"{one.onset[0]:.1f} to {one.onset[1]:.1f}"
        shortest, longest = one.begun_range
        begun = f"{one.begun:.0f} ({shortest:.0f} to {longest:.0f})"
        print(f"{name:{width}} {onset:>14} {begun:>34} {one.jitter:8.1f}")
    print("next: play it; python -m pipeline.render --midi FILE plays a MIDI file")


if __name__ == "__main__":
    run_main(main)
