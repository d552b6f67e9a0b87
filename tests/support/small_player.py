"""A firmware of three small instruments, and MIDI messages, for tests of the player."""

import dataclasses
from pathlib import Path

from pipeline.core.instrument_config import TcnConfig
from pipeline.core.patch_files import load_patch
from pipeline.core.paths import APP_DIR, MODEL_DIR
from pipeline.emit import presets
from pipeline.model.expression import PLAIN, load_expression
from pipeline.model.noise import UNTRAINED, NoiseParameters
from pipeline.quantization import tflite_writer

PATCH_NAMES = ("flute", "violin", "piano")  # by preset
LEVEL_DB = -20.0
NOISE = NoiseParameters(UNTRAINED.colour + 0.5, UNTRAINED.slopes + 0.1)  # loud enough to be audible
BARE = dataclasses.replace(PLAIN, envelope_db=[[LEVEL_DB] * 18] * 11, loudest_db=0.0)
TABLES = {
    "flute": BARE,
    "violin": load_expression(MODEL_DIR / "violin" / "expression.toml"),
    "piano": load_expression(MODEL_DIR / "piano" / "expression.toml"),
}

SOURCES = [  # of the player, without the generated ones
    APP_DIR / folder / f"{name}.c"
    for folder, names in {
        "player": (
            *("player", "voices", "keys", "channels", "midi_controllers", "midi_input"),
            *("expression", "limiter", "pitch", "pitch_tables"),
        ),
        "instrument": ("instrument", "frame"),
        "midi": ("midi_parser",),
        "decoder": ("decoder_aot", "decoder_levels"),
        "fm": ("fm_voice", "fm_stretch", "fm_sine_table"),
        "noise": ("noise",),
    }.items()
    for name in names
]


def small_presets(model: Path, noise: NoiseParameters = NOISE) -> list[presets.Preset]:
    """Returns three presets that share a decoder."""
    return [
        presets.Preset(name, model, load_patch(name), noise, expression=TABLES[name])
        for name in PATCH_NAMES
    ]


def generate(folder: Path, noise: NoiseParameters = NOISE) -> Path:
    """Generates three presets that share a small random decoder; returns its .tflite."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "decoder.tflite"
    model.write_bytes(
        tflite_writer.random_step_model(TcnConfig(n_blocks=2, hidden_channels=8), 3, "int8")
    )
    presets.write_firmware_source(small_presets(model, noise), folder)
    return model


def on(note: int, velocity: int = 127) -> bytes:
    return bytes([0x90, note, velocity])


def off(note: int) -> bytes:
    return bytes([0x80, note, 0])


def control(number: int, value: int) -> bytes:
    return bytes([0xB0, number, value])


def bend(value: int) -> bytes:
    """Encodes a pitch bend from -8192 to 8191."""
    return bytes([0xE0, (value + 8192) & 127, (value + 8192) >> 7])


def program_change(number: int) -> bytes:
    return bytes([0xC0, number])
