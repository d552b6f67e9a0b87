"""Constants of the whole pipeline; the C code receives its share in a generated header."""

import math
from typing import Final, Literal, get_args

SAMPLE_RATE: Final = 16_000  # Hz
HOP_SAMPLES: Final = 64  # samples per frame, and per audio block of the firmware
FRAME_RATE: Final = SAMPLE_RATE // HOP_SAMPLES  # 250 frames per second
CLIP_SAMPLES: Final = 4 * SAMPLE_RATE
CLIP_FRAMES: Final = CLIP_SAMPLES // HOP_SAMPLES
CONTEXT_FRAMES: Final = 124  # kept before each clip; the full network looks back as far

N_OPERATORS: Final = 6
MAX_LEVEL: Final = 0.32  # largest output level of an operator, in turns of phase
# Relative to MAX_LEVEL; added before log() so that inaudible levels barely count.
LEVEL_FLOOR: Final = 1e-3
LOGIT_RANGE: Final = (-12.0, 6.0)  # outside it, the level is inaudible or practically MAX_LEVEL

MIN_F0_HZ: Final = 20.0
MAX_F0_HZ: Final = 4000.0
DEFAULT_F0_HZ: Final = 440.0  # pitch of a device before its first frame
LOUDNESS_RANGE_DB: Final = 80.0
MIN_LOUDNESS_DB: Final = -LOUDNESS_RANGE_DB
MAX_LOUDNESS_DB: Final = 0.0
# Level that every source is brought to (see `pipeline.audio.level`). Peaks lie 6 dB (a rendered
# flute) to 17 dB (a pack of flute notes) above it. Of nine sources of recordings and rendered
# music, 51 samples in one file clip at this level; at -14 dB, 1 000 in three.
CALIBRATED_LEVEL_DB: Final = -16.0
MAX_GAIN_DB: Final = 80.0  # from the softest recording that is not silent to full scale
GATE_OPEN_DB: Final = -76.0  # below it, levels and noise fade to zero, linearly in dB, at the floor

SEMITONES_PER_OCTAVE: Final = 12
MAX_NOTE: Final = 127  # MIDI note numbers are 0 to 127
A4_NOTE: Final = 69  # MIDI note number of the tuning pitch
A4_HZ: Final = 440.0
NOTE_OF_1_HZ: Final = A4_NOTE - SEMITONES_PER_OCTAVE * math.log2(A4_HZ)  # about -36.4

# Linear congruential generator of "Numerical Recipes": x = multiplier * x + increment mod 2**32.
RANDOM_MULTIPLIER: Final = 1664525
RANDOM_INCREMENT: Final = 1013904223
RANDOM_SEED_STEP: Final = 0x9E3779B9  # distance between the seeds of neighbouring voices

Format = Literal["int8", "int16x8"]  # type of a decoder's activations; its weights are int8 in both
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
ENGINES: Final = ("aot", "tflm")  # decoders of the firmware: generated C, and the TFLM interpreter
VARIANT_LABELS: Final = {
    "full": "Full",
    "reduced": "Reduced",
    "reduced_ad": "Reduced + AD",
    "reduced_cd": "Reduced + CD",
    "tiny": "Tiny",
}
VARIANTS: Final = tuple(VARIANT_LABELS)
DISTILLED: Final = ("reduced_ad", "reduced_cd")  # those whose teacher is the full model
TAUGHT: Final = (*DISTILLED, "tiny")  # those that learn from a teacher
SPLITS: Final = ("train", "valid", "test")  # parts of a data set
TRAIN, VALID, TEST = range(len(SPLITS))  # their numbers in ``dataset.npz``
