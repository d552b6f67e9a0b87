"""Compares two opinions on the cycles of the inner loops, as they are compiled.

The first is `pipeline.target.cycle_model`, from which all shares of a chip's time are estimated.
The second is llvm-mca, or for the Cortex-M0+ rp2040js (`pipeline.target.second_opinion`).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline.core.constants import FORMATS
from pipeline.evaluation.bench_firmware import STAGES, bench_frames, build_dir
from pipeline.target import firmware, sources
from pipeline.target.boards import EMULATED_BOARDS, FILE_BOARDS
from pipeline.target.build import Program
from pipeline.target.cycle_model import count_cycles, explain_cycles
from pipeline.target.disassembly import disassemble
from pipeline.target.emulator import trace_instructions
from pipeline.target.loops import hottest_loop
from pipeline.target.player import Score, build_player, score_bytes
from pipeline.target.second_opinion import other_cycles

N_PASSES = 100  # that our model counts, so that the first one does not matter
PAIR: Score = [(0, bytes([0x90, note, 100])) for note in (67, 71)] + [(2, bytes([0xB0, 120, 0]))]
TRACED = ("decoder", "fm", "noise")


def bench_cycles(
    run_dir: Path, *, boards: Sequence[str] = EMULATED_BOARDS, formats: Sequence[str] = FORMATS
) -> list[dict[str, Any]]:
    """Compares the loops in which the decoder, FM and noise spend most instructions.

    Args:
        run_dir: Run folder with quantized models of the formats.
        boards: Emulated boards.
        formats: Formats of the decoder; FM and noise are the same with all of them.

    Returns:
        A row for each loop and core: ``loop``, ``core``, ``instructions`` of a pass, ``share`` of
        the stage's instructions that are executed in it, ``ours`` and ``theirs``, the cycles of a
        pass, ``by``, the name of the second model, and what `explain_cycles` returns.

    Raises:
        UserError: A model or a tool is missing.
    """
    rows = []
    for board in tqdm(boards, desc="cycles", unit="core", disable=None):
        for program, executed in _programs(run_dir, board, formats):
            for name, trace in executed.items():
                row = _compare(program, trace)
                if row is not None:
                    rows.append({"loop": name, "core": FILE_BOARDS[board].core, **row})
    return rows


def _programs(
    run_dir: Path, board: str, formats: Sequence[str]
) -> Iterator[tuple[Program, Mapping[str, list[int]]]]:
    """Yields programs, and by the name of a loop what was executed of its stage."""
    for fmt in formats:
        generated = sources.generate(run_dir, fmt=fmt)
        program = firmware.build(board, generated, build_dir=build_dir(board, "aot")).program
        wanted = TRACED if fmt == formats[0] else TRACED[:1]
        executed = trace_instructions(
            program,
            [STAGES[stage] for stage in wanted],
            arguments=["frames", "pcm"],
            inputs={"frames": bench_frames()[:1].tobytes()},
        )
        names = {stage: f"decoder, {fmt}" if stage == "decoder" else stage for stage in wanted}
        yield program, {names[stage]: executed[STAGES[stage]] for stage in wanted}
        if fmt == formats[0]:
            place = build_dir(board, "pair")
            player = build_player(board, generated, n_voices=2, build_dir=place)
            function = "decoder_step_pair"
            traced = trace_instructions(
                player,
                [function],
                arguments=["score", "pcm", "trace"],
                inputs={"score": score_bytes(PAIR)},
            )
            yield player, {f"decoder, {fmt}, two voices": traced[function]}


def _compare(program: Program, executed: list[int]) -> dict[str, Any] | None:
    loop = hottest_loop(executed)
    if loop is None:
        return None
    code, core = disassemble(program), FILE_BOARDS[program.board].core
    passes = loop.addresses * N_PASSES
    by, theirs = other_cycles(program, loop.addresses, code)
    return {
        "instructions": len(loop.addresses),
        "share": round(
            len(loop.addresses) * loop.n_passes / (len(executed) - executed.count(0)), 3
        ),
        "ours": round(count_cycles(core, passes, code) / N_PASSES, 1),
        "theirs": round(theirs, 1),
        "by": by,
        **{
            cause: round(n / N_PASSES, 1) for cause, n in explain_cycles(core, passes, code).items()
        },
    }
