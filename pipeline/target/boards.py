"""The table of boards, from which build, benchmark, flasher, CMake and READMEs take their facts."""

from pipeline.target import uf2
from pipeline.target.board_types import Board, Core, Flasher, Limits, Memory, WeightMemory

HOST = Core("host", tools=("cc",))
WASM = Core("WebAssembly", tools=("clang", "wasm-ld"))
M4 = Core("Cortex-M4F", ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"))
M7 = Core(
    "Cortex-M7F", ("-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"), has_data_cache=True
)
M33 = Core("Cortex-M33", ("-mcpu=cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"))
M0 = Core("Cortex-M0+", ("-mcpu=cortex-m0plus", "-mfloat-abi=soft"), has_fpu=False)

# Core cycles to fill a line of the STM32H743's data cache from flash. A bus cycle takes two core
# cycles; there are 4 waits and a read (RM0433, section 4.3.8), 4 transfers of 64 bits, and an
# assumed 9 bus cycles for the way through the core's interface and the interconnect and back.
H743_FILL = 2 * (4 + 1 + 4 + 9)
# The decoder prefetches a line of weights 54 instructions before it needs it, which is longer than
# a fill takes. The rest of a model, one line in eight, is not prefetched: 36 / 8 = 4.5 cycles on
# average. The assumed value is more than twice that, because the weights evict the tables of FM and
# noise from the cache. If no fill were hidden, a voice would take 2.5 % more of the chip.
H743_PREFETCHED_FILL = 10

# A core of the RP2040 reads or writes a word in a share u = 0.57 of its cycles. The words of the
# image lie in four banks in turn. If the cores do not run in step, the other one takes the same
# bank in u / 4 of these cycles, and one of the two waits for a cycle: a core takes u * u / 8 more.
#
# On the RP2350 code, 0.65 of a core's words, and data, 0.35, lie in four banks each, which adds
# 0.068. Of six reduced models, a third of the data lies beside the code, which adds 0.08.
#
# A test counts the words by `cycle_model.count_words`.
RP2040_BANK_CONFLICTS = 0.04
RP2350_BANK_CONFLICTS = 0.08

_PROBE = "interface/cmsis-dap.cfg"
_TABLE = (
    Board(
        "host",
        HOST,
        title="the developer's machine",
        chip="",
        clock_hz=0,
        flash=None,
        ram=None,
        has_input=True,
        reverb_seconds=1.0,
        has_files=True,
    ),
    Board(
        "wasm",
        WASM,
        title="WebAssembly, as in the instrument page",
        chip="",
        clock_hz=0,
        flash=None,
        ram=None,
        n_voices=8,
        has_input=True,
        reverb_seconds=1.0,
        has_files=True,
    ),
    Board(
        "qemu_m4",
        M4,
        title="MPS2 with AN386",
        chip="mps2-an386",
        clock_hz=25_000_000,
        flash=Memory(0x00000000, 1 << 20),
        ram=Memory(0x20000000, 128 << 10),
        has_input=True,
        reverb_seconds=0.25,
        tflm_arch="cortex-m4+fp",
        has_files=True,
        machine="mps2-an386",
    ),
    Board(
        "qemu_m7",
        M7,
        title="MPS2 with AN500",
        chip="mps2-an500",
        clock_hz=25_000_000,
        flash=Memory(0x00000000, 1 << 20),
        ram=Memory(0x20000000, 512 << 10),
        has_input=True,
        reverb_seconds=1.0,
        tflm_arch="cortex-m7+fp",
        has_files=True,
        machine="mps2-an500",
    ),
    Board(
        "qemu_m33",
        M33,
        title="MPS2 with AN505",
        chip="mps2-an505",
        clock_hz=20_000_000,
        flash=Memory(0x10000000, 1 << 20),
        ram=Memory(0x38000000, 128 << 10),
        reverb_seconds=0.25,
        tflm_arch="cortex-m33",
        has_files=True,
        machine="mps2-an505",
    ),
    Board(
        "qemu_m0",
        M0,
        title="MPS2 with AN385, whose Cortex-M3 runs code for a Cortex-M0+",
        chip="mps2-an385",
        clock_hz=25_000_000,
        flash=Memory(0x00000000, 1 << 20),
        ram=Memory(0x20000000, 128 << 10),
        tflm_arch="cortex-m0plus",
        has_files=True,
        machine="mps2-an385",
    ),
    Board(
        "stm32f4_discovery",
        M4,
        title="STM32F4DISCOVERY",
        chip="STM32F407",
        clock_hz=168_000_000,
        flash=Memory(0x08000000, 1 << 20),
        settings_bytes=256 << 10,
        ram=Memory(0x20000000, 128 << 10),
        has_input=True,
        reverb_seconds=0.25,
        machine="netduinoplus2",
        n_voices=6,
        n_tiny_voices=24,
        emulated_by="qemu_m4",
        weight_memory=WeightMemory(
            "flash, 5 waits per 16 bytes of weights beyond 120 kB that are copied to CCM and RAM",
            960_000,
            line_bytes=16,
            wait_cycles=5,
            model_wait_cycles=5,
            copied_bytes=(64 + 56) << 10,
        ),
        flasher=Flasher(("board/stm32f4discovery.cfg",), "stm32f407vgtx", has_st_link=True),
        limits=Limits(cpu_share=0.2),
    ),
    Board(
        "nucleo_h743zi",
        M7,
        title="NUCLEO-H743ZI",
        chip="STM32H743",
        clock_hz=480_000_000,
        flash=Memory(0x08000000, 2 << 20),
        settings_bytes=256 << 10,
        ram=Memory(0x20000000, 128 << 10),
        n_voices=16,
        n_tiny_voices=48,
        has_input=True,
        reverb_seconds=1.0,
        image_emulator="Unicorn, without peripherals",
        emulated_by="qemu_m7",
        weight_memory=WeightMemory(
            "flash behind the data cache, 10 waits per 32 bytes of weights beyond 64 kB in ITCM",
            1_900_000,
            line_bytes=32,
            wait_cycles=H743_FILL,
            model_wait_cycles=H743_PREFETCHED_FILL,
            copied_bytes=64 << 10,
        ),
        flasher=Flasher(("board/st_nucleo_h743zi.cfg",), "stm32h743zitx", has_st_link=True),
        limits=Limits(cpu_share=0.05),
    ),
    Board(
        "pico",
        M0,
        title="Raspberry Pi Pico",
        chip="RP2040",
        clock_hz=125_000_000,
        flash=Memory(0x10000000, 2 << 20),
        settings_bytes=8 << 10,
        ram=Memory(0x20000000, 264 << 10),
        n_cores=2,
        n_voices=2,
        n_tiny_voices=16,
        image_emulator="rp2040js",
        emulated_by="qemu_m0",
        weight_memory=WeightMemory(
            "SRAM, no waits but for the other core", 220_000, bank_conflicts=RP2040_BANK_CONFLICTS
        ),
        flasher=Flasher(
            (_PROBE, "target/rp2040.cfg"), "rp2040", uf2_family=uf2.RP2040, drive="RPI-RP2"
        ),
        limits=Limits(cpu_share=0.6),
    ),
    Board(
        "pico2",
        M33,
        title="Raspberry Pi Pico 2",
        chip="RP2350",
        clock_hz=150_000_000,
        flash=Memory(0x10000000, 4 << 20),
        settings_bytes=8 << 10,
        ram=Memory(0x20000000, 520 << 10),
        n_cores=2,
        n_voices=8,
        n_tiny_voices=32,
        reverb_seconds=0.25,
        image_emulator="Unicorn, without peripherals",
        emulated_by="qemu_m33",
        weight_memory=WeightMemory(
            "SRAM, no waits but for the other core", 480_000, bank_conflicts=RP2350_BANK_CONFLICTS
        ),
        flasher=Flasher(
            (_PROBE, "target/rp2350.cfg"),
            "rp2350",
            uf2_family=uf2.RP2350_ARM_SECURE,
            drive="RP2350",
        ),
        limits=Limits(cpu_share=0.2),
    ),
)

ALL_BOARDS = {board.name: board for board in _TABLE}
FILE_BOARDS = {name: board for name, board in ALL_BOARDS.items() if board.has_files}
"""Boards that read and write files, for tests and benchmarks: the host, WebAssembly and the
emulated boards."""
LIVE_BOARDS = {name: board for name, board in FILE_BOARDS.items() if board.has_fpu}
"""Boards with files that can analyse sound or play a reverb, both of which need an FPU."""
EMULATED_BOARDS = tuple(name for name, board in FILE_BOARDS.items() if board.machine)
INSTRUMENT_BOARDS = {name: board for name, board in ALL_BOARDS.items() if board.flasher}
"""Boards that are flashed and played, with ``apps/play``."""

ESTIMATED_BOARDS = tuple(
    board
    for emulated in EMULATED_BOARDS
    for board in INSTRUMENT_BOARDS.values()
    if board.emulated_by == emulated
)
"""Boards whose cost is estimated from an emulated board, in the order of the emulated boards."""
