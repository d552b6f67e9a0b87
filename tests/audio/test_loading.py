"""Files as they are found: odd headers, rates and channels, damage, DC, clipping."""

import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile as sf
from support.bad_recordings import write_bad_recordings
from support.sounds import make_curve_tone, make_tone

from pipeline.audio import file_facts
from pipeline.audio.features import extract_features
from pipeline.audio.loading import check_file, load_audio, load_recording, store_recording
from pipeline.audio.samples import SampleFile
from pipeline.audio.sound_files import BLOCK, RecordingError
from pipeline.core.constants import SAMPLE_RATE

Floats = npt.NDArray[np.float32]
TONE = make_tone(2.0)


def spectrum_error(audio: Floats, reference: Floats) -> float:
    """Compares two sounds away from their ends, relative to the reference's level."""
    middle = slice(SAMPLE_RATE // 10, -SAMPLE_RATE // 10)
    return float(np.std(audio[middle] - reference[middle]) / np.std(reference[middle]))


def sine(rate: int, seconds: float, f0_hz: float = 440.0) -> Floats:
    return (0.3 * np.sin(2 * np.pi * f0_hz * np.arange(round(rate * seconds)) / rate)).astype("f4")


def test_mono_files_at_16_khz_are_loaded_as_they_are(tmp_path: Path) -> None:
    samples = (30000 * make_curve_tone(440, 1.1)).astype(np.int16)
    sf.write(tmp_path / "a.flac", samples, SAMPLE_RATE)
    np.testing.assert_array_equal(load_audio(tmp_path / "a.flac") * 32768, samples)


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000, 88_200, 192_000])
def test_any_rate_gives_the_same_sound_whatever_the_blocks(tmp_path: Path, rate: int) -> None:
    sf.write(tmp_path / "a.wav", sine(rate, 1.6), rate, subtype="FLOAT")
    audio, facts = load_recording(tmp_path / "a.wav")
    assert len(audio) == 1.6 * SAMPLE_RATE and facts.seconds == 1.6
    assert spectrum_error(audio, sine(SAMPLE_RATE, 1.6)) < 1e-3


def test_a_silent_channel_is_left_out(tmp_path: Path) -> None:
    stereo = np.stack([np.zeros_like(TONE), TONE], axis=1)
    sf.write(tmp_path / "a.wav", stereo, SAMPLE_RATE, subtype="FLOAT")
    audio, facts = load_recording(tmp_path / "a.wav")
    np.testing.assert_array_equal(audio, TONE)
    assert (facts.used, facts.choice) == ((1,), file_facts.WITH_SOUND)
    assert facts.clipped_share == 0


def test_of_channels_that_cancel_each_other_the_loudest_is_used(tmp_path: Path) -> None:
    stereo = np.stack([0.7 * TONE, -TONE], axis=1)
    sf.write(tmp_path / "a.wav", stereo, SAMPLE_RATE, subtype="FLOAT")
    audio, facts = load_recording(tmp_path / "a.wav")
    np.testing.assert_array_equal(audio, -TONE)
    assert (facts.used, facts.choice) == ((1,), file_facts.LOUDEST)


def test_independent_channels_are_mixed(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (SAMPLE_RATE, 2)).astype("f4")
    sf.write(tmp_path / "a.wav", noise, SAMPLE_RATE, subtype="FLOAT")
    audio, facts = load_recording(tmp_path / "a.wav")
    np.testing.assert_array_equal(audio, noise.mean(axis=1))
    assert facts.choice == file_facts.ALL


def test_an_offset_is_removed_and_a_small_one_is_left_alone(tmp_path: Path) -> None:
    tone = make_curve_tone(440, 2.0, level=0.2)
    for offset, removed in ((0.3, True), (-0.05, True), (0.0005, False)):
        sf.write(tmp_path / "a.wav", tone + np.float32(offset), SAMPLE_RATE, subtype="FLOAT")
        audio, facts = load_recording(tmp_path / "a.wav")
        assert facts.offset == pytest.approx(offset, abs=2e-4)
        assert facts.removes_offset is removed
        assert audio.mean() == pytest.approx(0 if removed else offset, abs=2e-4)


