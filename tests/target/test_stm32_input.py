"""The STM32's sound input, button and codec, run on the host with memory in place of registers."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.paths import APP_DIR
from pipeline.reference.upsampler import downsample
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

BOARDS = ("stm32f4_discovery", "nucleo_h743zi")
CRYSTAL_HZ = 8_000_000
RECEIVED = np.dtype([("is_valid", "<u4"), ("n_lost", "<u4"), ("samples", "<i2", 64)])
MIDDLE = 32768


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Program]:
    folder = tmp_path_factory.mktemp("stm32_input")
    return {
        (board, rate): build_program(
            "host",
            [
                Path(__file__).parent / "stm32" / "input.c",
                *(APP_DIR / "boards" / board / f"{name}.c" for name in ("clocks", "i2s", "adc")),
                *(APP_DIR / "upsampler" / f"{name}.c" for name in ("upsampler", "upsampler_taps")),
            ],
            out=folder / f"{board}-{rate}",
            include_dirs=[APP_DIR / "boards" / board, APP_DIR / "boards" / "ports" / "stm32"],
            defines=["FAKE_REGISTERS", "UPSAMPLER_PORTABLE", f"BOARD_SAMPLE_RATE={rate}"],
            sanitize=True,
        )
        for board in BOARDS
        for rate in (16_000, 48_000)
    }


def run_input(program: Program, groups: list[np.ndarray]) -> tuple[dict[str, int], np.ndarray]:
    """Returns registers and counters by name, and the received input per block of output.

    `groups` holds the input blocks, of 192 samples, that arrive before each block of output.
    """
    records = b"".join(
        np.uint32(len(group)).tobytes() + np.asarray(group, "<u2").tobytes() for group in groups
    )
    run = run_program(
        program, arguments=["blocks", "out"], inputs={"blocks": records}, outputs=["out"]
    )
    assert run.status == 0, run.console
    values = (line.rsplit(" ", 1) for line in run.console.splitlines())
    return {name: int(value) for name, value in values}, np.frombuffer(run.files["out"], RECEIVED)


def field(value: int, first: int, last: int) -> int:
    return value >> first & (1 << (last - first + 1)) - 1


def output_hz(board: str, registers: dict[str, int]) -> float:
    """Computes the rate of I2S with the formulas of the reference manuals."""
    if board == "stm32f4_discovery":  # RM0090, sections 7.3.2, 7.3.23 and 28.4.4
        assert registers["RCC_PLLCFGR"] >> 22 & 1  # the crystal
        pll_hz = CRYSTAL_HZ / field(registers["RCC_PLLCFGR"], 0, 5)
        assert 1e6 <= pll_hz <= 2e6
        vco_hz = pll_hz * field(registers["RCC_PLLI2SCFGR"], 6, 14)
        assert 192e6 <= vco_hz <= 432e6
        divider = 2 * field(registers["SPI3_I2SPR"], 0, 7) + field(registers["SPI3_I2SPR"], 8, 8)
        assert field(registers["SPI3_I2SPR"], 0, 7) >= 2 and registers["SPI3_I2SPR"] >> 9 & 1
        return vco_hz / field(registers["RCC_PLLI2SCFGR"], 28, 30) / divider / 256
    # RM0433, section 8.7 and chapter 50
    assert field(registers["RCC_PLLCKSELR"], 0, 1) == 2
    pll_hz = CRYSTAL_HZ / field(registers["RCC_PLLCKSELR"], 20, 25)
    assert 2e6 <= pll_hz < 4e6 and field(registers["RCC_PLLCFGR"], 10, 11) == 1
    vco_hz = pll_hz * (field(registers["RCC_PLL3DIVR"], 0, 8) + 1)
    assert 192e6 <= vco_hz <= 836e6 and not registers["RCC_PLLCFGR"] >> 9 & 1
    assert not registers["RCC_PLLCFGR"] >> 8 & 1  # no fraction
    kernel_hz = vco_hz / (field(registers["RCC_PLL3DIVR"], 9, 15) + 1)
    return kernel_hz / (2 * field(registers["SPI3_I2SCFGR"], 16, 23)) / 64


def core_hz(board: str, registers: dict[str, int]) -> float:
    if board == "stm32f4_discovery":
        pll_hz = CRYSTAL_HZ / field(registers["RCC_PLLCFGR"], 0, 5)
        vco_hz = pll_hz * field(registers["RCC_PLLCFGR"], 6, 14)
        assert vco_hz / field(registers["RCC_PLLCFGR"], 24, 27) == 48e6
        return vco_hz / (2 * field(registers["RCC_PLLCFGR"], 16, 17) + 2)
    pll_hz = CRYSTAL_HZ / field(registers["RCC_PLLCKSELR"], 4, 9)
    vco_hz = pll_hz * (field(registers["RCC_PLL1DIVR"], 0, 8) + 1)
    return vco_hz / (field(registers["RCC_PLL1DIVR"], 9, 15) + 1)


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("board", BOARDS)
def test_input_has_exactly_the_rate_of_the_output_and_leads_it(board, rate, programs):
    registers, _ = run_input(programs[board, rate], [])
    timer_hz = core_hz(board, registers) / 2  # on both chips twice the clock of its bus
    assert (registers["clocks.core_hz"], registers["clocks.timer_hz"]) == (2 * timer_hz, timer_hz)
    assert output_hz(board, registers) == rate
    period = registers["TIM2_ARR"] + 1
    assert timer_hz / period == 48_000
    # The timer starts with a half of the output; sample 192 is due before the end of the next half.
    assert registers["TIM2_CR1"] == 0
    last_sample_s = (registers["TIM2_CNT"] + 1 + 191 * period) / timer_hz
    assert 0.008 - last_sample_s == pytest.approx(4 / 16_000)
    assert "error" not in " ".join(registers)


def test_registers_of_the_f407_follow_the_manual(programs):
    registers, _ = run_input(programs["stm32f4_discovery", 16_000], [])
    cr2 = registers["ADC1_CR2"]
    assert cr2 & 1 and cr2 >> 8 & 3 == 3 and cr2 >> 11 & 1  # on; continuous DMA; left-aligned
    assert (field(cr2, 24, 27), field(cr2, 28, 29)) == (6, 1)  # TIM2_TRGO, rising
    assert registers["ADC1_SQR3"] == 1 and field(registers["ADC_CCR"], 16, 17) == 1
    cycles = {3: 56}[field(registers["ADC1_SMPR2"], 3, 5)] + 12
    assert cycles / (registers["clocks.core_hz"] / 2 / 4) < 1 / 48_000
    assert registers["DMA2_S0PAR"] == 0x4001204C and field(registers["DMA2_S0CR"], 25, 27) == 0


def test_registers_of_the_h743_follow_the_manual(programs):
    registers, _ = run_input(programs["nucleo_h743zi", 16_000], [])
    cfgr, cfgr2 = registers["ADC_CFGR(ADC3_BASE)"], registers["ADC_CFGR2(ADC3_BASE)"]
    assert cfgr & 3 == 3 and field(cfgr, 2, 4) == 0  # continuous DMA; 16 bits
    assert (field(cfgr, 5, 9), field(cfgr, 10, 11), cfgr >> 12 & 1) == (11, 1, 1)  # TIM2_TRGO
    n_conversions = field(cfgr2, 16, 25) + 1
    assert cfgr2 & 1 and 1 << field(cfgr2, 5, 8) == n_conversions == 4
    assert registers["ADC_SQR1(ADC3_BASE)"] == 6 << 6
    cycles = {3: 16.5}[field(registers["ADC_SMPR1(ADC3_BASE)"], 18, 20)] + 8.5
    assert n_conversions * cycles / 8e6 < 1 / 48_000
    assert registers["REGISTER(ADC_CR(ADC3_BASE))"] & 5 == 5  # enabled and started
    assert registers["DMAMUX1_C8CR"] == 115 and registers["DMA2_S0PAR"] == 0x58026040


@pytest.mark.parametrize("board", BOARDS)
def test_dma_fills_two_halves_circularly_and_interrupts_after_each(board, programs):
    registers, _ = run_input(programs[board, 16_000], [])
    control = registers["DMA2_S0CR"]
    assert registers["DMA2_S0NDTR"] == 2 * 192
    assert control & 1 and control >> 3 & 3 == 3  # on; half and complete interrupts
    assert field(control, 6, 7) == 0 and control >> 8 & 1  # from the ADC, circular
    assert field(control, 9, 14) == 0b010110  # only memory increments; 16 bits on both sides
    assert registers["NVIC_ISER(IRQ_DMA2_STREAM0)"] == 1 << 56 % 32
    assert registers["NVIC_IPR(IRQ_DMA2_STREAM0)"] == 1 << 4


def noise(n_blocks: int, level: int = 3000) -> np.ndarray:
    rng = np.random.default_rng(n_blocks)
    return MIDDLE + rng.integers(-level, level, (n_blocks, 192))


def heard(blocks: np.ndarray) -> np.ndarray:
    """Returns successive blocks at 16 kHz, before the high pass."""
    return downsample((blocks.ravel() - MIDDLE).astype(np.int16)).reshape(-1, 64)


@pytest.fixture(scope="module")
def program(programs) -> Program:
    return programs["stm32f4_discovery", 16_000]


def test_blocks_arrive_in_order_and_none_is_lost(program):
    sound = noise(40)
    registers, received = run_input(program, [sound[i : i + 1] for i in range(40)])
    assert (
        received["is_valid"].all() and not received["n_lost"].any() and registers["n_reported"] == 0
    )
    error = received["samples"] - heard(sound)
    assert np.abs(error).max() < 300  # the mean of the noise, which the high pass removes


def test_missing_and_overwritten_blocks_are_counted(program):
    sound = noise(9)
    groups = [sound[:1], sound[1:1], sound[1:3], sound[3:4], sound[4:7], sound[7:8]]
    registers, received = run_input(program, groups)
    np.testing.assert_array_equal(received["is_valid"], [1, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(received["n_lost"], [0, 1, 2, 2, 4, 4])
    assert not received["samples"][1].any() and registers["n_reported"] == 0
    answers = received["samples"][[0, 2, 3, 4, 5]]
    for answer, block in zip(answers, heard(sound[[0, 2, 3, 6, 7]]), strict=True):
        assert np.corrcoef(answer, block)[0, 1] > 0.999  # the newest block


def test_missing_input_is_reported_once_and_does_not_count_as_lost(program):
    registers, received = run_input(program, [noise(0)] * 100)
    assert registers["n_reported"] == 1
    assert not received["is_valid"].any() and not received["n_lost"].any()
    assert not received["samples"].any()


@pytest.mark.parametrize("n_before", [6, 7])
@pytest.mark.parametrize("board", BOARDS)
def test_input_that_stops_is_restarted_after_100_ms_with_the_right_halves(
    board, n_before, programs
):
    """This is what an overrun of the F407's ADC causes, which then sends no DMA requests."""
    sound = noise(n_before + 4)
    groups = [sound[i : i + 1] for i in range(n_before)]
    groups += [sound[:0]] * 25 + [sound[i : i + 1] for i in range(n_before, n_before + 4)]
    registers, received = run_input(programs[board, 16_000], groups)
    assert (registers["n_restarts"], registers["n_reported"]) == (1, 0)
    for name in ("TIM2_CNT", "DMA2_S0CR"):  # as at the start
        assert registers[f"after.{name}"] == registers[name]
    assert registers["after.TIM2_CR1"] & 1
    if board == "stm32f4_discovery":
        assert (
            registers["after.ADC1_SR"] == 0 and registers["after.ADC1_CR2"] == registers["ADC1_CR2"]
        )
    answers = np.r_[received["samples"][:n_before], received["samples"][n_before + 25 :]]
    for answer, block in zip(answers, heard(sound), strict=True):
        assert np.corrcoef(answer, block)[0, 1] > 0.999
    assert received["n_lost"][-1] == 25


