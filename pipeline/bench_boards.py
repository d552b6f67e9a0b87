"""What the boards that are flashed make of the firmware: the figures of the instrument as a whole.

Instructions of a voice are counted on the emulated board with the same core, where ``apps/perform``
plays a long note: MIDI, expression, decoder, voice, breath and mix. Flash and RAM are the linker's,
of the image that is flashed. The share of the time is an estimate (see `pipeline.bench`); so is
nothing else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import bench, firmware
from pipeline.chips import BOARD_LIMITS, CHIPS, chip_share
from pipeline.config import FRAME_RATE, HOP_SAMPLES, SAMPLE_RATE, load_run
from pipeline.render import Score, build_player, perform
from pipeline.toolchain import INSTRUMENT_BOARDS

MIDI_BYTES_PER_SECOND = 31_250 / 10
NOTE_ON, ALL_SOUND_OFF = bytes([0x90, 72, 100]), bytes([0xB0, 120, 0])
BLOCK_MS = 1000 / FRAME_RATE
AUDIBLE = 2  # PCM: more than the rounding of silence


def note_on_ms(pcm: np.ndarray) -> dict[str, float]:
    """Adds up the time from a note-on to its first sample.

    Args:
        pcm: What the player made of a note-on before its first block.

    Returns:
        ``midi``, three bytes at 31 250 baud; ``wait``, at most, until the next block is rendered;
        ``buffer``, while another one plays; ``attack``, until the block's first audible sample; and
        their sum, ``total``.
    """
    first = int(np.argmax(np.abs(pcm.astype(np.int32)) >= AUDIBLE))
    parts = {
        "midi": 1000 * len(NOTE_ON) / MIDI_BYTES_PER_SECOND,
        "wait": BLOCK_MS,
        "buffer": BLOCK_MS,
        "attack": 1000 * first / SAMPLE_RATE,
    }
    return {name: round(ms, 2) for name, ms in (parts | {"total": sum(parts.values())}).items()}


def bench_board(run_dir: Path, board: str, *, fmt: str = "int8") -> dict[str, Any]:
    """Measures one instrument on a board.

    Args:
        run_dir: Run folder with a quantized model.
        board: One of `pipeline.toolchain.INSTRUMENT_BOARDS`.
        fmt: Format of the model.

    Returns:
        Figures as they go into the JSON file, and whether each is within what is asked of it.

    Raises:
        UserError: A tool is missing, the model is, or it does not fit the board.
    """
    (chip,) = (chip for chip in CHIPS if chip.instrument_board == board)
    generated = firmware.generate(run_dir, fmt=fmt)
    rendered = bench.bench_firmware(
        firmware.build(chip.board, generated, build_dir=bench.build_dir(chip.board, "aot"))
    )
    player = build_player(
        chip.board, generated, n_voices=1, build_dir=bench.build_dir(chip.board, "player")
    )
    score: Score = [(0, NOTE_ON), (2 * FRAME_RATE, ALL_SOUND_OFF)]
    played = perform(player, score)
    per_block = played.report["instructions"] / played.report["n_blocks"]
    of_stages = rendered["instructions_per_frame"]
    cycles = sum(
        of_stages[stage] * ratio for stage, ratio in rendered["cycles_per_instruction"].items()
    )
    # What the player does besides is put at the mean of what was traced.
    cycles *= per_block / of_stages["total"]
    share = chip_share(chip, cycles, rendered["bytes"]["model"])
    image = firmware.build(board, generated, build_dir=bench.build_dir(board, "play"))
    latency_ms = note_on_ms(played.pcm)
    limits = BOARD_LIMITS[board]
    figures = {
        "cpu_share": share["cpu_share"],
        "note_on_ms": latency_ms["total"],
        "flash_bytes": image.flash_bytes,
        "ram_bytes": image.ram_bytes,
    }
    return {
        "board": board,
        "core": INSTRUMENT_BOARDS[board].core,
        "clock_hz": chip.clock_hz,
        "run": bench.run_name(load_run(run_dir)),
        "counted_on": chip.board,
        "instructions_per_block": round(per_block),
        "worst_block_instructions": played.report["worst_block_instructions"],
        "instructions_per_sample": round(per_block / HOP_SAMPLES, 1),
        "cycles_per_block": share["cycles_per_frame"],
        "memory": chip.memory,
        "latency_ms": latency_ms,
        **figures,
        "estimates": ["cycles_per_block", "cpu_share"],
        "limits": limits,
        "within": {name: figures[name] <= limit for name, limit in limits.items()},
    }


def bench_boards(run_dir: Path, boards: Sequence[str] = tuple(INSTRUMENT_BOARDS)) -> list[Any]:
    """Measures one instrument on boards, each by `bench_board`."""
    return [bench_board(run_dir, board) for board in boards]
