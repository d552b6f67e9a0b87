"""The UF2 for the Pico as a USB device: rp2040js, with a host that enumerates, plays and types."""

from pathlib import Path

import numpy as np
import pytest
from support import pico_board
from support.small_player import control, off, on
from support.usb_bus import (
    ANY,
    CLEAR_FEATURE,
    GET_STATUS,
    MIDI,
    SET_FEATURE,
    TO_ENDPOINT,
    TO_HOST,
    get_descriptor,
    request,
)

from pipeline.core.constants import HOP_SAMPLES
from pipeline.target import firmware
from pipeline.target.flashing import convert as convert_elf

pytestmark = pytest.mark.firmware

MID_BLOCK = HOP_SAMPLES // 4  # bytes that arrive here sound two blocks later
READY = 10  # block at which the device has long been enumerated


def at(block: int) -> int:
    return HOP_SAMPLES * block + MID_BLOCK


def event(message: bytes) -> bytes:
    """Returns the USB event packet of a channel message."""
    return bytes([message[0] >> 4]) + message.ljust(3, b"\0")


@pytest.fixture(scope="module")
def uf2(run_folder: Path, small_instruments: Path) -> Path:
    folder = run_folder / "usb-pico"
    options = {"BOARD_USB": "ON"}  # a later test turns it off in the same folder
    built = firmware.build("pico", small_instruments, build_dir=folder, options=options)
    return convert_elf(built.program.elf, "pico")["uf2"]


def run(uf2: Path, n_blocks: int, *, midi=(), usb=None) -> pico_board.Recording:
    """Runs with bytes at the MIDI socket (block, bytes), and a host (block, action, bytes)."""
    events = [(at(block), "midi", data) for block, data in midi]
    actions = None if usb is None else [(at(block), action, data) for block, action, data in usb]
    recording = pico_board.run(uf2, n_blocks * HOP_SAMPLES, events, usb=actions)
    assert (recording.n_resets, recording.warnings) == (0, [])
    if recording.usb is not None:
        assert recording.usb["errors"] == []
        assert recording.usb["configuredAt"] < READY * HOP_SAMPLES
    return recording