def test_input_that_is_late_by_less_than_100_ms_is_not_restarted(program):
    sound = noise(2)
    registers, received = run_input(program, [sound[:1], *([sound[:0]] * 24), sound[1:]] * 3)
    assert registers["n_restarts"] == 0 and received["n_lost"][-1] == 72


@pytest.mark.parametrize("rest", [0, 16, 20_000, 65_520, 65_535])
def test_resting_voltage_is_removed_within_a_second(rest, program):
    _, received = run_input(program, [np.full((1, 192), rest)] * 250)
    assert received["samples"][0].any()
    assert not received["samples"][200:].any()


def test_high_pass_passes_a_tone_unchanged_and_saturates_at_16_bits(program):
    t = np.arange(500 * 192) / 48_000
    tone = np.round(40_000 + 20_000 * np.sin(2 * np.pi * 100 * t)).astype(int).reshape(-1, 1, 192)
    _, received = run_input(program, list(tone))
    samples = received["samples"].ravel()[16_000:].astype(float)
    assert np.abs(samples.mean()) < 5
    assert np.sqrt(2) * samples.std() == pytest.approx(20_000, rel=1e-3)
    square = np.where(np.arange(300) % 200 < 100, 0, 65_535).repeat(192).reshape(-1, 1, 192)
    _, received = run_input(program, list(square))
    assert {-32_768, 32_767} <= {received["samples"].min(), received["samples"].max()}


