"""The start of USB on the STM32 boards, and their way into the boot loader, with fake registers."""

from pathlib import Path

import pytest

from pipeline.core.paths import APP_DIR
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

BOARDS = ("stm32f4_discovery", "nucleo_h743zi")
CRYSTAL_HZ = 8_000_000
FOLDER = Path(__file__).parent / "stm32"
PORTS = APP_DIR / "boards" / "ports"
OTG = 10  # the alternate function


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Program]:
    folder = tmp_path_factory.mktemp("stm32_usb")

    def build(board: str, name: str, sources: list[Path]) -> Program:
        include_dirs = [APP_DIR / "boards" / board, PORTS / "stm32", PORTS / "usb"]
        return build_program(
            "host",
            [FOLDER / f"{name}.c", *sources],
            out=folder / f"{board}-{name}",
            include_dirs=include_dirs,
            defines=["FAKE_REGISTERS", "BOARD_USB"],
            sanitize=True,
        )

    device = sorted((APP_DIR / "usb").glob("*.c"))
    return {
        (board, name): build(board, name, sources)
        for board in BOARDS
        for name, sources in (
            ("usb_start", [APP_DIR / "boards" / board / "clocks.c", *device]),
            ("loader", []),
        )
    }


def start(program: Program, missing: str = "nothing") -> dict[str, int]:
    run = run_program(program, arguments=[missing])
    assert run.status == 0, run.console
    values = (line.rsplit(" ", 1) for line in run.console.splitlines())
    return {name: int(value) for name, value in values}


def field(value: int, first: int, last: int) -> int:
    return value >> first & (1 << (last - first + 1)) - 1


def usb_hz(board: str, registers: dict[str, int]) -> float:
    """Computes the clock of USB with the formulas of the reference manuals."""
    if board == "stm32f4_discovery":  # RM0090, sections 7.3.2 and 7.3.11
        assert registers["RCC_PLLCFGR"] >> 22 & 1  # the crystal
        assert registers["RCC_AHB2ENR"] >> 7 & 1
        pll_hz = CRYSTAL_HZ / field(registers["RCC_PLLCFGR"], 0, 5)
        vco_hz = pll_hz * field(registers["RCC_PLLCFGR"], 6, 14)
        return vco_hz / field(registers["RCC_PLLCFGR"], 24, 27)
    # RM0433, section 8.7
    assert field(registers["RCC_D2CCIP2R"], 20, 21) == 2  # PLL3, output Q, which is on
    assert registers["RCC_PLLCFGR"] >> 23 & 1 and registers["RCC_CR"] >> 28 & 3 == 3
    assert registers["RCC_AHB1ENR"] >> 27 & 1
    assert registers["RCC_AHB1LPENR"] >> 27 & 3 == 1  # in sleep: the controller, and no ULPI
    assert registers["PWR_CR3"] >> 24 & 1
    pll_hz = CRYSTAL_HZ / field(registers["RCC_PLLCKSELR"], 20, 25)
    vco_hz = pll_hz * (field(registers["RCC_PLL3DIVR"], 0, 8) + 1)
    return vco_hz / (field(registers["RCC_PLL3DIVR"], 16, 22) + 1)


@pytest.mark.parametrize("board", BOARDS)
def test_usb_starts_with_48_mhz_from_the_crystal_and_its_pins(board, programs):
    registers = start(programs[board, "usb_start"])
    assert usb_hz(board, registers) == 48_000_000
    for pin in (11, 12):
        assert field(registers["GPIO_MODER(0)"], 2 * pin, 2 * pin + 1) == 2  # alternate function
        assert field(registers["GPIO_AFR(0, 11)"], 4 * (pin - 8), 4 * (pin - 8) + 3) == OTG
    irq = {"stm32f4_discovery": 67, "nucleo_h743zi": 101}[board]
    assert registers["NVIC_ISER(CHIP_OTG_IRQ)"] == 1 << irq % 32
    assert registers["NVIC_IPR(CHIP_OTG_IRQ)"] == 3 << 8 * (irq % 4) + 4  # below sound and USARTs


@pytest.mark.parametrize(
    ("board", "missing"),
    [
        ("stm32f4_discovery", "crystal"),
        ("stm32f4_discovery", "core"),
        ("nucleo_h743zi", "crystal"),
        ("nucleo_h743zi", "supply"),
        ("nucleo_h743zi", "core"),
    ],
)
def test_without_clock_supply_or_controller_there_is_no_usb_and_no_endless_wait(
    board, missing, programs
):
    registers = start(programs[board, "usb_start"], missing)
    assert registers["NVIC_ISER(CHIP_OTG_IRQ)"] == registers["GPIO_MODER(0)"] == 0
    assert registers["n_reads"] < 110_000


@pytest.mark.parametrize("board", BOARDS)
def test_boot_loader_starts_once_after_the_reset_that_asks_for_it(board, programs):
    console = run_program(programs[board, "loader"], arguments=["asked"]).console.splitlines()
    loader = {"stm32f4_discovery": "1fff0000", "nucleo_h743zi": "1ff09800"}[board]
    maps = ["map 1", "syscfg 1"] if board == "stm32f4_discovery" else []
    assert console == [
        "reset 5fa0004",
        "loader 20003000 1fff4321",
        f"vectors {loader}",
        *maps,
        "again",
    ]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("trace", ["pll", "clock", "oscillator", "interrupt", "none"])
def test_image_that_the_loader_starts_without_a_reset_resets_the_chip_once(board, trace, programs):
    """PLLs cannot be set while they are on, and interrupts of the loader may still occur."""
    run = run_program(programs[board, "loader"], arguments=["leave", trace])
    console = [line for line in run.console.splitlines() if line.startswith(("reset", "image"))]
    first = "image 0" if trace == "none" else "image 5fa0004"
    assert console == [first, "reset 0", first, "image 0"]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("case", ["watchdog", "power-on"])
def test_other_resets_and_what_is_in_the_ram_after_power_on_start_no_loader(board, case, programs):
    assert run_program(programs[board, "loader"], arguments=[case]).console == ""
