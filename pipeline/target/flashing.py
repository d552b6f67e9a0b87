"""Converts images for a board, and writes them to the board's flash.

A board whose boot loader appears as a drive is flashed by copying a UF2 file to that drive. Other
boards, and those whose drive is not mounted, are flashed with the first installed tool of
``openocd``, ``st-flash`` and ``pyocd``.
"""

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.target import flash_image, uf2
from pipeline.target.board_types import Flasher, Memory
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.tools import run_command, telling_line

DRIVE_PLACES = ("/media/*/*", "/media/*", "/run/media/*/*", "/mnt/*", "/Volumes/*")
TOOL_TIMEOUT_S = 120


def flash_memory(board: str) -> Memory:
    """Returns where the flash of one of `INSTRUMENT_BOARDS` is."""
    memory = INSTRUMENT_BOARDS[board].flash
    assert memory is not None
    return memory


def flasher(board: str) -> Flasher:
    """Returns the description of how one of `INSTRUMENT_BOARDS` is flashed."""
    how = INSTRUMENT_BOARDS[board].flasher
    assert how is not None
    return how


def convert(elf: Path, board: str) -> dict[str, Path]:
    """Writes the image that an executable stores in a board's flash, beside the executable.

    Args:
        elf: Executable for the board.
        board: One of `INSTRUMENT_BOARDS`.

    Returns:
        Files by suffix: ``bin``, ``hex``, and ``uf2`` if the board accepts it.

    Raises:
        UserError: The file is missing, or does not fit this board's flash without its settings.
    """
    memory, family = flash_memory(board), flasher(board).uf2_family
    n_bytes = memory.n_bytes - INSTRUMENT_BOARDS[board].settings_bytes
    image = flash_image.read_elf(elf, address=memory.address, size=n_bytes)
    if family == uf2.RP2040:
        image = flash_image.seal_loader(image)
    formats = {"bin": image.content, "hex": flash_image.to_hex(image).encode()}
    if family is not None:
        formats["uf2"] = uf2.write(image, family)
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
    """Returns the commands that flash a board with a debug probe, in order of preference."""
    how = flasher(board)
    setup = [word for config in how.openocd for word in ("-f", config)]
    found = [["openocd", *setup, "-c", f"program {files['hex']} verify reset exit"]]
    if how.has_st_link:
        address = f"{flash_memory(board).address:#010x}"
        found.append(["st-flash", "--reset", "write", str(files["bin"]), address])
    found.append(["pyocd", "flash", "--target", how.pyocd, str(files["hex"])])
    return found


def flash(board: str, files: Mapping[str, Path], *, drive: Path | None, dry_run: bool) -> str:
    """Flashes a board.

    Args:
        board: One of `INSTRUMENT_BOARDS`.
        files: Files from `convert`.
        drive: Folder where the boot loader's drive is mounted; None if it is not.
        dry_run: Only return the command.

    Returns:
        The command that flashes the board.

    Raises:
        UserError: No tool is installed, or no board answers.
    """
    how = flasher(board)
    if drive is not None:
        if not dry_run:
            try:
                shutil.copyfile(files["uf2"], drive / files["uf2"].name)
            except OSError as error:
                raise UserError(f"{board}: cannot copy to the drive {drive} ({error})") from None
        return f"cp {files['uf2']} {drive}"
    candidates = commands(board, files)
    command = next((words for words in candidates if shutil.which(words[0])), None)
    if command is None and dry_run:
        copy = ["cp", str(files["uf2"]), f"<drive {how.drive}>"] if how.drive else None
        command = copy or candidates[0]
    if command is None:
        raise UserError(f"no {board} is connected: {how.remedy}")
    if not dry_run:
        _run(command, board)
    return " ".join(f"'{word}'" if " " in word else word for word in command)


def _run(command: list[str], board: str) -> None:
    remedy = flasher(board).remedy
    try:
        done = run_command(command, timeout_s=TOOL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise UserError(
            f"no {board} answered {command[0]} within {TOOL_TIMEOUT_S} s: {remedy}"
        ) from None
    if done.returncode != 0:
        reason = telling_line(done.stdout)
        raise UserError(f"no {board} is connected ({command[0]}: {reason}): {remedy}")
