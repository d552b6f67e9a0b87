"""Expression stage: from an instrument's corpus, how its notes begin, swell, fade and tremble.

    python -m pipeline.expression --instrument flute

reads the default corpus, whose notes are known, and the data set, whose real recordings say how
players' pitch and loudness move, and writes ``runs/<instrument>/expression.toml``: the table with
which MIDI is played (see `pipeline.expression_table`). All of it is in the features' terms, so what
the firmware plays is what the decoder was trained with. A loudness is measured in a window of 128
ms; a note therefore rises and falls at least as slowly as that.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.cli import run_main
from pipeline.core.instrument_config import load_instrument
from pipeline.core.paths import RUN_DIR
from pipeline.model.expression import load_expression
from pipeline.model.expression_learning import BODY_KNOTS, learn


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the stage from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.expression", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--instrument", required=True, help="flute, trumpet, violin, piano")
    parser.add_argument("--runs", type=Path, default=RUN_DIR, help="folder of all runs")
    args = parser.parse_args(argv)
    config = load_instrument(args.instrument)
    path = args.runs / config.instrument / "expression.toml"
    expression, n_notes = learn(config, path.parent)
    comment = f"How the {config.instrument} is played, learnt from {n_notes} notes by\n"
    comment += f"python -m pipeline.expression --instrument {config.instrument}\n"
    comment += "Not learnt but the corpus' own: vibrato_delay_ms, vibrato_growth_ms"
    expression.save(path, comment)
    load_expression(path)  # what it checks holds
    attack = [row[BODY_KNOTS.start] - row[0] for row in expression.envelope_db]
    print(f"{path}: {n_notes} notes, {expression.n_curves} curves")
    print(
        f"  attack {min(attack):.0f} to {max(attack):.0f} dB, after it "
        f"{min(expression.envelope_slope):.0f} to {max(expression.envelope_slope):.0f} dB/s, slurs "
        f"in {expression.slur_ms:g} ms"
    )
    print(
        f"  vibrato {expression.vibrato_cents:g} cents at {expression.vibrato_hz:g} Hz, drift "
        f"{expression.pitch_drift_cents:g} cents and {expression.loudness_drift_db:g} dB"
    )
    print(f"next: python -m pipeline.render --instrument {config.instrument} --midi FILE --out WAV")


if __name__ == "__main__":
    run_main(main)
