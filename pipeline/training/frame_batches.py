"""Batches of frames that a teacher has labelled: those of a data set, and variations of them.

The teacher labels any frames, so variations are as good as other recordings. Their pitch moves in
steps, as over MIDI, and each has another loudness. Crops are short, because frames of the same note
are almost equal: four times as many crops of 20 frames instead of 128 took a reduced trumpet's tiny
student of 2 x 16 channels from 3.2 to 1.2 dB in 4 000 steps of less sound.
"""

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.audio.pitch import hz_to_note
from pipeline.core.constants import CONTEXT_FRAMES, GATE_OPEN_DB, LOUDNESS_RANGE_DB, MAX_NOTE
from pipeline.core.instrument_config import DataConfig, TcnConfig, TrainConfig
from pipeline.training.dataset import draw_batch, prepend_past, scaled
from pipeline.training.dataset_arrays import FEATURES, LIVE, Arrays, has_live

VARIED_SHARE = 0.25  # share of the crops that come from varied clips
LARGEST_STEP = 4.0  # semitones by which a note of a varied clip differs
LARGEST_GAIN_DB = 6.0  # of a varied clip
NOTE_FRAMES = 125  # mean length of a note of a varied clip: half a second
SILENCE = 1 + GATE_OPEN_DB / LOUDNESS_RANGE_DB  # scaled loudness; softer frames stay as they are
LABEL_BATCH = 16  # clips
Floats = npt.NDArray[np.float32]


def clip_features(dataset: Arrays, *, live: bool) -> Floats:
    """Returns the scaled features of all clips, each after its past.

    Args:
        dataset: From `pipeline.training.dataset.load_dataset`.
        live: Whether to append the clips from live features, if the data set has them.

    Returns:
        Shape [n_clips, 124 + n_frames, 2].
    """
    features = prepend_past(dataset, CONTEXT_FRAMES)
    if not (live and has_live(dataset)):
        return features
    measured = scaled({name: dataset[LIVE + name] for name in FEATURES})
    return np.concatenate([features, prepend_past(measured, CONTEXT_FRAMES)])


def vary_features(features: Floats, config: DataConfig, random: np.random.Generator) -> Floats:
    """Returns clips in other keys and dynamics, within the range of the instrument.

    Args:
        features: From `clip_features`.
        config: The range of pitch.
        random: Draws the variations.

    Returns:
        The shape of `features`.
    """
    lowest, highest = hz_to_note(np.array([config.f0_min_hz, config.f0_max_hz])) / MAX_NOTE
    pitch, loudness = features[..., 0], features[..., 1]
    begins = random.random(pitch.shape) < 1 / NOTE_FRAMES
    note = np.cumsum(begins, axis=1, dtype=np.intp)
    steps = random.uniform(-LARGEST_STEP, LARGEST_STEP, (len(pitch), note.max(initial=0) + 1))
    moved = pitch + np.take_along_axis(steps, note, axis=1) / MAX_NOTE
    gains_db = random.uniform(-LARGEST_GAIN_DB, LARGEST_GAIN_DB, (len(loudness), 1))
    louder = np.clip(loudness + gains_db / LOUDNESS_RANGE_DB, 0, 1)
    loudness = np.where(loudness > SILENCE, louder, loudness)
    return np.stack([np.clip(moved, lowest, highest), loudness], axis=-1, dtype=np.float32)


def label_features(teacher: keras.Model, features: Floats) -> npt.NDArray[np.float16]:
    """Returns a network's logits for clips after their past, in half precision.

    Args:
        teacher: The network.
        features: From `clip_features` or `vary_features`.

    Returns:
        Shape [n_clips, n_frames, 6].
    """
    labels = []
    for first in tqdm(range(0, len(features), LABEL_BATCH), desc="levels", disable=None):
        found = teacher.predict_on_batch(features[first : first + LABEL_BATCH])
        labels.append(found[:, CONTEXT_FRAMES:].astype(np.float16))
    return np.concatenate(labels)


class FrameBatches(keras.utils.PyDataset):
    """The batches of a training; each depends on the seed and its number alone.

    A batch is the student's input, standardized, shape [batch, n_past + n_frames, 2], and the
    target, shape [batch, n_frames, 8]: the teacher's logits and the features.

    Attributes:
        mean: Mean of the features, shape [2].
        deviation: Standard deviation of the features, shape [2].
    """

    def __init__(
        self,
        teacher: keras.Model,
        dataset: Arrays,
        config: DataConfig,
        tcn: TcnConfig,
        train: TrainConfig,
    ) -> None:
        """Labels the clips of a data set and their variations.

        Args:
            teacher: The teacher's network.
            dataset: Clips for training alone.
            config: The range of pitch of the variations.
            tcn: Shape of the student.
            train: How the student is trained.
        """
        super().__init__()
        features = clip_features(dataset, live=train.live_share > 0)
        random = np.random.default_rng(train.seed)
        self._features = np.concatenate([features, vary_features(features, config, random)])
        self._logits = label_features(teacher, self._features)
        self._dataset, self._train = dataset, train
        self._n_clips, self._n_past = len(features), tcn.receptive_field - 1
        self.mean, self.deviation = (
            np.asarray(f(features, axis=(0, 1), dtype=np.float64)) for f in (np.mean, np.std)
        )

    def __len__(self) -> int:
        """Returns the number of steps."""
        return self._train.steps

    def __getitem__(self, step: int) -> tuple[Floats, Floats]:
        """Returns input and target of a step."""
        clips, starts = draw_batch(self._dataset, self._train, step)
        random = np.random.default_rng([self._train.seed, step, self._train.batch_size])
        is_varied = random.random(len(clips)) < VARIED_SHARE
        rows = (clips + self._n_clips * is_varied)[:, None]
        frames = starts[:, None] + np.arange(-self._n_past, self._train.crop_frames)
        features = self._features[rows, CONTEXT_FRAMES + frames]
        logits = self._logits[rows, frames[:, self._n_past :]]
        target = np.concatenate([logits, features[:, self._n_past :]], axis=-1, dtype=np.float32)
        return self.standardize(features), target

    def standardize(self, features: Floats) -> Floats:
        """Returns features with mean 0 and deviation 1, as the student learns from."""
        return np.asarray((features - self.mean) / self.deviation, np.float32)
