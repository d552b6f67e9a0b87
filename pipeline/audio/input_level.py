"""Measures the level of a recording that an instrument is played from, and its gain.

The level is that of `pipeline.audio.level`, so the gain brings the recording to where the model was
trained.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.audio.features import Floats, extract_features
from pipeline.audio.level import level_db, pitched_frames
from pipeline.audio.recording_checks import audible_frames
from pipeline.core.constants import CALIBRATED_LEVEL_DB, MAX_GAIN_DB
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import DataConfig

FEW_PITCHED = 0.1  # coloured noise has less, voices and instruments have more
FAR_DB = 10.0  # a player varies by as much; what differs more is the recording's level


@dataclass(frozen=True)
class InputLevel:
    """The level of a recording.

    Attributes:
        level_db: Level, A-weighted, in dB re a full-scale sine of 1 kHz.
        pitched_share: Share of the audible frames that have a pitch.
    """

    level_db: float
    pitched_share: float

    @property
    def gain_db(self) -> float:
        """The gain that brings the recording to the calibrated level."""
        return float(np.clip(CALIBRATED_LEVEL_DB - self.level_db, -MAX_GAIN_DB, MAX_GAIN_DB))

    def remarks(self, gain_db: float) -> list[str]:
        """Describes what is doubtful about the recording after a gain; empty if nothing is."""
        lines = []
        if self.pitched_share < FEW_PITCHED:
            lines.append(
                f"only {100 * self.pitched_share:.0f} % of its sound has a pitch: give a single "
                "voice with less noise, or --f0 other bounds"
            )
        distance_db = self.level_db + gain_db - CALIBRATED_LEVEL_DB
        if abs(distance_db) > FAR_DB:
            side = "below" if distance_db < 0 else "above"
            lines.append(
                f"its loud notes reach {self.level_db + gain_db:.0f} dB, {abs(distance_db):.0f} dB "
                f"{side} what models are trained with: give --gain auto"
            )
        return lines


def measure_input(audio: Floats, name: str, *, f0_min_hz: float, f0_max_hz: float) -> InputLevel:
    """Measures the level of a recording.

    Args:
        audio: Mono samples at 16 kHz in [-1, 1], shape [n]; not silent.
        name: What messages call the recording.
        f0_min_hz: Lowest pitch to detect.
        f0_max_hz: Highest pitch to detect.

    Raises:
        UserError: The recording has no pitch within the bounds.
    """
    config = DataConfig(f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz)
    peak = np.abs(audio).max()  # at full level, little of a soft recording is below -80 dB
    features = extract_features(audio / peak, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz)
    pitched = pitched_frames(features, config)
    level = level_db([pitched])
    if level is None:
        raise UserError(
            f"{name} has no pitch from {f0_min_hz:.0f} to {f0_max_hz:.0f} Hz: give --f0 other "
            "bounds, or record a single voice with less noise"
        )
    n_audible = np.count_nonzero(audible_frames(features, config))
    return InputLevel(
        level_db=level + 20 * float(np.log10(peak)),
        pitched_share=len(pitched.loudness_db) / n_audible,
    )
