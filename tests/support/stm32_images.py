"""The STM32 boards: the shipped flute in their images, and builds for the host to compare with."""

from pathlib import Path

from pipeline.core.paths import MODEL_DIR
from pipeline.emit import presets
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.build import Program, make
from pipeline.target.vendor import fetch_cmsis

SHIPPED = presets.load_preset(MODEL_DIR / "flute" / "reduced_cd")
FOR_QEMU = {"CCM": "OFF"}  # whose machine has no such memory
N_VOICES = {
    name: INSTRUMENT_BOARDS[name].n_voices for name in ("stm32f4_discovery", "nucleo_h743zi")
}


def build_host(generated: Path, build_dir: Path) -> Program:
    """Builds the application for the host, with the number of voices of the Discovery."""
    settings = {
        "GENERATED_DIR": generated,
        "PLAYER_VOICES": N_VOICES["stm32f4_discovery"],
        "CMSIS_DSP_DIR": fetch_cmsis()[1],  # enables live mode
    }
    return make("host", build_dir, settings, "play")
