"""Errors of loudness and pitch in the first 100 ms of notes and in what follows.

A note begins where the sound rises from a pause, where its level jumps, and where its pitch moves
to another note. Levels are measured in windows of 32 ms; those of the features are 128 ms long and
spread every onset over more than its length.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import minimum_filter1d
from scipy.signal import find_peaks, get_window, oaconvolve, sosfilt

from pipeline.audio.a_weighting import weighting_sections
from pipeline.audio.features import Features
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, MIN_LOUDNESS_DB
from pipeline.core.instrument_config import DataConfig
from pipeline.model.losses import sound_frames
from pipeline.model.metrics import Array, mean

LEVEL_WINDOW = 512  # samples, Hann: 32 ms
ONSET_FRAMES = FRAME_RATE // 10  # 100 ms
RISE_DB, RISE_FRAMES = 9.0, 10  # a level that rises by as much within 40 ms begins a note
STEP_CENTS = 80.0  # the mean pitch of 100 ms differs as much from that of the 100 ms before
MAX_ERROR_DB = 30.0  # larger errors of single frames count as it
MAX_ERROR_CENTS = 100.0

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def onset_figures(
    reference: Array,
    estimate: Array,
    features: Features,
    estimate_features: Features,
    config: DataConfig,
) -> dict[str, float | None]:
    """Measures errors of loudness and pitch in onsets and in what follows.

    Args:
        reference: The recording, shape [n].
        estimate: The rendering, shape [n].
        features: Features of the recording.
        estimate_features: Features of the rendering.
        config: Confidence above which a frame is voiced.

    Returns:
        ``onset_loudness_error_db``, ``sustain_loudness_error_db``: mean absolute difference of
        A-weighted levels in sounding frames; differences in single frames are limited to 30 dB.
        ``onset_f0_error_cents``, ``sustain_f0_error_cents``: the same for the pitch in voiced
        frames, limited to 100 cents. None where there is no such frame.
    """
    levels_db, estimate_db = (short_levels_db(audio) for audio in (reference, estimate))
    sounding = sound_frames(levels_db)
    onset = sounding & find_onsets(levels_db, features.f0_hz)
    errors_db = np.minimum(np.abs(estimate_db - levels_db), MAX_ERROR_DB)
    cents = 1200 * np.log2(estimate_features.f0_hz / features.f0_hz)
    errors_cents = np.minimum(np.abs(cents), MAX_ERROR_CENTS)
    voiced = features.confidence >= config.confidence_threshold
    figures = {}
    for name, phase in (("onset", onset), ("sustain", sounding & ~onset)):
        figures[f"{name}_loudness_error_db"] = mean(errors_db[phase])
        figures[f"{name}_f0_error_cents"] = mean(errors_cents[phase & voiced])
    return figures


def short_levels_db(audio: npt.ArrayLike) -> Doubles:
    """Measures A-weighted levels around the end of every frame.

    Args:
        audio: Samples, shape [n].

    Returns:
        Level in dB re a full-scale 1 kHz sine, at least -80, shape [ceil(n / 64)].
    """
    samples = np.asarray(audio, np.float64)
    weighted = sosfilt(_weighting(), samples)
    window = get_window("hann", LEVEL_WINDOW)
    padding = (LEVEL_WINDOW // 2, LEVEL_WINDOW // 2 + HOP_SAMPLES)
    powers = oaconvolve(np.pad(weighted**2, padding), window / window.sum(), mode="valid")
    n_frames = -(-len(samples) // HOP_SAMPLES)
    centres = HOP_SAMPLES * (np.arange(n_frames) + 1)
    full_scale = 0.5  # mean square of a full-scale sine
    floor = 10 ** (MIN_LOUDNESS_DB / 10)
    return np.asarray(10 * np.log10(np.maximum(powers[centres] / full_scale, floor)))


@cache
def _weighting() -> Doubles:
    """Returns the A-weighting in SciPy's form of second-order sections; its fit takes a while."""
    sections = weighting_sections()
    feedback = np.concatenate([np.ones((len(sections), 1)), -sections[:, 3:]], axis=1)
    return np.concatenate([sections[:, :3], feedback], axis=1)


def find_onsets(levels_db: Doubles, f0_hz: npt.NDArray[np.floating]) -> Flags:
    """Marks the frames in the first 100 ms of notes.

    Args:
        levels_db: `short_levels_db` of the recording, shape [n_frames].
        f0_hz: Its pitch, held through unvoiced frames, same shape.
    """
    sounding = sound_frames(levels_db)
    started = np.diff(sounding.astype(int), prepend=0) > 0
    before_db = minimum_filter1d(levels_db, RISE_FRAMES + 1, origin=RISE_FRAMES // 2)
    risen = sounding & (levels_db - before_db >= RISE_DB)
    started |= np.diff(risen.astype(int), prepend=0) > 0
    steps = _pitch_steps(f0_hz)
    started[steps[sounding[steps]]] = True
    reach = np.cumsum(started.astype(int))
    return reach > np.pad(reach, (ONSET_FRAMES, 0))[: len(reach)]


def _pitch_steps(f0_hz: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Finds the frames with which the pitch of another note begins."""
    cents = 1200 * np.log2(f0_hz.astype(np.float64))
    padded = np.pad(cents, (ONSET_FRAMES, ONSET_FRAMES), mode="edge")
    sums = np.pad(np.cumsum(padded), (1, 0))
    means = (sums[ONSET_FRAMES:] - sums[:-ONSET_FRAMES]) / ONSET_FRAMES
    difference = np.abs(means[ONSET_FRAMES:] - means[:-ONSET_FRAMES])[: len(cents)]
    steps, _ = find_peaks(difference, height=STEP_CENTS, distance=ONSET_FRAMES // 2)
    return np.asarray(steps)
