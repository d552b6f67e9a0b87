"""The Picos: the flashed UF2 itself plays in an emulator; the Pico 2's image is checked."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from support import pico_board, small_player
from support.elf_files import sections, segments, symbols
from support.small_player import bend, off, on, program_change
from support.underrun import with_late_block

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import shipped_instruments
from pipeline.core.paths import APP_DIR, MODEL_DIR
from pipeline.emit import presets
from pipeline.target import firmware, uf2
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.build import make
from pipeline.target.flashing import convert as convert_elf
from pipeline.target.flashing import flash_memory, flasher
from pipeline.target.player import build_player, perform
from pipeline.target.voices import default_voices

pytestmark = pytest.mark.firmware

SHIPPED = presets.load_preset(MODEL_DIR / "flute" / "reduced_cd")
MID_BLOCK = HOP_SAMPLES // 4  # bytes that arrive here sound two blocks later
RAM = {"pico": (0x20000000, 264 << 10), "pico2": (0x20000000, 520 << 10)}


def events(tune):
    return [(HOP_SAMPLES * block + MID_BLOCK, "midi", message) for block, message in tune]


def expected(generated: Path, tune, n_frames: int) -> np.ndarray:
    """Returns what the host's engine plays.

    It takes one block until a byte is rendered, and another until that block plays.
    """
    n_voices = default_voices(ALL_BOARDS["pico"], generated)
    player = build_player("host", generated, n_voices=n_voices, build_dir=generated.parent / "host")
    pcm = perform(player, [(block + 1, message) for block, message in tune]).pcm
    return np.concatenate([np.zeros(HOP_SAMPLES, np.int16), pcm])[:n_frames]


@pytest.fixture(scope="module")
def reduced(tmp_path_factory) -> Path:
    """Generated code of the default flute."""
    folder = tmp_path_factory.mktemp("reduced") / "generated"
    presets.write_firmware_source([SHIPPED], folder)
    return folder


@pytest.fixture(scope="module")
def flute(reduced) -> dict[str, firmware.Firmware]:
    """Firmware of the flute for both boards."""
    return {
        board: firmware.build(board, reduced, build_dir=reduced.parent / board)
        for board in ("pico", "pico2")
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Generated code of three small instruments."""
    folder = tmp_path_factory.mktemp("small") / "generated"
    small_player.generate(folder)
    return folder


def build_small(generated: Path, name: str, **options: str) -> Path:
    """Builds the small instruments for the Pico; returns the UF2."""
    built = firmware.build("pico", generated, build_dir=generated.parent / name, options=options)
    return convert_elf(built.program.elf, "pico")["uf2"]


@pytest.fixture(scope="module")
def small_uf2(small) -> Path:
    return build_small(small, "i2s")


def test_flashed_flute_plays_what_the_host_plays_without_an_underrun(flute, reduced):
    tune = [(3, on(69, 100)), (20, bend(4000)), (25, on(76)), (45, off(76)), (55, off(69))]
    n_frames = 80 * HOP_SAMPLES
    typed = (70 * HOP_SAMPLES, "console", b"stats\r")
    files = convert_elf(flute["pico"].program.elf, "pico")
    recording = pico_board.run(files["uf2"], n_frames, [*events(tune), typed])
    left, right = recording.words.T
    pcm = expected(reduced, tune, n_frames)
    assert np.abs(pcm[5 * HOP_SAMPLES :]).max() > 1000
    np.testing.assert_array_equal(left >> 16, pcm)
    np.testing.assert_array_equal(left, right)
    assert not (left & 0xFFFF).any()

    assert recording.core_hz == 125e6
    assert recording.divider == 256 * 125e6 / (128 * 16000)  # no rounding error
    first, second = ([n for n in cycles[:-1] if n] for cycles in recording.cycles)
    for busy in (first, second):
        assert 0.3 * 500e3 < max(busy) < 0.5 * 500e3  # each core renders a voice
    assert (recording.n_resets, recording.warnings) == (0, [])
    assert recording.n_flashes == 1
    stats = recording.stats
    assert stats["underruns"] == stats["core 1 late"] == stats["midi lost"] == 0
    # This includes interrupts, which stats does not count.
    measured = 100 * np.median(first[30:40]) / 500e3
    assert measured - 2 < stats["worst"] < measured + 2
    assert stats["stack"] < 3000
    assert 0 < recording.stack_bytes[1] < 1536  # of 2048
    names = symbols(flute["pico"].program.elf)
    assert recording.guards == [names[f"link_{which}stack_guard"][0] for which in ("", "second_")]


