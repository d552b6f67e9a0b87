"""Runs the play application on boards that take MIDI and console input from score files."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from pipeline.target.build import Program
from pipeline.target.emulator import ProgramRun, run_program
from pipeline.target.player import SCORE_RECORD

Events = Iterable[tuple[int, bytes]]


def records(events: Events) -> bytes:
    """Encodes a score file; an event without bytes keeps the core busy for one block."""
    parts = [
        (block, len(part), tuple(part.ljust(3, b"\0")))
        for block, message in events
        for part in ([message[i : i + 3] for i in range(0, len(message), 3)] or [b""])
    ]
    return np.array(parts, SCORE_RECORD).tobytes()


def play(program: Program, midi: Events, console: Events = (), *, flash: bytes = b"") -> ProgramRun:
    """Plays MIDI and console events (block, bytes) and checks that the program succeeds.

    `flash` is ``flash.bin`` of an earlier run, which holds saved settings; b"" is a new board.
    """
    inputs = {"midi.score": records(midi), "console.score": records(console)}
    if flash:
        inputs["flash.bin"] = flash
    run = run_program(program, inputs=inputs, outputs=["audio.pcm", "console.txt", "flash.bin"])
    assert run.status == 0, run.console
    return run


def pcm(run: ProgramRun) -> npt.NDArray[np.int16]:
    """Returns the samples that were played."""
    return np.frombuffer(run.files["audio.pcm"], "<i2")


def answers(run: ProgramRun) -> list[str]:
    """Returns the lines that the console printed."""
    return run.files["console.txt"].decode("ascii").splitlines()
