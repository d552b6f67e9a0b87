"""Performs MIDI scores with the firmware's player (``tflm_app/apps/perform``).

The MIDI bytes pass through the firmware's own code: parser, player, expression, decoder, voices.
The emulated boards and the host produce the same samples.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.paths import BUILD_DIR
from pipeline.emit.constants import VOICE_EVENTS
from pipeline.target.build import Program, application_settings, make
from pipeline.target.emulator import run_checked

POLYPHONIC_VOICES = 4  # default for instruments that do not slur
Score = list[tuple[int, bytes]]
"""MIDI bytes in the order of time, each with the number of the block before which they arrive."""
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
BEGUN, FADED = VOICE_EVENTS.index("BEGUN"), VOICE_EVENTS.index("FADED")


def build_player(
    board: str, generated_dir: Path, *, n_voices: int, build_dir: Path, sanitize: bool = False
) -> Program:
    """Builds the application that performs scores, with a reverb if one was generated.

    Args:
        board: One of `pipeline.target.boards.FILE_BOARDS`, with an FPU if there is a reverb.
        generated_dir: Output of `pipeline.codegen`.
        n_voices: Number of voices of the player.
        build_dir: Build folder.
        sanitize: Build under AddressSanitizer and UBSan (only on the host).

    Raises:
        UserError: A tool is missing, or the program does not compile or fit.
    """
    settings = application_settings(generated_dir, sanitize=sanitize)
    return make(board, build_dir, settings | {"PLAYER_VOICES": n_voices}, "perform")


@dataclass(frozen=True)
class Performance:
    """What the player played.

    Attributes:
        pcm: int16, shape [64 * n_blocks].
        trace: `TRACE_RECORD` of every voice in every block in which it sounded.
        n_voices: Number of voices of the player.
        report: Figures of the application: ``n_blocks``, ``n_stolen``, ``n_sounding`` (at the end),
            ``instructions`` in total, ``worst_block_instructions``, ``player_state_bytes``,
            ``stack_bytes``.
    """

    pcm: npt.NDArray[np.int16]
    trace: npt.NDArray[Any]
    n_voices: int
    report: dict[str, int]


def score_bytes(score: Score) -> bytes:
    """Encodes a score as the file that ``apps/perform`` and the emulated boards read."""
    records = [
        (block, len(part), tuple(part.ljust(3, b"\0")))
        for block, message in score
        for part in (message[i : i + 3] for i in range(0, len(message), 3))
    ]
    return np.array(records, SCORE_RECORD).tobytes()


def perform(program: Program, score: Score) -> Performance:
    """Performs a score on the program's board.

    Raises:
        UserError: The emulator is missing, or the program failed.
    """
    run = run_checked(
        program,
        what="the player",
        arguments=["score", "pcm", "trace"],
        inputs={"score": score_bytes(score)},
        outputs=["pcm", "trace"],
        timeout_s=600 + score[-1][0] if score else 600,
    )
    report = json.loads(run.console)
    pcm = np.frombuffer(run.files["pcm"], "<i2")
    trace = np.frombuffer(run.files["trace"], TRACE_RECORD)
    return Performance(pcm, trace, report["n_voices"], report)


def perform_preset(generated: Path, score: Score, board: str, *, n_voices: int) -> Performance:
    """Builds the player around generated models, and performs a score with the first of them.

    Args:
        generated: Output of `pipeline.codegen`.
        score: MIDI bytes by block, such as the score of `pipeline.target.midi_score.load_piece`.
        board: One of `pipeline.target.boards.FILE_BOARDS`.
        n_voices: Number of voices.

    Raises:
        UserError: A tool is missing, or the program does not compile, does not fit, or failed.
    """
    place = hashlib.sha256(str(generated).encode()).hexdigest()[:8]
    build_dir = BUILD_DIR / "player" / f"{board}-{n_voices}-{place}"
    return perform(build_player(board, generated, n_voices=n_voices, build_dir=build_dir), score)


@dataclass(frozen=True)
class Stretch:
    """What a voice plays without interruption, from reset to silence.

    Attributes:
        voice: Number of the voice.
        block: Number of the first block.
        preset: Number of the instrument in the firmware.
        frames: f0_hz and loudness_db, float32, shape [n_frames, 2].
        is_faded: Whether the last block ramps to silence.
    """

    voice: int
    block: int
    preset: int
    frames: npt.NDArray[np.float32]
    is_faded: bool


def stretches(performance: Performance) -> Iterator[Stretch]:
    """Yields what each voice played, in the order of voices and time."""
    for voice in range(performance.n_voices):
        trace = performance.trace[performance.trace["voice"] == voice]
        begins = np.flatnonzero(trace["event"] == BEGUN)
        for records in np.split(trace, begins)[1:]:
            frames = np.stack([records["f0_hz"], records["loudness_db"]], axis=1)
            is_faded = bool(records["event"][-1] == FADED)
            if is_faded:  # the voice keeps its frame, but is reset before the trace is written
                frames[-1] = frames[-2]
            yield Stretch(
                voice=voice,
                block=int(records["block"][0]),
                preset=int(records["preset"][0]),
                frames=frames,
                is_faded=is_faded,
            )