@pytest.mark.parametrize("seconds", [0.2, 3.0])
def test_the_mean_of_a_low_note_is_not_called_an_offset(tmp_path: Path, seconds: float) -> None:
    for phase in np.linspace(0, 2 * np.pi, 8):
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        sf.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 47 * time + phase), SAMPLE_RATE)
        assert not check_file(tmp_path / "a.wav").removes_offset


def set_data_length(path: Path, length: int, *, riff: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    position = content.find(b"data")
    content[position + 4 : position + 8] = struct.pack("<I", length)
    if riff is not None:
        content[4:8] = struct.pack("<I", riff)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("length", "riff"), [(0, 0), (0, None), (0xFFFFFFFF, 0xFFFFFFFF), (10**8, None), (2000, None)]
)
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_wrong_lengths_in_wav_headers_do_not_matter(
    tmp_path: Path, length: int, riff: int | None, rate: int
) -> None:
    sf.write(tmp_path / "right.wav", sine(rate, 1.0), rate)
    sf.write(tmp_path / "wrong.wav", sine(rate, 1.0), rate)
    set_data_length(tmp_path / "wrong.wav", length, riff=riff)
    expected = load_audio(tmp_path / "right.wav")
    np.testing.assert_array_equal(load_audio(tmp_path / "wrong.wav"), expected)


