"""Measures the whole instrument on the boards that are flashed.

The instructions of a voice are counted on the emulated board with the same core, where
``apps/perform`` plays a long note: MIDI, expression, decoder, voice, noise and mix. For boards with
a sound input, the instructions of a live block are counted too, in which ``apps/transfer`` plays
from a scale. The worst block is that of all the board's voices, with several instruments
(`pipeline.target.worst_block`). Flash and RAM come from the linker, for the image that is flashed;
the limit on RAM applies to an image with a single voice. Only the shares of the time are estimates,
made by `pipeline.target.cycle_model`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.runs import load_run
from pipeline.emit.constants import LIVE_F0_HZ
from pipeline.evaluation.bench_cores import run_name, small_runs
from pipeline.evaluation.bench_firmware import (
    bench_firmware,
    bench_frames,
    build_dir,
    total_cycles,
)
from pipeline.target import firmware, link_map, sources, transfer
from pipeline.target.board_types import Board
from pipeline.target.boards import FILE_BOARDS, INSTRUMENT_BOARDS
from pipeline.target.cycle_model import chip_share, count_cycles, weight_passes
from pipeline.target.disassembly import disassemble
from pipeline.target.emulator import trace_instructions
from pipeline.target.player import Score, build_player, perform
from pipeline.target.voices import default_voices
from pipeline.target.worst_block import N_PROGRAMS, SAMPLE_RATES_HZ, measure_worst_block

MIDI_BYTES_PER_SECOND = 31_250 / 10
NOTE_ON, ALL_SOUND_OFF = bytes([0x90, 72, 100]), bytes([0xB0, 120, 0])
BLOCK_MS = 1000 / FRAME_RATE
AUDIBLE = 2  # PCM steps: more than the rounding of silence


def note_on_ms(pcm: npt.NDArray[np.int16]) -> dict[str, float]:
    """Returns the time from a note-on to its first sample, and its parts.

    Args:
        pcm: Output of the player for a note-on before its first block.

    Returns:
        In milliseconds: ``midi``, the time of three bytes at 31 250 baud; ``wait``, the longest
        time until the next block is rendered; ``buffer``, the time in which the previous block
        plays; ``attack``, the time until the first audible sample of the block; and their sum,
        ``total``.
    """
    first = int(np.argmax(np.abs(pcm.astype(np.int32)) >= AUDIBLE))
    parts = {
        "midi": 1000 * len(NOTE_ON) / MIDI_BYTES_PER_SECOND,
        "wait": BLOCK_MS,
        "buffer": BLOCK_MS,
        "attack": 1000 * first / SAMPLE_RATE,
    }
    return {name: round(ms, 2) for name, ms in (parts | {"total": sum(parts.values())}).items()}


def bench_sound() -> npt.NDArray[np.int16]:
    """Returns a second of tones with harmonics, a scale with a swell, int16."""
    frames = np.repeat(bench_frames(), HOP_SAMPLES, axis=0).astype(np.float64)
    phase = 2 * np.pi * np.cumsum(frames[:, 0]) / SAMPLE_RATE
    wave = sum((0.6**n * np.sin(n * phase) for n in range(1, 6)), start=np.zeros(len(phase)))
    return to_pcm(0.4 * 10 ** (frames[:, 1] / 20) * wave)


def bench_live(
    board: Board, generated: Path, sound_cycles: float, parts: Mapping[str, link_map.PartSize]
) -> dict[str, Any]:
    """Measures what live timbre transfer costs, from a block of input to a block of output.

    Args:
        board: One of `INSTRUMENT_BOARDS` with a sound input.
        generated: Output of `pipeline.codegen`.
        sound_cycles: Estimated cycles per instruction of the instrument.
        parts: Sizes of the firmware's parts, of which the model and the FFT are read every block.

    Returns:
        ``instructions_per_block``, the ``analysis_instructions`` among them,
        ``worst_block_instructions`` and the estimate ``cpu_share``.
    """
    emulated = board.emulated_by
    program = transfer.build_transfer(
        emulated, generated, build_dir=build_dir(emulated, "transfer")
    )
    f0_min_hz, f0_max_hz = LIVE_F0_HZ
    pcm = bench_sound()
    report = transfer.transfer(program, pcm, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz).report
    executed = trace_instructions(
        program,
        ["analysis_step"],
        arguments=["in", "out", "frames", f"{f0_min_hz:.0f}", f"{f0_max_hz:.0f}", "0"],
        inputs={"in": pcm[:HOP_SAMPLES].astype("<i2").tobytes()},
    )["analysis_step"]
    cycles = count_cycles(FILE_BOARDS[emulated].core, executed, disassemble(program))
    per_instruction = cycles / (len(executed) - executed.count(0))
    analysis, sound = (
        report[f"{part}_instructions"] / report["n_blocks"] for part in ("analysis", "sound")
    )
    cycles_per_block = analysis * per_instruction + sound * sound_cycles
    model_bytes, fft_bytes = (parts[name].flash_bytes for name in ("model", "cmsis_dsp"))
    return {
        "instructions_per_block": round(analysis + sound),
        "analysis_instructions": round(analysis),
        "worst_block_instructions": report["worst_block_instructions"],
        "cpu_share": chip_share(board, cycles_per_block, model_bytes, fft_bytes)["cpu_share"],
    }


def _bench_note(
    board: Board, generated: Path, *, per_instruction: float, model_bytes: int
) -> dict[str, Any]:
    """Plays a note of two seconds with one voice, on the emulated board with the same core.

    Args:
        board: One of `INSTRUMENT_BOARDS`.
        generated: Output of `pipeline.codegen`.
        per_instruction: Estimated cycles per instruction.
        model_bytes: Bytes of the model.

    Returns:
        Entries of `bench_board`.
    """
    emulated = board.emulated_by
    folder = build_dir(emulated, "player")
    score: Score = [(0, NOTE_ON), (2 * FRAME_RATE, ALL_SOUND_OFF)]
    played = perform(build_player(emulated, generated, n_voices=1, build_dir=folder), score)
    per_block = played.report["instructions"] / played.report["n_blocks"]
    share = chip_share(board, per_block * per_instruction, model_bytes)
    latency_ms = note_on_ms(played.pcm)
    return {
        "instructions_per_block": round(per_block),
        "worst_block_instructions": played.report["worst_block_instructions"],
        "instructions_per_sample": round(per_block / HOP_SAMPLES, 1),
        "cycles_per_block": share["cycles_per_frame"],
        "cpu_share": share["cpu_share"],
        "latency_ms": latency_ms,
        "note_on_ms": latency_ms["total"],
    }


def bench_worst_block(
    board: Board, run_dir: Path, *, fmt: str, per_instruction: float, model_bytes: int
) -> dict[str, Any]:
    """Measures the most expensive block with all voices of a board and several instruments.

    Args:
        board: One of `INSTRUMENT_BOARDS`.
        run_dir: The first instrument; reduced or tiny models of other instruments follow.
        fmt: Format of the models.
        per_instruction: Estimated cycles per instruction.
        model_bytes: Bytes of a model.

    Returns:
        ``instructions`` and the estimate ``cpu_shares``, by sample rate; ``cpu_share``, the largest
        of these; ``stack_bytes`` and ``n_voices``.
    """
    own = load_run(run_dir)
    others = [other for other in small_runs() if load_run(other).instrument != own.instrument]
    if own.variant == "tiny":
        others = [other.with_name("tiny") for other in others]
    run_dirs = [run_dir, *others[: N_PROGRAMS - 1]]
    generated = sources.generate(*run_dirs, fmt=fmt)
    board = replace(board, n_voices=default_voices(board, generated))
    per_core = -(-board.n_voices // board.n_cores)
    n_passes = weight_passes(per_core, len(run_dirs), is_paired=fmt == "int8")
    blocks = {
        str(rate): measure_worst_block(
            board,
            generated,
            bench_sound(),
            sample_rate_hz=rate,
            build_dir=build_dir(board.emulated_by, f"worst-{rate}"),
        )
        for rate in SAMPLE_RATES_HZ
    }
    shares = {
        rate: chip_share(
            board,
            block.instructions * per_instruction,
            model_bytes,
            n_passes=n_passes,
            n_models=len(run_dirs),
            n_busy_cores=board.n_cores,
        )["cpu_share"]
        for rate, block in blocks.items()
    }
    return {
        "instructions": {rate: block.instructions for rate, block in blocks.items()},
        "cpu_shares": shares,
        "cpu_share": max(shares.values()),
        "stack_bytes": max(block.stack_bytes for block in blocks.values()),
        "n_voices": board.n_voices,
    }


def _bench_memory(board: Board, generated: Path, image: firmware.Firmware) -> dict[str, int]:
    """Returns the entries of `bench_board` about the image that is flashed."""
    one, two = (
        firmware.build(
            board.name,
            generated,
            build_dir=build_dir(board.name, f"play-{n_voices}"),
            options={"PLAYER_VOICES": str(n_voices)},
        ).ram_bytes
        for n_voices in (1, 2)
    )
    return {
        "flash_bytes": image.flash_bytes,
        "ram_bytes": one,
        "n_voices": 1 + round((image.ram_bytes - one) / (two - one)),
        "ram_bytes_per_further_voice": two - one,
        "image_ram_bytes": image.ram_bytes,
    }


def mean_cycles_per_instruction(rendered: Mapping[str, Any]) -> float:
    """Returns the cycles per instruction over all stages of a result of `bench_firmware`."""
    instructions, ratios = rendered["instructions_per_frame"], rendered["cycles_per_instruction"]
    return float(total_cycles(instructions, ratios) / instructions["total"])


def bench_board(run_dir: Path, name: str, *, fmt: str = "int8") -> dict[str, Any]:
    """Measures one instrument on a board.

    Args:
        run_dir: Run folder with a quantized model.
        name: One of `INSTRUMENT_BOARDS`.
        fmt: Format of the model.

    Returns:
        The board's entry in the JSON file, which also states whether each figure is within its
        limit.

    Raises:
        UserError: A tool or the model is missing, or the model does not fit the board.
    """
    board = INSTRUMENT_BOARDS[name]
    emulated = board.emulated_by
    generated = sources.generate(run_dir, fmt=fmt)
    rendered = bench_firmware(
        firmware.build(emulated, generated, build_dir=build_dir(emulated, "aot"))
    )
    # The player's other work is assumed to take as many cycles per instruction as these stages.
    costs = {
        "per_instruction": mean_cycles_per_instruction(rendered),
        "model_bytes": rendered["bytes"]["model"],
    }
    note = _bench_note(board, generated, **costs)
    image = firmware.build(name, generated, build_dir=build_dir(name, "play"))
    memory = _bench_memory(board, generated, image)
    live = None
    if board.has_input:
        live = bench_live(board, generated, costs["per_instruction"], image.parts)
    worst = bench_worst_block(board, run_dir, fmt=fmt, **costs)
    figures = note | memory | {"worst_share": worst["cpu_share"]}
    return {
        "board": name,
        "core": board.core,
        "clock_hz": board.clock_hz,
        "run": run_name(load_run(run_dir)),
        "counted_on": emulated,
        "memory": board.weight_memory.description,
        **figures,
        "live": live,
        "worst_block": worst,
        "estimates": ["cycles_per_block", "cpu_share", "worst_share"],
        **_judged(figures, board),
    }


def _judged(figures: Mapping[str, Any], board: Board) -> dict[str, Any]:
    """Returns the limits of a board, and whether each figure is within its limit."""
    limits = asdict(board.limits) if board.limits else {}
    within = {figure: figures[figure] <= limit for figure, limit in limits.items()}
    return {"limits": limits, "within": within}


def bench_boards(run_dir: Path, boards: Sequence[str] = tuple(INSTRUMENT_BOARDS)) -> list[Any]:
    """Measures one instrument on boards, each by `bench_board`."""
    bar = tqdm(boards, desc="bench", unit="board", disable=None)
    return [bench_board(run_dir, board) for board in bar]
