"""Performs scores with a player, and reads from its trace what each voice played."""

import numpy as np
from support.small_player import control

from pipeline.target.build import Program
from pipeline.target.player import BEGUN, FADED, Performance, Score, perform

ALL_SOUND_OFF = 120


def play(program: Program, score: Score, until: int) -> Performance:
    """Performs a score and ends all sound at the block `until`."""
    return perform(program, [*score, (until, control(ALL_SOUND_OFF, 0))])


def course(performance: Performance, voice: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pitch in semitones and loudness in dB of a voice per block, NaN if silent."""
    pitch, loudness = np.full((2, performance.report["n_blocks"]), np.nan)
    for record in performance.trace[performance.trace["voice"] == voice]:
        if record["event"] != FADED:
            pitch[record["block"]] = 69 + 12 * np.log2(record["f0_hz"] / 440)
            loudness[record["block"]] = record["loudness_db"]
    return pitch, loudness


def sounding_at(performance: Performance, block: int) -> list[int]:
    """Returns the note of each voice that sounds in a block; 0 for silent voices."""
    notes = [0] * performance.n_voices
    for record in performance.trace[performance.trace["block"] == block]:
        if record["event"] != FADED:
            notes[record["voice"]] = round(69 + 12 * np.log2(record["f0_hz"] / 440))
    return notes


def attacks(performance: Performance) -> list[int]:
    """Returns the blocks in which a voice starts from silence."""
    return performance.trace["block"][performance.trace["event"] == BEGUN].tolist()
