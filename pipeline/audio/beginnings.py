"""Tells recordings that begin within a note from those that rise from silence."""

from dataclasses import replace

import numpy as np

from pipeline.audio.analysis import Analysis
from pipeline.audio.pcm import from_pcm
from pipeline.core.constants import HOP_SAMPLES

# The first 4 ms of a recording that begins within a note are about as loud as the next 0.1 s: in
# URMP's excerpts from -9 dB up, and in 1106 files of single notes below -30 dB.
WITHIN_NOTE_DB = -10.0
EDGE_SAMPLES = 1920  # 0.12 s


def keep_beginning(take: Analysis) -> Analysis:
    """Returns a recording with only the samples that `begins_within_note` looks at."""
    return replace(take, stored=np.array(take.audio[:EDGE_SAMPLES]))


def begins_within_note(take: Analysis) -> bool:
    """Whether a recording begins while a note sounds, instead of rising from silence."""
    start = np.square(from_pcm(take.audio[:EDGE_SAMPLES]))
    edge, inside = (np.sqrt(part.mean()) for part in np.split(start, [HOP_SAMPLES]))
    return bool(inside > 0 and edge > 10 ** (WITHIN_NOTE_DB / 20) * inside)
