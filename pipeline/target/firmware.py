"""Builds the firmware around generated models and plays frames on its board."""

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import ENGINES, N_OPERATORS
from pipeline.core.errors import UserError
from pipeline.core.paths import BUILD_DIR
from pipeline.target.boards import ALL_BOARDS, INSTRUMENT_BOARDS
from pipeline.target.build import (
    OverflowingError,
    Program,
    Settings,
    application_settings,
    has_reverb,
    make,
)
from pipeline.target.emulator import run_checked
from pipeline.target.link_map import PartSize, read_link_map
from pipeline.target.voices import default_voices, estimate_time, remedy


@dataclass(frozen=True)
class Firmware:
    """A built application: ``play`` for a board that is flashed, ``render`` for the others.

    Attributes:
        program: The executable.
        engine: One of `pipeline.core.constants.ENGINES`.
        flash_bytes: Code, constants and initial values (0 without flash).
        ram_bytes: Data and the reserved stack (0 without flash).
        parts: Sizes by part, which is a library of ``tflm_app``, ``app`` for the application, or
            ``cmsis_dsp``, ``tflm`` or ``libc`` (empty without flash). ``model`` is the generated
            decoder model, ``response`` the generated impulse responses.
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
        engine: One of `ENGINES`; ``tflm`` needs `tflm_dir`.
        build_dir: Build folder, below ``build/firmware`` by default; later builds are incremental.
        tflm_dir: tflite-micro tree with a built library.
        sanitize: Build under AddressSanitizer and UBSan (only on the host).
        options: Further CMake variables, such as ``PLAYER_VOICES``.

    Raises:
        UserError: A tool or the generated code is missing, or something does not compile or fit.
    """
    generated_dir = generated_dir.resolve()
    _check_request(board, generated_dir, engine, tflm_dir)
    settings = application_settings(generated_dir, sanitize=sanitize) | {
        "TFLM_DIR": tflm_dir.resolve() if tflm_dir is not None and engine == "tflm" else "",
        "PLAYER_VOICES": "",  # resets CMake's cache, which may contain another build's number
    }
    if board in INSTRUMENT_BOARDS:
        settings["PLAYER_VOICES"] = default_voices(INSTRUMENT_BOARDS[board], generated_dir)
    settings |= options or {}
    if build_dir is None:
        chosen = "".join(f" {name}={value}" for name, value in (options or {}).items())
        place = hashlib.sha256(f"{generated_dir}{chosen}".encode()).hexdigest()[:8]
        build_dir = BUILD_DIR / "firmware" / f"{board}-{engine}-{place}"
    application = "play" if board in INSTRUMENT_BOARDS else "render"
    try:
        program = make(board, build_dir, settings, application)
    except OverflowingError as error:
        if application == "play" and "RAM" in error.regions:
            n_voices, advice = _remedy_for_ram(board, build_dir, settings)
            raise OverflowingError(error.what, error.regions, advice, n_voices=n_voices) from None
        raise
    if ALL_BOARDS[board].flash is None:
        return Firmware(program, engine, 0, 0, {})
    link_map = program.elf.with_name(f"{application}.map").read_text()
    return Firmware(program, engine, *read_link_map(link_map))


def _check_request(board: str, generated_dir: Path, engine: str, tflm_dir: Path | None) -> None:
    """Raises `UserError` if the arguments of `build` contradict each other."""
    if not (generated_dir / "instruments.c").is_file():
        raise UserError(
            f"{generated_dir} contains no generated instruments: run python -m pipeline.codegen "
            "first"
        )
    if engine not in ENGINES:
        raise UserError(f"unknown decoder engine {engine!r}: choose {' or '.join(ENGINES)}")
    if engine == "tflm" and tflm_dir is None:
        raise UserError(
            "the tflm engine needs a tflite-micro tree: set TFLM_DIR or give --tflm-dir"
        )
    if board in ALL_BOARDS and not ALL_BOARDS[board].has_fpu and has_reverb(generated_dir):
        raise UserError(f"{board} has no FPU to play a reverb with: generate the code without it")


def _remedy_for_ram(board: str, build_dir: Path, settings: Settings) -> tuple[int, str]:
    """Builds a player that does not fit with fewer voices.

    Returns:
        How many voices fit, and the remedy. For the aot engine, both count the time, too.
    """
    voices = re.search(r"PLAYER_N_VOICES=(\d+)", (build_dir / "build.ninja").read_text())
    assert voices is not None

    def overflows(n_voices: int) -> bool:
        try:
            make(board, build_dir, settings | {"PLAYER_VOICES": n_voices}, "play")
        except OverflowingError:
            return True
        return False

    n_voices = int(voices[1])
    in_memory = bisect_left(range(1, n_voices), True, key=overflows)
    in_time = n_voices
    if in_memory and not settings["TFLM_DIR"]:
        rate = settings.get("SAMPLE_RATE")
        in_time = estimate_time(
            INSTRUMENT_BOARDS[board],
            Path(str(settings["GENERATED_DIR"])),
            sample_rate_hz=int(str(rate)) if rate else None,
        ).most_voices(n_voices)
    return min(in_memory, in_time), remedy(n_voices, in_memory=in_memory, in_time=in_time)


@dataclass(frozen=True)
class Rendering:
    """What the firmware played.

    Attributes:
        pcm: int16, shape [64 * n_frames].
        logits: int16, shape [n_frames, 6].
        levels_q32: Operator levels, turns times 2**32, int32, shape [n_frames, 6].
        instructions: Executed instructions per frame, by stage: ``frame``, ``decoder``, ``levels``,
            ``fm``, ``noise`` and, if there is a reverb, ``reverb`` (0 on the host).
        worst_reverb: Instructions of the stage ``reverb`` in its most expensive frame, exact to 50.
        state_bytes: RAM of the ``decoder``, the ``voice`` and, if there is a reverb, the
            ``reverb``.
        stack_bytes: Stack that was used (0 on the host).
    """

    pcm: npt.NDArray[np.int16]
    logits: npt.NDArray[np.int16]
    levels_q32: npt.NDArray[np.int32]
    instructions: dict[str, float]
    worst_reverb: int
    state_bytes: dict[str, int]
    stack_bytes: int

    @property
    def has_reverb(self) -> bool:
        """Whether the firmware played with a reverb."""
        return "reverb" in self.state_bytes


_TRACE = np.dtype([("logits", "<i2", N_OPERATORS), ("levels_q32", "<i4", N_OPERATORS)])


def render(firmware: Firmware, frames: npt.NDArray[np.floating], *, preset: int = 0) -> Rendering:
    """Plays frames on the firmware's board.

    Args:
        firmware: Firmware from `build`.
        frames: f0_hz and loudness_db, shape [n_frames, 2]; any values.
        preset: Number of the instrument in the firmware.

    Raises:
        UserError: The emulator is missing, or the firmware failed.
    """
    frames = np.ascontiguousarray(frames, "<f4").reshape(-1, 2)
    run = run_checked(
        firmware.program,
        what="the firmware",
        arguments=["frames", "pcm", "trace", str(preset)],
        inputs={"frames": frames.tobytes()},
        outputs=["pcm", "trace"],
        timeout_s=60 + len(frames),
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
