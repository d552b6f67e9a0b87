"""Vectors, memories and sizes of the images of both STM32 boards."""

import dataclasses
import re
import shutil
import struct
from itertools import pairwise

import numpy as np
import pytest
from support.board_image import MEMORIES
from support.elf_files import sections, symbols
from support.small_player import NOISE
from support.stm32_images import N_VOICES, SHIPPED

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.patch_files import load_patch
from pipeline.emit import presets
from pipeline.quantization import tflite_writer
from pipeline.target import firmware
from pipeline.target.build import make
from pipeline.target.disassembly import disassemble
from pipeline.target.flash_image import read_elf
from pipeline.target.flashing import flash_memory

pytestmark = pytest.mark.firmware

FULL = TcnConfig(n_blocks=5, hidden_channels=128)
BOARDS = tuple(N_VOICES)
IRQ_OTG = {"stm32f4_discovery": 67, "nucleo_h743zi": 101}
N_INTERRUPTS = {"stm32f4_discovery": 82, "nucleo_h743zi": 150}


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
    assert handlers[0] == names["board_start"][0] | 1
    text, n_bytes = places[".text"]
    assert all(handler & 1 and text <= handler < text + n_bytes for handler in handlers)
    fault = handlers[1]
    handled = {number for number, handler in enumerate(handlers, start=1) if handler != fault}
    # Reset, SysTick, DMA out, USARTs, DMA in, USB.
    assert handled == {1, 15, 16 + 16, 16 + 38, 16 + 39, 16 + 71, 16 + 56, 16 + IRQ_OTG[board]}
    assert handlers[16 + 56 - 1] == names["input_interrupt"][0] | 1
    assert handlers[16 + IRQ_OTG[board] - 1] == names["usb_interrupt"][0] | 1
    (entry,) = struct.unpack_from("<I", elf.read_bytes(), 24)
    assert entry == handlers[0]


@pytest.mark.parametrize("board", BOARDS)
def test_start_masks_interrupts_before_it_looks_for_traces_of_a_loader(board, images):
    """A boot loader that has started the image may have left interrupts enabled."""
    names = symbols(images[board].program.elf)
    begin, size = names["board_start"]
    code = disassemble(images[board].program)
    start = [instruction for at, instruction in code.items() if begin <= at < begin + size]
    assert "cpsid" in next(one.mnemonic for one in start if one.mnemonic != "push")
    calls = [one.operands for one in start if one.mnemonic in ("bl", "b.w")]
    for call, name in zip(calls, ("loader_start_if_asked", "board_reset"), strict=True):
        assert f"{names[name][0]:x} " in call


@pytest.mark.parametrize("board", BOARDS)
def test_fault_handler_mutes_the_output_before_anything_else(board, images):
    names = symbols(images[board].program.elf)
    begin, size = names["board_fault"]
    code = disassemble(images[board].program)
    calls = [
        instruction.operands
        for at, instruction in code.items()
        if begin <= at < begin + size and instruction.mnemonic in ("bl", "b.w")
    ]
    assert f"{names['audio_mute'][0]:x} " in calls[0]


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


@pytest.mark.parametrize(
    ("board", "memory"), [("stm32f4_discovery", "CCM"), ("nucleo_h743zi", "ITCM")]
)
def test_weights_are_copied_to_memory_without_waits(board, memory, images):
    image = images[board]
    elf = image.program.elf
    address, n_bytes = MEMORIES[board][memory]
    place, n_weights = sections(elf)[".weights"]
    names = symbols(elf)
    assert address <= place and place + n_weights <= address + n_bytes
    for name in ("weights1", "channels1"):
        at, size = names[name]
        assert place <= at and at + size <= place + n_weights
    assert 51_200 < n_weights < image.parts["model"].flash_bytes


def test_weights_stay_in_flash_if_the_user_says_so(flute, tmp_path):
    options = {"WEIGHTS_IN_FLASH": "ON"}
    image = firmware.build("stm32f4_discovery", flute, build_dir=tmp_path, options=options)
    assert sections(image.program.elf).get(".weights", (0, 0))[1] == 0


