"""The live analysis of known sounds: pitch, loudness, delay, and equality on all cores."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from support.sounds import make_tone

from pipeline.audio import a_weighting
from pipeline.audio.features import extract_features
from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.paths import APP_DIR
from pipeline.target import live_features
from pipeline.target.build import Program
from pipeline.target.live_features import Analysis, analyse, extract_live_features

pytestmark = pytest.mark.firmware

MILLISECONDS = 1000 / SAMPLE_RATE
DOUBLE_BUFFER_MS = 4.0  # one block is rendered while another one plays
SETTLING_BLOCKS = 8  # until the window is full and the filter has settled


@pytest.fixture(scope="module")
def host() -> Program:
    return live_features.build_analyser("host", sanitize=True)


@pytest.fixture(scope="module")
def measure(host):
    def measure(audio: np.ndarray, *, low: float = 150, high: float = 2300) -> Analysis:
        return analyse(host, to_pcm(audio), f0_min_hz=low, f0_max_hz=high)

    return measure


def cents(found: np.ndarray, true_hz: float) -> np.ndarray:
    return 1200 * np.log2(found / true_hz)


def sine(f0_hz: float, seconds: float, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * f0_hz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)


# --- pitch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("f0_hz", [101.0, 164.81, 196.0, 440.0, 523.25, 1318.5, 2250.0])
@pytest.mark.parametrize("kind", ["sine", "harmonics"])
def test_pitch_of_steady_tones_is_within_two_cents(measure, kind, f0_hz):
    tone = sine(f0_hz, 0.3) if kind == "sine" else make_tone(0.3, f0_hz)
    measured = measure(tone, low=100, high=2400).features
    assert np.abs(cents(measured.f0_hz[SETTLING_BLOCKS:], f0_hz)).max() < 2
    assert measured.confidence[SETTLING_BLOCKS:].min() > 0.95


@settings(max_examples=15, deadline=None)
@given(st.floats(160, 2200), st.floats(-50, -3))
def test_pitch_does_not_depend_on_level(measure, f0_hz, level_db):
    tone = 10 ** (level_db / 20) * make_tone(0.2, f0_hz, level=1.0)
    assert np.abs(cents(measure(tone).features.f0_hz[SETTLING_BLOCKS:], f0_hz)).max() < 5


def test_weak_fundamental_or_half_period_causes_no_octave_error(measure):
    t = np.arange(SAMPLE_RATE // 3) / SAMPLE_RATE
    even = 0.15 * np.sin(2 * np.pi * 300 * t) + 0.4 * np.sin(2 * np.pi * 600 * t)
    upper = sum(0.2 * np.sin(2 * np.pi * n * 300 * t) for n in (3, 4, 5))
    for tone in (even + 0.1 * upper, upper):
        assert np.abs(cents(measure(tone).features.f0_hz[SETTLING_BLOCKS:], 300)).max() < 5


def test_pitch_is_held_through_noise_and_silence(measure):
    noise = 0.1 * np.random.default_rng(0).standard_normal(SAMPLE_RATE // 2)
    for rest in (noise, np.zeros(SAMPLE_RATE // 2)):
        measured = measure(np.concatenate([make_tone(0.32, 600), rest])).features
        assert np.abs(cents(measured.f0_hz[86:], measured.f0_hz[86])).max() < 1e-6
        assert (measured.confidence[86:] < 0.5).all()


def test_pitch_is_440_hz_before_the_first_tone(measure):
    assert (measure(np.zeros(640)).features.f0_hz == 440).all()


def test_rumble_does_not_move_the_pitch(measure):
    tone = make_tone(0.5, 440, level=0.1) + sine(25, 0.5, 0.2)
    assert np.abs(cents(measure(tone).features.f0_hz[SETTLING_BLOCKS:], 440)).max() < 15


def test_mains_hum_does_not_move_the_pitch(measure):
    hum = sum(sine(f0_hz, 0.5, level) for f0_hz, level in ((50, 0.1), (100, 0.02), (150, 0.02)))
    tone = make_tone(0.5, 440, level=0.2) + hum + 0.05
    assert np.abs(cents(measure(tone).features.f0_hz[SETTLING_BLOCKS:], 440)).max() < 50


@pytest.mark.parametrize("f0_hz", [700.0, 784.0, 880.0, 1047.0])
@pytest.mark.parametrize(("low", "seconds", "breath"), [(0.05, 0.03, 0.003), (0.03, 0.05, 0.006)])
def test_onset_whose_lower_register_sounds_first_is_not_an_octave_low(
    measure, f0_hz, low, seconds, breath
):
    """The attack of an overblown note, as in flute staccato, after a note a fourth below."""
    t = np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE
    note = np.minimum(t / seconds, 1) ** 2 * np.sin(2 * np.pi * f0_hz * t)
    note += low * np.minimum(t / 0.01, 1) * np.exp(-t / seconds) * np.sin(np.pi * f0_hz * t)
    note = 0.3 * note + breath * np.random.default_rng(0).standard_normal(len(t))
    before = np.concatenate([make_tone(0.2, 0.75 * f0_hz), np.zeros(SAMPLE_RATE // 10)])
    measured = measure(np.concatenate([before, note])).features
    begin = len(before) // HOP_SAMPLES
    reported = measured.f0_hz[begin:][measured.confidence[begin:] > 0.5]
    assert len(reported) > 55
    assert (np.abs(cents(reported, f0_hz)) < 700).all()


def test_pitch_stays_within_the_bounds(measure):
    measured = measure(make_tone(0.3, 440), low=500, high=1000).features
    assert measured.f0_hz[SETTLING_BLOCKS:].min() > 430 and measured.f0_hz.max() <= 1020


# --- loudness -------------------------------------------------------------------------------------


@pytest.mark.parametrize("f0_hz", [200.0, 440.0, 1000.0, 3000.0, 6500.0])
def test_loudness_of_sines_is_their_a_weighted_level(measure, f0_hz):
    features = measure(sine(f0_hz, 0.5, 10 ** (-10 / 20))).features
    measured = features.loudness_db[SETTLING_BLOCKS + 10 :]
    expected = -10 + librosa.A_weighting(np.array([f0_hz]))[0]
    assert measured.mean() == pytest.approx(expected, abs=0.15)
    assert np.ptp(measured) < 0.6


def test_loudness_reaches_from_silence_to_full_scale(measure):
    assert (measure(np.zeros(640)).features.loudness_db == -80).all()
    square = np.sign(sine(1000, 0.2))
    assert measure(square).features.loudness_db[SETTLING_BLOCKS:].min() == 0


def test_loudness_is_at_the_floor_within_30_ms_of_digital_silence_until_sound_begins(measure):
    tone = make_tone(0.3, 440, level=1.0) + 0.1 * sine(25, 0.3)  # the filter rings for long
    silence = np.resize([0, 1, -1, 0], 2000) / 32768
    measured = measure(np.concatenate([tone, silence, tone])).features
    begins, ends = len(tone), len(tone) + len(silence)
    block_ends = HOP_SAMPLES * (1 + np.arange(len(measured.loudness_db)))
    within = (block_ends > begins + 30 / MILLISECONDS) & (block_ends <= ends)
    assert within.sum() > 20 and (measured.loudness_db[within] == -80).all()
    assert measured.loudness_db[block_ends > ends][1] > -30
    assert np.ptp(measured.f0_hz[within]) == 0
    assert (measured.confidence[within] == 0).all()
    two_bits = measure(np.concatenate([tone, 2 * silence])).features
    assert two_bits.loudness_db[-1] > -80


def test_filter_sections_equal_the_table_and_the_standard():
    text = (APP_DIR / "analysis" / "analysis_tables.c").read_text()
    rows = [line.strip(" ,") for line in text.splitlines() if line.startswith("    ")]
    stored = np.array([[float(x.rstrip("f")) for x in row.split(", ")] for row in rows])
    np.testing.assert_allclose(stored, a_weighting.weighting_sections(), atol=1e-6)
    frequencies_hz = np.geomspace(30, 7800, 200)
    sos = np.c_[stored[:, :3], np.ones(3), -stored[:, 3:]]
    gain = np.abs(signal.sosfreqz(sos, frequencies_hz, fs=SAMPLE_RATE)[1])
    np.testing.assert_allclose(
        20 * np.log10(gain), librosa.A_weighting(frequencies_hz, min_db=None), atol=0.1
    )


# --- against the offline features -----------------------------------------------------------------


def melody() -> np.ndarray:
    """Notes with vibrato, swell and noise, one of them an octave above the previous one."""
    n_note = SAMPLE_RATE // 2
    t = np.arange(n_note) / SAMPLE_RATE
    notes = []
    for note in (60, 67, 79, 74, 62):
        hz = 440 * 2 ** ((note - 69 + 0.3 * np.sin(2 * np.pi * 5 * t)) / 12)
        phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
        tone = sum(0.5**n * np.sin(n * phase) for n in range(1, 7))
        notes.append(0.4 * np.sin(np.pi * t / t[-1]) ** 0.5 * tone)
    noise = 0.002 * np.random.default_rng(1).standard_normal(5 * n_note)
    return (np.concatenate(notes) + noise).astype(np.float32)


def test_live_features_agree_with_offline_ones_in_time_pitch_and_loudness():
    audio = melody()[:-10]  # not a whole number of blocks
    bounds = {"f0_min_hz": 180.0, "f0_max_hz": 1500.0}
    offline, live = extract_features(audio, **bounds), extract_live_features(audio, **bounds)
    assert len(live.f0_hz) == len(live.loudness_db) == len(offline.f0_hz)
    sure = offline.confidence > 0.9
    error = np.abs(cents(live.f0_hz[sure], offline.f0_hz[sure]))
    assert sure.mean() > 0.9 and np.median(error) < 3 and (error > 100).mean() < 0.02
    moving = np.abs(np.diff(np.log2(offline.f0_hz[:100]))).sum()
    late = [
        np.abs(np.log2(np.roll(live.f0_hz, -shift)[10:100] / offline.f0_hz[10:100])).sum()
        for shift in (-2, -1, 0, 1, 2)
    ]
    assert moving > 0.01 and np.argmin(late) == 2  # the vibrato is not delayed further
    middle = offline.loudness_db > -20
    assert np.abs(live.loudness_db - offline.loudness_db)[middle].mean() < 1


# --- all cores and any input ----------------------------------------------------------------------


@pytest.mark.parametrize("board", ["qemu_m4", "qemu_m7"])
def test_all_cores_compute_the_same_bits(host, board):
    pcm = to_pcm(np.concatenate([melody()[: SAMPLE_RATE // 4], np.zeros(1000)]))
    bounds = {"f0_min_hz": 180.0, "f0_max_hz": 1500.0}
    here = analyse(host, pcm, **bounds)
    there = analyse(live_features.build_analyser(board), pcm, **bounds)
    np.testing.assert_array_equal(there.features.f0_hz, here.features.f0_hz)
    np.testing.assert_array_equal(there.features.loudness_db, here.features.loudness_db)
    per_block = there.report["instructions"] / there.report["n_blocks"]
    assert 30_000 < per_block < there.report["worst_block_instructions"] + 50 < 80_000
    assert there.report["state_bytes"] < 6000 and 0 < there.report["stack_bytes"] < 700


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 100, 32768]))
def test_any_samples_give_playable_frames(host, seed, peak):
    random = np.random.default_rng(seed)
    pcm = random.integers(-peak, peak, 64 * 30)
    pcm[random.integers(0, len(pcm), 600)] = peak - 1
    pcm[640 : 640 + random.integers(0, 800)] = -peak
    measured = analyse(host, pcm, f0_min_hz=100, f0_max_hz=4000).features
    assert ((measured.f0_hz > 98) & (measured.f0_hz < 4600)).all()
    assert ((measured.loudness_db >= -80) & (measured.loudness_db <= 0)).all()
    assert ((measured.confidence >= -1) & (measured.confidence <= 1)).all()


@pytest.mark.parametrize("bounds", [(0, 0), (3000, 200), (1, 99999)])
def test_absurd_bounds_are_clamped(host, bounds):
    pcm = to_pcm(make_tone(0.1, 440))
    measured = analyse(host, pcm, f0_min_hz=bounds[0], f0_max_hz=bounds[1]).features
    assert np.isfinite(measured.f0_hz).all() and measured.f0_hz.min() > 90
