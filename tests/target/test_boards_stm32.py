"""The STM32 boards: the flashed image itself plays in QEMU; both images are checked."""

import dataclasses
import re
import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support import small_player
from support.play_app import pcm, play
from support.small_player import NOISE, bend, control, off, on
from support.stm32_board import INSTRUCTIONS_PER_TICK, TICKS_PER_BLOCK, Stm32Board

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.patch_files import load_patch
from pipeline.core.paths import MODEL_DIR
from pipeline.emit import presets
from pipeline.evaluation import bench_firmware
from pipeline.quantization import tflite_writer
from pipeline.target import firmware
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.build import Program, make
from pipeline.target.cycle_model import chip_share
from pipeline.target.disassembly import disassemble
from pipeline.target.flash_image import read_elf
from pipeline.target.flashing import flash_memory
from pipeline.target.player import build_player, perform
from pipeline.target.vendor import fetch_cmsis

pytestmark = pytest.mark.firmware

FULL = TcnConfig(n_blocks=5, hidden_channels=128)
SHIPPED = presets.load_preset(MODEL_DIR / "flute" / "reduced_cd")
N_VOICES = {"stm32f4_discovery": 4, "nucleo_h743zi": 8}
BOARDS = tuple(N_VOICES)
N_INTERRUPTS = {"stm32f4_discovery": 82, "nucleo_h743zi": 150}
MEMORIES = {
    "stm32f4_discovery": {"RAM": (0x20000000, 128 << 10), "CCM": (0x10000000, 64 << 10)},
    "nucleo_h743zi": {
        "RAM": (0x20000000, 128 << 10),
        "AXI_SRAM": (0x24000000, 512 << 10),
        "DMA_SRAM": (0x30000000, 32 << 10),
        "ITCM": (0, 64 << 10),
    },
}
CHORD = [on(60), on(64), on(67), on(72)]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stm32") / "generated"
    small_player.generate(folder)
    return folder


@pytest.fixture(scope="module")
def host(generated: Path) -> Program:
    return build_host(generated, generated.parent / "host")


def build_host(generated: Path, build_dir: Path) -> Program:
    """Builds the application for the host, with the number of voices of the Discovery."""
    settings = {
        "GENERATED_DIR": generated,
        "PLAYER_VOICES": N_VOICES["stm32f4_discovery"],
        "CMSIS_DSP_DIR": fetch_cmsis()[1],  # enables live mode
    }
    return make("host", build_dir, settings, "play")


@pytest.fixture(scope="module")
def small_image(generated: Path) -> Program:
    folder = generated.parent / "stm32f4_discovery"
    return make("stm32f4_discovery", folder, {"GENERATED_DIR": generated}, "play")


@pytest.fixture(scope="module")
def flute(generated: Path) -> Path:
    """Generated code of the default flute."""
    folder = generated.parent / "flute"
    presets.write_firmware_source([SHIPPED], folder)
    return folder


@pytest.fixture(scope="module")
def images(flute: Path, generated: Path) -> dict[str, firmware.Firmware]:
    return {
        board: firmware.build(board, flute, build_dir=generated.parent / f"flute-{board}")
        for board in BOARDS
    }


# --- the Discovery in QEMU ------------------------------------------------------------------------


def first_sounding(blocks: np.ndarray) -> int:
    return int(np.flatnonzero(blocks.any(axis=1))[0])


def test_board_without_clocks_and_codec_plays_and_reports_what_is_missing(small_image):
    with Stm32Board(small_image.elf) as board:
        board.wait_for_blocks(50)
        stats = board.stats()
        lines = board.console.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["error 1", "error 2", "error 3"]
    assert lines[3] == "neural FM: type help"
    assert stats["blocks"] >= 50 and stats["underruns"] == 0


def test_board_plays_the_demo_phrase_with_the_shipped_flute_like_the_host(images, flute):
    host = build_host(flute, flute.parent / "flute-host")
    run = play(host, [], [(3, b"demo\r"), (800, b"stats\r")])
    expected = pcm(run).reshape(-1, 64)[:800]
    expected = expected[first_sounding(expected) :]
    with Stm32Board(images["stm32f4_discovery"].program.elf) as board:
        board.ask("demo", "playing")
        board.wait_for_blocks(len(expected) + 200)
        played = board.blocks
        assert board.stats()["underruns"] == 0
    played = played[first_sounding(played) :][: len(expected)]
    np.testing.assert_array_equal(played, expected[: len(played)])
    assert len(played) > 600


