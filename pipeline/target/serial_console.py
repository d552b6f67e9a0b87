"""Reads the report of a self-test from the serial console of a board.

The board waits for a byte before it begins, and prints a line about once a second meanwhile. After
a report it waits for another byte, which resets it.
"""

import os
import time
from collections.abc import Iterator
from typing import Any

from pipeline.core.errors import UserError
from pipeline.target.selftest_lines import part_of

BAUD = 115_200
QUIET_S = 2.0  # after which a board that has not begun is woken; one that waits prints every second
SHORTEST_WAIT_S = 5.0  # to wake a silent board and read its answer
LONGEST_LINE = 1000
FLASH_IT = "flash it with python -m pipeline.flash --board BOARD --selftest"


def read_report(port: str, *, wait_s: float) -> list[str]:
    """Makes the board at a serial port begin its report, and reads it.

    Args:
        port: Name of the port, such as ``/dev/ttyUSB0``.
        wait_s: Longest time without a line of the report, at least `SHORTEST_WAIT_S` for a silent
            board.

    Returns:
        The lines from the first to the last one of the report, without their ends.

    Raises:
        UserError: The port cannot be opened or is lost, or there is no report, or only a part of
            one.
    """
    serial = _pyserial()
    try:
        with serial.Serial(port, BAUD, timeout=0.1) as console:
            return _Reader(console, port, wait_s).read()
    except serial.SerialException as error:
        raise UserError(f"{port} cannot be used ({_reason(error)}): {_other_ports()}") from None


def _pyserial() -> Any:
    try:
        import serial
    except ImportError:
        raise UserError("pyserial is not installed: pip install pyserial") from None
    return serial


def _reason(error: Exception) -> str:
    """Returns why, without the traceback and the name of the port that pyserial adds."""
    errno = getattr(error, "errno", None)
    return str(error).splitlines()[0].partition(": ")[0] if errno is None else os.strerror(errno)


def _other_ports() -> str:
    from serial.tools import list_ports

    names = sorted(port.device for port in list_ports.comports())
    return f"there are {', '.join(names)}" if names else "no serial port is connected"


class _Reader:
    """The state of reading a report."""

    def __init__(self, console: Any, port: str, wait_s: float) -> None:
        self._console = console
        self._port = port
        self._wait_s = wait_s
        self._lines: list[str] = []
        self._other = ""  # the last line that was not of a report
        self._is_ready = False  # the board has asked for a byte; it asks until it receives one
        self._heard = time.monotonic()  # when a line of a report arrived, or it was first ready

    def read(self) -> list[str]:
        for line in self._arriving():
            part = part_of(line)
            if part and not (part == "ready" and self._is_ready):
                self._heard = time.monotonic()
            self._is_ready |= part == "ready"
            if part == "begin":
                self._lines = [line]
            elif self._lines:
                if part == "ready":
                    raise UserError(f"{self._port}: the board was reset {self._place()}: try again")
                self._lines.append(line)
            elif part in ("ready", "end"):
                self._console.write(b"r")
            elif not part:
                self._other = line or self._other
            if self._lines and part == "end":
                return self._lines
        raise UserError(f"{self._port}: {self._what_is_missing()}")

    def _arriving(self) -> Iterator[str]:
        """Yields lines until none of a report has arrived for too long; wakes a silent board."""
        buffer = bytearray()
        active = time.monotonic()
        while time.monotonic() - self._heard < self._wait_s:
            buffer += self._console.read(256)
            *lines, rest = buffer.split(b"\n")
            buffer = bytearray(rest if len(rest) < LONGEST_LINE else b"")
            if len(rest) >= LONGEST_LINE:
                lines.append(rest[:LONGEST_LINE])
            for line in lines:
                active = time.monotonic()
                yield line.decode("ascii", errors="replace").strip()
            if not self._lines and time.monotonic() - active > QUIET_S:
                active = time.monotonic()
                self._console.write(b"r\r")  # makes the console of the player answer, too

    def _place(self) -> str:
        return f"after {len(self._lines)} lines, the last one {self._lines[-1][:80]!r}"

    def _what_is_missing(self) -> str:
        if self._lines:
            return f"the report ends {self._place()}: reset the board and try again"
        if self._is_ready:
            return "the board waits for a byte and receives none: check the wiring of its RX"
        if self._other:
            return f"the board prints {self._other[:60]!r}, which is no self-test: {FLASH_IT}"
        return (
            f"nothing arrived in {self._wait_s:g} s at {BAUD} baud: check the wiring of the "
            f"console, and {FLASH_IT}"
        )
