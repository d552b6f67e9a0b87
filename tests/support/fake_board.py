"""A board at the other end of a pseudo-terminal, and the report that it prints."""

import json
import os
import select
import threading
import tty
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

READY = b'{"part": "ready"}\n'
HEAD = {
    **{"part": "begin", "format": 2, "board": "stranger", "chip": "XY1", "counter": "SysTick"},
    **{"section": "manual 3.1", "unit": "cycles", "counter_hz": 1000000, "models": 1},
    **{"counts_per_block": 4000, "voices": 2, "cores": 1},
}
REPORT = [
    HEAD,
    {"part": "register", "name": "CPUID", "section": "manual 2.4", "value": "0x410cc601"},
    {"part": "flash", "bytes": 9, "expected": "0x1", "found": "0x1", "ok": True},
    {"part": "memory", "name": "RAM", "address": "0x2000", "bytes": 64, "ok": True},
    *(
        {"part": "cost", "model": "flute_tiny", "stage": stage, "caches": caches}
        | {"min": n, "median": n + 10, "max": n + 20}
        for caches, n in (("warm", 1000), ("cold", 1500))
        for stage in ("decoder", "levels", "fm", "noise", "block")
    ),
    {"part": "model", "model": "flute_tiny", "tflite": "0x1", "stage": "fm", "frames": 132}
    | {"ok": True},
    {"part": "progress", "block": 500, "blocks": 900},
    {"part": "worst_block", "blocks": 900, "voices": 2, "mean": 1500, "max": 3000, "at_block": 7}
    | {"late": 0, "ok": True},
    {"part": "stack", "bytes": 700},
    {"part": "clock", "name": "TIMER", "section": "manual 4", "hz": 1000, "expected": 10000}
    | {"found": 10010, "ok": True},
    {"part": "latency", "notes": 32, "sounded": 32, "min": 4100, "median": 6000, "max": 7990}
    | {"ok": True},
    {"part": "counter", "name": "DWT_CPICNT", "section": "manual 5", "present": True},
    {"part": "stalls", "model": "flute_tiny", "stage": "fm", "cycles": 40000, "stretches": 200}
    | {"long": 3, "cpi": 8000, "exc": 4000, "sleep": 0, "lsu": 2000, "fold": 400},
]


def report_lines(changes: dict[str, Any] | None = None) -> list[str]:
    """Returns the lines of a report.

    Args:
        changes: By part, what differs from `REPORT`.
    """
    lines = [line | (changes or {}).get(str(line["part"]), {}) for line in REPORT]
    checks = [line["ok"] for line in lines if "ok" in line]
    end = {"part": "end", "lines": len(lines), "checks": len(checks), "failed": checks.count(False)}
    return [json.dumps(line) for line in [*lines, end | (changes or {}).get("end", {})]]


def text_of(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


class Console:
    """The board's end of the console."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.is_open = True
        self.is_plugged = True

    def send(self, data: bytes) -> None:
        while data:
            if not self.is_open:
                raise OSError("the test has ended")
            if select.select([], [self._descriptor], [], 0.1)[1]:
                data = data[os.write(self._descriptor, data) :]

    def receive(self) -> bytes:
        """Waits for a byte."""
        return os.read(self._descriptor, 1)

    def unplug(self) -> None:
        self.is_plugged = False
        os.close(self._descriptor)

    def greet(self) -> None:
        """Prints again and again that the board is ready, until a byte arrives."""
        self.send(READY)
        while not select.select([self._descriptor], [], [], 0.1)[0]:
            self.send(READY)
        self.receive()


class FakeBoard(AbstractContextManager[str]):
    """Runs a function with the board's end of a console; yields the name of the port."""

    def __init__(self, behave: Callable[[Console], None]) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._console = Console(self._master)
        self._behave = behave
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        with suppress(OSError):  # the terminal was closed
            self._behave(self._console)

    def __enter__(self) -> str:
        self._thread.start()
        return os.ttyname(self._slave)

    def __exit__(self, *_: object) -> None:
        self._console.is_open = False
        os.close(self._slave)  # ends a read of the thread
        self._thread.join()  # so that it uses no descriptor of the next test
        if self._console.is_plugged:
            os.close(self._master)


def printing(*parts: bytes) -> FakeBoard:
    """A board that greets, waits for a byte, and then prints."""

    def behave(console: Console) -> None:
        console.greet()
        for part in parts:
            console.send(part)

    return FakeBoard(behave)
