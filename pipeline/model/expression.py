"""How an instrument is played: the table between notes and the decoder's frames.

`pipeline.expression` learns it and keeps it as ``expression.toml`` beside the instrument's models;
`pipeline.codegen` writes it as C for ``tflm_app/player/expression.c``, which explains its parts.
"""

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, from_table, read_toml
from pipeline.core.paths import MODEL_DIR, RUN_DIR

PITCH_STEP = 8  # semitones between curves
MAX_CURVES = 12
KNOTS = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512])  # frames
N_RELEASE_KNOTS = 11
LOWEST_DB = -96.0


@dataclass(frozen=True)
class Expression:
    """An instrument's table.

    Attributes:
        lowest_note: MIDI note of the first curves; the others follow every `PITCH_STEP` semitones.
        envelope_db: Loudness of a note of velocity 127 at `KNOTS` frames after its beginning, with
            controllers as they are at the beginning; shape [n_curves, 18].
        envelope_slope: Its further course in dB a second, shape [n_curves].
        release_db: Loudness relative to that at the note's end, at the first 11 of `KNOTS` after
            it; shape [n_curves, 11].
        release_slope: Its further course in dB a second, below 0, shape [n_curves].
        slur_db: By how much a slurred note dips after it begins, shape [11], ends at 0.
        slur_ms: How long the pitch glides in a slur; 0 for an instrument that attacks every note.
        vibrato_hz: Rate.
        vibrato_cents: Usual depth.
        vibrato_delay_ms: How long a note stays plain.
        vibrato_growth_ms: How long the vibrato grows then.
        pitch_drift_cents: Standard deviation of a slow random drift.
        loudness_drift_db: Likewise.
        loudest_db: Loudness that no note exceeds.
    """

    lowest_note: int
    envelope_db: list[list[float]]
    envelope_slope: list[float]
    release_db: list[list[float]]
    release_slope: list[float]
    slur_db: list[float]
    slur_ms: float
    vibrato_hz: float
    vibrato_cents: float
    vibrato_delay_ms: float
    vibrato_growth_ms: float
    pitch_drift_cents: float
    loudness_drift_db: float
    loudest_db: float

    @property
    def n_curves(self) -> int:
        """Number of pitches at which there are curves."""
        return len(self.envelope_db)

    def save(self, path: Path, comment: str) -> None:
        """Writes the table as TOML, a curve a line."""
        lines = [f"# {line}" for line in comment.splitlines()]
        for name, value in asdict(self).items():
            if isinstance(value, list) and isinstance(value[0], list):
                lines += [f"{name} = [", *(f"    {row}," for row in value), "]"]
            else:
                lines.append(f"{name} = {value}")
        with atomic_write(path) as temporary:
            temporary.write_text("\n".join(lines) + "\n")


# What an instrument is played with for which nothing was learnt: a plain organ-like tone.
PLAIN = Expression(
    lowest_note=24,
    envelope_db=[[-16.0, -10.0, -7.0, -5.0, -3.0, -2.0, -1.0] + [0.0] * 11] * 11,
    envelope_slope=[0.0] * 11,
    release_db=[[-1.0, -2.0, -3.0, -5.0, -8.0, -12.0, -18.0, -24.0, -36.0, -48.0, -60.0]] * 11,
    release_slope=[-200.0] * 11,
    slur_db=[0.0] * N_RELEASE_KNOTS,
    slur_ms=20.0,
    vibrato_hz=5.5,
    vibrato_cents=0.0,
    vibrato_delay_ms=200.0,
    vibrato_growth_ms=300.0,
    pitch_drift_cents=0.0,
    loudness_drift_db=0.0,
    loudest_db=-6.0,
)


def find_expression(instrument: str, runs: Path | None = None) -> Expression:
    """Loads an instrument's table: the one learnt here, else the one kept with the repository.

    Returns:
        `PLAIN` where there is neither.

    Raises:
        UserError: The file is damaged.
    """
    for base in (runs or RUN_DIR, MODEL_DIR):
        path = base / instrument / "expression.toml"
        if path.is_file():
            return load_expression(path)
    return PLAIN


def load_expression(path: Path) -> Expression:
    """Loads a table.

    Raises:
        UserError: The file is missing, or does not hold one that the firmware can play.
    """
    expression: Expression = from_table(Expression, read_toml(path), path)
    try:
        _check(expression)
    except ValueError as error:
        raise UserError(
            f"{path}: {error}; learn it again with python -m pipeline.expression"
        ) from None
    return expression


def _check(expression: Expression) -> None:
    """Raises ValueError naming the first entry that is out of bounds."""
    n_curves = np.size(expression.envelope_slope)
    shapes = {
        "envelope_db": (n_curves, len(KNOTS)),
        "release_db": (n_curves, N_RELEASE_KNOTS),
        "slur_db": (N_RELEASE_KNOTS,),
        "envelope_slope": (n_curves,),
        "release_slope": (n_curves,),
    }
    bounds = {
        "lowest_note": (0, 120),
        "envelope_slope": (-450, 0),
        "release_slope": (-450, -1),
        "slur_ms": (0, 1000),
        "vibrato_hz": (0, 20),
        "vibrato_cents": (0, 99),
        "vibrato_delay_ms": (0, 1000),
        "vibrato_growth_ms": (4, 10_000),
        "pitch_drift_cents": (0, 50),
        "loudness_drift_db": (0, 1),
    }
    if not 2 <= n_curves <= MAX_CURVES:
        raise ValueError(f"envelope_slope has {n_curves} entries instead of 2 to {MAX_CURVES}")
    for field in fields(expression):
        try:
            values = np.asarray(getattr(expression, field.name), float)
        except (TypeError, ValueError):
            raise ValueError(f"{field.name} does not hold numbers, or rows of one length") from None
        if values.shape != shapes.get(field.name, ()):
            raise ValueError(f"{field.name} has shape {list(values.shape)}")
        lowest, highest = bounds.get(field.name, (LOWEST_DB, 0))
        if not (np.all(values >= lowest) and np.all(values <= highest)):
            raise ValueError(f"{field.name} is not within {lowest} and {highest}")


GAIN_DB_Q8 = [-96 * 256] + [round(256 * 40 * math.log10(value / 127)) for value in range(1, 128)]
