"""What the boards that are flashed make of the firmware: the figures of the instrument as a whole.

Instructions of a voice are counted on the emulated board with the same core, where ``apps/perform``
plays a long note: MIDI, expression, decoder, voice, breath and mix; on boards with a sound input
those of a live block, too, where ``apps/transfer`` hears a scale. Flash and RAM are the linker's,
of the image that is flashed, and RAM of one with a single voice, which is what is asked for. The
shares of the time are estimates (see `pipeline.bench`); so is nothing else.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audio.pcm import to_pcm
from pipeline.core.constants import FRAME_RATE, HOP_SAMPLES, SAMPLE_RATE
from pipeline.core.runs import load_run
from pipeline.evaluation import bench_cores
from pipeline.target import firmware, link_map, sources, transfer
from pipeline.target.boards import BOARDS, INSTRUMENT_BOARDS
from pipeline.target.chips import BOARD_LIMITS, CHIPS, Chip, chip_share
from pipeline.target.cycle_model import count_cycles
from pipeline.target.disassembly import disassemble
from pipeline.target.emulator import trace_instructions
from pipeline.target.player import Score, build_player, perform

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


def bench_sound() -> np.ndarray:
    """Returns a second of tones with harmonics, a scale that swells, int16."""
    frames = np.repeat(bench_cores.bench_frames(), HOP_SAMPLES, axis=0).astype(np.float64)
    phase = 2 * np.pi * np.cumsum(frames[:, 0]) / SAMPLE_RATE
    wave = sum(0.6**n * np.sin(n * phase) for n in range(1, 6))
    return to_pcm(0.4 * 10 ** (frames[:, 1] / 20) * wave)


def bench_live(
    chip: Chip, generated: Path, sound_cycles: float, parts: Mapping[str, link_map.PartSize]
) -> dict[str, Any]:
    """Measures what live timbre transfer costs, from a block of input to a block of output.

    Args:
        chip: Whose core is emulated.
        generated: Output of `pipeline.codegen`.
        sound_cycles: Estimate for an instruction of the instrument.
        parts: Of the firmware, of which model and FFT are read every block.

    Returns:
        ``instructions_per_block``, of them ``analysis_instructions``, ``worst_block_instructions``
        and the estimate ``cpu_share``.
    """
    program = transfer.build_transfer(
        chip.board, generated, build_dir=bench_cores.build_dir(chip.board, "transfer")
    )
    f0_min_hz, f0_max_hz = transfer.F0_RANGE_HZ
    pcm = bench_sound()
    report = transfer.transfer(program, pcm, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz).report
    executed = trace_instructions(
        program,
        ["analysis_step"],
        arguments=["in", "out", "frames", f"{f0_min_hz:.0f}", f"{f0_max_hz:.0f}"],
        inputs={"in": pcm[:HOP_SAMPLES].astype("<i2").tobytes()},
    )["analysis_step"]
    cycles = count_cycles(BOARDS[chip.board].core, executed, disassemble(program))
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
        "cpu_share": chip_share(chip, cycles_per_block, model_bytes, fft_bytes)["cpu_share"],
    }


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
    generated = sources.generate(run_dir, fmt=fmt)
    rendered = bench_cores.bench_firmware(
        firmware.build(chip.board, generated, build_dir=bench_cores.build_dir(chip.board, "aot"))
    )
    player = build_player(
        chip.board, generated, n_voices=1, build_dir=bench_cores.build_dir(chip.board, "player")
    )
    score: Score = [(0, NOTE_ON), (2 * FRAME_RATE, ALL_SOUND_OFF)]
    played = perform(player, score)
    per_block = played.report["instructions"] / played.report["n_blocks"]
    of_stages = rendered["instructions_per_frame"]
    cycles = sum(
        of_stages[stage] * ratio for stage, ratio in rendered["cycles_per_instruction"].items()
    )
    # What the player does besides is put at the mean of what was traced.
    per_instruction = cycles / of_stages["total"]
    model_bytes = rendered["bytes"]["model"]
    share = chip_share(chip, per_block * per_instruction, model_bytes)
    image = firmware.build(board, generated, build_dir=bench_cores.build_dir(board, "play"))
    one, two = (
        firmware.build(
            board,
            generated,
            build_dir=bench_cores.build_dir(board, f"play-{n_voices}"),
            options={"PLAYER_VOICES": str(n_voices)},
        ).ram_bytes
        for n_voices in (1, 2)
    )
    has_input = "analysis" in image.parts
    latency_ms = note_on_ms(played.pcm)
    limits = BOARD_LIMITS[board]
    figures = {
        "cpu_share": share["cpu_share"],
        "note_on_ms": latency_ms["total"],
        "flash_bytes": image.flash_bytes,
        "ram_bytes": one,
    }
    return {
        "board": board,
        "core": INSTRUMENT_BOARDS[board].core,
        "clock_hz": chip.clock_hz,
        "run": bench_cores.run_name(load_run(run_dir)),
        "counted_on": chip.board,
        "instructions_per_block": round(per_block),
        "worst_block_instructions": played.report["worst_block_instructions"],
        "instructions_per_sample": round(per_block / HOP_SAMPLES, 1),
        "cycles_per_block": share["cycles_per_frame"],
        "memory": chip.memory,
        "latency_ms": latency_ms,
        "n_voices": 1 + round((image.ram_bytes - one) / (two - one)),
        "ram_bytes_per_further_voice": two - one,
        "image_ram_bytes": image.ram_bytes,
        "live": bench_live(chip, generated, per_instruction, image.parts) if has_input else None,
        **figures,
        "estimates": ["cycles_per_block", "cpu_share"],
        "limits": limits,
        "within": {name: figures[name] <= limit for name, limit in limits.items()},
    }


def bench_boards(run_dir: Path, boards: Sequence[str] = tuple(INSTRUMENT_BOARDS)) -> list[Any]:
    """Measures one instrument on boards, each by `bench_board`."""
    return [bench_board(run_dir, board) for board in boards]
