"""The whole device in Python: everything that the firmware does with a frame, bit for bit.

`pipeline.reference.frame` clamps and quantizes, the tflite-micro package runs the .tflite itself,
and `pipeline.reference` looks up the levels, plays them with FM, and adds the noise and the reverb.
The firmware's logits, levels and PCM equal the results on every board. With a reverb, its PCM
differs by at most 1, because the device convolves in float32.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.patch import Patch
from pipeline.model.noise import NoiseParameters
from pipeline.quantization.streaming_decoder import StreamingDecoder
from pipeline.reference.decoder import level_table, levels_q32
from pipeline.reference.fm import FixedVoice
from pipeline.reference.frame import (
    FrameScaling,
    clamp_frames,
    gate_levels,
    log2_float32,
    quantize_frames,
    silent_frame,
)
from pipeline.reference.noise import noise_gains, noise_pcm, to_fixed_noise
from pipeline.reference.reverb import play_reverb


@dataclass(frozen=True)
class DeviceRendering:
    """What the device plays.

    Attributes:
        pcm: int16, shape [64 * n_frames].
        quantized: Input of the decoder, int8 or int16, shape [n_frames, 2].
        logits: Output of the decoder, int8 or int16, shape [n_frames, 6].
        levels_q32: Operator levels, turns times 2**32, int32, shape [n_frames, 6].
    """

    pcm: npt.NDArray[np.int16]
    quantized: npt.NDArray[Any]
    logits: npt.NDArray[Any]
    levels_q32: npt.NDArray[np.int32]


def simulate(
    tflite: Path | bytes,
    patch: Patch,
    noise: NoiseParameters,
    frames: npt.NDArray[np.floating],
    response: npt.NDArray[np.floating] | None = None,
) -> DeviceRendering:
    """Plays frames from reset, as the firmware does.

    Args:
        tflite: The quantized step model.
        patch: The FM patch.
        noise: The noise that the model has learnt (see `pipeline.quantization.weights.load_noise`).
        frames: f0_hz and loudness_db, float32 of shape [n_frames, 2]; any values.
        response: Impulse response of the reverb (see `pipeline.model.reverb.shorten`), None to play
            dry.

    Returns:
        What the firmware returns on every board, bit for bit; with a reverb, PCM within 1.

    Raises:
        UserError: The model is missing, damaged, or not a step model.
    """
    decoder = StreamingDecoder(tflite)
    clamped = clamp_frames(frames)
    bits = 8 * decoder.dtype.itemsize
    scaling = FrameScaling.of(*decoder.input_quantization, bits, decoder.pitch)
    quantized = quantize_frames(clamped, scaling).astype(decoder.dtype)
    decoder.prime(silent_frame(scaling))
    logits = decoder.run(quantized)
    table = level_table(*decoder.output_quantization, bits=bits)
    levels = gate_levels(levels_q32(table, logits), clamped[:, 1])
    voice = FixedVoice(patch).render(clamped[:, 0], levels)
    fixed = to_fixed_noise(noise)
    gains = noise_gains(fixed, log2_float32(clamped[:, 0]), clamped[:, 1], levels)
    pcm = np.clip(voice + noise_pcm(fixed, gains), -(2**15), 2**15 - 1).astype(np.int16)
    if response is not None:
        pcm = play_reverb(pcm, response)
    return DeviceRendering(pcm, quantized, logits, levels)
