"""Counts gross pitch errors of the live analysis against the offline features.

Compared are the frames in which both are sure: the offline confidence exceeds 0.7, the loudness is
within 40 dB of the recording's loudest frame, the pitch lies within the bounds of the live
analysis, and the firmware would not hold an older pitch. The first 100 ms of each stretch of such
offline frames are its onset, the rest is sustained sound. An error is a difference of more than
three semitones; nearly all are octaves and twelfths.

The offline features are no ground truth. Where a flute overblows, its lower register sounds on
faintly, and the offline features may report that: in phrases whose notes are known, they are an
octave low in 2.7 % of the frames. Against the melody, which other articulations of a phrase show,
two phrases in staccatissimo have 22 and 25 % wrong frames live, and 40 and 31 % offline; so most of
the difference between both is not an error of the live analysis.

Three rules for such notes were measured on 20 ms windows of flute and saxophone phrases, and left:

- Half the period also counts if it is nearly as good in the differenced signal, where weak odd
  partials are higher ones: mends 21 % of the octave errors of the flute, breaks 8 % as many other
  frames, and on the saxophone more frames than it mends.
- The pitch counts after it was stable for N blocks: staccato from 7.8 to 5.1 % for N = 4, to 3.5 %
  for N = 8, which loses 13 and 24 % of the frames.
- Frames do not count if half the period is nearly as good: from 7.8 to 5.0 %, which loses 5 % of
  the frames; trumpets get worse.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import numpy as np

from pipeline.audio.features import VOICING_THRESHOLD, Features
from pipeline.core.constants import FRAME_RATE, SEMITONES_PER_OCTAVE

LIVE_CONFIDENCE = 0.5  # at or below it, the firmware holds the pitch
AUDIBLE_DB = 40.0  # below the loudest frame
GROSS_SEMITONES = 3.0
ONSET_FRAMES = round(0.1 * FRAME_RATE)


@dataclass(frozen=True)
class PitchErrors:
    """Numbers of frames.

    Attributes:
        onset: Compared frames in onsets.
        onset_wrong: Those of them with a gross error.
        sustain: Compared frames in sustained sound.
        sustain_wrong: Those of them with a gross error.
        too_low: Gross errors below the offline pitch, in onsets and sustained sound.
        held: Frames in which only the offline features are sure.
    """

    onset: int = 0
    onset_wrong: int = 0
    sustain: int = 0
    sustain_wrong: int = 0
    too_low: int = 0
    held: int = 0

    @property
    def wrong_share(self) -> float:
        """Share of the compared frames with a gross error; 0 if none were compared."""
        return (self.onset_wrong + self.sustain_wrong) / max(self.onset + self.sustain, 1)


def total(counts: Iterable[PitchErrors]) -> PitchErrors:
    """Adds the numbers of several recordings."""
    return PitchErrors(*(sum(column) for column in zip(*map(astuple, counts), strict=True)))


def count_pitch_errors(
    offline: Features, live: Features, *, f0_min_hz: float, f0_max_hz: float
) -> PitchErrors:
    """Compares two measurements of a recording, frame by frame.

    Args:
        offline: From `pipeline.audio.features.extract_features`.
        live: From `pipeline.target.live_features.extract_live_features`.
        f0_min_hz: Lowest pitch that the live analysis looks for.
        f0_max_hz: Highest pitch that it looks for.
    """
    sure = (
        (offline.confidence > VOICING_THRESHOLD)
        & (offline.loudness_db > offline.loudness_db.max() - AUDIBLE_DB)
        & (offline.f0_hz >= f0_min_hz)
        & (offline.f0_hz <= f0_max_hz)
    )
    frames = np.arange(len(sure))
    unsure_before = np.maximum.accumulate(np.where(sure, -1, frames))
    onset = sure & (frames - unsure_before <= ONSET_FRAMES)
    compared = sure & (live.confidence > LIVE_CONFIDENCE)
    semitones = SEMITONES_PER_OCTAVE * np.log2(live.f0_hz / offline.f0_hz)
    wrong = compared & (np.abs(semitones) > GROSS_SEMITONES)
    masks = (
        compared & onset,
        wrong & onset,
        compared & ~onset,
        wrong & ~onset,
        wrong & (semitones < 0),
        sure & ~compared,
    )
    return PitchErrors(*(int(mask.sum()) for mask in masks))
