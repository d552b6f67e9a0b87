"""Converts pitch between Hz and MIDI note numbers, which may be fractional."""

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import A4_HZ, A4_NOTE, SEMITONES_PER_OCTAVE

Floats = npt.NDArray[np.floating]


def hz_to_note(f0_hz: npt.ArrayLike) -> Floats:
    """Returns the MIDI note numbers of frequencies above 0 Hz, same shape and precision."""
    octaves = np.log2(np.asarray(f0_hz) / A4_HZ)
    return np.asarray(A4_NOTE + SEMITONES_PER_OCTAVE * octaves)


def note_to_hz(note: npt.ArrayLike) -> Floats:
    """Returns the frequencies of MIDI note numbers in Hz, same shape."""
    octaves = (np.asarray(note) - A4_NOTE) / SEMITONES_PER_OCTAVE
    return np.asarray(A4_HZ * 2**octaves)
