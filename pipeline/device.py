"""The whole device in Python: what the firmware does to a frame, to the bit.

Clamping and quantization mirror ``instrument/frame.c`` in float32, the decoder is the .tflite itself
in the tflite-micro package, levels come from the generated table, `pipeline.fm_fixed` plays them,
and `pipeline.breath` adds noise. The firmware's PCM, logits and levels equal these on every target;
in a room (`pipeline.room`) its PCM is at most 1 off, for the device convolves in float32.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.breath import Breath, breath_gains, breath_pcm, device_breath
from pipeline.config import DEFAULT_F0_HZ
from pipeline.decoder_codegen import level_table, levels_q32
from pipeline.fm_fixed import FixedVoice
from pipeline.patches import Patch
from pipeline.room import play_room
from pipeline.step_model import StreamingDecoder

MIN_F0_HZ, MAX_F0_HZ = 20.0, 4000.0
MIN_LOUDNESS_DB, MAX_LOUDNESS_DB = -80.0, 0.0

_LOG2_COEFFICIENTS = (  # of instrument/frame.c, highest power first
    *(0.17063432, -0.27269839, 0.2972626, -0.35896174, 0.48046504, -0.72137588, 1.44269973),
)


def log2_float32(x: np.ndarray) -> np.ndarray:
    """Returns log2 as ``frame_log2`` computes it.

    Args:
        x: Positive normal float32, any shape.

    Returns:
        float32 of the same shape, within 3e-7 and an ulp of the truth.
    """
    one, sqrt_half = 0x3F800000, 0x3F3504F3
    bits = np.asarray(x, np.float32).view(np.int32) + np.int32(one - sqrt_half)
    exponent = (bits >> 23) - 127
    t = ((bits & 0x007FFFFF) + np.int32(sqrt_half)).view(np.float32) - np.float32(1)
    p = np.full_like(t, _LOG2_COEFFICIENTS[0])
    for coefficient in _LOG2_COEFFICIENTS[1:]:
        p = p * t + np.float32(coefficient)
    return exponent.astype(np.float32) + p * t


def clamp_frames(frames: np.ndarray) -> np.ndarray:
    """Makes frames playable: 20 to 4000 Hz, -80 to 0 dB.

    Args:
        frames: f0_hz and loudness_db, float32 of shape [n_frames, 2], with anything in them.

    Returns:
        float32 of the same shape. A NaN in f0 holds the last pitch (440 Hz before the first), one
        in loudness is silence.
    """
    f0_hz, loudness_db = np.asarray(frames, np.float32).T
    known = np.concatenate([[True], ~np.isnan(f0_hz)])
    last_known = np.maximum.accumulate(np.where(known, np.arange(len(known)), 0))
    f0_hz = np.concatenate([[np.float32(DEFAULT_F0_HZ)], f0_hz])[last_known[1:]]
    loudness_db = np.where(np.isnan(loudness_db), np.float32(MIN_LOUDNESS_DB), loudness_db)
    return np.stack(
        [
            np.clip(f0_hz, MIN_F0_HZ, MAX_F0_HZ),
            np.clip(loudness_db, MIN_LOUDNESS_DB, MAX_LOUDNESS_DB),
        ],
        axis=1,
    ).astype(np.float32)


def quantize_frames(
    clamped: np.ndarray, scale: float, zero_point: int, dtype: np.dtype
) -> np.ndarray:
    """Quantizes clamped frames to the decoder's input as ``frame_quantize`` does.

    Args:
        clamped: From `clamp_frames`, shape [n_frames, 2].
        scale: Of the model's input tensor.
        zero_point: Likewise.
        dtype: int8 or int16.

    Returns:
        Integers of `dtype`, same shape.
    """
    steps = np.float32(1) / np.float32(scale)
    zero = np.float32(zero_point)
    f0_gain = steps * (np.float32(12) / np.float32(127))
    f0_offset = zero - steps * np.float32(0.28642769)
    loudness_gain = steps * (np.float32(1) / np.float32(80))
    loudness_offset = zero + steps
    f0 = f0_gain * log2_float32(clamped[:, 0]) + f0_offset
    loudness = loudness_gain * clamped[:, 1] + loudness_offset
    limits = np.iinfo(dtype)
    values = np.clip(
        np.stack([f0, loudness], axis=1), np.float32(limits.min), np.float32(limits.max)
    )
    return np.floor(values + np.float32(0.5)).astype(dtype)


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
    breath: Breath,
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
    noise = device_breath(breath)
    gains = breath_gains(noise, log2_float32(clamped[:, 0]), clamped[:, 1], levels)
    pcm = np.clip(pcm + breath_pcm(noise, gains), -(2**15), 2**15 - 1).astype(np.int16)
    if response is not None:
        pcm = play_room(pcm, response)
    return DeviceRendering(pcm, quantized, logits, levels)
