"""Runs a UF2 for the Raspberry Pi Pico in rp2040js, using ``tests/target/pico/runner.mjs``."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.target.vendor import fetch_rp2040js

FRAMING = 0x100
RUNNER = Path(__file__).parents[1] / "target" / "pico" / "runner.mjs"


@dataclass(frozen=True)
class Recording:
    """What the board output during a run.

    Attributes:
        words: Left and right I2S words of every frame, int32, shape [n_frames, 2].
        console: Text that the console printed.
        cycles: Active cycles of each core per block of 4 ms; the last block may be cut off.
        stack_bytes: Bytes of stack that each core used.
        guards: Address of the MPU region below the stack of each core; 0 if there is none.
        core_hz: Clock of the core at the end of the run.
        divider: Clock divider of the PIO, in 256ths.
        warnings: Warnings of the emulator, for instance about unknown registers.
        n_resets: Resets by the watchdog; the first one ends the run.
        n_flashes: Number of times that the LED was switched on.
        is_in_loader: Whether the board has started its boot loader, which ends the run.
        usb: What the USB host found and received (``report`` of ``usb_host.mjs``); None without it.
    """

    words: np.ndarray
    console: str
    cycles: list[list[int | None]]
    stack_bytes: list[int]
    guards: list[int]
    core_hz: float
    divider: int
    warnings: list[str]
    n_resets: int
    n_flashes: int
    is_in_loader: bool
    usb: dict[str, Any] | None

    @property
    def stats(self) -> dict[str, float]:
        """Values in the console's answer to ``stats``, by name."""
        lines = (line.removesuffix(" %").rsplit(" ", 1) for line in self.console.splitlines())
        return {
            words[0]: float(words[1]) for words in lines if words[-1].replace(".", "").isdigit()
        }


def run(
    uf2: Path,
    n_frames: int,
    events: list[tuple[int, str, Sequence[int]]],
    *,
    output: str = "i2s",
    broken: str = "",
    usb: list[tuple[int, str, Sequence[int]]] | None = None,
    terminal: int | None = None,
    until: str | None = None,
    settings: Path | None = None,
    pots: list[tuple[int, Sequence[int | None]]] | None = None,
    timeout_s: float = 300,
) -> Recording:
    """Runs a UF2 until it has played `n_frames`.

    Args:
        uf2: UF2 file for the RP2040.
        n_frames: Number of frames to record.
        events: Frame, port (``midi`` or ``console``), and the bytes that arrive from that frame on;
            `FRAMING` is added to a byte with that error.
        output: ``i2s`` or ``pwm``.
        broken: ``crystal``, ``pll`` or ``core`` (the second one), which never starts, or ``sound``,
            which stops half-way, or ``block``, for which the second core is halted half-way.
        usb: Frame, action and bytes of the events of a USB host (``usb_host.mjs``), which is
            connected from the start; None for no host.
        terminal: Descriptor of a terminal that does not block, to which the console is connected.
        until: Text of the console after whose line the run ends; None for no such text.
        settings: Content of the two sectors of flash that hold the settings, which is read, if the
            file exists, and written; None if they are blank.
        pots: Frame, and the voltages of the potentiometers at GPIO26 to 28 from then on, 0 to 4095;
            None for a pin that floats, as all do at first.
        timeout_s: Seconds after which the emulator is stopped.
    """
    score = {
        "frames": n_frames,
        "output": output,
        "broken": broken,
        "events": [
            {"frame": frame, "port": port, "bytes": list(data)} for frame, port, data in events
        ],
    }
    if usb is not None:
        score["usb"] = [
            {"frame": frame, "action": action, "bytes": list(data)} for frame, action, data in usb
        ]
    if terminal is not None:
        score["terminal"] = terminal
    if pots is not None:
        score["pots"] = [{"frame": frame, "volts": list(volts)} for frame, volts in pots]
    if until is not None:
        score["until"] = until
    if settings is not None:
        score["settings"] = str(settings)
    score_path, out = uf2.with_suffix(".json"), uf2.with_suffix(".words")
    score_path.write_text(json.dumps(score))
    command = ["node", str(RUNNER), str(fetch_rp2040js()), str(uf2), str(score_path), str(out)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        pass_fds=[] if terminal is None else [terminal],
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    return Recording(
        words=np.fromfile(out, "<i4").reshape(-1, 2),
        console=report["consoleText"],
        cycles=report["cycles"],
        stack_bytes=report["stackBytes"],
        guards=report["guards"],
        core_hz=report["coreHz"],
        divider=report["divider"],
        warnings=report["warnings"],
        n_resets=report["nResets"],
        n_flashes=report["nFlashes"],
        is_in_loader=report["isInLoader"],
        usb=report.get("usb"),
    )