def test_board_whose_adc_requests_no_dma_reports_it_and_plays(small_image, host):
    """QEMU's ADC never requests DMA."""
    console = [(3, b"live 1\r"), (103, b"demo\r"), (600, b"stats\r")]
    expected = pcm(play(host, [], console)).reshape(-1, 64)[106:600]  # live sound has faded
    with Stm32Board(small_image.elf) as board:
        board.wait_for_blocks(60)
        assert board.console.count("error 6: no sound input") == 1
        assert board.ask("live 1", "no sound")[-2:] == ["live 1", "no sound comes in"]
        board.wait_for_blocks(len(board.blocks) + 100)
        assert board.ask("notes", "3")[0].startswith("0 live flute")
        begin = len(board.blocks)
        board.ask("demo", "playing")
        board.wait_for_blocks(begin + len(expected) + 200)
        played, stats = board.blocks[begin:], board.stats()
    assert (stats["underruns"], stats["input lost"]) == (0, 0) and stats["stack"] < 2048
    matches = [
        start
        for start in range(len(played) - len(expected))
        if (played[start : start + len(expected)] == expected).all()
    ]
    assert len(matches) == 1


def agreement(played: np.ndarray, host: Program, events: list[tuple[int, bytes]]) -> int:
    """Returns for how many blocks the board played the same as the host with these events."""
    end = [(len(played) + 10, b"help\r")]
    expected = pcm(play(host, events, end)).reshape(-1, 64)
    expected = expected[first_sounding(expected) :][: len(played)]
    differing = np.flatnonzero((expected != played[: len(expected)]).any(axis=1))
    return int(differing[0]) if len(differing) else len(expected)


def test_board_plays_midi_like_the_host(small_image, host):
    """The arrival block of a byte is unknown, so it is searched for where the samples differ."""
    messages = [on(60), control(1, 100), on(67, 70), bend(4000), off(60)]
    with Stm32Board(small_image.elf) as board:
        for message in messages:
            board.wait_for_blocks(len(board.blocks) + 25)
            board.send_midi(message)
        board.wait_for_blocks(len(board.blocks) + 60)
        played = board.blocks
        assert board.stats()["midi lost"] == 0
    played = played[first_sounding(played) :]
    begin = 3  # block of the host; audible from block 4 on
    events = [(begin, messages[0])]
    for message in messages[1:]:
        differs = agreement(played, host, events)
        assert differs < len(played), "the message changed nothing"
        candidates = [differs + begin - back for back in range(25)]
        candidates = [block for block in candidates if block >= events[-1][0]]
        found = max(
            candidates, key=lambda block: agreement(played, host, [*events, (block, message)])
        )
        events.append((found, message))
    assert agreement(played, host, events) == len(played)


def test_four_voices_of_the_flute_leave_margin_at_168_mhz(images, flute):
    """Multiplies the instructions of the image in the emulator by the cycles per instruction."""
    with Stm32Board(images["stm32f4_discovery"].program.elf) as board:
        for message in CHORD:
            board.send_midi(message)
        board.wait_for_blocks(150)
        stats = board.stats()
    assert stats["sounding"] == 4 and stats["underruns"] == 0
    instructions = stats["worst"] / 100 * TICKS_PER_BLOCK * INSTRUCTIONS_PER_TICK
    cycles = instructions * cycles_per_instruction("qemu_m4", flute)
    assert share("stm32f4_discovery", cycles, images["stm32f4_discovery"], n_voices=4) < 0.9
    assert stats["stack"] < 2048


# --- cost of the worst block ----------------------------------------------------------------------


def cycles_per_instruction(board: str, generated: Path) -> float:
    """Returns the mean over the stages that render a voice, weighted by their instructions."""
    built = firmware.build(board, generated, build_dir=generated.parent / f"render-{board}")
    frames = bench_firmware.bench_frames(50)
    per_stage = bench_firmware.cycles_per_instruction(built, frames)
    counts = firmware.render(built, frames).instructions
    return sum(n * per_stage[stage] for stage, n in counts.items()) / sum(counts.values())


def share(name: str, cycles: float, image: firmware.Firmware, *, n_voices: int) -> float:
    """Returns the share of a chip's time if every voice reads the weights once per block."""
    n_bytes = n_voices * image.parts["model"].flash_bytes
    return chip_share(INSTRUMENT_BOARDS[name], cycles, n_bytes)["cpu_share"]


CORES = pytest.mark.parametrize(
    ("name", "emulated"), [("stm32f4_discovery", "qemu_m4"), ("nucleo_h743zi", "qemu_m7")]
)


@CORES
def test_voice_with_weights_in_flash_stays_within_its_share_of_the_chip(
    name, emulated, images, flute
):
    player = build_player(emulated, flute, n_voices=1, build_dir=flute.parent / f"one-{emulated}")
    report = perform(player, [(0, on(72)), (250, control(120, 0))]).report
    cycles = report["instructions"] / report["n_blocks"] * cycles_per_instruction(emulated, flute)
    found = share(name, cycles, images[name], n_voices=1)
    board = INSTRUMENT_BOARDS[name]
    assert found > 1.1 * cycles * 250 / board.clock_hz  # includes wait states
    assert found <= board.limits.cpu_share


