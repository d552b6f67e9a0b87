"""What the tests of USB build once for all workers of a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import usb_bus

from pipeline.target.build import Program


@pytest.fixture(scope="session", params=usb_bus.CONTROLLERS)
def usb_program(run_folder: Path, request: pytest.FixtureRequest) -> Program:
    """The device above a model of a controller."""
    return usb_bus.build(run_folder / "usb", request.param)


@pytest.fixture
def bus(usb_program: Program) -> Iterator[usb_bus.UsbBus]:
    """A device after a bus reset."""
    with usb_bus.UsbBus(usb_program) as started:
        yield started


@pytest.fixture
def host(bus: usb_bus.UsbBus) -> usb_bus.UsbBus:
    """A device that is configured, with an open terminal."""
    bus.enumerate()
    return bus
