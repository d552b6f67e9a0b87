"""Any score plays alike on host, in the emulator and in Python, and ends."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.performances import play
from support.small_player import NOISE, PATCH_NAMES, control, off, on

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.patch_files import load_patch
from pipeline.reference import device, frame
from pipeline.reference.fm import FixedVoice
from pipeline.reference.limiter import limit
from pipeline.reference.noise import noise_gains, noise_pcm, to_fixed_noise
from pipeline.target.player import Performance, Score, perform, stretches

pytestmark = pytest.mark.firmware

SUSTAIN, SOSTENUTO = 64, 66
CONTROLS = [1, 2, 5, 6, 7, 11, 33, 38, 64, 65, 66, 67, 74, *range(96, 102)]
CONTROLS += [120, 121, 123, 126, 127]
CHANNELS = [0, 1, 9, 15]


def simulate(performance: Performance, model: Path) -> np.ndarray:
    """Simulates the device with the frames that the player gave to its voices."""
    mix = np.zeros(len(performance.pcm), np.int64)
    for stretch in stretches(performance):
        patch = load_patch(PATCH_NAMES[stretch.preset])
        levels = device.simulate(model, patch, NOISE, stretch.frames).levels_q32
        f0_hz, loudness_db = frame.clamp_frames(stretch.frames).T
        noise = to_fixed_noise(NOISE)
        gains = noise_gains(noise, frame.log2_float32(f0_hz), loudness_db, levels)
        if stretch.is_faded:
            levels[-1] = gains[..., -1] = 0
        sound = FixedVoice(patch).render(f0_hz, levels)
        sound = sound + noise_pcm(noise, gains, voice=stretch.voice)
        sound = np.clip(sound, -FULL_SCALE, FULL_SCALE - 1)
        begin = stretch.block * HOP_SAMPLES
        mix[begin : begin + len(sound)] += sound
    return limit(mix)


message = st.one_of(
    st.tuples(st.just(0x90), st.integers(40, 90), st.integers(0, 127)),
    st.tuples(st.just(0x80), st.integers(40, 90), st.just(0)),
    st.tuples(st.just(0xA0), st.integers(40, 90), st.integers(0, 127)),
    st.tuples(st.just(0xD0), st.integers(0, 127)),
    st.tuples(
        st.just(0xB0),
        st.sampled_from(CONTROLS),
        st.one_of(st.integers(0, 2), st.integers(0, 127)),
    ),
    st.tuples(st.just(0xC0), st.integers(0, 4)),
    st.tuples(st.just(0xE0), st.integers(0, 127), st.integers(0, 127)),
)
random_score = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.tuples(message, st.sampled_from([0, 0, *CHANNELS])).map(
            lambda drawn: bytes([drawn[0][0] | drawn[1], *drawn[0][1:]])
        ),
    ),
    min_size=1,
    max_size=60,
)


def absolute(score: list[tuple[int, bytes]]) -> Score:
    blocks = np.cumsum([delta for delta, _ in score])
    return [(int(block), part) for block, (_, part) in zip(blocks, score, strict=True)]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_score)
def test_host_emulator_and_python_render_any_score_to_the_same_samples(players, model, score):
    events = absolute(score)
    end = events[-1][0] + 100
    host = play(players["poly"], events, end)
    emulated = play(players["qemu_m4"], events, end)
    np.testing.assert_array_equal(host.trace, emulated.trace)
    np.testing.assert_array_equal(host.pcm, emulated.pcm)
    np.testing.assert_array_equal(host.pcm, simulate(host, model))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_score)
def test_no_note_sounds_after_all_keys_and_the_pedal_are_released(players, score):
    events = absolute(score)
    end = events[-1][0]
    ends = [*map(off, range(128)), control(SUSTAIN, 0), control(SOSTENUTO, 0)]
    lifted = [(end, bytes([one[0] | channel, *one[1:]])) for channel in CHANNELS for one in ends]
    for name in ("mono", "poly"):
        played = perform(players[name], [*events, *lifted, (end + 1250, control(7, 100))])
        assert played.report["n_sounding"] == 0
        assert not len(played.trace) or played.trace["block"].max() < end + 1000


def test_stack_of_the_player_is_bounded(players):
    """Measures the painted stack of the emulated Cortex-M4F, including file access."""
    score = [(i, on(40 + i % 50)) for i in range(100)]
    assert 0 < play(players["qemu_m4"], score, 120).report["stack_bytes"] < 1536
