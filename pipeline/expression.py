"""Learns how an instrument's notes begin, swell, fade and vibrate.

    python -m pipeline.expression --instrument flute

This reads the default corpus, whose notes are known, and the data set, whose real recordings show
how musicians vary pitch and loudness. Writes ``runs/<instrument>/expression.toml``, the table with
which the firmware plays MIDI (`pipeline.model.expression`). It is learnt from features, so the
firmware plays frames like those that the decoder was trained with. Loudness is measured in a window
of 128 ms, so notes rise and fall no faster than that.
"""

from collections.abc import Sequence

from pipeline.core.cli import run_main
from pipeline.core.instrument_config import load_instrument
from pipeline.core.options import add_instrument, add_runs
from pipeline.core.parser import Parser
from pipeline.core.paths import shown
from pipeline.core.runs import runs_option
from pipeline.model.expression import load_expression
from pipeline.model.expression_curves import BODY_KNOTS
from pipeline.model.expression_learning import learn


def main(argv: Sequence[str] | None = None) -> None:
    """Learns how an instrument's notes begin, swell, fade and vibrate."""
    parser = Parser("expression", main.__doc__)
    add_instrument(parser)
    add_runs(parser)
    args = parser.parse_args(argv)
    config = load_instrument(args.instrument)
    path = args.runs / config.instrument / "expression.toml"
    expression, n_notes = learn(config, path.parent)
    comment = f"How the {config.instrument} is played, learnt from {n_notes} notes by\n"
    comment += f"python -m pipeline.expression --instrument {config.instrument}\n"
    comment += "Not learnt but the corpus' own: vibrato_delay_ms, vibrato_growth_ms"
    expression.save(path, comment)
    load_expression(path)  # checks that the firmware can play it
    attack = [row[BODY_KNOTS.start] - row[0] for row in expression.envelope_db]
    print(f"{shown(path)}: {n_notes} notes, {expression.n_curves} curves")
    print(
        f"  attack {min(attack):.0f} to {max(attack):.0f} dB, after it "
        f"{min(expression.envelope_slope):.0f} to {max(expression.envelope_slope):.0f} dB/s, slurs "
        f"in {expression.slur_ms:g} ms"
    )
    print(
        f"  vibrato {expression.vibrato_cents:g} cents at {expression.vibrato_hz:g} Hz, drift "
        f"{expression.pitch_drift_cents:g} cents and {expression.loudness_drift_db:g} dB"
    )
    print(
        f"next: python -m pipeline.render --instrument {config.instrument} --midi FILE --out WAV"
        f"{runs_option(args.runs)}"
    )


if __name__ == "__main__":
    run_main(main)
