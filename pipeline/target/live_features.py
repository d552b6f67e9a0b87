"""Measures features like the firmware in live sound, with ``tflm_app/analysis`` on this machine.

The C code is the firmware's own and gives the same bits on every core, so a model receives the
frames that it would receive on the device. The analysis uses only the latest 20 ms, whereas
`pipeline.audio.features` also looks ahead, so the analysis makes more errors. Both kinds of
`Features` are aligned in time: the 10 ms from the middle of the window to its end are a delay, not
an error.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.audio.features import Features, Floats
from pipeline.audio.pcm import Pcm, to_pcm
from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import DataConfig
from pipeline.core.paths import BUILD_DIR
from pipeline.emit.constants import ANALYSIS_BLOCKS
from pipeline.target.build import Program, application_settings, make
from pipeline.target.emulator import run_checked

WINDOW_SAMPLES = ANALYSIS_BLOCKS * HOP_SAMPLES  # the result describes the middle of the window
_RECORD = np.dtype([(name, "<f4") for name in ("f0_hz", "loudness_db", "aperiodicity", "power")])


@dataclass(frozen=True)
class Analysis:
    """The result of the firmware's analysis.

    Attributes:
        features: One frame per block, at the time of the block.
        power: A-weighted power of every block's window, at least 1e-8, float32, shape [n_blocks].
        report: Figures of the application: ``instructions`` in total, ``worst_block_instructions``,
            ``state_bytes``, ``stack_bytes`` (0 on the host, except for the state).
    """

    features: Features
    power: Floats
    report: dict[str, int]


def build_analyser(board: str = "host", *, sanitize: bool = False) -> Program:
    """Builds ``apps/analyse`` for a board.

    Args:
        board: One of `pipeline.target.boards.LIVE_BOARDS`.
        sanitize: Build under AddressSanitizer and UBSan (only on the host).

    Raises:
        UserError: A tool is missing, or the program does not compile.
    """
    kind = f"{board}-sanitized" if sanitize else board
    settings = application_settings(analyses=True, sanitize=sanitize)
    return make(board, BUILD_DIR / "analyse" / kind, settings, "analyse")


def analyse(analyser: Program, pcm: Pcm, *, f0_min_hz: float, f0_max_hz: float) -> Analysis:
    """Analyses samples with the firmware's code, starting from silence.

    Args:
        analyser: Program from `build_analyser`.
        pcm: int16, shape [n]; samples after the last whole block are ignored.
        f0_min_hz: Lowest pitch to detect, rounded to 1 Hz; the firmware limits it to 100 to 4000
            Hz.
        f0_max_hz: Highest pitch to detect, with the same rounding and limits.

    Raises:
        UserError: The emulator is missing, or the program failed.
    """
    run = run_checked(
        analyser,
        what="analyse",
        arguments=["pcm", "frames", f"{f0_min_hz:.0f}", f"{f0_max_hz:.0f}"],
        inputs={"pcm": np.ascontiguousarray(pcm, "<i2").data},
        outputs=["frames"],
        timeout_s=60 + len(pcm) / HOP_SAMPLES,
    )
    records = np.frombuffer(run.files["frames"], _RECORD)
    features = Features(
        f0_hz=records["f0_hz"].copy(),
        loudness_db=records["loudness_db"].copy(),
        confidence=1 - records["aperiodicity"],
    )
    return Analysis(features, records["power"].copy(), json.loads(run.console))


def extract_live_features(
    audio: Floats, *, f0_min_hz: float, f0_max_hz: float, analyser: Program | None = None
) -> Features:
    """Extracts features of a mono recording at 16 kHz as the firmware would measure them.

    Args:
        audio: Samples in [-1, 1], shape [n].
        f0_min_hz: Lowest pitch to detect.
        f0_max_hz: Highest pitch to detect.
        analyser: Program from `build_analyser`; None to build it for the host.

    Returns:
        See `measure_live_features`.
    """
    analyser = analyser or build_analyser()
    bounds = {"f0_min_hz": f0_min_hz, "f0_max_hz": f0_max_hz}
    return measure_live_features(to_pcm(audio), analyser=analyser, **bounds)


def measure_live_features(
    pcm: Pcm, *, f0_min_hz: float, f0_max_hz: float, analyser: Program
) -> Features:
    """Does the same for 16-bit samples, of which hours fit into the memory.

    Args:
        pcm: Samples, shape [n].
        f0_min_hz: Lowest pitch to detect.
        f0_max_hz: Highest pitch to detect.
        analyser: Program from `build_analyser`.

    Returns:
        n_frames = ceil(n / 64) frames that describe the same moments as those of
        `pipeline.audio.features.extract_features`, because the delay is compensated. f0 is 440 Hz
        until the first pitch is found. Confidence is that of YIN; frames with 0.5 or less are
        unvoiced.
    """
    n_frames = -(-len(pcm) // HOP_SAMPLES)
    n_later = -(-WINDOW_SAMPLES // 2 // HOP_SAMPLES)  # blocks
    # Silence before the recording makes the middles of window and frame coincide.
    n_before = n_later * HOP_SAMPLES - WINDOW_SAMPLES // 2
    n_after = (n_frames + n_later) * HOP_SAMPLES - n_before - len(pcm)
    padded = np.pad(pcm, (n_before, n_after), mode="symmetric")
    padded[:n_before] = 0
    found = analyse(analyser, padded, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz).features
    return Features(found.f0_hz[n_later:], found.loudness_db[n_later:], found.confidence[n_later:])


def live_extractor(config: DataConfig) -> Callable[[Pcm], Features] | None:
    """Returns `measure_live_features` for the pitch range of an instrument.

    Returns:
        None if the analysis cannot be built on this machine; a line then says why.
    """
    try:
        analyser = build_analyser()
    except UserError as error:
        print(f"no live features, so models cannot learn to be played live: {error}")
        return None
    return partial(measure_live_features, **config.f0_bounds, analyser=analyser)
