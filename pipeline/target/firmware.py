"""Builds the firmware around generated models, and plays frames on its board."""

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.constants import N_OPERATORS
from pipeline.core.errors import UserError
from pipeline.core.paths import BUILD_DIR
from pipeline.target.boards import ALL_BOARDS, INSTRUMENT_BOARDS
from pipeline.target.build import OverflowingError, Program, make
from pipeline.target.emulator import run_program
from pipeline.target.link_map import PartSize, read_link_map
from pipeline.target.vendor import fetch_cmsis


@dataclass(frozen=True)
class Firmware:
    """The render application, or, for a board that is played, the play application, built.

    Attributes:
        engine: ``aot`` or ``tflm``.
        flash_bytes: Code, constants and initial values (0 on the host).
        ram_bytes: Data and the reserved stack (0 on the host).
        parts: By part of the firmware: ``decoder``, ``model``, ``fm``, ``patch``, ``control``,
            ``audio``, ``board``, ``app``, ``tflm``, ``reverb``, ``room``, ``cmsis_dsp``, ``libc``
            (empty on the host).
    """

    program: Program
    engine: str
    flash_bytes: int
    ram_bytes: int
    parts: dict[str, PartSize]


def build(
    board: str,
    generated_dir: Path,
    *,
    engine: str = "aot",
    build_dir: Path | None = None,
    tflm_dir: Path | None = None,
    sanitize: bool = False,
    options: Mapping[str, str] | None = None,
) -> Firmware:
    """Builds the application around generated models and patches.

    Args:
        board: One of `ALL_BOARDS`.
        generated_dir: Output of `pipeline.codegen`.
        engine: ``aot``, or ``tflm``, which needs `tflm_dir`.
        build_dir: Where to build, ``build/firmware/...`` by default; later builds are incremental.
        tflm_dir: A built tflite-micro tree.
        sanitize: Build under AddressSanitizer and UBSan (host alone).
        options: More CMake variables, such as ``PLAYER_VOICES``.

    Raises:
        UserError: A tool is missing, the generated code is, or something does not compile or fit.
    """
    generated_dir = generated_dir.resolve()
    if not (generated_dir / "instruments.c").is_file():
        raise UserError(
            f"{generated_dir} holds no generated instruments: run python -m pipeline.codegen first"
        )
    if engine not in ("aot", "tflm"):
        raise UserError(f"unknown decoder engine {engine!r}: choose aot or tflm")
    if engine == "tflm" and tflm_dir is None:
        raise UserError(
            "the tflm engine needs a tflite-micro tree: set TFLM_DIR or give --tflm-dir"
        )
    if build_dir is None:
        chosen = "".join(f" {name}={value}" for name, value in (options or {}).items())
        place = hashlib.sha256(f"{generated_dir}{chosen}".encode()).hexdigest()[:8]
        build_dir = BUILD_DIR / "firmware" / f"{board}-{engine}-{place}"
    has_rooms = (generated_dir / "rooms.c").is_file()
    if has_rooms and not ALL_BOARDS[board].reverb_seconds:
        raise UserError(f"{board} has no FPU to play rooms with: generate the code without them")
    settings: dict[str, object] = {
        "GENERATED_DIR": generated_dir,
        "TFLM_DIR": tflm_dir.resolve() if tflm_dir is not None and engine == "tflm" else "",
        "SANITIZE": "ON" if sanitize else "OFF",
        "PLAYER_VOICES": "",  # what the board can carry, whatever was built here before
        **(options or {}),
    }
    if has_rooms:
        settings["CMSIS_DSP_DIR"] = fetch_cmsis()[1]  # of the host, too
    application = "play" if board in INSTRUMENT_BOARDS else "render"
    try:
        program = make(board, build_dir, settings, application)
    except OverflowingError as error:
        if application == "play" and "RAM" in error.regions:
            remedy = _remedy_for_ram(board, build_dir, settings)
            raise OverflowingError(error.what, error.regions, remedy) from None
        raise
    if board == "host":
        return Firmware(program, engine, 0, 0, {})
    link_map = program.elf.with_name(f"{application}.map").read_text()
    return Firmware(program, engine, *read_link_map(link_map))


