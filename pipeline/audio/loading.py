"""Loads recordings of any format, rate and width as mono samples at 16 kHz."""

from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import soundfile as sf

from pipeline.audio.autocorrelation import PITCH_WINDOW
from pipeline.core.constants import SAMPLE_RATE
from pipeline.core.errors import UserError

AUDIO_SUFFIXES = {f".{name.lower()}" for name in sf.available_formats()} | {".aif", ".oga", ".opus"}
MIN_PEAK = 1e-4  # -80 dBFS; a file with a lower peak is silent


def load_audio(path: Path) -> npt.NDArray[np.float32]:
    """Loads a recording as mono float32 at 16 kHz, shape [n].

    Any format, rate and width that libsndfile reads is accepted; channels are mixed. Floating-point
    files that exceed full scale are scaled down to it.

    Raises:
        UserError: The file is missing, not audio, empty, too short, silent, or contains NaN.
    """
    if not path.is_file():
        raise UserError(f"{path} is not a file: give the path of a recording")
    try:
        samples, rate = sf.read(path, dtype="float32", always_2d=True)
    except (sf.LibsndfileError, TypeError) as error:
        raise UserError(
            f"{path} is not readable audio ({error}): convert it to WAV or FLAC"
        ) from None
    if not np.isfinite(samples).all():
        raise UserError(f"{path} contains NaN or infinite samples: export the recording again")
    if len(samples) * SAMPLE_RATE < PITCH_WINDOW * rate:
        seconds = PITCH_WINDOW / SAMPLE_RATE
        raise UserError(
            f"{path} has {len(samples)} samples, less than {seconds} s: remove it or give a "
            "longer recording"
        )
    mono = samples.mean(axis=1)
    if np.abs(mono).max() < MIN_PEAK:
        raise UserError(f"{path} is silent (peak below -80 dBFS): remove it or record it louder")
    if rate != SAMPLE_RATE:
        mono = librosa.resample(mono, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_hq")
    return np.asarray(mono / max(1.0, float(np.abs(mono).max())), np.float32)
