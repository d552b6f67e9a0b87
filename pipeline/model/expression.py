"""Expression tables: how the notes of an instrument become frames of pitch and loudness.

`pipeline.expression` learns a table and stores it as ``expression.toml`` beside the instrument's
run folders. `pipeline.codegen` converts it to C for ``tflm_app/player/expression.c``, which
explains its parts.
"""

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from pipeline.core.constants import CALIBRATED_LEVEL_DB
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write, read_toml
from pipeline.core.paths import MODEL_DIR
from pipeline.core.runs import load_run
from pipeline.core.schema import from_table

FILE_NAME = "expression.toml"
PITCH_STEP = 8  # semitones between curves
MAX_CURVES = 12
KNOTS = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512])  # frames
N_RELEASE_KNOTS = 11
LOWEST_DB = -96.0
BOUNDS = {  # lowest and highest value of an entry; those of all others are LOWEST_DB and 0
    "lowest_note": (0, 120),
    "envelope_slope": (-450, 0),
    "release_slope": (-450, -2.3),  # falls 75 dB, to silence, in the 33 s that the player counts
    "slur_ms": (0, 1000),
    "vibrato_hz": (0, 20),
    "vibrato_cents": (0, 99),
    "vibrato_delay_ms": (0, 1000),
    "vibrato_growth_ms": (4, 10_000),
    "pitch_drift_cents": (0, 50),
    "loudness_drift_db": (0, 1),
}
# Gain in dB (Q8) of every velocity and controller value.
GAIN_DB_Q8 = [-96 * 256] + [round(256 * 40 * math.log10(value / 127)) for value in range(1, 128)]


@dataclass(frozen=True)
class Expression:
    """An instrument's expression table.

    Attributes:
        lowest_note: MIDI note of the first curves; a curve follows every `PITCH_STEP` semitones.
        envelope_db: Loudness of a note of velocity 127 at `KNOTS` frames after its onset, with the
            controllers at their initial values, shape [n_curves, 18].
        envelope_slope: Slope of the loudness after that, in dB per second, shape [n_curves].
        release_db: Loudness relative to that at the note's end, at the first 11 of `KNOTS` frames
            after the end, shape [n_curves, 11].
        release_slope: Slope of the loudness after that, in dB per second, below 0, shape
            [n_curves].
        slur_db: Dip in loudness after the onset of a slurred note at the first 11 of `KNOTS`, shape
            [11]; the last value is 0.
        slur_ms: Duration of the pitch glide in a slur; 0 if the instrument attacks every note.
        vibrato_hz: Rate of the vibrato.
        vibrato_cents: Usual depth of the vibrato.
        vibrato_delay_ms: Time from the onset of a note to the start of its vibrato.
        vibrato_growth_ms: Time in which the vibrato then reaches its depth.
        pitch_drift_cents: Standard deviation of the pitch's slow random drift.
        loudness_drift_db: Standard deviation of the loudness's slow random drift.
        loudest_db: Largest loudness of any note.
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
        """Number of curves of each kind."""
        return len(self.envelope_db)

    def save(self, path: Path, comment: str) -> None:
        """Writes the table as TOML, one curve per line, below a comment."""
        lines = [f"# {line}" for line in comment.splitlines()]
        for name, value in asdict(self).items():
            if isinstance(value, list) and isinstance(value[0], list):
                lines += [f"{name} = [", *(f"    {row}," for row in value), "]"]
            else:
                lines.append(f"{name} = {value}")
        with atomic_write(path) as temporary:
            temporary.write_text("\n".join(lines) + "\n")


_PLAIN_ATTACK_DB = [-16.0, -10.0, -7.0, -5.0, -3.0, -2.0, -1.0] + [0.0] * 11
# A plain organ-like tone, for an instrument without a learnt table. At velocity 127 it is as loud
# as the loud notes of recordings; of these, hardly anything is more than 6 dB louder.
PLAIN = Expression(
    lowest_note=24,
    envelope_db=[[CALIBRATED_LEVEL_DB + attack for attack in _PLAIN_ATTACK_DB]] * 11,
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
    loudest_db=CALIBRATED_LEVEL_DB + 6.0,
)


def extreme(end: int) -> Expression:
    """Returns the table whose values are the lowest (0) or the highest (1) that are allowed."""
    values = {
        field.name: np.full(
            np.shape(getattr(PLAIN, field.name)), BOUNDS.get(field.name, (LOWEST_DB, 0))[end]
        ).tolist()
        for field in fields(Expression)
    }
    return Expression(**values)


def find_expression(run_dir: Path) -> Expression:
    """Loads the table that belongs to a model.

    This is the table beside the model's run folder, or else the instrument's pretrained table.

    Args:
        run_dir: The model's run folder, such as ``runs/flute/reduced_cd``.

    Returns:
        `PLAIN` if there is neither.

    Raises:
        UserError: The folder is not a run folder, or the table is damaged.
    """
    pretrained = MODEL_DIR / load_run(run_dir).instrument
    for folder in (run_dir.resolve().parent, pretrained):
        path = folder / FILE_NAME
        if path.is_file():
            return load_expression(path)
    return PLAIN


def load_expression(path: Path) -> Expression:
    """Loads a table.

    Raises:
        UserError: The file is missing, or the firmware cannot play its values.
    """
    expression = from_table(Expression, read_toml(path), path)
    try:
        _check(expression)
    except ValueError as error:
        raise UserError(
            f"{path}: {error}; learn it again with python -m pipeline.expression"
        ) from None
    return expression


def _check(expression: Expression) -> None:
    """Raises a ValueError that names the first entry out of bounds."""
    n_curves = np.size(expression.envelope_slope)
    shapes = {
        "envelope_db": (n_curves, len(KNOTS)),
        "release_db": (n_curves, N_RELEASE_KNOTS),
        "slur_db": (N_RELEASE_KNOTS,),
        "envelope_slope": (n_curves,),
        "release_slope": (n_curves,),
    }
    if not 2 <= n_curves <= MAX_CURVES:
        raise ValueError(f"envelope_slope has {n_curves} entries instead of 2 to {MAX_CURVES}")
    for field in fields(expression):
        try:
            values = np.asarray(getattr(expression, field.name), float)
        except (TypeError, ValueError):
            raise ValueError(f"{field.name} is not numbers, or its rows differ in length") from None
        if values.shape != shapes.get(field.name, ()):
            raise ValueError(f"{field.name} has shape {list(values.shape)}")
        lowest, highest = BOUNDS.get(field.name, (LOWEST_DB, 0))
        if not (np.all(values >= lowest) and np.all(values <= highest)):
            raise ValueError(f"{field.name} is not within {lowest} and {highest}")
