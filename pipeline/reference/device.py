"""The whole device in Python: what the firmware does to a frame, to the bit.

Clamping and quantization mirror ``instrument/frame.c`` in float32, the decoder is the .tflite itself
in the tflite-micro package, levels come from the generated table, `pipeline.fm_fixed` plays them,
and `pipeline.breath` adds noise. The firmware's PCM, logits and levels equal these on every target;
in a room (`pipeline.room`) its PCM is at most 1 off, for the device convolves in float32.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.constants import DEFAULT_F0_HZ
from pipeline.model.noise import NoiseParameters
from pipeline.model.patches import Patch
from pipeline.quantization.step_model import StreamingDecoder
from pipeline.reference.decoder import level_table, levels_q32
from pipeline.reference.fm import FixedVoice
from pipeline.reference.frame import MIN_LOUDNESS_DB, clamp_frames, log2_float32, quantize_frames
from pipeline.reference.noise import noise_gains, noise_pcm, to_fixed_noise
from pipeline.reference.reverb import play_reverb


@dataclass(frozen=True)
class DeviceRendering:
    """What the device plays.

    Attributes:
        pcm: int16, shape [64 * n_frames].
        quantized: Input of the decoder, int8 or int16, shape [n_frames, 2].
        logits: Its output, likewise, shape [n_frames, 6].
        levels_q32: int32, shape [n_frames, 6]; turns times 2**32.
    """

    pcm: np.ndarray
    quantized: np.ndarray
    logits: np.ndarray
    levels_q32: np.ndarray


def simulate(
    tflite: Path | bytes,
    patch: Patch,
    breath: NoiseParameters,
    frames: np.ndarray,
    response: np.ndarray | None = None,
) -> DeviceRendering:
    """Plays frames from reset, as the firmware does.

    Args:
        tflite: The quantized step model.
        patch: The FM voice.
        breath: The noise beside it (`pipeline.network.load_breath`).
        frames: f0_hz and loudness_db, float32 of shape [n_frames, 2]; any values.
        response: Impulse response of the room (`pipeline.room.shorten`), None to play it dry.

    Returns:
        What the firmware gives on every target, bit for bit; in a room, PCM within 1.

    Raises:
        UserError: The model is missing, damaged, or no step model.
    """
    decoder = StreamingDecoder(tflite)
    clamped = clamp_frames(frames)
    silence = np.array([[DEFAULT_F0_HZ, MIN_LOUDNESS_DB]], np.float32)
    before, quantized = (
        quantize_frames(each, *decoder.input_quantization, decoder.dtype)
        for each in (silence, clamped)
    )
    decoder.settle(before[0])
    logits = decoder.run(quantized)
    table = level_table(*decoder.output_quantization, bits=8 * decoder.dtype.itemsize)
    levels = levels_q32(table, logits)
    pcm = FixedVoice(patch).render(clamped[:, 0], levels)
    noise = to_fixed_noise(breath)
    gains = noise_gains(noise, log2_float32(clamped[:, 0]), clamped[:, 1], levels)
    pcm = np.clip(pcm + noise_pcm(noise, gains), -(2**15), 2**15 - 1).astype(np.int16)
    if response is not None:
        pcm = play_reverb(pcm, response)
    return DeviceRendering(pcm, quantized, logits, levels)