@CORES
def test_worst_block_of_all_voices_fits_the_board(name, emulated, images, flute):
    n_voices = N_VOICES[name]
    build_dir = flute.parent / f"player-{emulated}"
    player = build_player(emulated, flute, n_voices=n_voices, build_dir=build_dir)
    notes = [60, 64, 67, 72, 55, 76, 79, 84][:n_voices]
    score = [(2, on(note)) for note in notes]
    score += [(60 + i, bend(400 * i)) for i in range(20)]  # a new pitch in every block
    score += [(100, on(note + 1)) for note in notes]  # all voices stolen at once
    score += [(140, off(note + 1)) for note in notes]
    report = perform(player, score).report
    cycles = report["worst_block_instructions"] * cycles_per_instruction(emulated, flute)
    assert report["n_stolen"] == n_voices
    assert share(name, cycles, images[name], n_voices=n_voices) < 0.9


# --- both images ----------------------------------------------------------------------------------


def sections(elf: Path) -> dict[str, tuple[int, int]]:
    """Returns address and size in bytes of every section that takes memory."""
    listed = subprocess.run(
        ["arm-none-eabi-readelf", "-SW", elf], capture_output=True, text=True, check=True
    ).stdout
    line = r"\] (\S+)\s+(?:PROGBITS|NOBITS|ARM_EXIDX|INIT_ARRAY)\s+(\w+) \w+ (\w+) \w+\s+\w*A"
    return {
        name: (int(address, 16), int(size, 16)) for name, address, size in re.findall(line, listed)
    }


def symbols(elf: Path) -> dict[str, tuple[int, int]]:
    """Returns address and size in bytes of every symbol; labels have size 0."""
    listed = subprocess.run(
        ["arm-none-eabi-nm", "-S", elf], capture_output=True, text=True, check=True
    ).stdout
    words = (line.split() for line in listed.splitlines())
    return {w[-1]: (int(w[0], 16), int(w[1], 16) if len(w) == 4 else 0) for w in words}


@pytest.mark.parametrize("board", BOARDS)
def test_image_begins_with_a_vector_table_whose_handlers_are_code(board, images):
    elf = images[board].program.elf
    flash = flash_memory(board)
    image = read_elf(elf, address=flash.address, size=flash.n_bytes)
    n_vectors = 16 + N_INTERRUPTS[board]
    stack, *handlers = struct.unpack_from(f"<{n_vectors}I", image.content)
    places, names = sections(elf), symbols(elf)
    assert image.address == flash.address
    assert stack == sum(places[".stack"]) and stack % 8 == 0
    assert handlers[0] == names["board_reset"][0] | 1
    text, n_bytes = places[".text"]
    assert all(handler & 1 and text <= handler < text + n_bytes for handler in handlers)
    fault = handlers[1]
    handled = {number for number, handler in enumerate(handlers, start=1) if handler != fault}
    # Reset, SysTick, DMA out, USARTs, DMA in.
    assert handled == {1, 15, 16 + 16, 16 + 38, 16 + 39, 16 + 71, 16 + 56}
    assert handlers[16 + 56 - 1] == names["input_interrupt"][0] | 1
    (entry,) = struct.unpack_from("<I", elf.read_bytes(), 24)
    assert entry == handlers[0]


@pytest.mark.parametrize("board", BOARDS)
def test_sections_lie_within_a_memory_and_do_not_overlap(board, images):
    flash = flash_memory(board)
    memories = [*MEMORIES[board].values(), (flash.address, flash.n_bytes)]
    places = sections(images[board].program.elf)
    for name, (address, size) in places.items():
        assert any(at <= address and address + size <= at + n for at, n in memories), name
    ordered = sorted(places.values())
    assert all(a + n <= b for (a, n), (b, _) in pairwise(ordered))
    ram, n_ram = MEMORIES[board]["RAM"]
    stack, n_stack = places[".stack"]
    assert n_stack >= 4096 and ram <= stack < ram + n_ram


@pytest.mark.parametrize("board", BOARDS)
def test_image_contains_no_semihosting_call(board, images):
    code = disassemble(images[board].program)
    assert not [at for at, instruction in code.items() if instruction.mnemonic == "bkpt"]


