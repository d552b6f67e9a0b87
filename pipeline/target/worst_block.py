"""Measures the most expensive block of the whole instrument, the main loop of ``apps/play``.

An emulated board plays a score in which everything happens that can meet in one block: a program
change together with a chord for all voices, all voices struck again, stolen, or released by the
pedal, glides, voices of different instruments, bends and controllers in every block, and live mode
switched on and off. The count includes MIDI, the mix, live analysis and the conversion to 48 kHz.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import FRAME_RATE
from pipeline.core.errors import UserError
from pipeline.target.board_types import Board
from pipeline.target.build import application_settings, make
from pipeline.target.emulator import run_checked
from pipeline.target.player import Score, score_bytes

SAMPLE_RATES_HZ = (16_000, 48_000)
FULL_LOAD = 168_000_000 // FRAME_RATE  # instructions that ``stats`` calls 100 % on emulated boards
N_PROGRAMS = 4
CHORD_BLOCKS = 8  # from one chord to the next, enough for a fade and an attack


@dataclass(frozen=True)
class WorstBlock:
    """What the most expensive block took.

    Attributes:
        instructions: Executed instructions, exact to 0.1 % of `FULL_LOAD`; with two cores, those
            of one core and of the time in which it waits for the other.
        stack_bytes: Most bytes of stack in any block.
    """

    instructions: int
    stack_bytes: int


def worst_score(n_voices: int) -> tuple[Score, int]:
    """Returns a score of expensive blocks, and the number of its last block.

    Args:
        n_voices: Number of voices of the player, which every chord needs.
    """
    score: Score = [(3, bytes([0xB0, 65, 127])), (3, bytes([0xB0, 5, 10]))]  # all notes glide
    block = 4
    for turn in range(2 * N_PROGRAMS):
        notes = [36 + 5 * turn + 2 * voice for voice in range(n_voices)]
        score.append((block, bytes([0xC0, turn % N_PROGRAMS])))
        score.append((block, bytes([0xB0, 64, 127])))
        # A new instrument, then the same notes again, then others, which take all voices.
        for transposition in (0, 0, 1):
            score += [(block, bytes([0x90, note + transposition, 127])) for note in notes]
            block += CHORD_BLOCKS
        score += [(block - 3, bytes([0x80, note + 1, 0])) for note in notes]
        score.append((block - 2, bytes([0xB0, 64, 0])))  # the pedal releases all voices
    score.append((block, bytes([0xB0, 120, 0])))
    block += 2
    for voice in range(n_voices):  # as many networks as possible have a voice that is not paired
        score.append((block, bytes([0xC0, min(voice, N_PROGRAMS - 1)])))
        score.append((block, bytes([0x90, 40 + 3 * voice, 127])))
        block += 2
    block += CHORD_BLOCKS
    for each in range(4, block):  # two controllers in every block
        score.append((each, bytes([0xE0, 0, 32 + each % 64])))
        score.append((each, bytes([0xB0, (1, 2, 11)[each % 3], 64 + each % 64])))
    return sorted(score, key=lambda event: event[0]), block


def measure_worst_block(
    board: Board,
    generated: Path,
    sound: npt.NDArray[np.int16],
    *,
    sample_rate_hz: int,
    build_dir: Path,
) -> WorstBlock:
    """Plays `worst_score`, and then live, on the emulated board with the core of `board`.

    Args:
        board: One of `pipeline.target.boards.INSTRUMENT_BOARDS`, whose voices are played.
        generated: Output of `pipeline.codegen`, at best with `N_PROGRAMS` models.
        sound: Input of live mode, int16 at 16 kHz; ignored if the board has no input.
        sample_rate_hz: Rate of the output, one of `SAMPLE_RATES_HZ`.
        build_dir: Build folder.

    Raises:
        UserError: A tool is missing, the program does not fit the emulated board, or it failed.
    """
    settings = application_settings(generated, analyses=True) | {
        "PLAYER_VOICES": board.n_voices,
        "PLAYER_CORES": board.n_cores,
        "SAMPLE_RATE": sample_rate_hz,
    }
    program = make(board.emulated_by, build_dir, settings, "play")
    score, end = worst_score(board.n_voices)
    console: Score = []
    if board.has_input:
        chord = [bytes([0x90, 48 + 2 * voice, 127]) for voice in range(board.n_voices)]
        for live in (b"1\r", b"0\r"):
            score += [(end, note) for note in chord]
            console += [(end + 1, b"liv"), (end + 1, b"e "), (end + 1, live)]
            score.append((end + 6, bytes([0xC0, 1])))
            end += CHORD_BLOCKS
        score += [(end, note) for note in chord]
        end += CHORD_BLOCKS
    run = run_checked(
        program,
        what="the instrument",
        inputs={
            "midi.score": score_bytes(score),
            "console.score": score_bytes([*console, (end, b"sta"), (end, b"ts\r")]),
            "input.pcm": np.asarray(sound, "<i2").tobytes(),
        },
        outputs=["console.txt"],
        timeout_s=1200,
    )
    return _parse(run.files["console.txt"].decode("ascii"))


def _parse(text: str) -> WorstBlock:
    worst = re.search(r"^worst (\d+\.\d) %", text, re.MULTILINE)
    underruns = re.search(r"^underruns (\d+)", text, re.MULTILINE)
    stack = re.search(r"^stack (\d+)", text, re.MULTILINE)
    if not (worst and underruns and stack) or underruns[1] != "0":
        raise UserError(f"the instrument reported no worst block: {text.strip()[-200:]!r}")
    return WorstBlock(round(float(worst[1]) / 100 * FULL_LOAD), int(stack[1]))
