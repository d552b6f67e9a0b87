"""The notes that the input of a quantized network spans.

The float network reads MIDI notes from 0 to 127, which leaves int8 two steps per semitone. A
quantized network therefore reads only the notes of its instrument, over the same 256 steps: four to
seven steps per semitone. The layers that read the input are linear, so the change of scale is moved
into their weights exactly (`pipeline.quantization.weights.fold_pitch_range`), and the float model,
whose noise reads the same pitch, stays as it is.

The range is that of the pitch tracker (``f0_min_hz`` and ``f0_max_hz`` of the instrument), so
everything that was found in a recording lies in it. A note outside, such as one played over MIDI,
has the levels of the nearest note inside; its oscillators play the true pitch.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio.pitch import hz_to_note
from pipeline.core.constants import MAX_NOTE
from pipeline.core.instrument_config import DataConfig


@dataclass(frozen=True)
class PitchRange:
    """A range of MIDI notes, whose ends are 0 and 1 in the input of a quantized network."""

    lowest_note: int
    highest_note: int

    def __post_init__(self) -> None:
        if not 0 <= self.lowest_note < self.highest_note <= MAX_NOTE:
            raise ValueError(f"no range of notes: {self.lowest_note} to {self.highest_note}")

    @classmethod
    def tracked(cls, data: DataConfig) -> "PitchRange":
        """Returns the whole notes around what the pitch tracker finds for an instrument."""
        lowest, highest = (float(hz_to_note(hz)) for hz in (data.f0_min_hz, data.f0_max_hz))
        return cls(math.floor(lowest), math.ceil(highest))

    @property
    def n_semitones(self) -> int:
        """Width of the range."""
        return self.highest_note - self.lowest_note

    def narrow(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Returns scaled features as a quantized network reads them, within 0 and 1.

        Args:
            features: From `pipeline.model.inputs.scale_features`, shape [..., 2].
        """
        pitch = features[..., 0] * (MAX_NOTE / self.n_semitones)
        narrowed = np.stack([pitch - self.lowest_note / self.n_semitones, features[..., 1]], -1)
        return np.asarray(np.clip(narrowed, 0, 1), np.float32)


FLOAT_RANGE = PitchRange(0, MAX_NOTE)
"""The range of the float network, and of quantized networks that state none."""