def _remedy_for_ram(board: str, build_dir: Path, settings: Mapping[str, object]) -> str:
    """Returns what to do about a player that does not fit: tries how many voices do."""
    voices = re.search(r"PLAYER_N_VOICES=(\d+)", (build_dir / "build.ninja").read_text())
    assert voices is not None

    def overflows(n_voices: int) -> bool:
        try:
            make(board, build_dir, {**settings, "PLAYER_VOICES": n_voices}, "play")
        except OverflowingError:
            return True
        return False

    n_fitting = bisect_left(range(1, int(voices[1])), True, key=overflows)
    if not n_fitting:
        return "take a smaller model, or fewer of them"
    return (
        f"there is memory for {n_fitting} of {voices[1]} voices: --option PLAYER_VOICES={n_fitting}"
    )


@dataclass(frozen=True)
class Rendering:
    """What the firmware played.

    Attributes:
        pcm: int16, shape [64 * n_frames].
        logits: int16, shape [n_frames, 6].
        levels_q32: int32, shape [n_frames, 6]; turns times 2**32.
        instructions: Executed per frame, by stage: ``frame``, ``decoder``, ``levels``, ``fm``,
            ``breath`` and, if there is a room, ``reverb`` (0 on the host).
        worst_reverb: Instructions of the stage ``reverb`` in its most expensive frame, good to 50.
        state_bytes: RAM of the ``decoder``, the ``voice`` and, if there is a room, the ``reverb``.
        stack_bytes: Stack that was used (0 on the host).
    """

    pcm: np.ndarray
    logits: np.ndarray
    levels_q32: np.ndarray
    instructions: dict[str, float]
    worst_reverb: int
    state_bytes: dict[str, int]
    stack_bytes: int

    @property
    def has_room(self) -> bool:
        """Whether the firmware played in a room."""
        return "reverb" in self.state_bytes


_TRACE = np.dtype([("logits", "<i2", N_OPERATORS), ("levels_q32", "<i4", N_OPERATORS)])


def render(firmware: Firmware, frames: np.ndarray, *, preset: int = 0) -> Rendering:
    """Plays frames on the firmware's board.

    Args:
        firmware: From `build`.
        frames: f0_hz and loudness_db, float32 of shape [n_frames, 2]; any values.
        preset: Index of the instrument in this firmware.

    Raises:
        UserError: The emulator is missing, or the firmware ended with an error.
    """
    frames = np.ascontiguousarray(frames, "<f4").reshape(-1, 2)
    run = run_program(
        firmware.program,
        arguments=["frames", "pcm", "trace", str(preset)],
        inputs={"frames": frames.tobytes()},
        outputs=["pcm", "trace"],
        timeout_s=60 + len(frames),
    )
    if run.status != 0:
        telling = next(iter(run.console.strip().splitlines()), "no message")
        raise UserError(
            f"the firmware on {firmware.program.board} ended with status {run.status}: {telling}"
        )
    report = json.loads(run.console)
    trace = np.frombuffer(run.files["trace"], _TRACE)
    return Rendering(
        pcm=np.frombuffer(run.files["pcm"], "<i2"),
        logits=trace["logits"].copy(),
        levels_q32=trace["levels_q32"].copy(),
        instructions={
            stage: n / max(len(frames), 1) for stage, n in report["instructions"].items()
        },
        worst_reverb=report.get("worst_reverb", 0),
        state_bytes={
            part: report[f"{part}_state_bytes"]
            for part in ("decoder", "voice", "reverb")
            if f"{part}_state_bytes" in report
        },
        stack_bytes=report["stack_bytes"],
    )
