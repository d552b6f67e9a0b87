"""The firmware's way from 16 to 48 kHz: ``tflm_app/upsampler``, its taps and its bits.

``python -m pipeline.upsampler --taps`` writes the taps, ``upsampler_taps.c``; ``--compare`` tells
how clean the sound is beside that of an FM core at 48 kHz, on a played scale.
"""

from pathlib import Path

import numpy as np

from pipeline.audio.pcm import FULL_SCALE
from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.instrument_config import load_instrument
from pipeline.model.patches import PATCHES, Patch
from pipeline.model.upsampler import FACTOR
from pipeline.quantization.step_model import StreamingDecoder
from pipeline.reference.decoder import level_table, levels_q32
from pipeline.reference.fm import FixedVoice
from pipeline.reference.frame import clamp_frames, quantize_frames
from pipeline.reference.upsampler import upsample

NOTES = range(60, 97, 2)  # MIDI, of the scale
NOTE_FRAMES = 60
IDEAL_FACTOR = 48  # times 16 kHz: nothing of FM at these levels folds back from beyond its half
PASS_HZ, STOP_HZ = 7000, 9000


def ideal_spectrum(patch: Patch, f0_hz: float, levels: np.ndarray, rate_factor: int) -> np.ndarray:
    """Spectrum of a steady tone by FM in float64, sampled `rate_factor` times 16 kHz.

    Args:
        patch: The algorithm.
        f0_hz: Pitch.
        levels: Of the operators in turns, shape [6].
        rate_factor: 1 folds back what the device's core folds, `IDEAL_FACTOR` nothing.

    Returns:
        Complex amplitudes at 0 to 24 kHz of a tone of `NOTE_FRAMES` frames under a Hann window.
    """
    n = NOTE_FRAMES * HOP_SAMPLES * rate_factor
    base = f0_hz * float(patch.base_ratio) * np.arange(n) / (SAMPLE_RATE * rate_factor)
    outputs: dict[int, np.ndarray] = {}
    for operator in patch.order:
        turns = base * patch.multiples[operator]
        turns = turns + sum(outputs[modulator] for modulator in patch.modulators[operator])
        outputs[operator] = levels[operator] * np.sin(2 * np.pi * turns)
    audio = sum(outputs[carrier] for carrier in patch.carriers) / MAX_LEVEL
    return _spectrum(np.asarray(audio))


def _spectrum(audio: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(audio * np.hanning(len(audio) + 1)[:-1]) / len(audio)
    n_bins = NOTE_FRAMES * HOP_SAMPLES * FACTOR // 2
    return np.pad(spectrum, (0, max(0, n_bins - len(spectrum))))[:n_bins]


def compare(run_dir: Path, instrument: str) -> dict[str, float]:
    """Measures what is in the sound that does not belong there, on a whole-tone scale.

    Returns:
        dB re the tones: ``aliases`` that a core at 16 kHz folds back below 7 kHz, ``images`` that
        its upsampled sound has above 9 kHz, ``aliases_48`` that a core at 48 kHz folds back below
        20 kHz, and ``above_48``, what it plays above 9 kHz, which no model has heard of itself.
    """

    patch = PATCHES[load_instrument(instrument).patch]
    decoder = StreamingDecoder(run_dir / "decoder_int8.tflite")
    table = level_table(*decoder.output_quantization, bits=8 * decoder.dtype.itemsize)
    power = dict.fromkeys(("tones", "aliases", "images", "aliases_48", "above_48"), 0.0)
    hz = np.arange(NOTE_FRAMES * HOP_SAMPLES * FACTOR // 2) * SAMPLE_RATE / HOP_SAMPLES
    hz = hz / NOTE_FRAMES
    for note in NOTES:
        f0_hz = 440 * 2 ** ((note - 69) / 12)
        frame = np.array([f0_hz, -20], np.float32)
        frames = clamp_frames(np.tile(frame, (2 * NOTE_FRAMES, 1)))
        logits = decoder.run(quantize_frames(frames, *decoder.input_quantization, decoder.dtype))
        q32 = np.tile(levels_q32(table, logits)[-1], (2 * NOTE_FRAMES, 1))
        levels = q32[-1] / 2**32
        ideal, core, core_48 = (
            ideal_spectrum(patch, f0_hz, levels, factor) for factor in (IDEAL_FACTOR, 1, FACTOR)
        )
        pcm = upsample(FixedVoice(patch).render(frames[:, 0], q32))
        played = _spectrum(pcm[-NOTE_FRAMES * HOP_SAMPLES * FACTOR :] / FULL_SCALE)
        for name, spectrum, band in (
            ("tones", ideal, hz < SAMPLE_RATE / 2),
            ("aliases", core - ideal, hz < PASS_HZ),
            ("images", played, hz > STOP_HZ),
            ("aliases_48", core_48 - ideal, hz < 20_000),
            ("above_48", core_48, hz > STOP_HZ),
        ):
            power[name] += float(np.sum(np.abs(spectrum[band]) ** 2))
    return {
        name: 10 * np.log10(value / power["tones"] + 1e-20)
        for name, value in power.items()
        if name != "tones"
    }
