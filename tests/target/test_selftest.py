"""The self-test finds what is wrong with an image, and measures what the benchmark measures."""

import struct
from pathlib import Path

import pytest
from support import selftest as support
from support.selftest import failed, of

from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR
from pipeline.emit.c_text import hex_words
from pipeline.target import firmware, selftest
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

STEP = 40  # instructions between two values of the counter


@pytest.fixture(scope="module")
def program(run_folder: Path, small_instruments: Path) -> Program:
    """The self-test of the small instruments for the emulated Cortex-M4F."""
    return support.build_small("qemu_m4", small_instruments, run_folder / "selftest-qemu_m4")


@pytest.fixture(scope="module")
def lines(program: Program) -> list[dict]:
    return support.run(program)


@pytest.fixture(scope="module")
def expected(small_instruments: Path) -> list[list[list[int]]]:
    """The checksums of each model, frame and stage."""
    frames = selftest.vector_frames()
    presets = support.presets_of(small_instruments)
    return [selftest.expected_results(preset, frames) for preset in presets]


def test_all_checks_pass_and_the_last_line_counts_them(lines):
    assert lines[0]["part"] == "begin" and lines[0]["board"] == "qemu_m4"
    assert failed(lines) == []
    checks = sum("ok" in line for line in lines)
    end = {"part": "end", "lines": len(lines) - 1, "checks": checks, "failed": 0}
    assert lines[-1] == end and checks == 1 + 1 + 3 * 4 + 1 + 1
    found = [(line["model"], line["stage"]) for line in of(lines, "model")]
    assert found == [(m, s) for m in ("flute", "violin", "piano") for s in selftest.STAGES]


def test_costs_are_those_that_render_counts(lines, program, small_instruments):
    voices = {"PLAYER_VOICES": str(lines[0]["voices"])}  # as before, so that nothing is built anew
    folder = program.elf.parent
    built = firmware.build("qemu_m4", small_instruments, build_dir=folder, options=voices)
    rendered = firmware.render(built, selftest.vector_frames(), preset=1)
    costs = {line["stage"]: line for line in of(lines, "cost") if line["model"] == "violin"}
    for stage in selftest.STAGES:
        assert costs[stage]["min"] <= costs[stage]["median"] <= costs[stage]["max"]
        assert costs[stage]["median"] == pytest.approx(rendered.instructions[stage], abs=2 * STEP)
    total = sum(rendered.instructions.values())
    assert costs["block"]["median"] == pytest.approx(total, abs=4 * STEP)


def test_clock_is_measured_by_the_counter(lines):
    (line,) = of(lines, "clock")
    assert line["hz"] == 25_000_000 and line["expected"] == 10_000_000  # 10 ms of instructions
    assert line["found"] == pytest.approx(line["expected"], rel=1e-4)


def test_worst_block_plays_with_all_voices(lines):
    (worst,) = of(lines, "worst_block")
    voice = max(line["max"] for line in of(lines, "cost") if line["stage"] == "block")
    assert worst["blocks"] == support.N_BLOCKS and worst["voices"] == 4
    assert worst["max"] > worst["mean"] > 2 * voice
    assert 500 < of(lines, "stack")[0]["bytes"] < 4096


@pytest.mark.parametrize("stage", selftest.STAGES)
def test_flipped_bit_in_a_vector_is_found_and_named(stage, program, expected, tmp_path):
    row = struct.pack("<4I", *expected[1][17])
    data = program.elf.read_bytes()
    assert data.count(row) == 1
    at = data.find(row) + 4 * selftest.STAGES.index(stage)
    (line,) = failed(support.run(support.spoil(program, at, tmp_path / "spoilt", is_sealed=True)))
    assert (line["model"], line["stage"], line["first_wrong_frame"]) == ("violin", stage, 17)


def test_flipped_bit_in_the_checksum_is_found(program, lines, tmp_path):
    (line,) = of(lines, "flash")
    data = program.elf.read_bytes()
    mark = data.find(b"selftest image:")
    at = data.find(struct.pack("<I", int(line["expected"], 16)), mark)
    (spoilt,) = failed(support.run(support.spoil(program, at, tmp_path / "s", is_sealed=False)))
    assert spoilt["part"] == "flash" and spoilt["found"] == line["found"]
    assert int(spoilt["expected"], 16) == int(line["expected"], 16) ^ 4


def test_flipped_bit_in_the_flash_is_found_by_the_checksum(program, tmp_path):
    at = program.elf.read_bytes().find(b"Arm DDI 0479")
    (line,) = failed(support.run(support.spoil(program, at, tmp_path / "s", is_sealed=False)))
    assert line["part"] == "flash" and line["found"] != line["expected"]


