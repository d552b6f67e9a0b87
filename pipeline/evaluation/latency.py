"""Measures how soon a note sounds after its note-on, by instrument.

A note-on takes three bytes of a MIDI cable, waits for the next block to be rendered, and that block
waits until the last one has played: then the first frame of the note begins to play. From there the
sound of the instrument rises. It is heard as begun when it is 6 dB below its level; that time is
measured in notes that the player plays on this machine, with the samples of every board. A DAC adds
the delay of its filter, 1.3 ms for a PCM5102A at 16 kHz.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.audio.pitch import hz_to_note
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.evaluation.bench_boards import BLOCK_MS, MIDI_BYTES_PER_SECOND
from pipeline.target.player import Score, perform_preset

CABLE_MS = 1000 * 3 / MIDI_BYTES_PER_SECOND  # three bytes
BEGUN_DB = -6.0
VELOCITIES = (40, 80, 120)
N_PITCHES, N_TIMES = 5, 4  # pitches of an instrument; how often each note is struck
NOTE_BLOCKS, REST_BLOCKS = FRAME_RATE, 2 * FRAME_RATE
WINDOW = 2 * HOP_SAMPLES  # samples over which a level is measured
LEVEL_SECONDS = 0.1  # the level of a note is that of its loudest part of this length


@dataclass(frozen=True)
class Latency:
    """Times after a note-on was sent, in milliseconds.

    Attributes:
        onset: Earliest and latest beginning of the note's first frame.
        begun: Time from there until the sound is 6 dB below its level: median over all notes.
        begun_range: The same, the shortest and the longest by pitch and velocity.
        jitter: Difference between equal notes: that of ``onset``, and the spread of ``begun`` from
            one time to the next, median over all notes.
    """

    onset: tuple[float, float]
    begun: float
    begun_range: tuple[float, float]
    jitter: float


def begun_ms(pcm: npt.NDArray[np.int16]) -> float:
    """Returns the time until a note is 6 dB below its level.

    Args:
        pcm: The note from the beginning of its first frame, int16.
    """
    power = np.cumsum(np.pad(pcm.astype(np.float64) ** 2, (WINDOW // 2 + 1, WINDOW // 2)))
    level = np.sqrt((power[WINDOW:] - power[:-WINDOW]) / WINDOW)
    n_long = round(LEVEL_SECONDS * SAMPLE_RATE)
    total = np.cumsum(np.pad(level, (1, 0)))
    loudest = (total[n_long:] - total[:-n_long]).max() / n_long
    return float(1000 * np.argmax(level >= 10 ** (BEGUN_DB / 20) * loudest) / SAMPLE_RATE)


def measure_latency(generated: Path, configs: Sequence[InstrumentConfig]) -> list[Latency]:
    """Plays notes all over the range of every instrument.

    Args:
        generated: Output of `pipeline.codegen` with one preset for each of `configs`.
        configs: The instruments.

    Raises:
        UserError: A tool is missing, or the player does not compile.
    """
    score: Score = []
    block = 0
    for program, config in enumerate(configs):
        score.append((block, bytes([0xC0, program])))
        for note in _notes(config):
            for velocity in VELOCITIES:
                for _ in range(N_TIMES):
                    score.append((block, bytes([0x90, note, velocity])))
                    score.append((block + NOTE_BLOCKS, bytes([0x80, note, 0])))
                    score.append((block + NOTE_BLOCKS + REST_BLOCKS - 1, bytes([0xB0, 120, 0])))
                    block += NOTE_BLOCKS + REST_BLOCKS
    pcm = perform_preset(generated, score, "host", n_voices=1).pcm
    pcm = np.pad(pcm, (0, max(0, block * HOP_SAMPLES - len(pcm))))[: block * HOP_SAMPLES]
    notes = pcm.reshape(len(configs), -1, N_TIMES, (NOTE_BLOCKS + REST_BLOCKS) * HOP_SAMPLES)
    return [_summary(one[..., : NOTE_BLOCKS * HOP_SAMPLES]) for one in notes]


def _notes(config: InstrumentConfig) -> list[int]:
    """Returns MIDI notes all over the range of an instrument, except its ends."""
    low, high = hz_to_note(np.array([config.data.f0_min_hz, config.data.f0_max_hz]))
    return [round(low + (high - low) * (i + 0.5) / N_PITCHES) for i in range(N_PITCHES)]


def _summary(notes: npt.NDArray[np.int16]) -> Latency:
    """Returns the times of an instrument; notes: shape [n_different, N_TIMES, n_samples]."""
    times = np.array([[begun_ms(one) for one in equal] for equal in notes])
    means = times.mean(axis=1)
    return Latency(
        onset=(round(CABLE_MS + BLOCK_MS, 2), round(CABLE_MS + 2 * BLOCK_MS, 2)),
        begun=round(float(np.median(times)), 1),
        begun_range=(round(float(means.min()), 1), round(float(means.max()), 1)),
        jitter=round(BLOCK_MS + float(np.median(np.ptp(times, axis=1))), 1),
    )
