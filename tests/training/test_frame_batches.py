"""A tiny student learns from frames of the data set and varied ones, which a teacher labels."""

import dataclasses

import numpy as np
import pytest
from support.tone_dataset import INSTRUMENT

from pipeline.core.constants import CONTEXT_FRAMES
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.profiles import TINY_TRAINING
from pipeline.model.inputs import scale_features
from pipeline.model.tcn import build_tcn
from pipeline.training.frame_batches import FrameBatches, clip_features, vary_features

TEACHER = TcnConfig(n_blocks=3, hidden_channels=4)
TINY = TcnConfig(n_blocks=2, hidden_channels=4, kernel_size=2)


@pytest.fixture(scope="module")
def teacher():
    return build_tcn(TEACHER, seed=3)


def make_batches(teacher, dataset, **changes):
    training = dataclasses.replace(TINY_TRAINING, batch_size=5, crop_frames=40, **changes)
    return FrameBatches(teacher, dataset, INSTRUMENT.data, TINY, training)


def test_target_is_what_the_teacher_answers_to_the_frames_of_the_input(teacher, dataset):
    train = {name: array[dataset["split"] == 0] for name, array in dataset.items()}
    batches = make_batches(teacher, train)
    n_past = TINY.receptive_field - 1
    for step in range(3):
        inputs, target = batches[step]
        assert inputs.shape == (5, n_past + 40, 2) and target.shape == (5, 40, 8)
        frames = inputs * batches.deviation + batches.mean
        np.testing.assert_allclose(frames[:, n_past:], target[..., 6:], atol=1e-6)
        # Only the last frames of a crop have all of the teacher's context in it.
        answered = np.asarray(teacher(frames.astype(np.float32)))
        n_known = n_past + 40 - TEACHER.receptive_field + 1
        np.testing.assert_allclose(answered[:, -n_known:], target[:, -n_known:, :6], atol=5e-3)


def test_batches_depend_on_seed_and_step_alone(teacher, dataset):
    first, second = (make_batches(teacher, dataset, seed=4) for _ in range(2))
    for step in (7, 2, 7):
        for one, other in zip(first[step], second[step], strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[2][0], first[7][0])
    assert not np.array_equal(first[2][0], make_batches(teacher, dataset, seed=5)[2][0])


def test_live_features_are_learnt_from_where_they_are(teacher, dataset, live_dataset):
    features = clip_features(live_dataset, live=True)
    n_clips = len(live_dataset["split"])
    np.testing.assert_array_equal(features[:n_clips], clip_features(dataset, live=True))
    octave = features[n_clips:, CONTEXT_FRAMES:, 0] - features[:n_clips, CONTEXT_FRAMES:, 0]
    np.testing.assert_allclose(octave, 12 / 127, atol=1e-6)
    live_only = make_batches(teacher, live_dataset, live_share=1.0)
    _, target = live_only[0]
    loudest = scale_features(440, live_dataset["live_loudness_db"].max())[..., 1]
    assert target[..., 7].max() <= loudest + 6 / 80 + 1e-6


def test_variations_keep_silence_and_stay_in_the_range_of_the_instrument(dataset):
    features = np.tile(clip_features(dataset, live=False), (5, 1, 1))
    features[:, 300:400, 1] = 0.0
    varied = vary_features(features, INSTRUMENT.data, np.random.default_rng(0))
    assert varied.shape == features.shape and varied.dtype == np.float32
    assert np.all(varied[:, 300:400, 1] == 0)
    bounds_hz = [INSTRUMENT.data.f0_min_hz, INSTRUMENT.data.f0_max_hz]
    lowest, highest = scale_features(bounds_hz, [0.0, 0.0])[:, 0]
    assert lowest <= varied[..., 0].min() and varied[..., 0].max() <= highest
    # Loudness moves by one gain per clip, and pitch in steps of about half a second.
    gain_db = 80 * (varied[:, 500:, 1] - features[:, 500:, 1])
    assert np.ptp(gain_db, axis=-1).max() < 1e-3 and 4 < np.abs(gain_db).max() <= 6
    steps = 127 * np.diff(varied[..., 0] - features[..., 0], axis=-1)
    n_steps = (np.abs(steps) > 1e-3).sum(axis=-1)
    assert 4 < n_steps.mean() < 13 and 4 < np.abs(steps).max() <= 8
