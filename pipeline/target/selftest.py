"""Builds the self-test (``tflm_app/apps/selftest``): its vectors, the program, and its checksum.

The image contains frames that the board plays with every model, and the checksums of what the
reference of the device makes of them, stage by stage. After linking, the bytes that the image
stores in flash are listed in it, with their checksum.
"""

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.files import atomic_write
from pipeline.core.paths import BUILD_DIR
from pipeline.emit.c_text import BANNER, braces, hex_words
from pipeline.emit.presets import Preset
from pipeline.reference.device import simulate
from pipeline.reference.fm import FixedVoice
from pipeline.reference.frame import clamp_frames
from pipeline.target.board_types import Board
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.build import Settings, application_settings, make
from pipeline.target.firmware import Firmware
from pipeline.target.flash_image import LOADER_BYTES, stored_parts
from pipeline.target.link_map import read_link_map
from pipeline.target.uf2 import RP2040
from pipeline.target.voices import default_voices

N_FRAMES = 132  # SELFTEST_N_FRAMES
N_BLOCKS = 15_000  # of the score that looks for the worst block, a minute
STAGES = ("decoder", "levels", "fm", "noise")  # selftest_expected_t
_MARK = b"selftest image:\0"
_MAX_PARTS = 8
_SEAL = struct.Struct(f"<16sI{2 * _MAX_PARTS}III")  # seal_t


def vector_frames() -> npt.NDArray[np.float32]:
    """Returns the frames that the self-test plays, float32 of shape [N_FRAMES, 2].

    They glide, leap, swell and pause, pass the gate, and contain values that have to be clamped.
    """
    t = np.arange(N_FRAMES) / N_FRAMES
    f0_hz = 440 * 2 ** (np.sin(7 * t) + 0.02 * np.sin(90 * t))
    loudness_db = -25 + 20 * np.sin(11 * t)
    f0_hz[40:60] *= 1.5
    loudness_db[50:58] = np.linspace(-70, -80, 8)
    odd = {70: (np.nan, -20), 75: (1e9, -20), 80: (-1, -10), 85: (300, np.nan), 90: (300, 50)}
    for at, values in odd.items():
        f0_hz[at], loudness_db[at] = values
    return np.stack([f0_hz, loudness_db], axis=1).astype(np.float32)


def expected_results(preset: Preset, frames: npt.NDArray[np.float32]) -> list[list[int]]:
    """Returns the checksums of what the reference makes of frames: `STAGES` of each frame."""
    rendered = simulate(preset.tflite, preset.patch, preset.noise, frames)
    voice = FixedVoice(preset.patch).render(clamp_frames(frames)[:, 0], rendered.levels_q32)
    results: tuple[npt.NDArray[Any], ...] = (
        rendered.logits.astype("<i2"),
        rendered.levels_q32.astype("<i4"),
        np.clip(voice, -(2**15), 2**15 - 1).astype("<i2").reshape(-1, HOP_SAMPLES),
        rendered.pcm.astype("<i2").reshape(-1, HOP_SAMPLES),
    )
    return [[zlib.crc32(result[n].tobytes()) for result in results] for n in range(len(frames))]


def vectors_text(presets: Sequence[Preset]) -> str:
    """Returns ``selftest_vectors.c`` for the presets of a firmware, in their order."""
    frames = vector_frames()
    bits = "".join(f"    {braces(hex_words(row))},\n" for row in frames.view("<u4").tolist())
    tables = table = ""
    for number, preset in enumerate(presets):
        rows = expected_results(preset, frames)
        body = "".join(f"    {braces(hex_words(row))},\n" for row in rows)
        array = f"static const selftest_expected_t expected{number}[SELFTEST_N_FRAMES]"
        tables += f"\n/* {preset.name} */\n{array} = {{\n{body}}};\n"
        (model,) = hex_words([model_checksum(preset.tflite)])
        table += f"    {{{model}, expected{number}}},\n"
    return f"""\
{BANNER}#include "apps/selftest/vectors.h"

const uint32_t selftest_frames[SELFTEST_N_FRAMES][2] = {{
{bits}}};
{tables}
const selftest_vectors_t selftest_vectors[] = {{
{table}}};
"""


