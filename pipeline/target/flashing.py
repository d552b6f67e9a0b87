"""Builds instruments for a board, converts them, and writes them to the board's flash.

    python -m pipeline.flash --board pico --run data/models/flute/reduced_cd

`--run` may be repeated: MIDI's program change selects among the instruments, the first one being 0.
It goes by the board's drive where it has one and that is mounted (UF2), else by the first tool that
is installed: ``openocd``, ``st-flash`` or ``pyocd``.
"""

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.target import flash_image, uf2

DRIVE_PLACES = ("/media/*/*", "/media/*", "/run/media/*/*", "/mnt/*", "/Volumes/*")
TOOL_TIMEOUT_S = 120


@dataclass(frozen=True)
class Target:
    """How a board is flashed.

    Attributes:
        address: Where its flash begins.
        flash_bytes: How much there is.
        openocd: Configuration files that come with ``openocd``.
        pyocd: Name of the chip for ``pyocd``.
        has_st_link: Whether ``st-flash`` finds it.
        family: Of UF2 files, where its boot loader takes them.
        drive: ``Board-ID`` in the file INFO_UF2.TXT of that boot loader's drive.
        remedy: What to do when no board answers.
    """

    address: int
    flash_bytes: int
    openocd: tuple[str, ...]
    pyocd: str
    has_st_link: bool = False
    family: int | None = None
    drive: str = ""
    remedy: str = "connect its ST-LINK by USB, and install openocd, st-flash or pyocd"


PROBE = "interface/cmsis-dap.cfg"
BOOTSEL = (
    "hold BOOTSEL while you plug it in, and mount the drive {} (or use a debug probe and openocd)"
)
TARGETS = {
    "stm32f4_discovery": Target(
        0x08000000, 1 << 20, ("board/stm32f4discovery.cfg",), "stm32f407vgtx", has_st_link=True
    ),
    "nucleo_h743zi": Target(
        0x08000000, 2 << 20, ("board/st_nucleo_h743zi.cfg",), "stm32h743zitx", has_st_link=True
    ),
    "pico": Target(
        0x10000000,
        2 << 20,
        (PROBE, "target/rp2040.cfg"),
        "rp2040",
        family=uf2.RP2040,
        drive="RPI-RP2",
        remedy=BOOTSEL.format("RPI-RP2"),
    ),
    "pico2": Target(
        0x10000000,
        4 << 20,
        (PROBE, "target/rp2350.cfg"),
        "rp2350",
        family=uf2.RP2350_ARM_SECURE,
        drive="RP2350",
        remedy=BOOTSEL.format("RP2350"),
    ),
}


def convert(elf: Path, board: str) -> dict[str, Path]:
    """Writes what an executable stores in a board's flash, beside it.

    Args:
        elf: Executable for the board.
        board: One of `TARGETS`.

    Returns:
        By suffix: ``bin``, ``hex``, and ``uf2`` where the board takes it.

    Raises:
        UserError: The file is missing, or not for this board's flash.
    """
    target = TARGETS[board]
    content = flash_image.read_elf(elf, address=target.address, size=target.flash_bytes)
    if target.family == uf2.RP2040:
        content = flash_image.seal_loader(content)
    formats = {"bin": content.content, "hex": flash_image.to_hex(content).encode()}
    if target.family is not None:
        formats["uf2"] = uf2.write(content, target.family)
    files = {suffix: elf.with_name(f"{board}.{suffix}") for suffix in formats}
    for suffix, path in files.items():
        with atomic_write(path) as temporary:
            temporary.write_bytes(formats[suffix])
    return files


def find_drive(board_id: str, folders: Iterable[Path]) -> Path | None:
    """Returns the first folder that is the drive of this board's boot loader."""
    for folder in folders:
        try:
            info = (folder / "INFO_UF2.TXT").read_text(errors="replace")
        except OSError:
            continue
        if f"Board-ID: {board_id}" in info.splitlines():
            return folder
    return None


def commands(board: str, files: Mapping[str, Path]) -> list[list[str]]:
    """Returns the commands that could flash a board by a debug probe, best first."""
    target = TARGETS[board]
    setup = [word for config in target.openocd for word in ("-f", config)]
    ways = [["openocd", *setup, "-c", f"program {files['hex']} verify reset exit"]]
    if target.has_st_link:
        ways.append(["st-flash", "--reset", "write", str(files["bin"]), f"{target.address:#010x}"])
    ways.append(["pyocd", "flash", "--target", target.pyocd, str(files["hex"])])
    return ways


def flash(board: str, files: Mapping[str, Path], *, drive: Path | None, dry_run: bool) -> str:
    """Flashes a board.

    Args:
        board: One of `TARGETS`.
        files: From `convert`.
        drive: Folder at which the boot loader's drive is mounted, where it is.
        dry_run: Only tell how.

    Returns:
        The command that does it.

    Raises:
        UserError: There is no tool to do it, or no board answers.
    """
    target = TARGETS[board]
    if drive is not None:
        command = ["cp", str(files["uf2"]), str(drive)]
        if not dry_run:
            try:
                shutil.copyfile(files["uf2"], drive / files["uf2"].name)
            except OSError as error:
                raise UserError(f"{board}: the drive {drive} took no file ({error})") from None
        return " ".join(command)
    ways = commands(board, files)
    way = next((way for way in ways if shutil.which(way[0])), None)
    if way is None and dry_run:
        way = ["cp", str(files["uf2"]), f"<drive {target.drive}>"] if target.drive else ways[0]
    if way is None:
        raise UserError(f"no {board} is connected: {target.remedy}")
    if not dry_run:
        _run(way, board)
    return " ".join(f"'{word}'" if " " in word else word for word in way)


def _run(command: list[str], board: str) -> None:
    remedy = TARGETS[board].remedy
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"no {board} answered {command[0]} in two minutes: {remedy}") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        telling = next((line for line in lines if "rror" in line), (lines or ["no message"])[-1])
        raise UserError(f"no {board} is connected ({command[0]}: {telling}): {remedy}")
