"""Runs a UF2 for the Raspberry Pi Pico in rp2040js, by ``tests/target/pico/runner.mjs``."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.target.vendor import fetch_rp2040js

RUNNER = Path(__file__).parents[1] / "target" / "pico" / "runner.mjs"


@dataclass(frozen=True)
class Recording:
    """The output of the board.

    Attributes:
        words: Left and right of every frame, int32, shape [n_frames, 2].
        console: By its console.
        cycles: Of the core while it did not sleep, by block of 4 ms; the last may be cut off.
        core_hz: At which it ran in the end.
        divider: Of the PIO's clock, in 256ths.
        warnings: Of the emulator: registers that there are not, and the like.
        n_resets: By the watchdog; the first ends the run.
        n_flashes: Of the LED.
    """

    words: np.ndarray
    console: str
    cycles: list[int | None]
    core_hz: float
    divider: int
    warnings: list[str]
    n_resets: int
    n_flashes: int

    @property
    def stats(self) -> dict[str, float]:
        """The answer of the console to ``stats``."""
        lines = (line.removesuffix(" %").rsplit(" ", 1) for line in self.console.splitlines())
        return {
            words[0]: float(words[1]) for words in lines if words[-1].replace(".", "").isdigit()
        }


def run(
    uf2: Path,
    n_frames: int,
    events: list[tuple[int, str, bytes]],
    *,
    output: str = "i2s",
    broken: str = "",
) -> Recording:
    """Runs a UF2 until it has played `n_frames`.

    Args:
        uf2: For the RP2040.
        n_frames: To hear.
        events: Frame, ``midi`` or ``console``, and bytes that come there from then on.
        output: ``i2s`` or ``pwm``.
        broken: ``crystal`` or ``pll``, which never start, or ``sound``, which stops half-way.
    """
    score = {
        "frames": n_frames,
        "output": output,
        "broken": broken,
        "events": [
            {"frame": frame, "port": port, "bytes": list(data)} for frame, port, data in events
        ],
    }
    score_path, out = uf2.with_suffix(".json"), uf2.with_suffix(".words")
    score_path.write_text(json.dumps(score))
    command = ["node", str(RUNNER), str(fetch_rp2040js()), str(uf2), str(score_path), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    return Recording(
        words=np.fromfile(out, "<i4").reshape(-1, 2),
        console=report["consoleText"],
        cycles=report["cycles"],
        core_hz=report["coreHz"],
        divider=report["divider"],
        warnings=report["warnings"],
        n_resets=report["nResets"],
        n_flashes=report["nFlashes"],
    )
