"""The frames that the firmware hears in live sound: ``tflm_app/analysis``, run on this machine.

The C code is the firmware's own and gives the same bits on every core, so what a model makes of
these frames is what it makes of them on the device. It looks at 20 ms that have been, where
`pipeline.features` looks ahead and back, so it errs more often; `Features` of both are aligned in
time, and the 10 ms from the middle of the window to its end are a delay, not an error.

``python -m pipeline.live_features --tables`` writes the A-weighting filter, which the firmware
keeps in ``analysis_tables.c``.
"""

import json
from dataclasses import dataclass

import numpy as np

from pipeline.audio.features import Features, Floats
from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.paths import BUILD_DIR
from pipeline.target.build import Program, make
from pipeline.target.emulator import run_program
from pipeline.target.vendor import fetch_cmsis

WINDOW_SAMPLES = 320  # of the analysis; what it tells belongs to the middle
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
