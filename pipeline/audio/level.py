"""Calibrates level: one gain brings the loud notes of every source to `CALIBRATED_LEVEL_DB`.

The network reads absolute loudness and learns from it how bright a note is. Recordings differ in
level by the microphone, its distance and the gain, which say nothing about how loud was played, so
the level is taken out before anything is learnt, played or compared.

The level is the 95th percentile of the A-weighted loudness over the frames that sound and have a
clear pitch. It is measured over a source, whose recordings share a microphone and a gain, so that
soft and loud notes stay apart. A real recording with enough notes of its own is measured alone. A
single long note is not, because it only shows how loud that note was played, and a rendered
recording is not, because a sound set renders all music at one level.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.audio.analysis import Analysis
from pipeline.audio.digital_silence import silent_runs
from pipeline.audio.features import Features, Floats, a_weighted_loudness
from pipeline.audio.pcm import PIECE, Pcm, from_pcm, to_pcm
from pipeline.audio.pitch import hz_to_note
from pipeline.audio.recording_checks import audible_frames
from pipeline.audio.recordings import Recording
from pipeline.audio.samples import Samples
from pipeline.core.constants import CALIBRATED_LEVEL_DB, FRAME_RATE
from pipeline.core.instrument_config import DataConfig

PERCENTILE = 95
MIN_PITCHED_FRAMES = 5  # 20 ms; with fewer, the level is not known
OWN_FRAMES = 10 * FRAME_RATE  # a recording with so many pitched frames ...
OWN_NOTES = 5  # ... on so many notes, each of them for a tenth of a second, is measured alone
NOTE_FRAMES = FRAME_RATE // 10


@dataclass(frozen=True)
class Gains:
    """The gains of recordings in dB.

    Attributes:
        sources: Gain of every source, by its name.
        recordings: Gain of every recording that was measured alone, by its name.
    """

    sources: dict[str, float]
    recordings: dict[str, float]

    def of(self, recording: Recording) -> float:
        """Returns the gain of a recording in dB."""
        return self.of_name(recording.source, recording.name)

    def of_name(self, source: str, name: str) -> float:
        """Returns the gain in dB of a recording, or of a clip that joins notes of a source."""
        return self.recordings.get(name, self.sources[source])


def describe_gain(gain_db: float, own_gains_db: Collection[float]) -> str:
    """Describes the gains of a source, such as "gain -2.0 dB (1 recording has +1.0 dB)".

    Args:
        gain_db: Gain of the source.
        own_gains_db: Gains of its recordings that were measured alone.
    """
    text = f"gain {gain_db:+.1f} dB"
    if not own_gains_db:
        return text
    noun = "1 recording has" if len(own_gains_db) == 1 else f"{len(own_gains_db)} recordings have"
    ends = dict.fromkeys(f"{end:+.1f}" for end in (min(own_gains_db), max(own_gains_db)))
    return f"{text} ({noun} {' to '.join(ends)} dB)"


def find_gains(
    measured: Iterable[tuple[Recording, Features]],
    config: DataConfig,
    *,
    chains: Sequence[Sequence[Recording]] = (),
) -> Gains:
    """Finds the gain that brings each recording to `CALIBRATED_LEVEL_DB`.

    Args:
        measured: The recordings and their features as recorded.
        config: Which frames sound and have a clear pitch; with ``level = "as recorded"``, all gains
            are 0.
        chains: Recordings that continue each other, one list per chain, which is measured as one.

    Returns:
        The gains, rounded to 0.1 dB; 0 for a source without pitched sound.
    """
    first_of = {part.name: chain[0].name for chain in chains for part in chain}
    by_source: dict[str, list[Features]] = {}
    by_chain: dict[str, list[Features]] = {}
    names: dict[str, list[str]] = {}
    for recording, features in measured:
        pitched = pitched_frames(features, config)
        by_source.setdefault(recording.source, []).append(pitched)
        if recording.real:
            chain = first_of.get(recording.name, recording.name)
            by_chain.setdefault(chain, []).append(pitched)
            names.setdefault(chain, []).append(recording.name)
    if config.level == "as recorded":
        return Gains(dict.fromkeys(by_source, 0.0), {})
    return Gains(
        sources={name: _gain_db(parts) for name, parts in by_source.items()},
        recordings={
            name: _gain_db(parts)
            for chain, parts in by_chain.items()
            if _is_enough(parts)
            for name in names[chain]
        },
    )


def pitched_frames(features: Features, config: DataConfig) -> Features:
    """Returns the features of the frames that sound and have a clear pitch."""
    clear = features.confidence >= config.confidence_threshold
    chosen = clear & audible_frames(features, config)
    return Features(**{name: values[chosen] for name, values in vars(features).items()})


def level_db(pitched: Sequence[Features]) -> float | None:
    """Returns the level in dB of sound.

    Args:
        pitched: Its pitched frames, from `pitched_frames`, in any number of parts.

    Returns:
        None if there are fewer than `MIN_PITCHED_FRAMES`.
    """
    loudness_db = np.concatenate([part.loudness_db for part in pitched])
    if len(loudness_db) < MIN_PITCHED_FRAMES:
        return None
    return float(np.percentile(loudness_db, PERCENTILE))


def _gain_db(pitched: Sequence[Features]) -> float:
    level = level_db(pitched)
    return 0.0 if level is None else round(CALIBRATED_LEVEL_DB - level, 1)


def _is_enough(pitched: Sequence[Features]) -> bool:
    """Whether a recording shows its level by itself, because it has time and notes enough."""
    notes = np.round(hz_to_note(np.concatenate([part.f0_hz for part in pitched])))
    counts = np.unique(notes, return_counts=True)[1]
    return len(notes) >= OWN_FRAMES and int((counts >= NOTE_FRAMES).sum()) >= OWN_NOTES


def amplify(audio: npt.ArrayLike, gain_db: float) -> Floats:
    """Amplifies samples in [-1, 1], any shape, without limiting them; float32."""
    return np.asarray(audio, np.float32) * _factor(gain_db)


def _factor(gain_db: float) -> np.float32:
    return np.float32(10 ** (gain_db / 20))


def calibrate_audio(audio: Floats, gain_db: float) -> Floats:
    """Amplifies a recording, shape [n], and makes its digital silence zero, so that it stays so."""
    return _Calibrated(audio.astype(np.float32), gain_db)[:]


class _Calibrated:
    """A recording after a gain, of which slices are computed."""

    dtype = np.dtype(np.float32)

    def __init__(self, audio: Floats | Pcm, gain_db: float) -> None:
        self._audio, self._factor = audio, _factor(gain_db)
        self._silent = silent_runs(audio)

    def __len__(self) -> int:
        return len(self._audio)

    def __getitem__(self, part: slice, /) -> Floats:
        start, stop, _ = part.indices(len(self))
        samples = _as_floats(self._audio[start:stop]) * self._factor
        reached = (self._silent[:, 1] > start) & (self._silent[:, 0] < stop)
        for first, last in self._silent[reached] - start:
            samples[max(first, 0) : last] = 0
        return samples


def _as_floats(audio: Floats | Pcm) -> Floats:
    if audio.dtype == np.int16:
        return from_pcm(np.asarray(audio, np.int16))
    return np.asarray(audio, np.float32)


def calibrate_features(features: Features, calibrated: Samples) -> Features:
    """Returns the features of a recording after a gain, which only change in loudness.

    Loudness is measured again instead of shifted, because it was not known below -80 dB.

    Args:
        features: Features of the recording before the gain.
        calibrated: Its samples after the gain, from `calibrate_audio`.
    """
    return replace(features, loudness_db=a_weighted_loudness(calibrated))


def calibrate(take: Analysis, gain_db: float) -> Analysis:
    """Returns an analysed recording after a gain; samples beyond full scale saturate."""
    if gain_db == 0:
        return take
    features = calibrate_features(take.features, _Calibrated(take.audio, gain_db))
    return replace(take, stored=calibrate_pcm(take.audio, gain_db), features=features)


def calibrate_pcm(audio: Pcm, gain_db: float) -> Pcm:
    """Returns the samples of a recording after a gain, as `calibrate` does, in pieces."""
    if gain_db == 0:
        return audio
    calibrated = _Calibrated(audio, gain_db)
    samples = np.empty(len(audio), np.int16)
    for start in range(0, len(samples), PIECE):
        samples[start : start + PIECE] = to_pcm(calibrated[start : start + PIECE])
    return samples
