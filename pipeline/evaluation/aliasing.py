"""Measures how clean the firmware's sound is after its upsampling from 16 to 48 kHz.

It is compared with an FM core that runs at 48 kHz, on a whole-tone scale.
"""

from pathlib import Path

import numpy as np

from pipeline.audio.pcm import FULL_SCALE
from pipeline.audio.pitch import note_to_hz
from pipeline.core.constants import HOP_SAMPLES, MAX_LEVEL, SAMPLE_RATE
from pipeline.core.instrument_config import load_instrument
from pipeline.core.patch import Patch
from pipeline.core.stretch import inharmonicity
from pipeline.model.patches import find_patch
from pipeline.model.upsampler import FACTOR
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.reference.decoder import level_table, levels_q32
from pipeline.reference.fm import FixedVoice
from pipeline.reference.frame import FrameScaling, clamp_frames, quantize_frames
from pipeline.reference.upsampler import upsample

NOTES = range(60, 97, 2)  # MIDI notes of the scale
NOTE_FRAMES = 60
IDEAL_FACTOR = 48  # times 16 kHz: FM at these levels has no components above half of that rate
PASS_HZ, STOP_HZ = 7000, 9000  # edges of the upsampler's pass band and stop band


def ideal_spectrum(patch: Patch, f0_hz: float, levels: np.ndarray, rate_factor: int) -> np.ndarray:
    """Returns the spectrum of a steady FM tone, computed in float64 at `rate_factor` * 16 kHz.

    Args:
        patch: The FM patch.
        f0_hz: Pitch.
        levels: Operator levels in turns, shape [6].
        rate_factor: 1 gives the aliases of the device's core, `IDEAL_FACTOR` gives none.

    Returns:
        Complex amplitudes from 0 to 24 kHz of a tone of `NOTE_FRAMES` frames with a Hann window.
    """
    n = NOTE_FRAMES * HOP_SAMPLES * rate_factor
    seconds = np.arange(n) / (SAMPLE_RATE * rate_factor)
    stretch_hz = f0_hz * inharmonicity(patch.inharmonicity, f0_hz) / 2 if patch.is_stretched else 0
    outputs: dict[int, np.ndarray] = {}
    for operator in patch.order:
        operator_hz = f0_hz * float(patch.played_ratios[operator])
        turns = (operator_hz + patch.stretch[operator] * stretch_hz) * seconds
        turns = turns + sum(outputs[modulator] for modulator in patch.modulators[operator])
        outputs[operator] = levels[operator] * np.sin(2 * np.pi * turns)
    audio = sum(outputs[carrier] for carrier in patch.carriers) / MAX_LEVEL
    return _spectrum(np.asarray(audio))


def _spectrum(audio: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(audio * np.hanning(len(audio) + 1)[:-1]) / len(audio)
    n_bins = NOTE_FRAMES * HOP_SAMPLES * FACTOR // 2
    return np.pad(spectrum, (0, max(0, n_bins - len(spectrum))))[:n_bins]


def compare(run_dir: Path, instrument: str) -> dict[str, float]:
    """Measures spurious components on a whole-tone scale.

    Returns:
        Power in dB relative to the tones: ``aliases`` of a core at 16 kHz below 7 kHz, ``images``
        of its upsampled sound above 9 kHz, ``aliases_48`` of a core at 48 kHz below 20 kHz, and
        ``above_48``, the components that such a core plays above 9 kHz, where no model was trained.
    """
    patch = find_patch(load_instrument(instrument))
    decoder = StreamingDecoder(run_dir / "decoder_int8.tflite")
    bits = 8 * decoder.dtype.itemsize
    table = level_table(*decoder.output_quantization, bits=bits)
    scaling = FrameScaling.of(*decoder.input_quantization, bits, decoder.pitch)
    power = dict.fromkeys(("tones", "aliases", "images", "aliases_48", "above_48"), 0.0)
    hz = np.arange(NOTE_FRAMES * HOP_SAMPLES * FACTOR // 2) * SAMPLE_RATE / HOP_SAMPLES
    hz = hz / NOTE_FRAMES
    for note in NOTES:
        f0_hz = float(note_to_hz(note))
        frame = np.array([f0_hz, -20], np.float32)
        frames = clamp_frames(np.tile(frame, (2 * NOTE_FRAMES, 1)))
        logits = decoder.run(quantize_frames(frames, scaling))
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