def test_sound_fades_around_the_block_that_the_second_core_misses(small, small_uf2):
    tune = [(3, on(60)), (5, on(64))]
    typed = (50 * HOP_SAMPLES, "console", b"stats\r")
    recording = pico_board.run(small_uf2, 60 * HOP_SAMPLES, [*events(tune), typed], broken="block")
    assert recording.stats["underruns"] == recording.stats["core 1 late"] == 1
    played = (recording.words[:, 0] >> 16).reshape(-1, HOP_SAMPLES)
    pcm = expected(small, tune, 60 * HOP_SAMPLES).reshape(-1, HOP_SAMPLES)
    at = int(np.flatnonzero((played != pcm).any(axis=1))[0])
    assert at in (31, 32)
    np.testing.assert_array_equal(played, with_late_block(pcm, at)[:60])


def test_second_core_that_does_not_start_is_reported_and_the_first_plays_all(small, small_uf2):
    tune = [(3, on(60)), (5, on(64))]
    n_frames = 200 * HOP_SAMPLES
    typed = (150 * HOP_SAMPLES, "console", b"stats\r")
    recording = pico_board.run(small_uf2, n_frames, [*events(tune), typed], broken="core")
    assert recording.console.startswith("error 3: the second core does not start")
    assert recording.stats["underruns"] == 0 and recording.stats["sounding"] == 2
    assert recording.n_flashes == 4
    assert len(recording.cycles[1]) == 0
    np.testing.assert_array_equal(recording.words[:, 0] >> 16, expected(small, tune, n_frames))


def test_midi_at_full_speed_loses_no_byte(small, small_uf2):
    """Bytes arrive without a pause for 30 blocks, with running status and real-time bytes."""
    tune = [(3, program_change(1) + on(60))]
    stream = bytes([0x90]) + b"".join(bytes([note, 90, 0xF8, note, 0]) for note in range(40, 100))
    recording = pico_board.run(
        small_uf2,
        60 * HOP_SAMPLES,
        [
            *events(tune),
            (10 * HOP_SAMPLES, "midi", stream),
            (58 * HOP_SAMPLES, "console", b"stats\r"),
        ],
    )
    assert recording.stats["midi lost"] == 0 == recording.stats["underruns"]
    first_notes = slice(0, 10 * HOP_SAMPLES)
    pcm = expected(small, tune, 60 * HOP_SAMPLES)
    np.testing.assert_array_equal(recording.words[first_notes, 0] >> 16, pcm[first_notes])
    assert not (recording.words[first_notes.stop :, 0] >> 16 == pcm[first_notes.stop :]).all()


def test_damaged_bytes_leave_no_note_and_are_counted_until_they_are_cleared(small, small_uf2):
    damaged = [0x80, 60 | pico_board.FRAMING, 0]  # would otherwise end note 60
    recording = pico_board.run(
        small_uf2,
        150 * HOP_SAMPLES,
        [
            *events([(3, on(60))]),
            (30 * HOP_SAMPLES, "midi", damaged),
            (30 * HOP_SAMPLES, "console", [0x41 | pico_board.FRAMING]),
            (100 * HOP_SAMPLES, "console", b"stats\rclear\r"),
            (110 * HOP_SAMPLES, "midi", [0x80 | pico_board.FRAMING] * 2),
            (140 * HOP_SAMPLES, "console", b"stats\r"),
        ],
    )
    played = (recording.words[:, 0] >> 16).reshape(-1, HOP_SAMPLES)
    assert played[10:30].any(axis=1).all() and not played[140:].any()
    assert "midi errors 1\r\n" in recording.console and "cleared" in recording.console
    assert recording.stats["midi errors"] == 2 and recording.stats["midi lost"] == 0


def test_pwm_pin_plays_the_same_samples_with_eleven_bits(small):
    tune = [(3, on(60)), (15, program_change(1) + on(67)), (25, off(67))]
    n_frames = 40 * HOP_SAMPLES
    recording = pico_board.run(
        build_small(small, "pwm", PICO_AUDIO="pwm"), n_frames + 1, events(tune), output="pwm"
    )
    duties = recording.words[1:, 0]  # without the initial duty of the pin
    pcm = expected(small, tune, n_frames)
    np.testing.assert_array_equal(duties, (pcm.astype(int) + 32768) >> 5)
    assert (recording.n_resets, recording.warnings) == (0, [])


