"""Features of sounds with known pitch, level and timing, and of files that are not music."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sounds import make_curve_tone

from pipeline.audio.features import a_weighted_loudness, extract_features
from pipeline.audio.loading import load_audio
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE

Floats = npt.NDArray[np.float32]


def cents(measured: Floats, true: Floats | float) -> Floats:
    return (1200 * np.log2(measured / true)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    midi=st.floats(min_value=36, max_value=96),
    partials=st.integers(min_value=1, max_value=20),
    level=st.floats(min_value=0.003, max_value=1.0),
)
def test_every_frame_of_a_tone_has_its_pitch_within_5_cents(
    midi: float, partials: int, level: float
) -> None:
    f0_hz = 440 * 2 ** ((midi - 69) / 12)
    features = extract_features(
        make_curve_tone(f0_hz, 0.5, partials, level), f0_min_hz=60, f0_max_hz=2300
    )
    assert np.abs(cents(features.f0_hz, f0_hz)).max() < 5
    assert features.confidence.min() > 0.97


def test_pitch_follows_vibrato_without_delay() -> None:
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    curve = (880 * 2 ** (0.3 / 12 * np.sin(2 * np.pi * 5.5 * time))).astype(np.float32)
    measured = extract_features(make_curve_tone(curve, 2.0), f0_min_hz=230, f0_max_hz=2300).f0_hz

    def error_cents(shift_frames: int) -> float:
        ends = np.clip(
            HOP_SAMPLES * (np.arange(len(measured)) + 1 + shift_frames), 0, len(curve) - 1
        )
        return float(np.abs(cents(measured, curve[ends]))[20:-20].mean())

    assert error_cents(0) < 3
    assert error_cents(0) < min(error_cents(-1), error_cents(1))


def test_pitch_jumps_appear_once_at_the_right_frame() -> None:
    audio = np.concatenate(
        [make_curve_tone(523.25), make_curve_tone(1046.5), make_curve_tone(392.0)]
    )
    f0_hz = extract_features(audio, f0_min_hz=230, f0_max_hz=2300).f0_hz
    jumps = np.flatnonzero(np.abs(np.diff(np.log2(f0_hz))) > 0.1)
    assert len(jumps) == 2
    assert np.abs(jumps - [250, 500]).max() <= 6  # 24 ms


def sines(f0_hz: float, amplitudes: dict[int, float]) -> Floats:
    """Returns a second of partials with the amplitudes that are given by their numbers."""
    n = np.arange(SAMPLE_RATE)
    waves = (a * np.sin(2 * np.pi * f0_hz * k * n / SAMPLE_RATE) for k, a in amplitudes.items())
    return (0.2 * sum(waves)).astype(np.float32)


def test_missing_fundamental_is_found_as_the_pitch() -> None:
    audio = sines(250, dict.fromkeys((2, 3, 4, 5), 1.0))
    features = extract_features(audio, f0_min_hz=180, f0_max_hz=2300)
    assert np.abs(cents(features.f0_hz, 250)).max() < 5


def test_overtones_on_the_slope_of_a_strong_fundamental_are_no_pitch() -> None:
    levels_db = {1: 0, 2: -14, 3: -18, 4: -17, 5: -23, 7: -22, 10: -24, 15: -21, 31: -16}
    audio = sines(82.4, {k: 10 ** (level_db / 20) for k, level_db in levels_db.items()})
    features = extract_features(audio, f0_min_hz=60, f0_max_hz=2300)
    assert np.abs(cents(features.f0_hz, 82.4)).max() < 5


def test_hum_that_is_as_strong_as_a_note_does_not_hide_its_pitch() -> None:
    audio = sines(1047, {k: 1 / k for k in range(1, 7)}) + sines(50, {1: 1.25})
    features = extract_features(audio, f0_min_hz=60, f0_max_hz=2300)
    assert np.abs(cents(features.f0_hz, 1047)).max() < 5


def test_pitch_is_held_during_rests_and_noise() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, SAMPLE_RATE).astype(np.float32)
    silence = np.zeros(SAMPLE_RATE, dtype=np.float32)
    audio = np.concatenate([silence, make_curve_tone(440), noise, make_curve_tone(660), silence])
    features = extract_features(audio, f0_min_hz=230, f0_max_hz=2300)
    assert np.abs(cents(features.f0_hz[260:490], 440)).max() < 5
    assert np.abs(cents(features.f0_hz[760:990], 660)).max() < 5
    # The held pitch was measured on the few periods at the edge of a tone.
    assert np.abs(cents(features.f0_hz[:250], 440)).max() < 30
    assert np.abs(cents(features.f0_hz[510:740], 440)).max() < 30
    assert np.abs(cents(features.f0_hz[1010:], 660)).max() < 30
    assert features.confidence[510:740].mean() < 0.5
    assert features.confidence[:200].max() == 0


@pytest.mark.parametrize("rumble_hz", [30, 55])
def test_rumble_below_the_range_does_not_disturb_the_pitch(rumble_hz: float) -> None:
    audio = make_curve_tone(440, level=0.1) + make_curve_tone(rumble_hz, partials=1, level=0.4)
    features = extract_features(audio, f0_min_hz=230, f0_max_hz=2300)
    assert np.abs(cents(features.f0_hz, 440)).max() < 10
    assert features.confidence.min() > 0.9


@pytest.mark.parametrize(  # IEC 61672-1, table of frequency weightings, at exact frequencies
    ("band", "a_weighting_db"),
    [(20, -19.1), (24, -8.6), (27, -3.2), (30, 0.0), (33, 1.2), (36, 1.0), (38, -0.1)],
)
def test_loudness_follows_the_a_curve(band: int, a_weighting_db: float) -> None:
    frequency_hz = 10 ** (band / 10)
    n = np.arange(SAMPLE_RATE)
    for level_db in (-6.0, -40.0):
        level = 10 ** (level_db / 20)
        sine = (level * np.sin(2 * np.pi * frequency_hz * n / SAMPLE_RATE)).astype(np.float32)
        expected = level_db + a_weighting_db
        assert a_weighted_loudness(sine)[40:-40] == pytest.approx(expected, abs=0.1)


def test_a_full_scale_1_khz_sine_is_0_db_and_silence_is_minus_80() -> None:
    assert a_weighted_loudness(make_curve_tone(1000, partials=1, level=1.0)) == pytest.approx(
        0, abs=0.1
    )
    assert (a_weighted_loudness(np.zeros(1000, dtype=np.float32)) == -80).all()


def test_step_in_level_appears_at_its_frame() -> None:
    level = np.repeat([0.01, 0.1], SAMPLE_RATE)
    loudness_db = a_weighted_loudness(
        (level * make_curve_tone(1000, 2.0, 1, 1.0)).astype(np.float32)
    )
    power = 10 ** (loudness_db / 10)
    middle = (power[0] + power[-1]) / 2
    assert abs(int(np.argmax(power > middle)) - 249) <= 1  # frame 249 is centred on the step


def silenced(audio: Floats, *gaps: tuple[int, int]) -> Floats:
    """Returns a copy with gaps of digital silence, whose samples reach the last bit."""
    copy = audio.copy()
    for start, stop in gaps:
        copy[start:stop] = np.resize([0.0, 1 / 32768, -1 / 32768, 0.0, 0.0], stop - start)
    return copy


@settings(max_examples=20, deadline=None)
@given(start=st.integers(4000, 6000), n=st.integers(800, 4000))
def test_loudness_falls_within_50_ms_of_digital_silence_until_sound_begins(
    start: int, n: int
) -> None:
    tone = make_curve_tone(440, 1.0, level=0.1)
    before, found = (a_weighted_loudness(x) for x in (tone, silenced(tone, (start, start + n))))
    ends = HOP_SAMPLES * (1 + np.arange(len(found)))
    in_gap = (ends > start) & (ends - HOP_SAMPLES < start + n)  # blocks that begin before its end
    assert (found[in_gap & (ends >= start + 720)] == -80).all()
    assert np.diff(found[in_gap]).max() <= 0  # no rise before the next onset
    assert found[ends - HOP_SAMPLES >= start + n][0] > before[0] - 10  # which it does not soften
    np.testing.assert_array_equal(
        found[(ends < start - 1024) | (ends > start + n + 1024)],
        before[(ends < start - 1024) | (ends > start + n + 1024)],
    )
    fall = found[(ends > start - 64) & (ends <= start + 640)]
    assert np.diff(fall).min() > -8  # dB per frame


def test_digital_silence_at_the_ends_is_at_the_floor() -> None:
    tone = make_curve_tone(440, 1.0, level=0.1)
    found = a_weighted_loudness(silenced(tone, (0, 2000), (10_000, 16_000)))
    assert (found[:32] == -80).all() and found[32] > -40
    assert (found[167:] == -80).all() and found[156] > -40


def test_shorter_gaps_and_quiet_sound_keep_their_loudness() -> None:
    tone = make_curve_tone(440, 1.0, level=0.1)
    short = silenced(tone, (5000, 5799))
    ends = HOP_SAMPLES * (1 + np.arange(250))
    assert a_weighted_loudness(short)[(ends > 5000) & (ends < 5799)].min() > -50
    quiet = tone * np.float32(2.1 / 32768 / 0.1)  # two steps of 16 bits
    assert a_weighted_loudness(quiet).min() > a_weighted_loudness(tone).min() - 71


def test_pitch_of_a_note_after_digital_silence_is_known_at_its_onset() -> None:
    audio = np.concatenate([make_curve_tone(440), np.zeros(4000, np.float32), make_curve_tone(660)])
    f0_hz = extract_features(audio, f0_min_hz=230, f0_max_hz=2300).f0_hz
    onset = (SAMPLE_RATE + 4000) // HOP_SAMPLES
    assert np.abs(cents(f0_hz[: onset - 25], 440)).max() < 10
    assert np.abs(cents(f0_hz[onset + 1 :], 660)).max() < 60


@pytest.mark.parametrize("n_samples", [1, 63, 64, 65, 1023, 5000, 64_001])
def test_number_of_frames_is_the_number_of_blocks_rounded_up(n_samples: int) -> None:
    features = extract_features(
        make_curve_tone(440, 5.0)[:n_samples], f0_min_hz=230, f0_max_hz=2300
    )
    for values in vars(features).values():
        assert values.shape == (-(-n_samples // HOP_SAMPLES),)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.0, 1e-7, 1e-3, 1.0]))
def test_features_stay_in_their_ranges_for_any_input(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    audio = (scale * rng.uniform(-1, 1, 3000) * (rng.random(3000) < rng.random())).astype(
        np.float32
    )
    features = extract_features(audio, f0_min_hz=230, f0_max_hz=2300)
    assert (features.f0_hz >= 229).all() and (features.f0_hz <= 2320).all()
    assert (features.loudness_db >= -80).all() and (features.loudness_db <= 0).all()
    assert (features.confidence >= 0).all() and (features.confidence <= 1).all()


def test_batches_do_not_change_the_features_of_a_long_recording(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    audio = np.concatenate([make_curve_tone(440), make_curve_tone(660)])
    whole = extract_features(audio, f0_min_hz=230, f0_max_hz=2300)
    monkeypatch.setattr("pipeline.audio.features.BATCH_FRAMES", 37)
    batched = extract_features(audio, f0_min_hz=230, f0_max_hz=2300)
    for name in vars(whole):
        np.testing.assert_allclose(
            getattr(batched, name), getattr(whole, name), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize(
    ("rate", "subtype", "channels"),
    [(96_000, "PCM_24", 1), (8_000, "PCM_16", 1), (44_100, "PCM_16", 2), (16_000, "FLOAT", 1)],
)
def test_every_sample_rate_and_width_gives_the_same_tone(
    tmp_path: Path, rate: int, subtype: str, channels: int
) -> None:
    n = np.arange(rate)
    sine = np.sin(2 * np.pi * 1000 * n / rate) * 0.25
    sf.write(tmp_path / "a.wav", np.repeat(sine[:, None], channels, axis=1), rate, subtype=subtype)
    audio = load_audio(tmp_path / "a.wav")
    assert len(audio) == SAMPLE_RATE
    features = extract_features(audio, f0_min_hz=230, f0_max_hz=2300)
    assert np.abs(cents(features.f0_hz, 1000)).max() < 1
    assert features.loudness_db[30:-30] == pytest.approx(-12.04, abs=0.1)


def test_float_files_beyond_full_scale_are_scaled_down(tmp_path: Path) -> None:
    sf.write(
        tmp_path / "hot.wav", 3 * make_curve_tone(440, level=1.0), SAMPLE_RATE, subtype="FLOAT"
    )
    assert np.abs(load_audio(tmp_path / "hot.wav")).max() == pytest.approx(1.0)


def test_a_pitch_range_that_cannot_be_searched_is_refused() -> None:
    for low, high in ((10, 400), (400, 300), (200, 9000)):
        with pytest.raises(ValueError, match="pitch range"):
            extract_features(make_curve_tone(440), f0_min_hz=low, f0_max_hz=high)