def test_chunks_after_the_samples_are_not_played(tmp_path: Path) -> None:
    path = tmp_path / "tagged.wav"
    sf.write(path, TONE, SAMPLE_RATE)
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 26) + b"INFOIART" + bytes(18))
    assert len(load_audio(path)) == len(TONE)


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au", "w64", "mp3"])
def test_of_a_file_that_was_cut_off_what_is_there_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    tone = make_tone(5.0)
    sf.write(path, tone, SAMPLE_RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio, facts = load_recording(path)
    assert 0.3 * len(tone) < len(audio) < 0.6 * len(tone)
    if suffix in ("flac", "mp3"):  # their headers still say how long the file was
        assert facts.n_lost == len(tone) - len(audio)
    features = extract_features(audio, f0_min_hz=230, f0_max_hz=2300)
    assert np.median(features.f0_hz) == pytest.approx(523.25, rel=1e-3)


def test_bad_files_are_refused_with_one_line_that_names_them(tmp_path: Path) -> None:
    for name, word in write_bad_recordings(tmp_path).items():
        for read in (load_audio, check_file):
            with pytest.raises(RecordingError) as raised:
                read(tmp_path / name)
            message = str(raised.value)
            assert name in message and word in message and "\n" not in message, message
            assert pickle.loads(pickle.dumps(raised.value)).reason == raised.value.reason != ""


def test_a_file_of_another_kind_is_named_with_a_remedy(tmp_path: Path) -> None:
    for name in ("take.m4a", "take.wma"):
        (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(3000))
        with pytest.raises(RecordingError, match=f"{name}.*not supported.*to WAV or FLAC"):
            load_audio(tmp_path / name)


def clipped_share(path: Path, sound: npt.ArrayLike, subtype: str = "PCM_16") -> float:
    sf.write(path, sound, SAMPLE_RATE, subtype=subtype)
    return check_file(path).clipped_share


def test_rows_at_the_peak_are_counted_across_blocks(tmp_path: Path) -> None:
    sound = 0.5 * np.random.default_rng(0).uniform(-1, 1, 4 * BLOCK)
    for start, stop in ((BLOCK - 2, BLOCK + 2), (2 * BLOCK - 1, 2 * BLOCK + 2), (100, 103)):
        sound[start:stop] = 0.9
    sound[50:52] = 0.9  # two equal samples at the peak may be there by chance
    sound[3 * BLOCK - 10 : 3 * BLOCK + 10] = -0.8
    expected = (4 + 3 + 3 + 20) / len(sound)
    assert clipped_share(tmp_path / "a.wav", sound) == pytest.approx(expected)


def test_rows_at_lower_levels_are_no_clipping(tmp_path: Path) -> None:
    pulses = np.zeros(SAMPLE_RATE)
    pulses[::100] = 0.9  # never negative, so that 0 is its lowest value
    assert clipped_share(tmp_path / "a.wav", pulses) == 0
    rising = np.repeat(np.linspace(0.2, 0.8, SAMPLE_RATE // 8), 8)
    assert clipped_share(tmp_path / "a.wav", rising) == pytest.approx(8 / SAMPLE_RATE)


@pytest.mark.parametrize("subtype", ["PCM_U8", "ULAW", "PCM_16", "PCM_24"])
@pytest.mark.parametrize(("rate", "f0_hz"), [(16_000, 100), (48_000, 47), (192_000, 47)])
def test_low_notes_in_few_steps_are_not_called_clipped(
    tmp_path: Path, subtype: str, rate: int, f0_hz: float
) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, 3 * sine(rate, 0.5, f0_hz), rate, subtype=subtype)
    assert check_file(path).clipped_share == 0
    sf.write(path, np.clip(5 * sine(rate, 0.5, f0_hz), -0.9, 0.9), rate, subtype=subtype)
    assert check_file(path).clipped_share == pytest.approx(2 * np.arccos(0.6) / np.pi, rel=0.2)


@pytest.mark.parametrize("silent", [0.0, 0.25])
def test_a_silent_channel_is_not_clipped(tmp_path: Path, silent: float) -> None:
    stereo = np.stack([TONE, np.full_like(TONE, silent)], axis=1)
    assert clipped_share(tmp_path / "a.wav", stereo) == 0


def test_memory_does_not_grow_with_the_length_of_a_file(tmp_path: Path) -> None:
    """Only the 16 kHz samples are kept, not the 192 kHz ones of several channels."""
    seconds, rate = 20, 192_000
    sf.write(tmp_path / "long.flac", np.stack(4 * [sine(rate, seconds)], axis=1), rate)
    tracemalloc.start()
    load_audio(tmp_path / "long.flac")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 4 * seconds * SAMPLE_RATE + 4e6  # the file itself has 61 MB of samples


def test_impossible_sample_rate_of_a_damaged_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "second.wav"
    sf.write(path, make_tone(1.0), 1)
    with pytest.raises(RecordingError, match="says that it has 1 samples per second") as error:
        check_file(path)
    assert error.value.reason == "a sample rate below 4000 Hz"


def test_a_few_samples_far_above_all_others_are_refused_with_place_and_value(
    tmp_path: Path,
) -> None:
    tone = TONE.copy()
    tone[12_345] = -1e30
    sf.write(tmp_path / "a.wav", tone, SAMPLE_RATE, subtype="FLOAT")
    with pytest.raises(RecordingError, match=r"a\.wav: sample 12345 is 1e\+30 times full scale"):
        check_file(tmp_path / "a.wav")


def test_floats_in_units_of_16_bit_samples_are_scaled_down(tmp_path: Path) -> None:
    sound = np.concatenate([np.zeros(3 * SAMPLE_RATE, np.float32), 32768 * TONE])
    sf.write(tmp_path / "a.wav", sound, SAMPLE_RATE, subtype="FLOAT")
    audio = load_audio(tmp_path / "a.wav")
    np.testing.assert_allclose(audio[-len(TONE) :], TONE / np.abs(TONE).max(), atol=1e-6)


@pytest.mark.parametrize(("rate", "gain"), [(16_000, 1.0), (44_100, 1.0), (8_000, 3.0)])
def test_recording_in_a_file_equals_the_one_in_memory(
    tmp_path: Path, rate: int, gain: float
) -> None:
    tone = gain * make_tone(2.0).repeat(3)[: 2 * rate]
    sf.write(tmp_path / "a.wav", tone, rate, subtype="FLOAT")
    expected, facts = load_recording(tmp_path / "a.wav")
    with (tmp_path / "samples").open("w+b") as file:
        samples = SampleFile(file)
        assert store_recording(tmp_path / "a.wav", samples) == facts
        assert len(samples) == len(expected)
        np.testing.assert_array_equal(samples[:], expected)
        samples.cut(1000, 30_000)
        np.testing.assert_array_equal(samples[500:900], expected[1500:1900])
        np.testing.assert_array_equal(samples[28_990:30_000], expected[29_990:30_000])
        measured = extract_features(samples, f0_min_hz=230, f0_max_hz=2300)
    found = extract_features(expected[1000:30_000], f0_min_hz=230, f0_max_hz=2300)
    for name, values in vars(found).items():
        np.testing.assert_array_equal(getattr(measured, name), values)