def blocks(recording: pico_board.Recording) -> np.ndarray:
    words = recording.words[: len(recording.words) // HOP_SAMPLES * HOP_SAMPLES, 0]
    return (words >> 16).reshape(-1, HOP_SAMPLES)


@pytest.mark.parametrize("usb_program", [ANY], indirect=True)
def test_pico_enumerates_with_the_descriptors_of_the_core(uf2, host):
    found = run(uf2, READY, usb=[]).usb
    assert bytes(found["device"]) == host.control(get_descriptor(1))
    assert bytes(found["configuration"]) == host.control(get_descriptor(2))
    strings = [host.control(get_descriptor(3, index)) for index in range(3)]
    assert [bytes(string) for string in found["strings"][:3]] == strings
    assert found["strings"][3] is found["qualifier"] is None
    assert bytes(found["lineCoding"]) == bytes([0x80, 0x25, 0, 0, 0, 0, 8])


def test_notes_over_usb_play_the_samples_of_notes_at_the_socket(uf2):
    tune = [(12, on(60, 100)), (20, on(67, 80)), (28, control(1, 90)), (36, off(60))]
    socket = run(uf2, 50, midi=tune)
    usb = run(uf2, 50, usb=[(block, "midi", event(message)) for block, message in tune])
    assert np.abs(blocks(usb)).max() > 1000
    np.testing.assert_array_equal(usb.words, socket.words)


def test_cables_keep_their_own_running_status(uf2):
    """A controller that arrives by USB between two notes with running status at the socket."""
    notes = [(12, on(60)), (20, bytes([64, 100]))]
    pedal = control(64, 127)
    one = run(uf2, 30, midi=[notes[0], (16, pedal), (20, on(64, 100))])
    two = run(uf2, 30, midi=notes, usb=[(16, "midi", event(pedal))])
    np.testing.assert_array_equal(two.words, one.words)
    assert two.usb["midi"] == [list(event(on(60))), list(event(on(64, 100)))]


def test_console_of_the_usb_answers_as_that_of_the_uart(uf2):
    recording = run(uf2, 40, usb=[(12, "console", b"program 1\rnotes\r")])
    text = recording.usb["text"]
    assert "*1 violin" in text and "0 idle" in text
    assert recording.console == "neural FM: type help\r\n" + text


def test_host_that_stops_reading_loses_text_and_events_but_the_sound_goes_on(uf2):
    tune = [(block, on(40 + block, 100)) for block in range(12, 60)]
    alone = run(uf2, 80, midi=tune)
    typed = [(block, "console", b"help\r") for block in range(14, 50, 6)]
    actions = [(13, "stop", b""), *typed, (60, "go", b""), (65, "console", b"stats\r")]
    recording = run(uf2, 80, midi=tune, usb=actions)
    np.testing.assert_array_equal(recording.words, alone.words)
    text = recording.usb["text"]
    assert text.startswith("help stats clear") and "~" in text
    assert recording.console.count("panic") == 6  # the UART has all answers
    assert "underruns 0" in text and "midi lost 0" in text
    received = [
        packet[i : i + 4] for packet in recording.usb["midi"] for i in range(0, len(packet), 4)
    ]
    sent = [list(event(message)) for _, message in tune]
    assert received == [message for message in sent if message in received]
    assert len(received) < len(sent)


def test_control_transfers_without_a_pause_do_not_disturb_the_sound(uf2):
    tune = [(12, on(60)), (14, on(64))]
    alone = run(uf2, 50, midi=tune)
    flooded = run(uf2, 50, midi=tune, usb=[(15, "flood", b"")])
    np.testing.assert_array_equal(flooded.words, alone.words)
    quiet, busy = (np.median(r.cycles[0][30:48]) for r in (alone, flooded))
    assert 0 < busy - quiet < 0.12 * 500_000  # of the cycles of a block


def test_host_that_sends_notes_without_a_pause_does_not_disturb_the_sound(uf2):
    flood = b"".join(event(on(40 + n % 40, 1 + n % 127)) for n in range(1000))
    recording = run(uf2, 70, usb=[(12, "midi", flood), (55, "console", b"stats\r")])
    assert recording.usb["nLeft"] == 0
    text = recording.usb["text"]
    assert "underruns 0" in text and "midi lost 0" in text and "midi errors 0" in text
    assert blocks(recording)[50:].any(axis=1).all()


def test_suspend_ends_notes_and_resume_plays_again(uf2):
    note = event(on(60))
    actions = [(12, "midi", note), (30, "suspend", b""), (150, "resume", b""), (152, "midi", note)]
    played = blocks(run(uf2, 160, usb=actions))
    assert played[20:30].any(axis=1).all()
    assert not played[130:150].any()
    assert played[156:].any(axis=1).all()


def test_reset_ends_notes_and_the_device_enumerates_again(uf2):
    note = event(on(60))
    actions = [(12, "midi", note), (30, "reset", b""), (150, "midi", note)]
    recording = run(uf2, 160, usb=actions)
    played = blocks(recording)
    assert played[20:30].any(axis=1).all()
    assert not played[130:150].any()
    assert played[156:].any(axis=1).all()


def test_malformed_and_refused_packets_are_counted_and_passed_over(uf2):
    wrong = b"\x09\x3c\x3c\x64" + b"\x19" + on(60) + b"\x09\x90"
    halt = [request(TO_ENDPOINT, code, 0, MIDI) for code in (SET_FEATURE, CLEAR_FEATURE)]
    get_status = request(TO_HOST | TO_ENDPOINT, GET_STATUS, 0, MIDI, 2)
    actions = [
        (12, "midi", wrong),
        (14, "request", request(0x40, 1)),
        (15, "request", halt[0]),
        (15, "request", get_status),
        (16, "request", halt[1]),
        (16, "request", get_status),
        (20, "console", b"stats\r"),
        (22, "midi", event(on(60))),
    ]
    recording = run(uf2, 40, usb=actions)
    assert recording.usb["requests"] == [None, [], [1, 0], [], [0, 0]]
    assert "midi errors 3" in recording.usb["text"]
    assert blocks(recording)[26:].any(axis=1).all()


def test_bootsel_at_the_console_starts_the_boot_loader_after_the_sound_has_faded(uf2):
    recording = run(uf2, 60, usb=[(12, "midi", event(on(60))), (30, "console", b"bootsel\r")])
    assert recording.is_in_loader
    played = blocks(recording)
    assert 30 < len(played) < 40
    assert played[20:30].any(axis=1).all()
    last = recording.words[-8:, 0] >> 16
    assert np.abs(last).max() < np.abs(played[-1]).max() / 4


def test_board_whose_crystal_does_not_start_has_no_usb(uf2):
    recording = pico_board.run(uf2, 10 * HOP_SAMPLES, [], broken="crystal", usb=[])
    assert recording.console.startswith("error 1")
    assert "device" not in recording.usb
