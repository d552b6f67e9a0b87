"""Builds the firmware around generated models, and plays frames on its board."""

import argparse
import hashlib
import json
import re
import shlex
import wave
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import codegen
from pipeline.config import (
    N_OPERATORS,
    SAMPLE_RATE,
    UserError,
    atomic_write,
    run_main,
)
from pipeline.toolchain import (
    ALL_BOARDS,
    BOARDS,
    BUILD_DIR,
    EMULATED_BOARDS,
    INSTRUMENT_BOARDS,
    OverflowingError,
    Program,
    build_program,
    fetch_cmsis,
    make,
    run_program,
)

__all__ = [
    "BOARDS",
    "EMULATED_BOARDS",
    "Firmware",
    "PartSize",
    "Program",
    "Rendering",
    "build",
    "build_program",
    "generate",
    "render",
    "run_program",
]


@dataclass(frozen=True)
class PartSize:
    """Bytes of one part of the firmware; initialized data counts for both."""

    flash_bytes: int
    ram_bytes: int


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
    return Firmware(program, engine, *_read_map(link_map))


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


def _read_map(link_map: str) -> tuple[int, int, dict[str, PartSize]]:
    """Reads bytes of flash and RAM, in all and by part, from GNU ld's map file."""
    link_map = link_map[link_map.index("Linker script and memory map") :]
    in_flash = (".boot", ".text", ".rodata", ".vectors", ".init_array", ".ARM.ex")
    in_ram = (".bss", ".stack", ".dma", ".room", "COMMON")
    copied = (".data",)  # stored in flash, and copied to RAM at the start

    def bytes_of(section: str, size: int) -> tuple[int, int]:
        flash = size if section.startswith((*in_flash, *copied)) else 0
        return flash, size if section.startswith((*in_ram, *copied)) else 0

    # Output sections stand at the start of a line, what goes into them behind one blank, with its
    # object; a long name pushes the numbers to the next line.
    flash = ram = 0
    for section, size in re.findall(r"^([.\w]+)\s+0x\w+\s+0x(\w+)", link_map, re.MULTILINE):
        more_flash, more_ram = bytes_of(section, int(size, 16))
        flash, ram = flash + more_flash, ram + more_ram
    parts: dict[str, list[int]] = {}
    entry = r"^ ([.\w]+)\s+0x\w+\s+0x(\w+) (\S+)$"
    for section, size, origin in re.findall(entry, link_map, re.MULTILINE):
        library = re.search(r"lib(\w+)[-.\w]*\.a\(", origin)
        name = library.group(1) if library else "app"
        part = parts.setdefault(_PART_OF_LIBRARY.get(name, name), [0, 0])
        more_flash, more_ram = bytes_of(section, int(size, 16))
        part[0], part[1] = part[0] + more_flash, part[1] + more_ram
    return (
        flash,
        ram,
        {name: PartSize(*sizes) for name, sizes in sorted(parts.items()) if any(sizes)},
    )


_PART_OF_LIBRARY = {
    name: "libc" for name in ("c", "c_nano", "gcc", "m", "stdc++_nano", "supc++_nano")
} | {"tensorflow": "tflm"}  # libtensorflow-microlite.a


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


# --- command line ---------------------------------------------------------------------------------


def load_frames(path: Path) -> np.ndarray:
    """Reads frames: a ``.npy`` of shape [n_frames, 2], or raw little-endian float32 pairs.

    Raises:
        UserError: The file is missing or holds something else.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is missing: give a .npy of shape [n_frames, 2], or raw float32 pairs"
        )
    data = path.read_bytes()
    if path.suffix == ".npy":
        try:
            frames = np.load(path, allow_pickle=False)
        except (ValueError, EOFError):
            raise UserError(f"{path} is no .npy file, or a damaged one") from None
        if frames.ndim != 2 or frames.shape[1] != 2 or frames.dtype.kind not in "fiu":
            raise UserError(
                f"{path} holds {frames.dtype} {frames.shape}, not numbers of shape [n_frames, 2]"
            )
        return frames.astype(np.float32)
    if not data or len(data) % 8:
        raise UserError(
            f"{path} has {len(data)} bytes, not a row of float32 pairs (f0_hz, loudness_db)"
        )
    return np.frombuffer(data, "<f4").reshape(-1, 2)


def write_wav(path: Path, pcm: np.ndarray) -> None:
    """Writes int16 samples as a mono WAV file."""
    with atomic_write(path) as temporary, wave.open(str(temporary), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(pcm.astype("<i2").tobytes())


def generate(*run_dirs: Path, fmt: str = "int8", reverb_seconds: float = 0.0) -> Path:
    """Generates the C of run folders' models, a preset each; returns the folder that it is in.

    Args:
        run_dirs: Run folders with a quantized model, at least one.
        fmt: Format of the models.
        reverb_seconds: Length of the learnt rooms; 0 for dry instruments. `Board.reverb_seconds` is
            what a board has room for.

    Raises:
        UserError: A run folder, or its quantized model, is missing or damaged.
    """
    resolved = [run_dir.resolve() for run_dir in run_dirs]
    place = hashlib.sha256("\n".join(map(str, resolved)).encode()).hexdigest()[:8]
    kind = f"{fmt}-room{reverb_seconds:g}" if reverb_seconds else fmt
    out = BUILD_DIR / "generated" / f"{resolved[0].name}-{kind}-{place}"
    presets = [
        codegen.load_preset(run_dir, fmt=fmt, reverb_seconds=reverb_seconds) for run_dir in run_dirs
    ]
    codegen.generate(presets, out)
    return out


def add_source_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Adds the options that say what is built, for `generate_source` and `flash_command`."""
    source = parser.add_mutually_exclusive_group(required=required)
    source.add_argument(
        "--run",
        type=Path,
        action="append",
        help="run folder with a quantized model; may be repeated: MIDI's program change selects",
    )
    source.add_argument("--generated", type=Path, help="folder written by pipeline.codegen")
    parser.add_argument(
        "--format",
        choices=("int8", "int16x8"),
        default="int8",
        help="of --run's model (%(default)s)",
    )
    parser.add_argument(
        "--reverb",
        nargs="?",
        type=float,
        const=None,
        default=0.0,
        metavar="SECONDS",
        help="play in the learnt room; as long as the board has memory for by default",
    )
    parser.add_argument(
        "--option",
        type=_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the build, such as PICO_AUDIO=pwm or PLAYER_VOICES=2",
    )


