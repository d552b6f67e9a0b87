"""Cycle counts from traces compared with sums by hand, and the report of the benchmark."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.networks import tcn_weights
from support.small_run import TCN

from pipeline import bench, bench_report
from pipeline.core.errors import UserError
from pipeline.core.patch_files import load_patch
from pipeline.emit import presets
from pipeline.evaluation import bench_boards, bench_cores, bench_cycles, bench_firmware
from pipeline.model.tcn import build_tcn
from pipeline.quantization.weights import load_noise
from pipeline.target import firmware, sources
from pipeline.target.board_types import WeightMemory
from pipeline.target.boards import FILE_BOARDS, INSTRUMENT_BOARDS
from pipeline.target.build import build_program
from pipeline.target.cycle_model import chip_share, count_cycles
from pipeline.target.disassembly import disassemble
from pipeline.target.emulator import trace_instructions
from pipeline.target.loops import hottest_loop
from pipeline.target.second_opinion import other_cycles

N_ROUNDS = 100

# Body of a loop; per round: instructions, and cycles on the M4 and the M0+ from the manuals.
LOOPS = {
    "arithmetic": ("add r2, r2, #1\n mul r2, r2, r2\n", 2, 2, 2),
    "dependent_loads": ("ldr r2, [%1]\n ldr r3, [%1, #4]\n ldr r3, [r2]\n", 3, 2 + 1 + 1, 6),
    "load_after_its_address": ("ldr r2, [%1]\n ldr r3, [r2]\n", 2, 2 + 2, 4),
    "stores": ("str r2, [%1, #8]\n str r3, [%1, #12]\n", 2, 2, 4),
    "multiple": ("push {r2, r3}\n pop {r2, r3}\n", 2, 3 + 3, 3 + 3),
    "load_after_store": ("str r2, [%1, #8]\n ldr r3, [%1, #12]\n", 2, 1 + 2, 4),
    "load_after_arithmetic": ("add r2, %1, #0\n ldr r3, [r2]\n", 2, 1 + 1 + 2, 3),
    "jump": ("b 2f\n nop\n 2: nop\n", 2, 3 + 1, 2 + 1),
}


FLOAT_LOOPS = {  # the same, for the M4 only
    "sums": ("vadd.f32 s0, s1, s2\n vmul.f32 s3, s1, s2\n vadd.f32 s4, s1, s2\n", 3, 3),
    "dependent_sums": ("vadd.f32 s0, s1, s2\n vadd.f32 s3, s0, s2\n", 2, 2 + 1),
    "fused": ("vfma.f32 s0, s1, s2\n vfma.f32 s0, s1, s2\n", 2, 2 * 3 + 1),
    "loads_and_store": ("vldr s0, [%1]\n vldr s2, [%1, #4]\n vstr s0, [%1, #8]\n", 3, 3 * 2),
    "divide": ("vdiv.f32 s0, s1, s2\n nop\n", 2, 14 + 1),
    "doubles": ("vpush {d0-d1}\n vpop {d0-d1}\n", 2, 2 * 5),
}


@pytest.mark.firmware
@pytest.mark.parametrize(("board", "column"), [("qemu_m4", 2), ("qemu_m0", 3)])
def test_cycles_of_loops_equal_the_manuals_sums(tmp_path, board, column):
    loops: dict[str, tuple] = LOOPS | (FLOAT_LOOPS if board == "qemu_m4" else {})
    source = '#include "board.h"\nvoid *memory[4] = {memory, memory};\n'
    for name, (body, *_) in loops.items():
        text = body.replace("\n", "\\n\\t")
        floats = ', "s0", "s1", "s2", "s3", "s4"' if name in FLOAT_LOOPS else ""
        source += f"""
            __attribute__((noinline)) void {name}(uint32_t n, void *p) {{
                __asm__ volatile("1: {text} sub %0, %0, #1\\n\\tcmp %0, #0\\n\\tbne 1b"
                                 : "+l"(n) : "l"(p) : "r2", "r3", "cc", "memory"{floats});
            }}
        """
    calls = " ".join(f"{name}({N_ROUNDS}, memory);" for name in loops)
    source += f"int main(void) {{ {calls} return 0; }}\n"
    (tmp_path / "loops.c").write_text(source)
    program = build_program(board, [tmp_path / "loops.c"], out=tmp_path / "build")
    code, trace = disassemble(program), trace_instructions(program, loops)
    for name, loop in loops.items():
        taken = 1 + (2 if board == "qemu_m4" else 1)  # the branch back to the start
        n_instructions = N_ROUNDS * (loop[1] + 3)
        cycles = N_ROUNDS * (loop[column] + 2 + taken)
        executed = trace[name]
        assert 0 < len(executed) - executed.count(0) - n_instructions < 12, name
        assert 0 < count_cycles(FILE_BOARDS[board].core, executed, code) - cycles < 30, name
        if board == "qemu_m0":  # the emulator of the RP2040 agrees
            inner = hottest_loop(executed)
            counted = other_cycles(program, inner.addresses, code)
            assert counted == ("rp2040js", loop[column] + 2 + taken), name


def test_chip_share_is_cycles_plus_wait_states_over_the_clock():
    memory = WeightMemory("flash", 2000, line_bytes=16, wait_cycles=5, model_wait_cycles=2)
    board = dataclasses.replace(
        INSTRUMENT_BOARDS["stm32f4_discovery"], clock_hz=1_000_000, weight_memory=memory
    )
    share = chip_share(board, 1000, model_bytes=1600, other_bytes=160)
    assert share["cycles_per_frame"] == 1000 + 100 * 2 + 10 * 5
    assert share["cpu_share"] == pytest.approx(1250 * 250 / 1e6)
    assert share["fits"] and not chip_share(board, 1000, 1601, 400)["fits"]


def test_a_second_busy_core_makes_the_first_wait_for_banks_of_the_ram():
    board = INSTRUMENT_BOARDS["pico"]
    alone, both = (
        chip_share(board, 100_000, 5000, n_busy_cores=n)["cycles_per_frame"] for n in (1, 2)
    )
    assert (alone, both) == (100_000, 104_000)


def test_models_that_are_copied_are_read_without_waits():
    memory = WeightMemory("flash", 9000, line_bytes=16, model_wait_cycles=2, copied_bytes=3000)
    board = dataclasses.replace(INSTRUMENT_BOARDS["stm32f4_discovery"], weight_memory=memory)

    def waits(n_passes: int, n_models: int, model_bytes: int = 1600) -> int:
        share = chip_share(board, 0, model_bytes, n_passes=n_passes, n_models=n_models)
        return share["cycles_per_frame"]

    assert waits(3, 1) == 0
    assert waits(3, 2) == 3 * 1600 / 16 * 2 / 2  # one of two is copied
    assert waits(3, 1, model_bytes=3200) == 3 * 3200 / 16 * 2


@pytest.mark.firmware
def test_report_agrees_with_the_measured_firmware(
    small_run, tmp_path, build_dir, replace, monkeypatch, capsys
):
    monkeypatch.delenv("TFLM_DIR", raising=False)
    replace(bench_cores.REVERBS, (("qemu_m4", 0.1), ("qemu_m7", 1.0)))
    arguments = ["--json", str(tmp_path / "bench.json"), "--run", str(small_run)]
    arguments += ["--board", "qemu_m4", "--format", "int8", "--format", "int16x8"]
    bench.main(arguments)
    report = json.loads((tmp_path / "bench.json").read_text())
    (row,) = report["rows"]
    (missing,) = report["missing"]
    assert f"no int16x8 model: run python -m pipeline.quantize --run {small_run}" in missing
    (reverb,) = report["reverbs"]
    assert reverb["run"] == "flute/reduced_cd" and reverb["seconds"] == 0.1

    generated = tmp_path / "again"
    tflite = small_run / "decoder_int8.tflite"
    presets.write_firmware_source(
        [presets.Preset("flute_reduced_cd", tflite, load_patch("flute"), load_noise(small_run))],
        generated,
    )
    built = firmware.build("qemu_m4", generated, build_dir=tmp_path / "build")
    counted = firmware.render(built, bench_firmware.bench_frames()).instructions
    assert row["run"] == "flute/reduced_cd"
    assert row["bytes"]["firmware_flash"] == built.flash_bytes
    assert row["bytes"]["firmware_ram"] == built.ram_bytes
    for stage, n in counted.items():
        assert row["instructions_per_frame"][stage] == pytest.approx(n, abs=0.1)
    assert row["instructions_per_frame"]["total"] == pytest.approx(sum(counted.values()), abs=0.1)
    assert row["instructions_per_sample"]["fm"] == pytest.approx(counted["fm"] / 64, abs=0.01)

    (chip,) = row["chips"]
    cycles = sum(row["cycles_per_instruction"][stage] * n for stage, n in counted.items())
    assert chip["cycles_per_frame"] == pytest.approx(cycles, rel=1e-3)  # the weights are copied
    assert "STM32F407 @ 168 MHz" in capsys.readouterr().out

    model = build_tcn(TCN)
    assert row["parameters"] == model.count_params()
    n_biases = sum(np.size(bias) for _, bias in tcn_weights(model).values())
    assert row["mac_per_frame"] == row["parameters"] - n_biases


@pytest.mark.firmware
def test_reverb_cost_is_reported_and_its_only_error_is_rounding(small_run, build_dir):
    row = bench_cores.bench_reverb(small_run, "qemu_m4", 0.1)
    assert row["error_dbfs"] == pytest.approx(20 * np.log10(12**-0.5 / 32768), abs=0.5)
    assert row["largest_error"] < 0.51
    size, per_frame = row["bytes"], row["instructions_per_frame"]
    assert size["response"] == pytest.approx(25 * 128 * 4, abs=64)  # 25 partitions of 64 taps
    assert 0 < size["added_flash"] - size["response"] - size["code"] < 400
    assert 0 <= size["added_ram"] - size["state"] < 64
    # This response has no tail.
    assert per_frame["mean"] == pytest.approx(per_frame["worst"], rel=0.01)
    assert per_frame["total"] > per_frame["mean"] > 1000


@pytest.mark.firmware
def test_board_figures_agree_with_the_flashed_image(tmp_path, small_run, build_dir):
    row = bench_boards.bench_board(small_run, "stm32f4_discovery")
    image = firmware.build(
        "stm32f4_discovery", sources.generate(small_run), build_dir=tmp_path / "image"
    )
    assert (row["flash_bytes"], row["image_ram_bytes"]) == (image.flash_bytes, image.ram_bytes)
    assert row["n_voices"] == 24  # as a tiny model, whose size this one has
    assert row["worst_block"]["n_voices"] == 6  # beside three reduced models
    further = 23 * row["ram_bytes_per_further_voice"]
    assert row["ram_bytes"] + further == row["image_ram_bytes"]
    live = row["live"]
    assert 60_000 < live["analysis_instructions"] < live["instructions_per_block"] < 90_000
    assert live["instructions_per_block"] < live["worst_block_instructions"] < 100_000
    assert row["cpu_share"] < live["cpu_share"] < 0.3
    assert row["counted_on"] == "qemu_m4" and row["clock_hz"] == 168e6
    assert 4000 < row["instructions_per_block"] < row["worst_block_instructions"] < 60_000
    assert row["cycles_per_block"] > row["instructions_per_block"]
    share = row["cycles_per_block"] * 250 / 168e6
    assert row["cpu_share"] == pytest.approx(share, abs=1e-4)
    assert row["within"] == dict.fromkeys(row["limits"], True)
    assert row["estimates"] == ["cycles_per_block", "cpu_share", "worst_share"]
    worst = row["worst_block"]
    assert 12 * row["instructions_per_block"] < worst["instructions"]["16000"] < 450_000
    assert worst["instructions"]["16000"] + 5_000 < worst["instructions"]["48000"]
    assert row["worst_share"] == worst["cpu_shares"]["48000"] < 1


def test_board_figures_are_printed_and_written_to_the_json_file(
    small_run, tmp_path, replace, capsys
):
    replace(bench_boards.bench_boards, lambda run: [])
    arguments = ["--boards", "--run", str(small_run)]
    bench.main(arguments)
    printed = capsys.readouterr().out
    bench.main([*arguments, "--json", str(tmp_path / "boards.json")])
    *table, following = capsys.readouterr().out.splitlines()
    assert printed.splitlines()[:-1] == table
    assert printed.splitlines()[-1].startswith("next: the same command with --json FILE")
    assert following.endswith(f"next: python -m pipeline.bench_report {tmp_path / 'boards.json'}")
    assert json.loads((tmp_path / "boards.json").read_text())["boards"] == []


def test_note_latency_is_its_bytes_plus_two_blocks_plus_silent_samples():
    pcm = np.zeros(640, np.int16)
    pcm[10], pcm[32:] = 1, -300
    times = bench_boards.note_on_ms(pcm)
    assert times == {"midi": 0.96, "wait": 4.0, "buffer": 4.0, "attack": 2.0, "total": 10.96}


# --- report ---------------------------------------------------------------------------------------


def test_cycles_and_boards_are_measured_for_one_model(small_run, replace, capsys, tmp_path):
    rows = [{"loop": "fm", "core": "Cortex-M0+", "share": 0.9, "instructions": 10, "ours": 12.0}]
    rows[0] |= {"theirs": 12.0, "by": "rp2040js", "several_words": 0.0, "branches": 1.0}
    asked = []
    replace(bench_cycles.bench_cycles, lambda run, **how: (asked.append((run, how)), rows)[1])
    bench.main(
        ["--cycles", "--run", str(small_run), "--board", "qemu_m0", "--json", str(tmp_path / "x y")]
    )
    how = {"boards": ["qemu_m0"], "formats": ("int8", "int16x8")}
    assert asked == [(small_run, how)]
    line = "| fm | Cortex-M0+ | 90 % | 10 | 12 | rp2040js | 12 | +0 % |"
    said = capsys.readouterr().out
    assert line in said and said.endswith(f"python -m pipeline.bench_report '{tmp_path}/x y'\n")
    bench_report.main([str(tmp_path / "x y")])
    assert line in capsys.readouterr().out
    for option in ("--cycles", "--boards"):
        with pytest.raises(UserError, match=f"{option} measures one model"):
            bench.main([option, "--run", str(small_run), "--run", str(small_run)])


def test_two_processes_build_in_separate_folders(tmp_path, build_dir):
    mine = bench_firmware.build_dir("qemu_m4", "aot")
    # A second build of the first process reuses its folder.
    assert bench_firmware.build_dir("qemu_m4", "aot") == mine
    script = "from pathlib import Path; from pipeline.core import paths; paths.BUILD_DIR = "
    script += f"Path({str(build_dir)!r}); from pipeline.evaluation import bench_firmware; "
    script += "print(bench_firmware.build_dir('qemu_m4', 'aot'))"
    other = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert Path(other.stdout.strip()).parent == mine.parent
    assert Path(other.stdout.strip()) != mine