def test_samples_are_in_dma_memory_and_weights_in_flash_are_prefetched(images):
    names = symbols(images["nucleo_h743zi"].program.elf)
    places = sections(images["nucleo_h743zi"].program.elf)
    dma, n_dma = places[".dma"]
    assert (dma, n_dma) == (0x30000000, 2 * 64 * 4 + 2 * 64 * 2)
    buffers = [names[name] for name in ("halves", "input_halves")]
    assert {size for _, size in buffers} == {2 * 64 * 4, 2 * 64 * 2}
    assert all(dma <= at and at + size <= dma + n_dma for at, size in buffers)
    weights, n_weights = names["weights1"]
    text, n_text = places[".text"]
    assert text <= weights < text + n_text and n_weights == 12_288
    prefetches = {
        board: sum(
            instruction.mnemonic == "pld" and instruction.operands == "[r0, #64]"
            for instruction in disassemble(images[board].program).values()
        )
        for board in BOARDS
    }
    assert prefetches == {"stm32f4_discovery": 0, "nucleo_h743zi": 2 * 9}  # int8 and 16x8
    f4, _ = symbols(images["stm32f4_discovery"].program.elf)["halves"]
    assert 0x20000000 <= f4 < 0x20020000


@pytest.mark.parametrize("board", BOARDS)
def test_firmware_with_one_instrument_and_four_voices_keeps_its_budget(board, images):
    built = images[board]
    _, player = symbols(built.program.elf)["player"]
    more_voices = player * (N_VOICES[board] - 4) // N_VOICES[board]
    assert built.flash_bytes <= 128_000
    assert built.ram_bytes - more_voices <= 32_000


def test_state_of_a_one_second_reverb_is_in_the_axi_sram_of_the_nucleo(tmp_path):
    response = 1e-3 * np.random.default_rng(0).standard_normal(16_000)
    presets.write_firmware_source(
        [dataclasses.replace(SHIPPED, response=response)], tmp_path / "generated"
    )
    image = firmware.build("nucleo_h743zi", tmp_path / "generated", build_dir=tmp_path / "build")
    place, n_bytes = sections(image.program.elf)[".reverb"]
    assert (place, n_bytes) == symbols(image.program.elf)["reverb"]
    assert place == 0x24000000 and 130_000 < n_bytes < 145_000
    assert image.ram_bytes > n_bytes


def test_full_model_fits_the_nucleo_with_the_voices_that_its_error_names(tmp_path):
    generated, build_dir = tmp_path / "generated", tmp_path / "build"
    generated.mkdir()
    model = generated / "decoder.tflite"
    model.write_bytes(tflite_writer.random_step_model(FULL, 5, "int8"))
    presets.write_firmware_source(
        [presets.Preset("flute", model, load_patch("flute"), NOISE)], generated
    )
    with pytest.raises(
        UserError, match=r"RAM are missing; there is memory for 3 of 8 voices"
    ) as full:
        firmware.build("nucleo_h743zi", generated, build_dir=build_dir)
    name, n_voices = str(full.value).split("--option ")[1].split("=")
    image = firmware.build(
        "nucleo_h743zi", generated, build_dir=build_dir, options={name: n_voices}
    )
    assert image.parts["model"].flash_bytes > 400_000
    with pytest.raises(UserError, match="memory for 3 of 8 voices"):  # not the 3 of the last build
        firmware.build("nucleo_h743zi", generated, build_dir=build_dir)


@pytest.mark.parametrize(
    ("board", "memory", "size"),
    [("stm32f4_discovery", "FLASH", 1 << 20), ("nucleo_h743zi", "FLASH", 2 << 20)],
)
def test_model_that_is_a_word_too_large_is_refused_with_the_bytes_missing(
    board, memory, size, generated, tmp_path
):
    folder = tmp_path / "generated"
    shutil.copytree(generated, folder)
    model = folder / "decoder_filler_model.c"
    (user,) = [path for path in folder.glob("instruments.c")]
    user.write_text(
        user.read_text() + "\nextern const char model_filler[];\n"
        "__attribute__((constructor)) static void use(void) {\n"
        '    __asm__ volatile("" ::"r"(model_filler));\n}\n'
    )

    def build(n_bytes: int) -> None:
        model.write_text(f"const char model_filler[{n_bytes}] = {{1}};\n")
        make(board, tmp_path / "build", {"GENERATED_DIR": folder}, "play")

    with pytest.raises(UserError, match=f"play does not fit {board}: ") as refused:
        build(size)
    missing = int(re.search(rf"(\d+) bytes of {memory}", str(refused.value))[1])
    n_free = (size - missing) // 4 * 4
    build(n_free)
    with pytest.raises(UserError, match=rf"{board}: \d bytes of {memory} are missing"):
        build(n_free + 8)


def test_voices_that_do_not_fit_are_refused_with_the_bytes_of_ram_missing(generated, tmp_path):
    settings = {"GENERATED_DIR": generated, "PLAYER_VOICES": 400}
    with pytest.raises(UserError, match=r"\d+ bytes of RAM are missing; take .* fewer voices"):
        make("stm32f4_discovery", tmp_path, settings, "play")