@pytest.mark.parametrize("hz", [9_000, 12_000, 15_700, 17_000, 20_000, 39_000])
def test_sound_above_the_band_is_not_heard_as_another_pitch(hz, program):
    t = np.arange(250 * 192) / 48_000
    tone = np.round(MIDDLE + 20_000 * np.sin(2 * np.pi * hz * t)).astype(int).reshape(-1, 1, 192)
    _, received = run_input(program, list(tone))
    samples = received["samples"].ravel()[1000:].astype(float)
    assert 20 * np.log10(np.sqrt(2) * samples.std() / 20_000) < -60


# --- the button -----------------------------------------------------------------------------------

DEMO, LIVE = 128, 129


@pytest.mark.parametrize("board", BOARDS)
def test_short_press_requests_the_demo_and_a_long_one_live_mode(board, tmp_path):
    program = build_program(
        "host",
        [
            Path(__file__).parent / "stm32" / "button.c",
            APP_DIR / "boards" / "ports" / "stm32" / "button.c",
        ],
        out=tmp_path / "build",
        include_dirs=[APP_DIR / "boards" / board, APP_DIR / "boards" / "ports" / "stm32"],
        defines=["FAKE_REGISTERS"],
        sanitize=True,
    )
    lengths = [4, 5, 249, 250, 2000, 1]  # durations of the presses in blocks
    pressed = b"".join(b"\0" * 10 + b"\1" * n for n in lengths) + b"\0"
    run = run_program(program, arguments=["pressed"], inputs={"pressed": pressed})
    requests = [tuple(map(int, line.split())) for line in run.console.splitlines()]
    ends = np.cumsum(np.array(lengths) + 10)
    assert requests == [
        (ends[1], DEMO),
        (ends[2], DEMO),
        (ends[3] - 1, LIVE),
        (ends[4] - 2000 + 249, LIVE),
    ]


