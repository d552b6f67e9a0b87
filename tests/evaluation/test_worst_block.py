"""Every board has time for the most expensive block of all its voices, at both sample rates."""

import pytest

from pipeline.core.paths import MODEL_DIR
from pipeline.evaluation import bench_boards
from pipeline.evaluation.bench_firmware import bench_firmware, bench_frames, build_dir
from pipeline.target import firmware, sources
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.voices import CYCLES_PER_INSTRUCTION
from pipeline.target.worst_block import N_PROGRAMS, worst_score

pytestmark = pytest.mark.firmware

RUN = MODEL_DIR / "flute" / "reduced_cd"
PER_VOICE = {"Cortex-M0+": 194_000}  # instructions at 16 kHz, without analysis
PER_VOICE_DSP = 58_000  # on the other cores
UPSAMPLER = {"Cortex-M0+": 80_000}
UPSAMPLER_DSP = 20_000


@pytest.mark.parametrize("name", INSTRUMENT_BOARDS)
def test_worst_block_of_all_voices_and_instruments_fits_the_board(name):
    board = INSTRUMENT_BOARDS[name]
    built = firmware.build(
        board.emulated_by, sources.generate(RUN), build_dir=build_dir(board.emulated_by, "aot")
    )
    rendered = bench_firmware(built, bench_frames(50))
    per_instruction = bench_boards.mean_cycles_per_instruction(rendered)
    assert per_instruction == pytest.approx(CYCLES_PER_INSTRUCTION[board.core], rel=0.03)
    worst = bench_boards.bench_worst_block(
        board,
        RUN,
        fmt="int8",
        per_instruction=per_instruction,
        model_bytes=rendered["bytes"]["model"],
    )
    instructions = worst["instructions"]
    assert worst["n_voices"] == board.n_voices
    voices = board.n_voices // board.n_cores * PER_VOICE.get(board.core, PER_VOICE_DSP)
    assert 0.6 * voices < instructions["16000"] <= voices
    assert instructions["48000"] <= voices + UPSAMPLER.get(board.core, UPSAMPLER_DSP)
    assert worst["cpu_share"] <= board.limits.worst_share


def test_worst_score_changes_the_program_with_a_chord_and_takes_and_releases_every_voice():
    score, end = worst_score(4)
    blocks = {block: [m for at, m in score if at == block] for block, _ in score}
    changes = [block for block, messages in blocks.items() if any(m[0] == 0xC0 for m in messages)]
    chords = [block for block in changes if sum(m[0] == 0x90 for m in blocks[block]) == 4]
    assert len(chords) == 2 * N_PROGRAMS
    for block in chords:
        notes, again, others = (
            [m[1] for m in blocks[block + after] if m[0] == 0x90] for after in (0, 8, 16)
        )
        assert notes == again and not set(notes) & set(others)
        lifted = [m[1] for m in blocks[block + 21] if m[0] == 0x80]
        assert lifted == others and bytes([0xB0, 64, 0]) in blocks[block + 22]
    bent = [block for block, messages in blocks.items() if any(m[0] == 0xE0 for m in messages)]
    assert bent == list(range(4, end))
