"""The firmware's way from 16 to 48 kHz: ``tflm_app/upsampler``, its taps and its bits.

``python -m pipeline.upsampler --taps`` writes the taps, ``upsampler_taps.c``; ``--compare`` tells
how clean the sound is beside that of an FM core at 48 kHz, on a played scale.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.config import (
    HOP_SAMPLES,
    INSTRUMENTS,
    MAX_LEVEL,
    MODEL_DIR,
    SAMPLE_RATE,
    UserError,
    atomic_write,
    load_instrument,
    run_main,
)
from pipeline.fm_fixed import FixedVoice
from pipeline.patches import PATCHES, Patch
from pipeline.pcm import FULL_SCALE
from pipeline.toolchain import APP_DIR

FACTOR = 3
N_TAPS = 96
KAISER_BETA = 6.2
UNITY_Q15 = 2**15
TAPS_PATH = APP_DIR / "upsampler" / "upsampler_taps.c"

NOTES = range(60, 97, 2)  # MIDI, of the scale
NOTE_FRAMES = 60
IDEAL_FACTOR = 48  # times 16 kHz: nothing of FM at these levels folds back from beyond its half
PASS_HZ, STOP_HZ = 7000, 9000


def design_taps() -> np.ndarray:
    """Designs the filter: a windowed sinc of 95 taps around tap 48, and tap 0, which is zero.

    Returns:
        int32, Q15, shape [96]. Phase 0 is 1 at one tap and passes samples as they are; the taps of
        either other phase add up to 1, lest a constant became a tone of 16 kHz.
    """
    distance = np.arange(N_TAPS) - N_TAPS // 2
    window = np.concatenate([[0.0], np.kaiser(N_TAPS - 1, KAISER_BETA)])
    phases = (np.sinc(distance / FACTOR) * window).reshape(-1, FACTOR).T  # [phase, tap]
    exact = phases * (UNITY_Q15 / phases.sum(axis=1, keepdims=True))
    taps = np.round(exact).astype(np.int32)
    for phase, wanted in zip(taps, exact, strict=True):
        missing = UNITY_Q15 - phase.sum()
        nearest = np.argsort(-np.sign(missing) * (wanted - phase))[: abs(missing)]
        phase[nearest] += np.sign(missing)
    return taps.T.ravel()


def upsample(pcm: np.ndarray) -> np.ndarray:
    """Plays samples at three times their rate, as the firmware does, from silence.

    Args:
        pcm: int16 at 16 kHz, shape [n].

    Returns:
        int16 at 48 kHz, shape [3 n], 48 samples (1 ms) late.
    """
    stuffed = np.zeros(FACTOR * len(pcm), np.int64)
    stuffed[::FACTOR] = pcm
    sums = np.convolve(stuffed, design_taps().astype(np.int64))[: len(stuffed)]
    return np.clip(sums >> 15, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def taps_text() -> str:
    """Returns ``upsampler_taps.c``."""
    rows = ""
    for phase in design_taps().reshape(-1, FACTOR).T[1:]:
        numbers = list(map(str, phase[::-1]))
        rows += f"    {{{', '.join(numbers[:16])},\n     {', '.join(numbers[16:])}}},\n"
    return f"""\
/* Made by python -m pipeline.upsampler --taps; do not edit. */
#include "upsampler/upsampler.h"

/* clang-format off */
const int16_t upsampler_taps[UPSAMPLER_FACTOR - 1][UPSAMPLER_PHASE_TAPS] = {{
{rows}}};
"""


# --- comparison -----------------------------------------------------------------------------------


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
    from pipeline.decoder_codegen import level_table, levels_q32
    from pipeline.device import clamp_frames, quantize_frames
    from pipeline.step_model import StreamingDecoder

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


def main(argv: Sequence[str] | None = None) -> None:
    """Writes the taps of the firmware's upsampler, or measures what it does to the sound."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.upsampler", description=main.__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--taps", action="store_true", help="write upsampler_taps.c")
    action.add_argument("--compare", action="store_true", help="measure, with data/models")
    arguments = parser.parse_args(argv)
    if arguments.taps:
        with atomic_write(TAPS_PATH) as temporary:
            temporary.write_text(taps_text())
        print(TAPS_PATH)
        return
    runs = {name: MODEL_DIR / name / "reduced_cd" for name in INSTRUMENTS}
    runs = {name: run for name, run in runs.items() if (run / "decoder_int8.tflite").is_file()}
    if not runs:
        raise UserError(f"{MODEL_DIR} holds no models: train some first")
    for name, run_dir in runs.items():
        figures = ", ".join(f"{key} {db:.1f} dB" for key, db in compare(run_dir, name).items())
        print(f"{name}: {figures}")


if __name__ == "__main__":
    run_main(main)
