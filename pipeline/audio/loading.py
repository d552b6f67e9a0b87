"""Loads recordings of any format, rate and width as mono samples at 16 kHz."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from pipeline.audio import file_facts
from pipeline.audio.autocorrelation import PITCH_WINDOW
from pipeline.audio.file_facts import FileFacts
from pipeline.audio.samples import SampleFile
from pipeline.audio.sound_files import RecordingError, open_sound, read_blocks
from pipeline.core.constants import SAMPLE_RATE

STEPS = {"PCM_S8": 2**-7, "PCM_U8": 2**-7, "PCM_24": 2**-23, "PCM_32": 2**-31} | {
    "FLOAT": 0.0,
    "DOUBLE": 0.0,
    "ULAW": 2**-5,
    "ALAW": 2**-5,
}  # of samples near full scale; 16 bits for all others
MIN_RATE = 4000  # Hz; of a damaged header, 1 Hz would make hours of a second
MIN_PEAK = 1e-4  # -80 dBFS; a file with a lower peak is silent
# A floating-point file is scaled down to its peak. One that only a few samples exceed by so much
# would become silence.
STRAY_PEAK, STRAY_RATIO, STRAY_SHARE = 10.0, 1000, 0.01


def load_audio(path: Path) -> npt.NDArray[np.float32]:
    """Loads a recording as mono float32 at 16 kHz, shape [n]; see `load_recording`."""
    return load_recording(path)[0]


def load_recording(path: Path) -> tuple[npt.NDArray[np.float32], FileFacts]:
    """Loads a recording as mono float32 at 16 kHz, and returns what its file shows.

    Any format, rate and width that libsndfile reads is accepted. Channels are mixed, except those
    that are silent or that cancel each other, and a significant DC offset is removed; see
    `pipeline.audio.file_facts`. Floating-point files that exceed full scale are scaled down to it.
    The file is read in blocks, so that little more memory is needed than for the result.

    Returns:
        Samples, shape [n], and facts about the file.

    Raises:
        RecordingError: The file is missing, not audio, empty, too short, silent, contains NaN or
            a few samples far above all others, or has an impossible sample rate.
    """
    with open_sound(path) as sound:
        facts = _check(path, sound)
        audio = np.empty(_resampled_length(facts), np.float32)
        end = 0
        for piece in _resample(sound, facts):
            audio[end : end + len(piece)] = piece
            end += len(piece)
    peak = max(float(audio.max()), -float(audio.min()))
    if peak > 1.0:
        audio /= np.float32(peak)
    return audio, facts


def store_recording(path: Path, file: SampleFile) -> FileFacts:
    """Loads a recording like `load_recording` into an empty file, in bounded memory."""
    peak = 0.0
    with open_sound(path) as sound:
        facts = _check(path, sound)
        for piece in _resample(sound, facts):
            file.append(piece)
            peak = max(peak, float(piece.max()), -float(piece.min()))
    if peak > 1.0:
        file.divide(np.float32(peak))
    return facts


def _resampled_length(facts: FileFacts) -> int:
    return -(-facts.n_samples * SAMPLE_RATE // facts.rate)


def _resample(sound: sf.SoundFile, facts: FileFacts) -> Iterator[npt.NDArray[np.float32]]:
    """Yields a file as mono samples at 16 kHz, in pieces of shape [n] with n > 0."""
    n_left = _resampled_length(facts)
    for piece in _resample_blocks(sound, facts):
        if len(piece := piece[:n_left]):
            n_left -= len(piece)
            yield piece
    if n_left:
        yield np.zeros(n_left, np.float32)


def _resample_blocks(sound: sf.SoundFile, facts: FileFacts) -> Iterator[npt.NDArray[np.float32]]:
    mono = (file_facts.mix(block, facts) for block in read_blocks(sound))
    if facts.rate == SAMPLE_RATE:
        yield from mono
        return
    resampler = soxr.ResampleStream(facts.rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    for block in mono:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def check_file(path: Path) -> FileFacts:
    """Reads a whole file without keeping it, and returns what it shows.

    That takes less than a hundredth of the time of the analysis (2 s for 1 160 notes and excerpts),
    so all files of a folder can be checked before it.

    Raises:
        RecordingError: As `load_recording`.
    """
    with open_sound(path) as sound:
        return _check(path, sound)


def _check(path: Path, sound: sf.SoundFile) -> FileFacts:
    if sound.samplerate < MIN_RATE:
        raise RecordingError(
            f"{path} says that it has {sound.samplerate} samples per second, less than {MIN_RATE}: "
            "export the recording again",
            reason=f"a sample rate below {MIN_RATE} Hz",
        )
    facts = file_facts.scan(
        read_blocks(sound),
        sound.samplerate,
        sound.channels,
        sound.frames,
        step=STEPS.get(sound.subtype, 2**-15),
    )
    if facts is None:
        raise RecordingError(
            f"{path} contains NaN or infinite samples: export the recording again",
            reason="NaN or infinite samples",
        )
    if facts.n_samples * SAMPLE_RATE < PITCH_WINDOW * facts.rate:
        seconds = PITCH_WINDOW / SAMPLE_RATE
        raise RecordingError(
            f"{path} has {facts.n_samples} samples, less than {seconds} s: remove it or give a "
            "longer recording",
            reason=f"shorter than {seconds} s",
        )
    if facts.swing < MIN_PEAK:
        raise RecordingError(
            f"{path} is silent (peak below -80 dBFS): remove it or record it louder",
            reason="silent",
        )
    if facts.peak > STRAY_PEAK:
        _refuse_stray(path, sound, facts.peak)
    return facts


def _refuse_stray(path: Path, sound: sf.SoundFile, peak: float) -> None:
    """Raises a `RecordingError` if hardly any sample comes near the peak."""
    n_samples = n_near = 0
    place = None
    for block in read_blocks(sound):
        samples = np.abs(block).max(axis=1)
        if place is None and samples.max() >= peak:
            place = n_samples + int(samples.argmax())
        n_near += int(np.count_nonzero(samples > peak / STRAY_RATIO))
        n_samples += len(samples)
    if n_near < STRAY_SHARE * n_samples:
        raise RecordingError(
            f"{path}: sample {place} is {peak:.3g} times full scale, and {n_near} of {n_samples} "
            f"samples are above a {STRAY_RATIO}th of it: remove it, or export the recording again",
            reason="a sample far above all others",
        )