def test_samples_are_in_dma_memory_and_weights_are_prefetched_behind_a_cache(images):
    names = symbols(images["nucleo_h743zi"].program.elf)
    places = sections(images["nucleo_h743zi"].program.elf)
    dma, n_dma = places[".dma"]
    assert (dma, n_dma) == (0x30000000, 2 * 64 * 4 + 2 * 192 * 2)
    buffers = [names[name] for name in ("halves", "input_halves")]
    assert {size for _, size in buffers} == {2 * 64 * 4, 2 * 192 * 2}
    assert all(dma <= at and at + size <= dma + n_dma for at, size in buffers)
    prefetches = {
        board: sum(
            instruction.mnemonic == "pld" and instruction.operands == "[r0, #64]"
            for instruction in disassemble(images[board].program).values()
        )
        for board in BOARDS
    }
    assert prefetches["stm32f4_discovery"] == 0
    assert prefetches["nucleo_h743zi"] == 6 + 6 + 9  # int8, a pair of voices, 16x8
    f4, _ = symbols(images["stm32f4_discovery"].program.elf)["halves"]
    assert 0x20000000 <= f4 < 0x20020000


@pytest.mark.parametrize("board", BOARDS)
def test_firmware_with_one_instrument_and_four_voices_keeps_its_budget(board, images):
    built = images[board]
    names = symbols(built.program.elf)
    more_voices = names["player"][1] * (N_VOICES[board] - 4) // N_VOICES[board]
    usb = names["board_usb"][1]  # which test_usb_boards.py bounds
    assert built.flash_bytes <= 128_000
    assert built.ram_bytes - more_voices - usb <= 32_000


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
    eight = {"PLAYER_VOICES": "8"}
    with pytest.raises(
        UserError, match=r"RAM are missing; there is memory for 3 .*of 8 voices: --voices"
    ) as full:
        firmware.build("nucleo_h743zi", generated, build_dir=build_dir, options=eight)
    options = {"PLAYER_VOICES": str(full.value).split("--voices ")[1]}
    image = firmware.build("nucleo_h743zi", generated, build_dir=build_dir, options=options)
    assert image.parts["model"].flash_bytes > 400_000
    assert sections(image.program.elf)[".weights_in_flash"][1] > 390_000
    image = firmware.build("nucleo_h743zi", generated, build_dir=build_dir)
    assert "PLAYER_N_VOICES=2 " in (build_dir / "build.ninja").read_text()  # not that of the last


@pytest.mark.parametrize(
    ("board", "memory", "size"),
    [("stm32f4_discovery", "FLASH", 768 << 10), ("nucleo_h743zi", "FLASH", 1792 << 10)],
)
def test_model_that_is_a_word_too_large_is_refused_with_the_bytes_missing(
    board, memory, size, small_instruments, tmp_path
):
    folder = tmp_path / "generated"
    shutil.copytree(small_instruments, folder)
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


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"CCN": "OFF"}, "the build for stm32f4_discovery has no variable CCN: leave it out"),
        ({"CCM": "OF"}, "^CCM is OF: choose ON or OFF$"),
    ],
)
def test_mistyped_variable_is_refused_each_time(small_instruments, tmp_path, variables, message):
    """Though CMake keeps variables, and a build that fails is repeated with weights in flash."""
    settings = {"GENERATED_DIR": small_instruments, **variables}
    for _ in range(2):
        with pytest.raises(UserError, match=message):
            make("stm32f4_discovery", tmp_path, settings, "play")


def test_voices_that_do_not_fit_are_refused_with_the_bytes_of_ram_missing(tmp_path):
    presets.write_firmware_source([SHIPPED], tmp_path / "generated")
    settings = {"GENERATED_DIR": tmp_path / "generated", "PLAYER_VOICES": 128}
    settings |= {"WEIGHTS_IN_FLASH": "OFF"}  # with which the linker does not report them
    with pytest.raises(UserError, match=r"\d+ bytes of RAM are missing; take .* fewer voices"):
        make("stm32f4_discovery", tmp_path / "build", settings, "play")
