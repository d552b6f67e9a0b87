"""What a serial port delivers is a report, or one line says what it is instead."""

import time

import pytest
from support.fake_board import READY, FakeBoard, printing, report_lines, text_of

from pipeline.core.errors import UserError
from pipeline.target import serial_console
from pipeline.target.serial_console import read_report

LINES = report_lines()


def test_report_is_read_from_its_beginning_to_its_end():
    noise = b"\xff\x00 boot\r\n"
    with printing(noise, text_of(LINES)) as port:
        assert read_report(port, wait_s=30) == LINES


def test_messages_of_the_firmware_are_kept_in_place():
    lines = [*LINES[:5], "error 3: no sound clock", *LINES[5:]]
    with printing(text_of(lines)) as port:
        assert read_report(port, wait_s=30) == lines


def test_board_that_has_printed_its_report_is_woken(monkeypatch):
    """It prints nothing until a byte resets it, and then waits for another byte."""
    monkeypatch.setattr(serial_console, "QUIET_S", 0.2)

    def behave(console):
        console.receive()
        console.greet()
        console.send(text_of(LINES))

    with FakeBoard(behave) as port:
        assert read_report(port, wait_s=30) == LINES


def test_end_of_another_report_is_left_out():
    def behave(console):
        console.greet()
        console.send(text_of(LINES[-4:]))
        console.greet()
        console.send(text_of(LINES))

    with FakeBoard(behave) as port:
        assert read_report(port, wait_s=30) == LINES


def test_report_that_is_under_way_is_awaited_and_then_repeated(monkeypatch):
    """Its rest takes longer than a board may be silent."""
    monkeypatch.setattr(serial_console, "QUIET_S", 0.2)

    def behave(console):
        console.receive()
        for line in LINES[-5:]:
            time.sleep(0.5)
            console.send(text_of([line]))
        console.greet()
        console.send(text_of(LINES))

    with FakeBoard(behave) as port:
        assert read_report(port, wait_s=1.5) == LINES


def test_board_that_asks_for_a_byte_late_has_the_whole_time_to_answer():
    def behave(console):
        time.sleep(1.5)
        console.greet()
        time.sleep(1.5)
        console.send(text_of(LINES))

    with FakeBoard(behave) as port:
        assert read_report(port, wait_s=2.5) == LINES


def test_shortest_wait_is_enough_for_a_silent_board():
    def behave(console):
        console.receive()
        time.sleep(1)  # until it says so for the first time
        console.greet()
        console.send(text_of(LINES))

    with FakeBoard(behave) as port:
        assert read_report(port, wait_s=serial_console.SHORTEST_WAIT_S) == LINES


def test_board_that_receives_nothing_is_told_apart():
    def behave(console):
        while True:
            console.send(READY)
            time.sleep(0.1)

    reason = "the board waits for a byte and receives none: check the wiring of its RX"
    with FakeBoard(behave) as port, pytest.raises(UserError, match=f"^{port}: {reason}"):
        read_report(port, wait_s=1)


def test_board_that_is_unplugged_is_reported():
    def behave(console):
        console.greet()
        console.send(text_of(LINES[:4]))
        time.sleep(0.3)
        console.unplug()

    with FakeBoard(behave) as port, pytest.raises(UserError, match=f"^{port} cannot be used "):
        read_report(port, wait_s=30)


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (text_of(LINES[:6]), r"the report ends after 6 lines, the last one '\{\"part\": \"cost\""),
        (text_of(LINES[:3]) + READY, "the board was reset after 3 lines, the last one .*flash"),
        (text_of(LINES[:3]) + b'{"part": "mem', "the report ends after 3 lines"),
    ],
)
def test_half_a_report_is_refused(printed, reason):
    with printing(printed) as port, pytest.raises(UserError, match=f"^{port}: {reason}"):
        read_report(port, wait_s=1)


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (b"", "nothing arrived in 1 s at 115200 baud: check the wiring of the console, and flash"),
        (b"neural FM: type help\r\n", "the board prints 'neural FM: type help', which is no self"),
        (b"\xfe" * 3000, "the board prints '\ufffd+', which is no self-test: flash it with python"),
        (b'[1]\n{"part": 3}\n', r"the board prints '\{\"part\": 3\}', which is no self-test"),
    ],
)
def test_port_without_a_report_is_refused(printed, reason, monkeypatch):
    """A board that is no self-test answers what is typed; opening the port discards the rest."""
    monkeypatch.setattr(serial_console, "QUIET_S", 0.1)

    def behave(console):
        while console.receive():
            console.send(printed)

    with FakeBoard(behave) as port, pytest.raises(UserError, match=f"^{port}: {reason}"):
        read_report(port, wait_s=1)


def test_missing_port_is_refused(tmp_path):
    port = tmp_path / "ttyUSB0"
    reason = (
        r"cannot be used \(No such file or directory\): (no serial port is connected|there are)"
    )
    with pytest.raises(UserError, match=f"^{port} {reason}") as refused:
        read_report(str(port), wait_s=1)
    assert "\n" not in str(refused.value)


def test_file_is_not_a_port(tmp_path):
    path = tmp_path / "file"
    path.write_text("{}")
    with pytest.raises(UserError, match=f"^{path} cannot be used ") as refused:
        read_report(str(path), wait_s=1)
    assert "\n" not in str(refused.value)