def model_checksum(tflite: Path) -> int:
    """Returns the checksum by which a report names the version of a model."""
    return zlib.crc32(tflite.read_bytes())


def build(
    board: str,
    generated: Path,
    presets: Sequence[Preset],
    *,
    n_blocks: int = N_BLOCKS,
    build_dir: Path | None = None,
    options: Mapping[str, str] | None = None,
) -> Firmware:
    """Builds the self-test of a board with all models of a firmware.

    Args:
        board: One of `ALL_BOARDS` with a flash.
        generated: What `pipeline.emit.presets.write_firmware_source` has made of `presets`.
        presets: The models.
        n_blocks: Blocks of 4 ms of the score that looks for the worst block.
        build_dir: Build folder, below ``build/selftest`` by default; later builds are incremental.
        options: Further CMake variables, such as ``PLAYER_VOICES``.

    Raises:
        UserError: A tool is missing, or the program does not compile or fit.
    """
    generated = generated.resolve()
    chosen = {"PLAYER_VOICES": str(default_voices(ALL_BOARDS[board], generated)), **(options or {})}
    if build_dir is None:
        place = hashlib.sha256(f"{generated} {n_blocks} {chosen}".encode()).hexdigest()[:8]
        build_dir = BUILD_DIR / "selftest" / f"{board}-{place}"
    vectors = build_dir.resolve() / "vectors"
    with atomic_write(vectors / "selftest_vectors.c") as temporary:
        temporary.write_text(vectors_text(presets))
    settings: Settings = application_settings(generated) | {
        "SELFTEST_VECTORS_DIR": vectors,
        "SELFTEST_BLOCKS": n_blocks,
        **chosen,
    }
    program = make(board, build_dir, settings, "selftest")
    seal(program.elf, ALL_BOARDS[board])
    sizes = read_link_map(program.elf.with_name("selftest.map").read_text())
    return Firmware(program, "aot", *sizes)


def seal(elf: Path, board: Board) -> None:
    """Writes into a self-test which bytes it stores in flash, and their checksum.

    The loader of an RP2040 is left out, because `pipeline.target.flash_image.seal_loader` adds a
    checksum of its own to it.

    Raises:
        UserError: The executable is not that of a self-test.
    """
    assert board.flash is not None
    data = elf.read_bytes()
    is_rp2040 = board.flasher is not None and board.flasher.uf2_family == RP2040
    first = board.flash.address + (LOADER_BYTES if is_rp2040 else 0)
    parts = [
        (max(at, first), part[max(first - at, 0) :])
        for at, part in stored_parts(data)
        if at + len(part) > first
    ]
    places = [at + part.find(_MARK) for at, part in parts if _MARK in part]
    if data.count(_MARK) != 1 or len(places) != 1 or len(parts) > _MAX_PARTS:
        raise UserError(f"{elf} has no place for its checksum: build the self-test again")
    table = [number for at, part in parts for number in (at, len(part))]
    table += [0] * (2 * _MAX_PARTS - len(table))
    hole = places[0] + _SEAL.size - 4
    content = _SEAL.pack(_MARK, len(parts), *table, hole, 0)
    crc = 0
    for _, part in parts:
        at = part.find(_MARK)
        crc = zlib.crc32(part if at < 0 else part[:at] + content + part[at + _SEAL.size :], crc)
    sealed = _SEAL.pack(_MARK, len(parts), *table, hole, crc)
    at = data.find(_MARK)
    with atomic_write(elf) as temporary:
        temporary.write_bytes(data[:at] + sealed + data[at + _SEAL.size :])
        temporary.chmod(elf.stat().st_mode)
