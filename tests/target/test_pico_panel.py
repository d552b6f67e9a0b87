"""The potentiometers of the Picos: on the host for both chips, and in rp2040js for the RP2040."""

from pathlib import Path

import numpy as np
import pytest
from support import pico_board, small_player
from support.small_player import on

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.paths import APP_DIR
from pipeline.target import firmware
from pipeline.target.boards import ALL_BOARDS
from pipeline.target.build import Program, build_program, make
from pipeline.target.emulator import run_program
from pipeline.target.flashing import convert
from pipeline.target.player import build_player, perform
from pipeline.target.voices import default_voices

pytestmark = pytest.mark.firmware

FLOATING = -1
EXPRESSION, MODULATION, VOLUME = 11, 1, 7
# RP2040 datasheet, sections 2.2.1 and 2.15.7; RP2350 datasheet, sections 2.2.4 and 8.1.7
ADDRESSES = {
    "pico": {
        **{"ADC": 0x4004C000, "CLK_ADC": 0x40008060, "IO_BANK": 0x40014000},
        **{"PADS": 0x4001C000, "PLL": 0x4002C000, "RESETS": 0x4000C000},
    },
    "pico2": {
        **{"ADC": 0x400A0000, "CLK_ADC": 0x4001006C, "IO_BANK": 0x40028000},
        **{"PADS": 0x40038000, "PLL": 0x40058000, "RESETS": 0x40020000},
    },
}


@pytest.fixture(scope="module", params=ADDRESSES)
def program(request, tmp_path_factory: pytest.TempPathFactory) -> Program:
    board, port = (APP_DIR / "boards" / name for name in (request.param, "ports/rp2"))
    return build_program(
        "host",
        [Path(__file__).parent / "pico" / "potentiometers.c"],
        out=tmp_path_factory.mktemp(f"panel-{request.param}") / "build",
        include_dirs=[board, port],
        defines=[f"{name}={address:#x}u" for name, address in ADDRESSES[request.param].items()],
        sanitize=True,
    )


def reports(program: Program, *positions: np.ndarray) -> np.ndarray:
    """Returns block, controller and value of every report; positions: 0 to 1, or `FLOATING`."""
    places = np.stack(positions, axis=1)
    voltages = np.where(places == FLOATING, FLOATING, np.clip(np.round(4095 * places), 0, 4095))
    inputs = {"positions": voltages.astype("<i4").tobytes()}
    lines = run_program(program, arguments=["positions"], inputs=inputs).console.splitlines()
    return np.array([line.split() for line in lines], int).reshape(-1, 3)


def test_board_without_potentiometers_reports_none(program):
    floating = np.full(500, float(FLOATING))
    assert len(reports(program, floating, floating, floating)) == 0


def test_potentiometer_that_rests_is_not_used_and_one_that_moves_is(program):
    noise = 0.005 * np.random.default_rng(0).standard_normal(1000)
    moved = np.concatenate([np.full(300, 0.2), np.linspace(0.2, 0.9, 200), np.full(500, 0.9)])
    found = reports(program, moved, 0.6 + noise, 1 - noise**2)
    assert set(found[:, 1]) == {EXPRESSION} and found[0, 0] > 300
    assert (np.diff(found[:, 2]) > 0).all() and abs(found[-1, 2] - 0.9 * 127) <= 1


def test_floating_pins_beside_a_potentiometer_are_not_read(program):
    floating = np.full(600, float(FLOATING))
    moved = np.linspace(0, 1, 600)
    found = reports(program, floating, moved, floating)
    assert set(found[:, 1]) == {MODULATION} and found[-1, 2] >= 120


def test_every_potentiometer_has_its_controller_and_a_block_brings_one_report(program):
    moved = np.linspace(1, 0, 600)
    found = reports(program, moved, moved, moved)
    assert set(found[:, 1]) == {EXPRESSION, MODULATION, VOLUME}
    assert (np.diff(found[:, 0]) >= 1).all()


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """Generated code of three small instruments."""
    folder = tmp_path_factory.mktemp("pots") / "generated"
    small_player.generate(folder)
    return folder


def loudness(pcm: np.ndarray) -> np.ndarray:
    """Returns the RMS of every block."""
    return np.sqrt(np.mean(pcm.reshape(-1, HOP_SAMPLES).astype(float) ** 2, axis=1))


@pytest.mark.parametrize("usb", ["ON", "OFF"])
def test_potentiometer_of_the_flashed_pico_acts_once_it_has_moved(small, usb):
    """Without USB, the PLL of the USB runs for the ADC alone."""
    build_dir = small.parent / f"usb-{usb}"
    built = firmware.build("pico", small, build_dir=build_dir, options={"BOARD_USB": usb})
    n_frames, turned = 130 * HOP_SAMPLES, 40 * HOP_SAMPLES
    recording = pico_board.run(
        convert(built.program.elf, "pico")["uf2"],
        n_frames,
        [(3 * HOP_SAMPLES + HOP_SAMPLES // 4, "midi", on(60, 100))],
        pots=[(0, [1000, None, 4000]), (turned, [100, None, 4000])],
    )
    n_voices = default_voices(ALL_BOARDS["pico"], small)
    player = build_player("host", small, n_voices=n_voices, build_dir=small.parent / "host")
    pcm = perform(player, [(4, on(60, 100))]).pcm
    pcm = np.concatenate([np.zeros(HOP_SAMPLES, np.int16), pcm])[:n_frames]  # as it plays later
    played = recording.words[:, 0] >> 16
    np.testing.assert_array_equal(played[:turned], pcm[:turned])
    assert (loudness(played)[-20:] < 0.5 * loudness(pcm)[-20:]).all()
    assert recording.warnings == []


def test_reports_of_the_flashed_driver_follow_the_voltage(tmp_path):
    source = tmp_path / "pots.c"
    source.write_text(
        """
        #include "board.h"
        #include "play_board.h"
        static volatile uint32_t n_begun;
        static void tick(void) { n_begun++; }
        int main(void) {
            uint8_t control, value;
            board_audio_start(tick);
            for (uint32_t n = 0; board_wait();) {
                if (n != n_begun) {
                    n = n_begun;
                    while (board_panel_read(&control, &value)) {
                        const char text[] = {(char)control, (char)value};
                        board_console_write(text, sizeof text);
                    }
                }
            }
        }
        """
    )
    program = make("pico", tmp_path / "build", {"PROGRAM_SOURCES": source}, "program")
    turns = [(0, [2000, 0, None]), (20 * 64, [2000, 4095, None]), (150 * 64, [0, 4095, None])]
    recording = pico_board.run(convert(program.elf, "pico")["uf2"], 300 * 64, [], pots=turns)
    found = [(ord(a), ord(b)) for a, b in zip(*[iter(recording.console)] * 2, strict=True)]
    rising = [value for control, value in found if control == MODULATION]
    falling = [value for control, value in found if control == EXPRESSION]
    assert {control for control, _ in found} == {MODULATION, EXPRESSION}
    assert rising == sorted(rising) and rising[-1] >= 126
    assert falling == sorted(falling, reverse=True) and falling[-1] <= 1
