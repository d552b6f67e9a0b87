"""Batches: which crops are drawn, and what they contain."""

import dataclasses

import numpy as np
import pytest
from support.tone_dataset import settings

from pipeline.core.constants import CLIP_FRAMES, TEST, TRAIN
from pipeline.core.instrument_config import TcnConfig
from pipeline.model.ddx7 import Ddx7
from pipeline.training.dataset import (
    LEAD_FRAMES,
    crop_clips,
    draw_batch,
    drop_lead,
    model_inputs,
    training_inputs,
)


def test_batches_depend_only_on_seed_and_step_and_contain_only_training_clips(dataset):
    config = settings(batch_size=8).train
    for step in (0, 1, 12345):
        clips, starts = draw_batch(dataset, config, step)
        again = draw_batch(dataset, config, step)
        np.testing.assert_array_equal(clips, again[0])
        np.testing.assert_array_equal(starts, again[1])
        assert (dataset["split"][clips] == TRAIN).all()
        assert (starts + config.crop_frames <= CLIP_FRAMES).all()


def shares_of_sources(n_clips: dict[str, int], rendered: set[str], **changes) -> dict[str, float]:
    """Draws 300 batches of 8 and returns the mean number of clips of each source."""
    names = np.repeat(list(n_clips), list(n_clips.values()))
    dataset = {
        "split": np.where(names == "held out", TEST, TRAIN),
        "source": names,
        "real": ~np.isin(names, list(rendered)),
        "n_valid_frames": np.full(len(names), CLIP_FRAMES),
    }
    counts = dict.fromkeys(n_clips, 0)
    for step in range(300):
        clips, _ = draw_batch(dataset, settings(batch_size=8, **changes).train, step)
        assert len(clips) == 8
        for name, pool in n_clips.items():
            own = clips[names[clips] == name]
            counts[name] += len(own)
            assert len(own) > pool or len(np.unique(own)) == len(own), "a clip was drawn twice"
    return {name: count / 300 for name, count in counts.items()}


def test_every_source_has_the_same_share_of_the_batches():
    found = shares_of_sources({"long": 90, "short": 9, "tiny": 1, "held out": 50}, set())
    assert found.pop("held out") == 0
    assert all(value == pytest.approx(8 / 3, abs=0.15) for value in found.values()), found


@pytest.mark.parametrize(
    ("share", "rendered", "recorded"), [(0.1, 0.8, 7.2), (0.5, 4, 4), (0, 0, 8)]
)
def test_rendered_sources_have_their_share_beside_recordings(share, rendered, recorded):
    n_clips = {"a": 60, "b": 40, "set 1": 90, "set 2": 30}
    found = shares_of_sources(n_clips, {"set 1", "set 2"}, rendered_share=share)
    for name in ("a", "b"):
        assert found[name] == pytest.approx(recorded / 2, abs=0.15)
    for name in ("set 1", "set 2"):
        assert found[name] == pytest.approx(rendered / 2, abs=0.15)


@pytest.mark.parametrize("rendered", [set(), {"a", "b"}], ids=["recorded", "rendered"])
def test_rendered_share_matters_only_beside_recordings(rendered):
    found = shares_of_sources({"a": 60, "b": 40}, rendered, rendered_share=0.1)
    assert found == {"a": pytest.approx(4, abs=0.15), "b": pytest.approx(4, abs=0.15)}


def test_share_of_the_crops_is_played_from_live_features(dataset, live_dataset):
    n_clips = len(dataset["split"])
    n_live = 0
    for step in range(200):
        plain = draw_batch(dataset, settings(batch_size=8).train, step)
        without = draw_batch(live_dataset, settings(batch_size=8, live_share=0.0).train, step)
        mixed = draw_batch(live_dataset, settings(batch_size=8, live_share=0.25).train, step)
        np.testing.assert_array_equal(without, plain)
        np.testing.assert_array_equal(mixed[0] % n_clips, plain[0])
        np.testing.assert_array_equal(mixed[1], plain[1])
        n_live += np.count_nonzero(mixed[0] >= n_clips)
    assert n_live == pytest.approx(0.25 * 200 * 8, abs=50)


def test_crop_from_live_features_has_their_inputs_and_the_same_recording(live_dataset):
    config, n_clips = settings(), len(live_dataset["split"])
    inputs = training_inputs(live_dataset, config)
    arrays = {"audio": live_dataset["audio"], "sounding": live_dataset["sounding"], **inputs}
    starts = np.array([40, 40], np.int32)
    batch = crop_clips(arrays, np.array([3, n_clips + 3], np.int32), starts, 50)
    audio, features, phase = (np.asarray(batch[name]) for name in ("audio", "features", "phase"))
    np.testing.assert_array_equal(audio[1], audio[0])
    assert np.abs(audio[0]).max() > 0.01
    octave, softer = (features[1] - features[0])[-50:].T
    np.testing.assert_allclose(octave, octave[0], atol=1e-5)
    np.testing.assert_allclose(softer, -9 / 80, atol=1e-5)
    advance = np.diff(phase.view(np.uint32), axis=1).astype(np.int64)
    np.testing.assert_allclose(advance[1], 2 * advance[0] % 2**32, rtol=1e-6)
    without_live = training_inputs(live_dataset, settings(live_share=0.0))
    for each in (model_inputs(live_dataset, config), without_live):
        assert each["phase"].shape[0] == n_clips


def test_crops_are_matching_slices_of_features_and_samples(dataset):
    clips, starts = np.array([3, 0], np.int32), np.array([5, 400], np.int32)
    config = dataclasses.replace(settings(), tcn=TcnConfig(n_blocks=2, hidden_channels=4))
    n_before = config.tcn.receptive_field - 1 + LEAD_FRAMES
    inputs = model_inputs(dataset, config)
    arrays = {"audio": dataset["audio"], "sounding": dataset["sounding"], **inputs}
    batch = {
        name: np.asarray(value) for name, value in crop_clips(arrays, clips, starts, 50).items()
    }
    before = batch["features"][0, :n_before]
    assert (before[: n_before - 5, 1] == 0).all()  # silence before the clip
    np.testing.assert_array_equal(before[n_before - 5 :], dataset["features"][3, :5])
    for row, (clip, start) in enumerate(zip(clips, starts, strict=True)):
        np.testing.assert_array_equal(
            batch["features"][row, n_before:], dataset["features"][clip, start : start + 50]
        )
        samples = slice(start * 64, (start + 50) * 64)
        np.testing.assert_array_equal(batch["audio"][row], dataset["audio"][clip, samples])
        led = slice(start * 64, (start + 50 + LEAD_FRAMES) * 64)
        np.testing.assert_array_equal(batch["phase"][row], inputs["phase"][clip, led])


def test_crop_within_a_note_is_a_slice_of_the_whole_rendering(dataset):
    """Neither the network, the levels nor the noise fade in where a crop begins."""
    config = settings()
    model = Ddx7(config)
    arrays = {"sounding": dataset["sounding"], **model_inputs(dataset, config)}
    clip = np.array([2], np.int32)
    whole, crop = (
        np.asarray(
            drop_lead(model(crop_clips(arrays, clip, np.array([start], np.int32), n)))["dry"]
        )
        for start, n in ((0, CLIP_FRAMES), (300, 100))
    )
    np.testing.assert_allclose(crop[0], whole[0, 300 * 64 : 400 * 64], atol=1e-5)
    assert np.abs(crop).max() > 0.01