@pytest.mark.parametrize(
    ("broken", "core_hz", "report", "n_flashes"),
    [
        ("crystal", 6.5e6, "error 1: the crystal does not start", 2),
        ("pll", 12e6, "error 2: the PLL does not lock", 3),
    ],
)
def test_clock_that_does_not_start_is_reported_and_the_board_continues(
    small_uf2, broken, core_hz, report, n_flashes
):
    recording = pico_board.run(
        small_uf2,
        200 * HOP_SAMPLES,
        [(3 * HOP_SAMPLES, "midi", on(60)), (150 * HOP_SAMPLES, "console", b"stats\r")],
        broken=broken,
    )
    assert recording.core_hz == core_hz
    assert recording.console.startswith(report)
    assert recording.n_flashes == n_flashes
    assert recording.n_resets == 0
    assert recording.stats["sounding"] == 1
    assert (recording.words[:, 0] >> 16).any()


def test_board_whose_sound_stops_is_reset(small_uf2):
    assert pico_board.run(small_uf2, 20 * HOP_SAMPLES, [], broken="sound").n_resets == 1


def run_ramp(folder: Path, rate_hz: int, n_blocks: int, then: str = "") -> pico_board.Recording:
    """Runs the driver with samples that count up from 0; after 6 blocks it executes `then`."""
    source = folder / "ramp.c"
    source.write_text(
        """
        #include "board.h"
        #include "play_board.h"
        static volatile uint32_t n_begun;
        static void tick(void) { n_begun++; }
        int main(void) {
            static int16_t samples[BOARD_BLOCK_SAMPLES], silence[BOARD_BLOCK_SAMPLES];
            int16_t next = 0;
            board_audio_start(tick);
            for (uint32_t n = 0; board_wait();) {
                if (n == 6) {
                    THEN
                }
                if (n != n_begun) {
                    n = n_begun;
                    for (int i = 0; i < BOARD_BLOCK_SAMPLES; i++) {
                        samples[i] = next++;
                    }
                    board_audio_put(samples, silence);
                }
            }
        }
        """.replace("THEN", then)
    )
    settings = {"PROGRAM_SOURCES": source, "CMAKE_C_FLAGS": f"-DBOARD_SAMPLE_RATE={rate_hz}"}
    program = make("pico", folder / "build", settings, "program")
    return pico_board.run(convert_elf(program.elf, "pico")["uf2"], n_blocks * rate_hz // 250, [])


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_dma_stays_in_its_buffer_while_interrupts_are_masked(rate_hz, tmp_path):
    recording = run_ramp(tmp_path, rate_hz, 30, '__asm__ volatile("cpsid i"); for (;;) {}')
    played = (recording.words[:, 0] >> 16).reshape(-1, rate_hz // 250)
    assert (np.diff(played[2:8].ravel()) == 1).all()
    np.testing.assert_array_equal(played[8:], played[6:-2])  # the last two blocks, again and again
    np.testing.assert_array_equal(*recording.words.T)


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_fault_mutes_the_output(rate_hz, tmp_path):
    recording = run_ramp(tmp_path, rate_hz, 30, '__asm__ volatile("svc 0");')
    played = (recording.words[:, 0] >> 16).reshape(-1, rate_hz // 250)
    assert (np.diff(played[2:6].ravel()) == 1).all()
    assert not played[8:].any()


def test_i2s_at_48_khz_runs_64_ppm_fast(tmp_path):
    recording = run_ramp(tmp_path, 48_000, 8)
    np.testing.assert_array_equal(recording.words[2 * 192 :, 0] >> 16, np.arange(6 * 192))
    rate = 125e6 / (128 * recording.divider / 256)
    assert 63e-6 < rate / 48000 - 1 < 65e-6


# --- images ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", ["pico", "pico2"])
def test_image_starts_its_loader_and_lies_within_the_memories(flute, board):
    elf = flute[board].program.elf
    flash = flash_memory(board)
    ram_start, ram_bytes = RAM[board]
    image, family = uf2.read(convert_elf(elf, board)["uf2"].read_bytes())
    assert family == flasher(board).uf2_family and image.address == flash.address

    parts = segments(elf)
    assert len(parts) >= 3
    for virtual, physical, in_file, in_memory in parts:
        memories = (flash.address, flash.n_bytes), (ram_start, ram_bytes)
        assert any(start <= virtual and virtual + in_memory <= start + n for start, n in memories)
        if in_file:
            assert flash.address <= physical < flash.address + flash.n_bytes

    names = {name: address for name, (address, _) in symbols(elf).items()}
    # Vectors of the code that the loader copies.
    vectors = struct.unpack_from("<51I", image.content, names["link_image_load"] - flash.address)
    assert names["link_image_start"] % 512 == 0
    handlers = {irq: 16 + n for irq, n in zip(HANDLERS, IRQS[board], strict=True)}
    assert vectors[0] == names["link_stack_end"] and vectors[0] % 8 == 0
    assert vectors[1] == names["board_reset"] | 1
    assert vectors[handlers["dma"]] == names["audio_interrupt"] | 1
    assert vectors[handlers["console"]] == names["rp2_console_interrupt"] | 1
    assert vectors[handlers["midi"]] == names["rp2_midi_interrupt"] | 1
    assert vectors[handlers["usb"]] == names["usb_interrupt"] | 1
    assert names["link_image_end"] <= ram_start + ram_bytes - 256
    assert names["link_stack_end"] - names["link_stack_start"] >= 4096


def test_code_and_data_of_the_pico2_are_in_different_banks(flute):
    """The words of the first four banks lie in turn, and so do those of the next four."""
    next_banks = RAM["pico2"][0] + 4 * (64 << 10)
    for name, (address, n_bytes) in sections(flute["pico2"].program.elf).items():
        if name in (".text", ".ARM.exidx"):
            assert address >= next_banks
        elif name != ".boot":
            assert address + n_bytes <= next_banks


HANDLERS = ("dma", "console", "midi", "usb")
IRQS = {"pico": (11, 20, 21, 5), "pico2": (10, 33, 34, 14)}


def test_boot_rom_of_the_pico2_finds_vectors_and_an_image_definition(flute):
    """Source: RP2350 datasheet, sections 5.1 and 5.9."""
    image, _ = uf2.read(convert_elf(flute["pico2"].program.elf, "pico2")["uf2"].read_bytes())
    words = struct.unpack("<64I", image.content[:256])
    stack_end, entry = words[:2]
    assert 0x20000000 < stack_end <= 0x20000000 + (520 << 10) and stack_end % 8 == 0
    assert entry % 2 == 1 and image.address <= entry < image.address + 252
    begins = [i for i, word in enumerate(words) if word == 0xFFFFDED3]
    assert len(begins) == 1
    item, last, link, end = words[begins[0] + 1 : begins[0] + 5]
    assert item & 0xFF == 0x42 and item >> 8 & 0xFF == 1  # IMAGE_TYPE, one word
    flags = item >> 16
    assert flags & 0xF == 1  # executable
    assert flags >> 4 & 3 == 2  # secure
    assert flags >> 8 & 7 == 0  # Arm
    assert flags >> 12 & 7 == 1  # RP2350
    assert last == 0x000001FF  # after one word of items
    assert (link, end) == (0, 0xAB123579)


@pytest.mark.parametrize("board", ["pico", "pico2"])
def test_firmware_with_one_instrument_is_small(flute, board):
    built = flute[board]
    assert built.flash_bytes <= 128_000
    further = ALL_BOARDS[board].n_voices - 1
    assert built.ram_bytes <= 16_000 + 4_100 * further  # without the copy of the flash


def test_three_instruments_fit_and_a_fourth_is_refused_with_the_bytes_missing(tmp_path):
    models = [presets.load_preset(MODEL_DIR / x / "reduced_cd") for x in shipped_instruments()]
    presets.write_firmware_source(models[:3], tmp_path)
    firmware.build("pico", tmp_path, build_dir=tmp_path / "build")
    presets.write_firmware_source(models, tmp_path)
    message = r"does not fit pico: \d+ bytes of RAM are missing; .*, or fewer models$"
    with pytest.raises(UserError, match=message) as refused:
        firmware.build("pico", tmp_path, build_dir=tmp_path / "build")
    missing = int(re.findall(r"(\d+) bytes", str(refused.value))[0])
    said = re.search(
        r"missing \(about ([\d ]+) for", (APP_DIR / "boards/pico/README.md").read_text()
    )
    assert said is not None and abs(int(said[1].replace(" ", "")) - missing) < 3000
