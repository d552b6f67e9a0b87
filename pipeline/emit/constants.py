"""Generates ``tflm_app/shared_constants.h``, the constants that Python and C share.

The values come from the Python modules that own them. The C headers define their public names from
this header, or assert that their own values agree with it, so the two sides cannot diverge.
"""

import math

import numpy as np

from pipeline.core.constants import (
    CALIBRATED_LEVEL_DB,
    DEFAULT_F0_HZ,
    FRAME_RATE,
    GATE_OPEN_DB,
    HOP_SAMPLES,
    LEVEL_FLOOR,
    MAX_F0_HZ,
    MAX_GAIN_DB,
    MAX_LEVEL,
    MAX_LOUDNESS_DB,
    MIN_F0_HZ,
    MIN_LOUDNESS_DB,
    N_OPERATORS,
    NOTE_OF_1_HZ,
    RANDOM_INCREMENT,
    RANDOM_MULTIPLIER,
    RANDOM_SEED_STEP,
    SAMPLE_RATE,
)
from pipeline.emit.c_text import TABLES_BANNER, float_text, header
from pipeline.model.expression import KNOTS, MAX_CURVES, N_RELEASE_KNOTS, PITCH_STEP, extreme
from pipeline.model.noise import FADE, N_LAYERS, QUIET_DB, TABLE_SAMPLES
from pipeline.model.upsampler import FACTOR, N_TAPS
from pipeline.reference import expression, fm, input_gain, noise, reverb

N_INPUTS = 2  # inputs of the decoder: f0 and loudness
VOICE_EVENTS = ("SILENT", "BEGUN", "PLAYED", "FADED")  # what a voice of the player did in a block

ANALYSIS_BLOCKS = 5  # blocks in the window of the live analysis
ANALYSIS_MIN_F0_HZ = 100.0  # two of its periods fit into that window
LIVE_F0_HZ = (100.0, 1500.0)  # pitches that live playing follows: voices, most instruments


_Entries = list[tuple[str, int | str]]
"""Names without ``SHARED_``, and values as C text."""


def _pitch_and_loudness() -> _Entries:
    return [
        ("MIN_F0_HZ", float_text(MIN_F0_HZ)),
        ("MAX_F0_HZ", float_text(MAX_F0_HZ)),
        ("DEFAULT_F0_HZ", float_text(DEFAULT_F0_HZ)),
        ("MIN_LOUDNESS_DB", float_text(MIN_LOUDNESS_DB)),
        ("MAX_LOUDNESS_DB", float_text(MAX_LOUDNESS_DB)),
        ("GATE_DB", int(GATE_OPEN_DB - MIN_LOUDNESS_DB)),
        ("GATE_OPEN_BITS", f"0x{np.float32(GATE_OPEN_DB).view(np.uint32):08X}u"),
        ("NOTE_OF_1_HZ", float_text(NOTE_OF_1_HZ)),
        ("LOG2_HZ_OF_NOTE_0_Q26", f"{expression.LOG2_HZ_OF_NOTE_0_Q26}u"),
        ("ANALYSIS_MIN_F0_HZ", float_text(ANALYSIS_MIN_F0_HZ)),
        ("LIVE_MIN_F0_HZ", float_text(LIVE_F0_HZ[0])),
        ("LIVE_MAX_F0_HZ", float_text(LIVE_F0_HZ[1])),
    ]


def _levels() -> _Entries:
    return [
        ("MAX_LEVEL_Q32", round(MAX_LEVEL * 2**32)),
        ("FM_LEVEL_MAX_Q32", fm.LEVEL_MAX_Q32),
        ("LEVEL_FLOOR_Q32", f"{round(LEVEL_FLOOR * MAX_LEVEL * 2**32)}u"),
        ("LOG2_MAX_LEVEL_Q12", round(2**12 * math.log2(MAX_LEVEL * 2**32))),
        ("SINE_LINES", fm.SINE_LINES),
    ]


def _noise() -> _Entries:
    return [
        ("NOISE_TABLE_SAMPLES", TABLE_SAMPLES),
        ("NOISE_N_LAYERS", N_LAYERS),
        ("NOISE_QUIET_DB", f"({QUIET_DB:.0f})"),
        ("NOISE_FADE_OCTAVES", FADE),
        ("NOISE_MAX_GAIN_Q12", noise.MAX_GAIN_Q12),
        ("RANDOM_MULTIPLIER", f"{RANDOM_MULTIPLIER}u"),
        ("RANDOM_INCREMENT", f"{RANDOM_INCREMENT}u"),
        ("RANDOM_SEED_STEP", f"0x{RANDOM_SEED_STEP:08X}u"),
    ]


def _input_gain() -> _Entries:
    return [
        ("CALIBRATED_LEVEL_DB", float_text(CALIBRATED_LEVEL_DB)),
        ("MAX_GAIN_DB", float_text(MAX_GAIN_DB)),
        ("OCTAVES_PER_DB", float_text(1 / input_gain.DB_PER_OCTAVE)),
        ("GAIN_APERIODICITY", float_text(input_gain.APERIODICITY)),
        ("GAIN_QUIET_DB", float_text(input_gain.QUIET_DB)),
        ("GAIN_RANGE_DB", float_text(input_gain.RANGE_DB)),
        ("GAIN_UP", float_text(input_gain.UP)),
        ("GAIN_DOWN", float_text(input_gain.DOWN)),
        ("GAIN_FIRST_STEP_DB", float_text(input_gain.FIRST_STEP_DB)),
        ("GAIN_LAST_STEP_DB", float_text(input_gain.LAST_STEP_DB)),
        ("GAIN_SHRINK", float_text(input_gain.SHRINK)),
        ("GAIN_RISE_DB", float_text(input_gain.RISE_DB)),
        ("GAIN_BOUND_DB", float_text(input_gain.BOUND_DB)),
    ]


