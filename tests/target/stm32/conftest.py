"""Images of the STM32 boards, built once for all tests of a run."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.stm32_images import FOR_QEMU, N_VOICES, SHIPPED, build_host

from pipeline.emit import presets
from pipeline.target import firmware
from pipeline.target.build import Program, make


@pytest.fixture(scope="session")
def host(run_folder: Path, small_instruments: Path) -> Program:
    """The small instruments on the host, with the voices of the Discovery."""
    return build_host(small_instruments, run_folder / "stm32-host")


@pytest.fixture(scope="session")
def small_image(run_folder: Path, small_instruments: Path) -> Program:
    """The small instruments on the Discovery, as QEMU runs it."""
    settings = {"GENERATED_DIR": small_instruments, **FOR_QEMU}
    return make("stm32f4_discovery", run_folder / "stm32-small", settings, "play")


@pytest.fixture(scope="session")
def flute(generate_once: Callable[..., Path]) -> Path:
    """Generated code of the shipped flute."""
    write = partial(presets.write_firmware_source, [SHIPPED])
    return generate_once("stm32-flute", write)


@pytest.fixture(scope="session")
def images(run_folder: Path, flute: Path) -> dict[str, firmware.Firmware]:
    """The flute on every board."""
    return {
        board: firmware.build(board, flute, build_dir=run_folder / f"stm32-flute-{board}")
        for board in N_VOICES
    }


@pytest.fixture(scope="session")
def emulated_flute(run_folder: Path, flute: Path) -> firmware.Firmware:
    """The flute on the Discovery, as QEMU runs it."""
    build_dir = run_folder / "stm32-flute-qemu"
    return firmware.build("stm32f4_discovery", flute, build_dir=build_dir, options=FOR_QEMU)