# --- the codec ------------------------------------------------------------------------------------


def test_codec_follows_its_datasheet_and_no_start_interrupts_a_stop(tmp_path):
    program = build_program(
        "host",
        [Path(__file__).parent / "stm32" / "codec.c"],
        out=tmp_path / "build",
        include_dirs=[
            APP_DIR / "boards" / "stm32f4_discovery",
            APP_DIR / "boards" / "ports" / "stm32",
        ],
        defines=["FAKE_REGISTERS"],
        sanitize=True,
    )
    lines = run_program(program, arguments=["there"]).console.splitlines()
    assert lines[-1] == "answers 1" and "early" not in lines and "reset" not in lines
    written = [tuple(int(word) for word in line.split()) for line in lines[:-1]]
    assert written[0] == (0x02, 0x01) and written[-1] == (0x02, 0x9E)  # powered down in between
    assert [number for number, _ in written[1:6]] == [0x00, 0x47, 0x32, 0x32, 0x00]  # section 4.11
    assert [value for _, value in written[1:3]] == [0x99, 0x80] and written[5][1] == 0
    up, down = written[3][1], written[4][1]
    assert up >> 7 == 1 and down >> 7 == 0 and up & 0x7F == down & 0x7F  # only bit 7 changes
    for which in ("absent", "mute"):
        assert run_program(program, arguments=[which]).console.splitlines() == ["answers 0"]