def test_flipped_bit_in_a_weight_changes_the_decoder(program, small_instruments, tmp_path):
    """The three models are equal, so the linker stores three copies; the second is spoilt."""
    text = (small_instruments / "violin_model.c").read_text()
    words = text.partition("weights1[")[2].partition("{")[2].split(",")[:8]
    row = struct.pack("<8I", *(int(word.strip().rstrip("u"), 16) for word in words))
    data = program.elf.read_bytes()
    places = [at for at in range(0, len(data), 4) if data.startswith(row, at)]
    assert len(places) == 3
    spoilt = support.spoil(program, places[1], tmp_path / "spoilt", is_sealed=True)
    lines = failed(support.run(spoilt))
    assert lines[0]["stage"] == "decoder" and len({line["model"] for line in lines}) == 1


def test_memory_whose_addresses_coincide_is_found(tmp_path):
    folder = APP_DIR / "apps" / "selftest"
    harness = Path(__file__).parent / "selftest" / "memory.c"
    sources = [harness, folder / "memory.c", folder / "report.c"]
    done = run_program(build_program("host", sources, out=tmp_path / "build"))
    sound, faulty = support.read_lines(done.console)
    assert sound["ok"] and "fault" not in sound and sound["bytes"] == 65536
    assert not faulty["ok"] and int(faulty["fault"], 16) - int(faulty["address"], 16) == 32768


def test_stalls_are_counted_in_stretches_too_short_to_wrap(tmp_path):
    """The counters are made from a timer of the emulator: 1/8, 2/8 ... of its ticks."""
    ports = APP_DIR / "boards" / "ports"
    program = build_program(
        "qemu_m4",
        [Path(__file__).parent / "selftest" / "stalls.c", ports / "cortex_m" / "stalls.c"],
        out=tmp_path / "build",
        include_dirs=[ports / "cortex_m"],
        defines=["FAKE_COUNTERS"],
    )
    first, second, masked, plain = (
        [int(word) for word in line.split()] for line in run_program(program).console.splitlines()
    )
    for ticks, cycles, stretches, n_long, *counts, result in (first, second):
        assert cycles == pytest.approx(ticks, rel=0.02) and cycles > 20 * 256
        assert cycles / 140 < stretches < cycles / 100 and n_long == 0
        for eighths, count in enumerate(counts, 1):
            assert count == pytest.approx(cycles * eighths / 8, rel=0.06)
        assert result == plain[-1]
    assert masked[3] > 0 and masked[-1] == plain[-1]


def test_program_of_another_kind_cannot_be_sealed(program, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(program.elf.read_bytes().replace(b"selftest image:", b"something else:"))
    with pytest.raises(UserError, match="other has no place for its checksum"):
        selftest.seal(other, firmware.ALL_BOARDS["qemu_m4"])


def test_vectors_are_those_of_the_presets(small_instruments, expected):
    text = selftest.vectors_text(support.presets_of(small_instruments))
    for rows in expected:
        assert f"{{{', '.join(hex_words(rows[131]))}}}" in text


def cache_accesses(board: str, source: str, folder: Path) -> list[tuple[int, int]]:
    """Returns the registers that a board accesses to empty its caches, and their values."""
    place = APP_DIR / "boards" / board
    program = build_program(
        "host",
        [Path(__file__).parent / "selftest" / "caches.c", place / source],
        out=folder / "build",
        include_dirs=[place, APP_DIR / "boards" / "ports" / "stm32"],
        defines=["FAKE_REGISTERS"],
    )
    lines = [line.split() for line in run_program(program).console.splitlines()]
    return [(int(address, 16), int(value, 16)) for address, value in lines]


def test_caches_of_the_f407_are_emptied_while_they_are_off(tmp_path):
    """Source: RM0090, section 3.9.1: bits 9 and 10 enable, bits 11 and 12 reset the caches."""
    accesses = cache_accesses("stm32f4_discovery", "clocks.c", tmp_path)
    assert {address for address, _ in accesses} == {0x40023C00}
    assert [value for _, value in accesses] == [0x705, 0x105, 0x1905, 0x105, 0x705, 0x705]


def test_every_line_of_the_h743s_data_cache_is_written_back(tmp_path):
    """Source: Armv7-M Architecture Reference Manual, section B2.2.7: DCCISW, then ICIALLU."""
    accesses = cache_accesses("nucleo_h743zi", "memory.c", tmp_path)
    lines = [value for address, value in accesses if address == 0xE000EF74]
    assert sorted(lines) == sorted(way << 30 | row << 5 for way in range(4) for row in range(128))
    assert accesses[-1][0] == 0xE000EF50 and 0xE000EF60 not in dict(accesses)
