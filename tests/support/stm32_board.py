"""Runs the image of the STM32F4 Discovery in QEMU's netduinoplus2, connected to its USARTs."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from socket import AF_UNIX, SHUT_RDWR, socket

import numpy as np

from pipeline.core.constants import HOP_SAMPLES
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.tools import require_tools

PORTS = {2: "console", 3: "midi", 6: "samples"}  # by number of the USART
TIMEOUT_S = 120
# The machine's SysTick counts at 168 MHz, and an instruction takes a nanosecond.
INSTRUCTIONS_PER_TICK = 1000 / 168
TICKS_PER_BLOCK = 16_000_000 // 250  # the emulated PLLs never lock


class Stm32Board(AbstractContextManager["Stm32Board"]):
    """A board that runs until the context ends.

    The machine has no I2S, so the samples leave by the sample USART, at the speed of emulation.
    """

    def __init__(self, elf: Path) -> None:
        """Starts the image and waits for its greeting."""
        require_tools("qemu-system-arm")
        machine = INSTRUMENT_BOARDS["stm32f4_discovery"].machine
        command = ["qemu-system-arm", "-machine", str(machine), "-kernel", str(elf)]
        command += ["-icount", "shift=0,sleep=off", "-display", "none", "-monitor", "none"]
        self._received: dict[str, bytearray] = {}
        self._ports: dict[str, socket] = {}
        with tempfile.TemporaryDirectory(prefix="stm32-") as folder:
            listeners = {}
            for usart in range(1, 7):
                name = PORTS.get(usart)
                if name is None:
                    command += ["-serial", "null"]
                    continue
                listeners[name] = socket(AF_UNIX)
                listeners[name].bind(f"{folder}/{name}")
                listeners[name].listen(1)
                command += ["-chardev", f"socket,id={name},path={folder}/{name}"]
                command += ["-serial", f"chardev:{name}"]
            self._emulator = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            for name, listener in listeners.items():
                listener.settimeout(TIMEOUT_S)
                self._ports[name] = listener.accept()[0]
                self._ports[name].settimeout(None)
                listener.close()
        for name, port in self._ports.items():
            self._received[name] = bytearray()
            threading.Thread(target=self._receive, args=(name, port), daemon=True).start()
        self._wait(lambda: "type help\r\n" in self.console, "greeting")

    def _receive(self, name: str, port: socket) -> None:
        with suppress(OSError):  # the board was switched off during a transfer
            while data := port.recv(65536):
                self._received[name] += data

    def __exit__(self, *_: object) -> None:
        """Switches the board off."""
        self._emulator.kill()
        self._emulator.wait()
        for port in self._ports.values():
            port.shutdown(SHUT_RDWR)
            port.close()

    def _wait(self, is_done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not is_done():
            assert time.monotonic() < end, (
                f"no {what} in {TIMEOUT_S} s; the console printed: {self.console}"
            )
            assert self._emulator.poll() is None, "the emulator has ended"
            time.sleep(0.005)

    @property
    def console(self) -> str:
        """Text that the console has printed so far."""
        return self._received["console"].decode("ascii")

    @property
    def blocks(self) -> np.ndarray:
        """The samples played so far, int16, shape [n_blocks, 64]."""
        data = bytes(self._received["samples"])
        return np.frombuffer(data[: len(data) // 128 * 128], "<i2").reshape(-1, HOP_SAMPLES)

    def wait_for_blocks(self, n_blocks: int) -> None:
        """Waits until the board has played `n_blocks` blocks since its start."""
        self._wait(lambda: len(self._received["samples"]) >= 128 * n_blocks, f"block {n_blocks}")

    def ask(self, command: str, last_word: str) -> list[str]:
        """Types a command; returns the output up to a line that begins with `last_word`."""
        start = len(self.console)
        self._ports["console"].sendall(command.encode() + b"\r")
        self._wait(
            lambda: any(
                line.startswith(last_word) and line.endswith("\n")
                for line in self.console[start:].splitlines(keepends=True)
            ),
            f"answer to {command}",
        )
        return self.console[start:].splitlines()

    def stats(self) -> dict[str, float]:
        """Returns the values that ``stats`` prints, by name; shares are in percent."""
        lines = (line.removesuffix(" %").rsplit(" ", 1) for line in self.ask("stats", "stack"))
        return {name: float(value) for name, value in lines}

    def send_midi(self, message: bytes) -> None:
        """Sends bytes to the MIDI input."""
        self._ports["midi"].sendall(message)