def _option(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def generate_source(arguments: argparse.Namespace) -> Path:
    """Generates the C that a command's options ask for; returns the folder that it is in.

    Args:
        arguments: With ``board`` and what `add_source_arguments` added.

    Raises:
        UserError: The options contradict each other or the board, or as of `generate`.
    """
    seconds = arguments.reverb
    if arguments.generated:
        if seconds != 0:
            raise UserError(
                "--reverb belongs to --run: give it to pipeline.codegen for --generated"
            )
        return arguments.generated
    longest = ALL_BOARDS[arguments.board].reverb_seconds
    if seconds != 0 and not longest:
        raise UserError(f"{arguments.board} has no FPU to play rooms with: leave out --reverb")
    seconds = longest if seconds is None else seconds
    return generate(*arguments.run, fmt=arguments.format, reverb_seconds=seconds)


def flash_command(arguments: argparse.Namespace) -> str:
    """Returns the command that flashes what a command's options, as above, ask for."""
    words = ["python", "-m", "pipeline.flash", "--board", arguments.board]
    for run_dir in arguments.run or []:
        words += ["--run", str(run_dir)]
    if arguments.generated:
        words += ["--generated", str(arguments.generated)]
    if arguments.format != "int8":
        words += ["--format", arguments.format]
    if arguments.reverb != 0:
        words += ["--reverb"] if arguments.reverb is None else ["--reverb", f"{arguments.reverb:g}"]
    for name, value in arguments.option:
        words += ["--option", f"{name}={value}"]
    return shlex.join(words)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the stage from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.firmware",
        description="Builds the firmware, and plays frames on its board.",
    )
    add_source_arguments(parser, required=True)
    parser.add_argument(
        "--board", choices=ALL_BOARDS, default="qemu_m4", help="%(default)s by default"
    )
    parser.add_argument(
        "--engine", choices=("aot", "tflm"), default="aot", help="%(default)s by default"
    )
    parser.add_argument("--tflm-dir", type=Path, help="built tflite-micro tree, for --engine tflm")
    parser.add_argument(
        "--build-dir", type=Path, help="where to build (default: below build/firmware)"
    )
    parser.add_argument(
        "--frames", type=Path, help="what to play: .npy [n_frames, 2] or raw float32 pairs"
    )
    parser.add_argument("--out", type=Path, help="WAV file to write, with --frames")
    arguments = parser.parse_args(argv)
    if (arguments.frames is None) != (arguments.out is None):
        raise UserError("--frames and --out belong together: give both, or neither to build alone")
    if arguments.frames is not None and arguments.board not in BOARDS:
        raise UserError(f"{arguments.board} plays MIDI, not frames: leave out --frames and --out")
    frames = None if arguments.frames is None else load_frames(arguments.frames)

    built = build(
        arguments.board,
        generate_source(arguments),
        engine=arguments.engine,
        build_dir=arguments.build_dir,
        tflm_dir=arguments.tflm_dir,
        options=dict(arguments.option),
    )
    print(f"{built.program.elf}: {built.engine} decoder for {ALL_BOARDS[arguments.board].core}")
    if built.parts:
        print(
            f"flash {built.flash_bytes} bytes, RAM {built.ram_bytes} bytes with the stack; flash: ",
            end="",
        )
        print(", ".join(f"{name} {size.flash_bytes}" for name, size in built.parts.items()))
    if frames is not None:
        rendering = render(built, frames)
        write_wav(arguments.out, rendering.pcm)
        counts = ", ".join(f"{stage} {n:.0f}" for stage, n in rendering.instructions.items())
        played = len(rendering.pcm) / SAMPLE_RATE
        print(f"{arguments.out}: {played:.2f} s; instructions a frame: {counts}")
    if arguments.board in INSTRUMENT_BOARDS:
        print(f"next: {flash_command(arguments)}")
    else:
        print("next: python -m pipeline.bench, which compares all boards")


if __name__ == "__main__":
    run_main(main)
