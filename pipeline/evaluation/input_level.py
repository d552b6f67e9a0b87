"""Compares the level of a recording with the level that a model was trained with.

The level is the 95th percentile of the A-weighted loudness: over the frames in which the firmware's
analysis finds a pitch, and for the model over the audible frames that quantization is calibrated
with, which are drawn from its training data.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import LOUDNESS_RANGE_DB
from pipeline.core.errors import UserError
from pipeline.evaluation.live_pitch import LIVE_CONFIDENCE
from pipeline.quantization.calibration import N_TRAIN, Calibration
from pipeline.target.live_features import analyse, build_analyser

PERCENTILE = 95
MIN_PITCHED_FRAMES = 5  # 20 ms
AUDIBLE_DB = -60.0  # of the training data
AUDIBLE_RANGE_DB = 40.0  # below the loudest frame of a recording
FEW_PITCHED = 0.1  # coloured noise has less, voices and instruments have more
FAR_DB = 10.0  # a player varies by as much; what differs more is the recording's level
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class InputLevel:
    """The level of a recording, and that of a model.

    Attributes:
        input_db: Level of the recording, A-weighted, in dB re a full-scale sine of 1 kHz.
        known_db: Level of the model's training data; None if its run folder does not show it.
        headroom_db: The largest gain that does not clip.
        pitched_share: Share of the audible frames of the recording that have a pitch.
    """

    input_db: float
    known_db: float | None
    headroom_db: float
    pitched_share: float

    @property
    def missing_db(self) -> float:
        """The gain that brings the recording to the model's level, without clipping."""
        assert self.known_db is not None
        return min(self.known_db - self.input_db, self.headroom_db)

    def hint(self, gain_db: float) -> str:
        """Describes a level that is far from the model's after a gain; empty if it is near."""
        if self.known_db is None:
            return ""
        distance_db = self.input_db + gain_db - self.known_db
        if abs(distance_db) <= FAR_DB:
            return ""
        side = "below" if distance_db < 0 else "above"
        text = (
            f"its pitched sound reaches {self.input_db + gain_db:.0f} dB, {abs(distance_db):.0f} "
            f"dB {side} what the model was trained with ({self.known_db:.0f} dB)"
        )
        if abs(self.missing_db - gain_db) < 1:
            return f"{text}; more gain would clip: use a compressor, or record it louder"
        return f"{text}: give --gain {self.missing_db:.0f}, or --gain auto"


def measure_input(
    audio: Floats, run_dir: Path, name: str, *, f0_min_hz: float, f0_max_hz: float
) -> InputLevel:
    """Measures the level of a recording with the firmware's analysis.

    Args:
        audio: Mono samples at 16 kHz in [-1, 1], shape [n]; not silent.
        run_dir: Run folder of the model that will play.
        name: What messages call the recording.
        f0_min_hz: Lowest pitch to detect.
        f0_max_hz: Highest pitch to detect.

    Raises:
        UserError: The recording has no pitch within the bounds, or the calibration frames are
            damaged.
    """
    peak = float(np.abs(audio).max())
    # The analysis runs at full level, because 16-bit samples of a soft recording are coarse.
    pcm = to_pcm(audio / np.float32(peak))
    found = analyse(build_analyser(), pcm, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz).features
    is_pitched = found.confidence > LIVE_CONFIDENCE
    pitched = found.loudness_db[is_pitched]
    if len(pitched) < MIN_PITCHED_FRAMES:
        raise UserError(
            f"{name} has no pitch from {f0_min_hz:.0f} to {f0_max_hz:.0f} Hz: give --f0 other "
            "bounds, or record a single voice with less noise"
        )
    audible = found.loudness_db > found.loudness_db.max() - AUDIBLE_RANGE_DB
    headroom_db = -20 * np.log10(peak)
    input_db = float(np.percentile(pitched, PERCENTILE)) - headroom_db
    pitched_share = float(is_pitched[audible].mean())
    return InputLevel(input_db, _known_level_db(run_dir), headroom_db, pitched_share)


def _known_level_db(run_dir: Path) -> float | None:
    path = run_dir / "calibration.npz"
    if not path.is_file():
        return None
    clips = Calibration.load(path)
    scaled = np.concatenate([clips.train[:N_TRAIN], clips.valid])[..., 1]  # without the sweeps
    loudness_db = LOUDNESS_RANGE_DB * (scaled - 1)
    audible = loudness_db[loudness_db > AUDIBLE_DB]
    return float(np.percentile(audible, PERCENTILE)) if len(audible) else None


def apply_gain(
    audio: Floats, level: InputLevel, gain_db: float | None, name: str
) -> tuple[Floats, list[str]]:
    """Amplifies a recording as far as it does not clip.

    Args:
        audio: Samples, shape [n].
        level: From `measure_input`.
        gain_db: In dB; None for the gain that brings the recording to the model's level.
        name: What messages call the recording.

    Returns:
        The samples, and lines about the gain and about a level that is far from the model's.

    Raises:
        UserError: `gain_db` is None and the model's level is not known.
    """
    lines = []
    if level.pitched_share < FEW_PITCHED:
        lines.append(
            f"{name}: only {100 * level.pitched_share:.0f} % of its sound has a pitch: give a "
            "single voice with less noise, or --f0 other bounds"
        )
    applied_db = gain_db
    if applied_db is None:
        if level.known_db is None:
            raise UserError(
                "--gain auto needs calibration.npz in the run folder: run python -m "
                "pipeline.quantize, or give --gain in dB"
            )
        applied_db = level.missing_db
        lines.append(f"{name}: gain {applied_db:+.1f} dB")
    elif applied_db > level.headroom_db:
        applied_db = level.headroom_db
        lines.append(
            f"{name}: gain limited to {applied_db:+.1f} dB, because {gain_db:+.1f} dB would clip"
        )
    if hint := level.hint(applied_db):
        lines.append(f"{name}: {hint}")
    return np.asarray(audio * 10 ** (applied_db / 20), np.float32), lines
