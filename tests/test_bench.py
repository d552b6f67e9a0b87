"""Cycles from traces against sums by hand, and the report."""

import json
from pathlib import Path

import pytest

from pipeline import bench, codegen, convert, firmware
from pipeline.config import RunConfig, TcnConfig, TrainConfig
from pipeline.cycles import count_cycles
from pipeline.toolchain import BOARDS, build_program, disassemble, trace_instructions

N_ROUNDS = 100

# Body of a loop; instructions a round; cycles a round on the M4 and on the M0+ by the manuals.
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


FLOAT_LOOPS = {  # the same, for the M4
    "sums": ("vadd.f32 s0, s1, s2\n vmul.f32 s3, s1, s2\n vadd.f32 s4, s1, s2\n", 3, 3),
    "dependent_sums": ("vadd.f32 s0, s1, s2\n vadd.f32 s3, s0, s2\n", 2, 2 + 1),
    "fused": ("vfma.f32 s0, s1, s2\n vfma.f32 s0, s1, s2\n", 2, 2 * 3 + 1),
    "loads_and_store": ("vldr s0, [%1]\n vldr s2, [%1, #4]\n vstr s0, [%1, #8]\n", 3, 3 * 2),
    "divide": ("vdiv.f32 s0, s1, s2\n nop\n", 2, 14 + 1),
    "doubles": ("vpush {d0-d1}\n vpop {d0-d1}\n", 2, 2 * 5),
}


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
        taken = 1 + (2 if board == "qemu_m4" else 1)  # the branch that closes a round
        n_instructions = N_ROUNDS * (loop[1] + 3)
        cycles = N_ROUNDS * (loop[column] + 2 + taken)
        executed = trace[name]
        assert 0 < len(executed) - executed.count(0) - n_instructions < 12, name
        assert 0 < count_cycles(BOARDS[board].core, executed, code) - cycles < 30, name


def test_share_of_a_chip_is_cycles_and_waits_over_its_clock():
    chip = bench.Chip("X", "qemu_m4", 1e6, 16, 5, 2000, "flash")
    share = bench.chip_share(chip, cycles_per_frame=1000, model_bytes=1600)
    assert share["cycles_per_frame"] == 1000 + 100 * 5
    assert share["cpu_share"] == pytest.approx(1500 * 250 / 1e6)
    assert share["fits"] and not bench.chip_share(chip, 1000, model_bytes=2001)["fits"]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of a small flute with random weights."""
    folder = tmp_path_factory.mktemp("bench") / "flute"
    config = TcnConfig(n_blocks=2, hidden_channels=16)
    RunConfig("flute", "flute", "reduced", config, TrainConfig()).save(folder)
    (folder / "decoder_int8.tflite").write_bytes(convert.random_step_model(config, 0, "int8"))
    return folder


def test_report_agrees_with_the_firmware_that_it_measured(run_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(firmware, "BUILD_DIR", tmp_path)
    bench.main(
        ["--json", str(tmp_path / "bench.json"), "--run", str(run_dir), "--board", "qemu_m4"]
    )
    (row,) = json.loads((tmp_path / "bench.json").read_text())["rows"]

    generated = tmp_path / "again"
    tflite = run_dir / "decoder_int8.tflite"
    codegen.generate([codegen.Instrument("flute_reduced", tflite, "flute")], generated)
    built = firmware.build("qemu_m4", generated, build_dir=tmp_path / "build")
    counted = firmware.render(built, bench.bench_frames()).instructions
    assert row["run"] == "flute/reduced"
    assert row["bytes"]["firmware_flash"] == built.flash_bytes
    assert row["bytes"]["firmware_ram"] == built.ram_bytes
    for stage, n in counted.items():
        assert row["instructions_per_frame"][stage] == pytest.approx(n, abs=0.1)
    assert row["instructions_per_frame"]["total"] == pytest.approx(sum(counted.values()), abs=0.1)
    assert row["instructions_per_sample"]["fm"] == pytest.approx(counted["fm"] / 64, abs=0.01)

    (chip,) = row["chips"]
    cycles = sum(row["cycles_per_instruction"][stage] * n for stage, n in counted.items())
    waits = row["bytes"]["model"] / 16 * 5
    assert chip["cycles_per_frame"] == pytest.approx(cycles + waits, rel=1e-3)
    assert "STM32F407 @ 168 MHz" in capsys.readouterr().out
