"""Plays a Standard MIDI File with an instrument, and writes a WAV.

    python -m pipeline.render --midi tune.mid --instrument flute --engine qemu_m4 --out tune.wav

The MIDI bytes go through the firmware's own code (``tflm_app/apps/perform``): parser, player,
expression, decoder, voices; under QEMU or compiled for this machine, which gives the same samples.
With ``--engine float`` the frames that the player makes are rendered by the float model instead.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from pipeline.core.constants import FRAME_RATE
from pipeline.core.errors import UserError
from pipeline.target.build import Program, make
from pipeline.target.emulator import run_program
from pipeline.target.vendor import fetch_cmsis

MAX_SECONDS = 3600
Score = list[tuple[int, bytes]]
"""Number of the block before which MIDI bytes come, and the bytes; in the order of time."""
SCORE_RECORD = np.dtype([("block", "<u4"), ("n_bytes", "u1"), ("bytes", "u1", 3)])
TRACE_RECORD = np.dtype(
    [
        ("block", "<u4"),
        ("voice", "u1"),
        ("preset", "u1"),
        ("event", "u1"),
        ("zero", "u1"),
        ("f0_hz", "<f4"),
        ("loudness_db", "<f4"),
    ]
)
BEGUN, PLAYED, FADED = 1, 2, 3  # voice_event_t


def load_score(path: Path) -> Score:
    """Reads a Standard MIDI File.

    Raises:
        UserError: The file is missing, no MIDI file, holds no note, or lasts too long.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: give a Standard MIDI File")
    score: Score = []
    seconds = 0.0
    n_notes = 0
    try:
        for message in mido.MidiFile(path, clip=True):
            seconds += message.time
            if seconds > MAX_SECONDS:
                raise UserError(f"{path} lasts over {MAX_SECONDS} s: cut it into parts")
            if not message.is_meta:
                score.append((int(seconds * FRAME_RATE), bytes(message.bytes())))
                n_notes += message.type == "note_on"
    except (OSError, EOFError, ValueError, TypeError, KeyError, IndexError) as error:
        said = str(error) or type(error).__name__
        raise UserError(f"{path} is not a MIDI file that can be played ({said})") from None
    if not n_notes:
        raise UserError(f"{path} holds no note: export the part that is to be played")
    return score


def build_player(
    board: str, generated_dir: Path, *, n_voices: int, build_dir: Path, sanitize: bool = False
) -> Program:
    """Builds the application that performs scores, in their rooms if these were generated.

    Args:
        board: One of `BOARDS`, with an FPU if there are rooms.
        generated_dir: Output of `pipeline.codegen`.
        n_voices: Voices of the player.
        build_dir: Where to build.
        sanitize: Under AddressSanitizer and UBSan (host alone).

    Raises:
        UserError: A tool is missing, or it does not compile or fit.
    """
    settings = {
        "GENERATED_DIR": generated_dir.resolve(),
        "PLAYER_VOICES": n_voices,
        "SANITIZE": "ON" if sanitize else "OFF",
    }
    if (generated_dir / "rooms.c").is_file():
        settings["CMSIS_DSP_DIR"] = fetch_cmsis()[1]  # of the host, too
    return make(board, build_dir, settings, "perform")


@dataclass(frozen=True)
class Performance:
    """What the player did with a score.

    Attributes:
        pcm: int16, shape [64 * n_blocks].
        trace: `TRACE_RECORD` of every voice in every block in which it sounded.
        n_voices: That the player had.
        report: Counts of the application: ``n_blocks``, ``n_stolen``, ``n_sounding`` (at the end),
            ``instructions`` in all, ``worst_block_instructions``, ``player_state_bytes``,
            ``stack_bytes``.
    """

    pcm: np.ndarray
    trace: np.ndarray
    n_voices: int
    report: dict[str, int]


def perform(program: Program, score: Score) -> Performance:
    """Performs a score on the program's board.

    Raises:
        UserError: The emulator is missing, or the program ended with an error.
    """
    records = [
        (block, len(part), tuple(part.ljust(3, b"\0")))
        for block, message in score
        for part in (message[i : i + 3] for i in range(0, len(message), 3))
    ]
    run = run_program(
        program,
        arguments=["score", "pcm", "trace"],
        inputs={"score": np.array(records, SCORE_RECORD).tobytes()},
        outputs=["pcm", "trace"],
        timeout_s=600 + score[-1][0] if score else 600,
    )
    if run.status != 0:
        telling = next(iter(run.console.strip().splitlines()), "no message")
        raise UserError(f"the player on {program.board} ended with status {run.status}: {telling}")
    report = json.loads(run.console)
    pcm = np.frombuffer(run.files["pcm"], "<i2")
    trace = np.frombuffer(run.files["trace"], TRACE_RECORD)
    return Performance(pcm, trace, report["n_voices"], report)


@dataclass(frozen=True)
class Stretch:
    """What a voice sounds without a pause, from reset to silence.

    Attributes:
        voice: Of the player.
        block: Number of its first block.
        preset: Instrument of the firmware.
        frames: f0_hz and loudness_db, float32, shape [n_frames, 2].
        is_faded: Whether its last block ramps to silence.
    """

    voice: int
    block: int
    preset: int
    frames: np.ndarray
    is_faded: bool


def stretches(performance: Performance) -> Iterator[Stretch]:
    """Yields what each voice sounded, in the order of voices and time."""
    for voice in range(performance.n_voices):
        of_voice = performance.trace[performance.trace["voice"] == voice]
        begins = np.flatnonzero(of_voice["event"] == BEGUN)
        for records in np.split(of_voice, begins)[1:]:
            frames = np.stack([records["f0_hz"], records["loudness_db"]], axis=1)
            is_faded = bool(records["event"][-1] == FADED)
            if is_faded:  # its pitch stays, but the voice has been reset before it was traced
                frames[-1] = frames[-2]
            yield Stretch(
                voice=voice,
                block=int(records["block"][0]),
                preset=int(records["preset"][0]),
                frames=frames,
                is_faded=is_faded,
            )