def _expression() -> _Entries:
    return [
        ("EXPRESSION_N_KNOTS", len(KNOTS)),
        ("EXPRESSION_N_RELEASE_KNOTS", N_RELEASE_KNOTS),
        ("EXPRESSION_LAST_RELEASE_KNOT", int(KNOTS[N_RELEASE_KNOTS - 1])),
        ("EXPRESSION_PITCH_STEP_BITS", PITCH_STEP.bit_length() - 1),
        ("EXPRESSION_NOTHING_DB", f"({expression.NOTHING_DB >> 16})"),
        ("EXPRESSION_SILENCE_DB", f"({expression.SILENCE_DB >> 16})"),
        ("EXPRESSION_LONGEST_FRAMES", f"{expression.LONGEST}u"),
        ("EXPRESSION_ATTACK_FRAMES", f"{expression.ATTACK_FRAMES}u"),
        ("EXPRESSION_TAKE_OVER_FRAMES", f"{expression.TAKE_OVER_FRAMES}u"),
        ("EXPRESSION_REPEAT_DB", expression.REPEAT_DB),
        ("EXPRESSION_USUAL_VIBRATO", f"({expression.USUAL_VIBRATO})"),
    ]


def _expression_bounds() -> _Entries:
    lowest, highest = (expression.to_fixed(extreme(end)) for end in (0, 1))
    return [
        ("EXPRESSION_MAX_CURVES", MAX_CURVES),
        ("EXPRESSION_MAX_LOWEST_NOTE", highest.lowest_note),
        ("EXPRESSION_LOWEST_DB_Q8", f"({lowest.curves[0].envelope[0]})"),
        ("EXPRESSION_LOWEST_SLOPE_Q14", f"({lowest.curves[0].envelope_slope})"),
        ("EXPRESSION_HIGHEST_RELEASE_SLOPE_Q14", f"({highest.curves[0].release_slope})"),
        ("EXPRESSION_MAX_SLUR_FRAMES", highest.slur_frames),
        ("EXPRESSION_MAX_VIBRATO_DELAY", highest.vibrato_delay),
        ("EXPRESSION_MIN_VIBRATO_GROWTH_Q16", highest.vibrato_growth_q16),  # of the longest growth
        ("EXPRESSION_MAX_VIBRATO_DEPTH", highest.vibrato_depth),
        ("EXPRESSION_MAX_VIBRATO_RATE", f"{highest.vibrato_rate}u"),
        ("EXPRESSION_MAX_PITCH_DRIFT", highest.pitch_drift),
        ("EXPRESSION_MAX_LOUDNESS_DRIFT", highest.loudness_drift),
    ]


def _sections() -> dict[str, _Entries]:
    """Returns the entries of the header, name and C value, by the heading above them."""
    return {
        "Time: samples per second, samples per frame and per block, frames per second.": [
            ("SAMPLE_RATE", SAMPLE_RATE),
            ("HOP_SAMPLES", HOP_SAMPLES),
            ("FRAME_RATE", FRAME_RATE),
        ],
        "The decoder: f0 and loudness in, one logit per operator out.": [
            ("N_INPUTS", N_INPUTS),
            ("N_OPERATORS", N_OPERATORS),
        ],
        "Pitch and loudness: bounds, and how the decoder scales them: note / 127, dB / 80 + 1.": (
            _pitch_and_loudness()
        ),
        "Operator levels in turns, at most 0.32; and the sine's table.": _levels(),
        "Noise, and the generator of random numbers.": _noise(),
        "Expression: knots of a curve, levels in dB, times in frames.": _expression(),
        "Bounds of an expression table.": _expression_bounds(),
        "Partitions of the reverb: taps of one in the tail, and in a head before a tail.": [
            ("REVERB_TAIL_SAMPLES", reverb.TAIL_SAMPLES),
            ("REVERB_TAIL_START", reverb.TAIL_START),
            ("REVERB_GROUP_FLOATS", reverb.GROUP_FLOATS),
        ],
        "The upsampler.": [
            ("UPSAMPLER_FACTOR", FACTOR),
            ("UPSAMPLER_TAPS", N_TAPS),
        ],
        "Blocks in the window of the live analysis.": [
            ("ANALYSIS_N_BLOCKS", ANALYSIS_BLOCKS),
        ],
        "Input gain: the level that inputs are brought to, and how the automatic gain follows.": (
            _input_gain()
        ),
        "What a voice of the player did in a block.": [
            (f"VOICE_{name}", value) for value, name in enumerate(VOICE_EVENTS)
        ],
    }


_ASSERTION = """\
/* Checks a condition at compile time, in C and in C++. */
#ifdef __cplusplus
#define SHARED_ASSERT(condition, message) static_assert(condition, message)
#else
#define SHARED_ASSERT(condition, message) __extension__ _Static_assert(condition, message)
#endif
"""


def constants_text() -> str:
    """Returns ``shared_constants.h``."""
    text = _ASSERTION
    for heading, entries in _sections().items():
        lines = "".join(f"#define SHARED_{name} {value}\n" for name, value in entries)
        text += f"\n/* {heading} */\n{lines}"
    return header("shared_constants.h", text, banner=TABLES_BANNER)
