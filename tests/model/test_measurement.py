"""The figures beside the MSS, on synthesized sounds whose errors are known."""

import json

import numpy as np
import pytest

from pipeline.audio.features import extract_features
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.instrument_config import DataConfig
from pipeline.model import harmonic_metrics, silence_metrics
from pipeline.model.figure_names import FIGURES
from pipeline.model.harmonic_metrics import harmonic_figures
from pipeline.model.harmonic_spectra import find_partials, find_steady_frames, power_spectra
from pipeline.model.measurement import measure
from pipeline.model.onset_metrics import find_onsets, onset_figures, short_levels_db
from pipeline.model.silence_metrics import silence_level_dbfs
from pipeline.model.spectral_regions import region_figures

CONFIG = DataConfig(f0_min_hz=180.0, f0_max_hz=2300.0)
AMPLITUDES = 0.15 * 0.75 ** np.arange(12)
SIX_DB = 20 * np.log10(2)
NOISE = 1e-3 * np.random.default_rng(0).normal(size=SAMPLE_RATE)


def features_of(audio, config=CONFIG):
    return extract_features(audio, **config.f0_bounds)


def tone(f0_hz, amplitudes=AMPLITUDES, *, seconds=1.0, vibrato_cents=0.0, stretch=0.0):
    """Makes a tone with given partials, float64; those above 7 kHz are left out."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    curve = f0_hz * 2 ** (vibrato_cents / 1200 * np.sin(2 * np.pi * 6 * t))
    phase = 2 * np.pi * np.cumsum(curve) / SAMPLE_RATE
    ratios = [k * np.sqrt(1 + stretch * k * k) for k in range(1, len(amplitudes) + 1)]
    return sum(
        a * np.sin(r * phase + r)
        for a, r in zip(amplitudes, ratios, strict=True)
        if r * f0_hz < 6900
    )


def changed(number, factor):
    """Returns the amplitudes, with one partial multiplied by a factor."""
    return np.where(np.arange(1, 13) == number, factor, 1.0) * AMPLITUDES


def compared(reference, estimate, config=CONFIG):
    return harmonic_figures(reference, estimate, features_of(reference, config), config)


@pytest.mark.parametrize("vibrato_cents", [0, 15])
@pytest.mark.parametrize("f0_hz", [190.0, 440.0, 1500.0])
def test_raised_partials_are_a_bias_of_their_band(f0_hz, vibrato_cents):
    reference = tone(f0_hz, vibrato_cents=vibrato_cents) + NOISE
    louder = tone(f0_hz, 2 * AMPLITUDES, vibrato_cents=vibrato_cents) + NOISE
    figures = compared(reference, louder)
    assert figures["partial_error_db"] == pytest.approx(SIX_DB, abs=0.1)
    biases = [figures[f"partial_bias_{band}_db"] for band in harmonic_metrics.BANDS_HZ]
    assert [b for b in biases if b is not None] == pytest.approx([SIX_DB] * 3, abs=0.1) or (
        f0_hz == 190.0 and biases[2] is None  # its partial 12 lies at 2280 Hz
    )
    assert figures["hnr_bias_db"] == pytest.approx(SIX_DB, abs=0.2)
    assert all(abs(figures[f"noise_bias_{band}_db"]) < 0.1 for band in harmonic_metrics.BANDS_HZ)


@pytest.mark.parametrize(("factor", "error_db"), [(2.0, SIX_DB), (0.5, -SIX_DB)])
def test_single_partial_counts_in_its_own_band(factor, error_db):
    figures = compared(tone(500.0) + NOISE, tone(500.0, changed(5, factor)) + NOISE)
    # Bands hold partials 1 to 3, 4 to 7 and 8 to 12.
    assert figures["partial_bias_mid_db"] == pytest.approx(error_db / 4, abs=0.02)
    assert figures["partial_error_db"] == pytest.approx(SIX_DB / 12, abs=0.02)
    for band in ("low", "high"):
        assert figures[f"partial_bias_{band}_db"] == pytest.approx(0, abs=0.02)


def test_missing_partial_counts_as_30_db():
    reference, missing = tone(500.0), tone(500.0, changed(5, 0.0))
    assert compared(reference, missing)["partial_error_db"] == pytest.approx(30 / 12, abs=0.01)
    silent = compared(reference, np.zeros(SAMPLE_RATE))
    assert silent["partial_error_db"] == pytest.approx(30)


def test_partials_below_the_noise_do_not_count():
    weak = np.where(np.arange(12) < 4, AMPLITUDES, 1e-5)
    reference = tone(500.0, weak) + NOISE
    figures = compared(reference, tone(500.0, 2 * weak) + NOISE)
    assert figures["partial_bias_low_db"] == pytest.approx(SIX_DB, abs=0.05)
    assert figures["partial_bias_high_db"] is None
    assert figures["partial_error_db"] == pytest.approx(SIX_DB, abs=0.05)


def band_of(noise, lowest_hz, highest_hz):
    spectrum = np.fft.rfft(noise)
    frequencies_hz = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE)
    within = (frequencies_hz >= lowest_hz) & (frequencies_hz < highest_hz)
    return np.fft.irfft(spectrum * within, len(noise))


@pytest.mark.parametrize("f0_hz", [190.0, 440.0, 1500.0])
def test_louder_noise_between_partials_is_a_bias_of_its_band(f0_hz):
    reference = tone(f0_hz) + NOISE
    added = (10 ** (4 / 20) - 1) * band_of(NOISE, 2000, 4000)
    figures = compared(reference, reference + added)
    assert figures["noise_bias_mid_db"] == pytest.approx(4, abs=0.2)
    assert figures["noise_bias_low_db"] == pytest.approx(0, abs=0.2)
    assert figures["noise_bias_high_db"] == pytest.approx(0, abs=0.2)
    assert figures["partial_error_db"] < 0.2


def test_independent_noise_of_the_same_level_has_no_bias():
    other = 1e-3 * np.random.default_rng(1).normal(size=SAMPLE_RATE)
    figures = compared(tone(440.0) + NOISE, tone(440.0) + other)
    assert all(abs(figures[f"noise_bias_{band}_db"]) < 0.6 for band in harmonic_metrics.BANDS_HZ)
    assert abs(figures["hnr_bias_db"]) < 0.4
    # The MSS compares single bins: between the partials, its two noises are as far apart as ever.
    assert figures["mss_between"] == pytest.approx(4.16, abs=0.1)
    assert figures["mss_partials"] < figures["mss_between"]


def test_harmonics_to_noise_ratio_is_that_of_the_powers():
    clean, noise = tone(440.0), 0.01 * NOISE / NOISE.std()
    for gain_db in (-6.0, 6.0):
        louder = clean + 10 ** (gain_db / 20) * noise
        figures = compared(clean + noise, louder)
        assert figures["hnr_bias_db"] == pytest.approx(-gain_db, abs=0.2)
        assert figures["hnr_error_db"] == pytest.approx(6, abs=0.2)
    features = features_of(clean + noise)
    frames = find_steady_frames(features, CONFIG)
    powers = power_spectra(clean + noise, frames)
    between = find_partials(powers, frames).between
    found_db = harmonic_metrics.hnr_db(powers, between, frames).mean()
    expected = np.mean(clean**2) / np.mean(band_of(noise, 200, 7000) ** 2)
    assert found_db == pytest.approx(10 * np.log10(expected), abs=0.3)


def test_stretched_partials_are_compared_by_number():
    """Partial 10 of the recording lies 1.5 % sharp, where the rendering has no partial."""
    piano = DataConfig(f0_min_hz=60.0, f0_max_hz=2300.0)
    stretched = tone(261.6, stretch=3e-4, seconds=1.5)
    noise = np.resize(NOISE, len(stretched)) * 0.1
    features = features_of(stretched + noise, piano)
    frames = find_steady_frames(features, piano)
    partials = find_partials(power_spectra(stretched + noise, frames), frames)
    tenth_hz = np.median(partials.centres_hz[:, 9])
    assert tenth_hz == pytest.approx(2616 * np.sqrt(1 + 3e-4 * 100), abs=8)  # half a main lobe
    figures = compared(stretched + noise, tone(261.6, seconds=1.5) + noise, piano)
    assert figures["partial_error_db"] < 0.5
    assert abs(figures["noise_bias_low_db"]) < 0.5
    assert abs(figures["noise_bias_mid_db"]) < 0.5


def test_frames_with_a_moving_pitch_are_skipped():
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(400 * 2 ** (3 * np.maximum(t - 0.5, 0))) / SAMPLE_RATE
    glide = sum(np.sin(k * phase) * 0.1 / k for k in range(1, 6))
    frames = find_steady_frames(features_of(glide), CONFIG)
    times = HOP_SAMPLES * (frames.numbers + 1) / SAMPLE_RATE
    assert len(times) > 20 and times.max() < 0.51


# --- regions --------------------------------------------------------------------------------------


def test_regions_separate_sound_and_pauses():
    pause = np.zeros(SAMPLE_RATE)
    reference = np.concatenate([tone(440.0), pause]) + np.tile(NOISE, 2) * 1e-2
    features = features_of(reference)
    in_sound, in_pause = reference.copy(), reference.copy()
    in_sound[: SAMPLE_RATE - 2048] *= 0.5
    in_pause[SAMPLE_RATE + 2048 :] *= 0.5
    sound, paused = (region_figures(reference, e, features) for e in (in_sound, in_pause))
    assert sound["mss_sound"] > 3 and sound["mss_pauses"] < 0.2
    assert paused["mss_pauses"] == pytest.approx(6 * np.log(2), rel=0.15)
    assert paused["mss_sound"] < 0.2
    assert region_figures(reference, reference, features) == {"mss_sound": 0, "mss_pauses": 0}
    steady = tone(440.0)
    assert region_figures(steady, steady, features_of(steady))["mss_pauses"] is None


# --- onsets ---------------------------------------------------------------------------------------


def notes(*starts_and_pitches, seconds=2.0):
    """Makes notes that begin within 5 ms, each until the next one, float64."""
    audio = np.zeros(round(seconds * SAMPLE_RATE))
    ends = [start for start, _ in starts_and_pitches[1:]] + [seconds]
    for (start, f0_hz), end in zip(starts_and_pitches, ends, strict=True):
        if f0_hz:
            note = tone(f0_hz, seconds=end - start)
            t = np.arange(len(note)) / SAMPLE_RATE
            audio[round(start * SAMPLE_RATE) :][: len(note)] = note * np.minimum(t / 0.005, 1)
    return audio


def onset_times(audio):
    marked = find_onsets(short_levels_db(audio), features_of(audio).f0_hz)
    edges = np.flatnonzero(np.diff(marked.astype(int), prepend=0, append=0))
    return edges.reshape(-1, 2) * HOP_SAMPLES / SAMPLE_RATE


def test_notes_begin_after_pauses_and_where_the_pitch_steps():
    audio = notes((0.3, 440.0), (0.8, 493.9), (1.2, None), (1.5, 440.0))
    found = onset_times(audio)
    np.testing.assert_allclose(found[:, 0], [0.3, 0.8, 1.5], atol=0.02)
    np.testing.assert_allclose(found[:, 1] - found[:, 0], 0.1, atol=0.002)
    assert len(onset_times(tone(440.0, seconds=2.0, vibrato_cents=40))) == 1  # its beginning


def test_repeated_note_begins_where_the_level_jumps():
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    decay = np.exp(-5 * (t % 0.5))
    found = onset_times(tone(440.0) * decay)
    np.testing.assert_allclose(found[:, 0], [0, 0.5], atol=0.02)


def test_short_levels_are_those_of_a_full_scale_sine():
    sine = np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    levels_db = short_levels_db(sine)
    assert levels_db.shape == (250,)
    np.testing.assert_allclose(levels_db[20:-20], 0, atol=0.1)
    assert short_levels_db(np.zeros(100)).tolist() == [-80, -80]


def test_delayed_onset_is_an_error_of_the_onset_alone():
    reference = notes((0.3, 440.0), (1.2, 660.0))
    delayed = np.roll(reference, 10 * HOP_SAMPLES)  # by 40 of 100 ms
    features, found = features_of(reference), features_of(delayed)
    figures = onset_figures(reference, delayed, features, found, CONFIG)
    # After the silence, 30 dB are missing in 10 of 25 frames; the second note joins the first.
    assert figures["onset_loudness_error_db"] == pytest.approx(0.4 * 30 / 2, rel=0.3)
    # Only the second note is sharp at first; the step itself is unvoiced and does not count.
    assert figures["onset_f0_error_cents"] == pytest.approx(0.3 * 100, abs=10)
    assert figures["sustain_loudness_error_db"] < 0.2
    assert figures["sustain_f0_error_cents"] < 0.5


def test_softer_and_sharper_sustain_is_an_error_everywhere():
    reference, estimate = notes((0.3, 440.0)), 0.5 * notes((0.3, 440.0 * 2 ** (20 / 1200)))
    features, found = features_of(reference), features_of(estimate)
    figures = onset_figures(reference, estimate, features, found, CONFIG)
    assert figures["sustain_loudness_error_db"] == pytest.approx(SIX_DB, abs=0.1)
    assert figures["sustain_f0_error_cents"] == pytest.approx(20, abs=1)
    assert figures["onset_loudness_error_db"] == pytest.approx(SIX_DB, abs=0.5)


# --- silence --------------------------------------------------------------------------------------


def test_silence_of_one_step_and_of_zero():
    reference = notes((0.0, 440.0), (0.5, None), (1.0, 440.0))
    steps = np.zeros(len(reference))
    steps[::2], steps[1::2] = 1 / 32768, -1 / 32768
    assert silence_level_dbfs(reference, steps) == pytest.approx(-90.3, abs=0.1)
    assert silence_level_dbfs(reference, np.zeros(len(reference))) == silence_metrics.ZERO_DBFS
    released = np.zeros(len(reference))
    released[: round(0.549 * SAMPLE_RATE)] = 0.1  # its release ends within 50 ms
    assert silence_level_dbfs(reference, released) == silence_metrics.ZERO_DBFS
    assert silence_level_dbfs(tone(440.0), steps) is None
    short = notes((0.0, 440.0), (0.5, None), (0.54, 440.0))
    assert silence_level_dbfs(short, steps) is None


# --- all together ---------------------------------------------------------------------------------


def test_equal_sounds_have_no_error():
    reference = notes((0.1, 440.0), (0.6, 587.3), (1.0, None), seconds=1.5)
    reference[:SAMPLE_RATE] += NOISE
    figures = measure(reference, reference, features_of(reference), CONFIG)
    assert figures.pop("silence_dbfs") == silence_metrics.ZERO_DBFS
    assert set(figures.values()) == {0.0}


@pytest.mark.parametrize("seconds", [0.003, 0.1])
def test_silence_and_scraps_have_the_same_names_and_fit_json(seconds):
    scrap = np.zeros(round(seconds * SAMPLE_RATE))
    whole = measure(tone(440.0), tone(440.0), features_of(tone(440.0)), CONFIG)
    figures = measure(scrap, scrap, features_of(scrap), CONFIG)
    assert tuple(figures) == tuple(whole) == FIGURES
    assert figures["partial_error_db"] is None and figures["mss"] == 0
    json.dumps(figures, allow_nan=False)
