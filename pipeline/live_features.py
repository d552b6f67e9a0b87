"""The frames that the firmware hears in live sound: ``tflm_app/analysis``, run on this machine.

The C code is the firmware's own and gives the same bits on every core, so what a model makes of
these frames is what it makes of them on the device. It looks at 20 ms that have been, where
`pipeline.features` looks ahead and back, so it errs more often; `Features` of both are aligned in
time, and the 10 ms from the middle of the window to its end are a delay, not an error.

``python -m pipeline.live_features --tables`` writes the A-weighting filter, which the firmware
keeps in ``analysis_tables.c``.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np
from scipy import optimize, signal

from pipeline.config import HOP_SAMPLES, SAMPLE_RATE, UserError, atomic_write, run_main
from pipeline.features import Features, Floats
from pipeline.pcm import to_pcm
from pipeline.toolchain import APP_DIR, BUILD_DIR, Program, fetch_cmsis, make, run_program

WINDOW_SAMPLES = 320  # of the analysis; what it tells belongs to the middle
TABLES_PATH = APP_DIR / "analysis" / "analysis_tables.c"
POLES_HZ = (20.598997, 107.65265, 737.86223)  # of A-weighting, IEC 61672-1; 12.2 kHz is fitted

_RECORD = np.dtype([("f0_hz", "<f4"), ("loudness_db", "<f4"), ("aperiodicity", "<f4")])


@dataclass(frozen=True)
class Analysis:
    """What the firmware heard.

    Attributes:
        features: One frame for each block that came, in the order and at the time of the blocks.
        report: Of the application: ``instructions`` in all, ``worst_block_instructions``,
            ``state_bytes``, ``stack_bytes`` (0 on the host, but for the state).
    """

    features: Features
    report: dict[str, int]


def build_analyser(board: str = "host", *, sanitize: bool = False) -> Program:
    """Builds ``apps/analyse`` for a board.

    Args:
        board: One of `pipeline.toolchain.BOARDS` with an FPU.
        sanitize: Under AddressSanitizer and UBSan (host alone).

    Raises:
        UserError: A tool is missing, or it does not compile.
    """
    kind = f"{board}-sanitized" if sanitize else board
    settings = {"CMSIS_DSP_DIR": fetch_cmsis()[1], "SANITIZE": "ON" if sanitize else "OFF"}
    return make(board, BUILD_DIR / "analyse" / kind, settings, "analyse")


def analyse(analyser: Program, pcm: np.ndarray, *, f0_min_hz: float, f0_max_hz: float) -> Analysis:
    """Lets the firmware listen to samples, from silence.

    Args:
        analyser: From `build_analyser`.
        pcm: int16, shape [n]; what is left over after whole blocks is passed over.
        f0_min_hz: Lowest pitch to look for, rounded to 1 Hz; the firmware holds it within 100 Hz
            and 4000 Hz.
        f0_max_hz: Highest pitch, likewise.

    Raises:
        UserError: The emulator is missing, or the program ended with an error.
    """
    run = run_program(
        analyser,
        arguments=["pcm", "frames", f"{f0_min_hz:.0f}", f"{f0_max_hz:.0f}"],
        inputs={"pcm": np.asarray(pcm, "<i2").tobytes()},
        outputs=["frames"],
        timeout_s=60 + len(pcm) / HOP_SAMPLES,
    )
    if run.status != 0:
        telling = next(iter(run.console.strip().splitlines()), "no message")
        raise UserError(f"analyse on {analyser.board} ended with status {run.status}: {telling}")
    records = np.frombuffer(run.files["frames"], _RECORD)
    features = Features(
        f0_hz=records["f0_hz"].copy(),
        loudness_db=records["loudness_db"].copy(),
        confidence=1 - records["aperiodicity"],
    )
    return Analysis(features, json.loads(run.console))


def extract_live_features(audio: Floats, *, f0_min_hz: float, f0_max_hz: float) -> Features:
    """Extracts the frames of a mono recording at 16 kHz as the firmware hears them.

    Args:
        audio: Samples in [-1, 1], shape [n].
        f0_min_hz: Lowest pitch to look for.
        f0_max_hz: Highest pitch to look for.

    Returns:
        n_frames = ceil(n / 64) frames that describe the same moments as those of
        `pipeline.features.extract_features`: the delay is taken off. Before the first pitch is
        found, f0 is 440 Hz. Confidence is YIN's: 0.5 and less is unvoiced.
    """
    n_frames = -(-len(audio) // HOP_SAMPLES)
    n_later = -(-WINDOW_SAMPLES // 2 // HOP_SAMPLES)  # blocks
    n_before = n_later * HOP_SAMPLES - WINDOW_SAMPLES // 2  # samples: then the middles coincide
    n_after = (n_frames + n_later) * HOP_SAMPLES - n_before - len(audio)
    padded = np.pad(to_pcm(audio), (n_before, n_after), mode="symmetric")
    padded[:n_before] = 0  # nothing had come before the recording began
    heard = analyse(build_analyser(), padded, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz).features
    return Features(heard.f0_hz[n_later:], heard.loudness_db[n_later:], heard.confidence[n_later:])


# --- A-weighting ----------------------------------------------------------------------------------


def weighting_sections() -> np.ndarray:
    """Designs A-weighting at 16 kHz: two high-pass sections by the bilinear transform, and a rest.

    The poles at 12.2 kHz lie beyond the band, where that transform fails, so the third section is
    fitted to what is missing from 20 Hz to 7.9 kHz (error at most 0.1 dB, rms 0.013 dB).

    Returns:
        float64, shape [3, 5]: b0, b1, b2, -a1, -a2.
    """
    frequencies_hz = np.geomspace(20, 7900, 600)
    turns = 2 * np.pi * frequencies_hz / SAMPLE_RATE

    def gain_db(section: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        return 20 * np.log10(np.abs(signal.freqz(*section, worN=turns)[1]))

    def high_pass(upper_hz: float) -> tuple[np.ndarray, np.ndarray]:
        poles = np.poly([-2 * np.pi * POLES_HZ[0], -2 * np.pi * upper_hz])
        return signal.bilinear([1, 0, 0], poles, SAMPLE_RATE)

    def rest(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        zero_a, zero_b, pole_a, pole_b, gain = parameters
        return gain * np.poly([zero_a, zero_b]), np.poly([pole_a, pole_b])

    sections = [high_pass(POLES_HZ[1]), high_pass(POLES_HZ[2])]
    missing_db = librosa.A_weighting(frequencies_hz, min_db=None) - sum(map(gain_db, sections))
    fitted = optimize.least_squares(
        lambda parameters: gain_db(rest(parameters)) - missing_db,
        [-0.5, 0.1, 0.05, -0.1, 1.0],
        bounds=([-0.99] * 4 + [0.1], [0.99] * 4 + [3.0]),
    )
    sections.append(rest(fitted.x))
    return np.array([[*b, *-a[1:]] for b, a in sections])


def tables_text() -> str:
    """Returns ``analysis_tables.c``."""
    rows = "".join(
        f"    {', '.join(f'{number:.9g}f' for number in row)},\n" for row in weighting_sections()
    )
    return f"""\
/* Made by python -m pipeline.live_features --tables; do not edit. */
#include "analysis/analysis.h"

/* clang-format off */
const float analysis_weighting[5 * ANALYSIS_N_SECTIONS] = {{
{rows}}};
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the table that the firmware's analysis needs, ``analysis_tables.c``."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.live_features", description=main.__doc__
    )
    parser.add_argument("--tables", action="store_true", required=True, help="write it")
    parser.parse_args(argv)
    with atomic_write(TABLES_PATH) as temporary:
        temporary.write_text(tables_text())
    print(TABLES_PATH)


if __name__ == "__main__":
    run_main(main)
