"""Builds the self-test around three small instruments, and spoils bits of its image."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.small_player import small_presets

from pipeline.emit.presets import Preset
from pipeline.target import selftest
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.build import Program
from pipeline.target.emulator import run_program

N_BLOCKS = 60  # two and a half turns of the score that looks for the worst block


def presets_of(generated: Path) -> list[Preset]:
    """Returns the presets of `support.small_player.generate`."""
    return small_presets(generated / "decoder.tflite")


def build_small(
    board: str, generated: Path, build_dir: Path, options: Mapping[str, str] | None = None
) -> Program:
    """Builds the self-test of a board with the small instruments."""
    presets = presets_of(generated)
    return selftest.build(
        board, generated, presets, n_blocks=N_BLOCKS, build_dir=build_dir, options=options
    ).program


def read_lines(console: str) -> list[dict[str, Any]]:
    """Reads the lines of a report."""
    return [json.loads(line) for line in console.splitlines() if line.startswith("{")]


def run(program: Program) -> list[dict[str, Any]]:
    """Runs the self-test of a board that reads files; returns the lines of its report."""
    done = run_program(program)
    lines = read_lines(done.console)
    assert done.status == (lines[-1]["failed"] > 0)
    return lines


def of(lines: Sequence[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    """Returns the lines about one part."""
    return [line for line in lines if line["part"] == part]


def failed(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the lines of failed checks."""
    return [line for line in lines if line.get("ok") is False]


def spoil(program: Program, at: int, out: Path, *, is_sealed: bool) -> Program:
    """Copies an executable with its byte number `at` changed by a bit.

    Args:
        program: The self-test.
        at: Offset in the file.
        out: Path of the copy.
        is_sealed: Whether the checksum of the image is computed anew.
    """
    data = bytearray(program.elf.read_bytes())
    data[at] ^= 4
    out.write_bytes(data)
    if is_sealed:
        selftest.seal(out, ALL_BOARDS[program.board])
    return Program(program.board, out)
