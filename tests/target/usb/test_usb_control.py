"""Control transfers of the USB device: requests, states, stalls, and what comes out of order."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import fuzzing
from support.usb_bus import (
    ADDRESS,
    CLASS_TO_INTERFACE,
    CLEAR_FEATURE,
    CONSOLE,
    CONTROLLERS,
    DEVICE_SOURCES,
    FOLDER,
    GET_CONFIGURATION,
    GET_INTERFACE,
    GET_LINE_CODING,
    GET_STATUS,
    MIDI,
    PACKET_BYTES,
    SET_ADDRESS,
    SET_CONFIGURATION,
    SET_CONTROL_LINE_STATE,
    SET_FEATURE,
    SET_INTERFACE,
    SET_LINE_CODING,
    TO_ENDPOINT,
    TO_HOST,
    TO_INTERFACE,
    Handshake,
    UsbBus,
    get_descriptor,
    request,
)

from pipeline.core.paths import APP_DIR
from pipeline.target.build import Program, build_program

pytestmark = pytest.mark.firmware

NOTE = bytes([0x09, 0x90, 60, 100])
HALT = 0  # the feature ENDPOINT_HALT
IN = 0x80
DEFAULT_CODING = bytes([0x00, 0xC2, 0x01, 0x00, 0, 0, 8])  # 115 200 baud, 8N1


def status(bus: UsbBus, kind: int, index: int = 0) -> bytes | None:
    return bus.control(request(TO_HOST | kind, GET_STATUS, 0, index, 2))


def test_device_answers_to_its_address_once_the_status_stage_is_over(bus):
    assert bus.setup(request(0, SET_ADDRESS, ADDRESS)) is Handshake.ACK
    bus.address = ADDRESS
    assert bus.read(0)[0] is Handshake.TIMEOUT
    bus.address = 0
    assert bus.read(0) == (Handshake.ACK, 1, b"")
    assert bus.setup(get_descriptor(1)) is Handshake.TIMEOUT
    bus.address = ADDRESS
    assert len(bus.control(get_descriptor(1))) == 18


def test_endpoints_answer_only_in_the_configured_state(bus):
    bus.control(request(0, SET_ADDRESS, ADDRESS))
    bus.address = ADDRESS
    for number in (CONSOLE, MIDI):
        assert bus.send(number, NOTE) is bus.read(number)[0] is Handshake.TIMEOUT
    assert bus.control(request(TO_HOST, GET_CONFIGURATION, length=1)) == b"\0"
    assert status(bus, TO_INTERFACE) is status(bus, TO_ENDPOINT, MIDI) is None
    assert bus.control(request(TO_INTERFACE, SET_INTERFACE)) is None
    assert bus.control(request(CLASS_TO_INTERFACE, SET_CONTROL_LINE_STATE, 1)) is None

    bus.enumerate()
    assert bus.control(request(TO_HOST, GET_CONFIGURATION, length=1)) == b"\1"
    assert bus.send(MIDI, NOTE) is Handshake.ACK and bus.read(MIDI)[0] is Handshake.NAK
    assert bus.read(1)[0] is Handshake.NAK  # no notification is ever sent
    assert bus.control(request(0, SET_CONFIGURATION, 0)) == b""
    assert bus.send(MIDI, NOTE) is Handshake.TIMEOUT


def test_status_and_interfaces(host):
    assert status(host, 0) == b"\0\0"  # bus powered, no remote wakeup
    for interface in range(4):
        assert status(host, TO_INTERFACE, interface) == b"\0\0"
        get = request(TO_HOST | TO_INTERFACE, GET_INTERFACE, 0, interface, 1)
        assert host.control(get) == b"\0"
        assert host.control(request(TO_INTERFACE, SET_INTERFACE, 0, interface)) == b""
        assert host.control(request(TO_INTERFACE, SET_INTERFACE, 1, interface)) is None
    assert status(host, TO_INTERFACE, 4) is None
    for endpoint in (0, IN, 2, 3, IN | 1, IN | 2, IN | 3):
        assert status(host, TO_ENDPOINT, endpoint) == b"\0\0"
    for endpoint in (1, 4, IN | 4, 0x103):
        assert status(host, TO_ENDPOINT, endpoint) is None


@pytest.mark.parametrize(
    "setup",
    [
        request(0, SET_CONFIGURATION, 2),
        request(0, SET_ADDRESS, 128),
        request(0, SET_FEATURE, 1),  # remote wakeup
        request(0, SET_FEATURE, 2),  # test mode
        request(0, CLEAR_FEATURE, 1),
        request(0, 7, 0x0100, 0, 18),  # SET_DESCRIPTOR
        request(TO_HOST | TO_ENDPOINT, 12, 0, IN | 3, 2),  # SYNCH_FRAME
        request(TO_ENDPOINT, SET_FEATURE, HALT, 0),
        request(TO_ENDPOINT, SET_FEATURE, 1, MIDI),
        request(0x40, 1),  # of a vendor
        request(0xC0, 1, 0, 0, 64),
        request(TO_HOST | CLASS_TO_INTERFACE, GET_LINE_CODING, 0, 2, 7),  # not of the console
        request(CLASS_TO_INTERFACE, 0x23, 0xFFFF),  # SEND_BREAK
        request(CLASS_TO_INTERFACE, SET_LINE_CODING, 0, 0, 6),
        request(TO_HOST | CLASS_TO_INTERFACE, SET_LINE_CODING, 0, 0, 7),  # wrong direction
        request(CLASS_TO_INTERFACE, GET_LINE_CODING, 0, 0, 7),
        request(0, GET_STATUS, 0, 0, 2),
        request(0, SET_CONFIGURATION, 1, 0, 1),  # with data
    ],
    ids=lambda setup: setup.hex(),
)
def test_other_requests_are_refused_and_the_next_one_is_answered(host, setup):
    assert host.setup(setup) is Handshake.ACK
    assert host.read(0)[0] is Handshake.STALL
    assert host.write(0, b"", 1) is Handshake.STALL
    assert len(host.control(get_descriptor(1))) == 18
    assert host.send(MIDI, NOTE) is Handshake.ACK


def test_setup_packet_ends_a_transfer_at_any_stage(host):
    whole = host.control(get_descriptor(2))
    for n_packets in range(4):
        host.setup(get_descriptor(2))
        for _ in range(n_packets):
            assert host.read(0)[0] is Handshake.ACK
        assert host.control(get_descriptor(2)) == whole
    host.setup(request(CLASS_TO_INTERFACE, SET_LINE_CODING, 0, 0, 7))  # its data never comes
    assert host.control(get_descriptor(2)) == whole
    get = request(TO_HOST | CLASS_TO_INTERFACE, GET_LINE_CODING, 0, 0, 7)
    assert host.control(get) == DEFAULT_CODING


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(n_bytes=st.integers(1, 1000), length=st.integers(1, 1024))
def test_data_of_any_length_arrives_in_full_packets_and_a_short_one(bus, n_bytes, length):
    """USB 2.0, 5.5.3: an empty packet ends data of whole packets that is less than asked for."""
    bus.answer_with(n_bytes)
    expected = bytes(i % 256 for i in range(min(n_bytes, length)))
    setup = request(TO_HOST, 0, length=length)
    assert bus.control(setup) == expected
    bus.setup(setup)
    packets = [bus.read(0)[2]]
    while len(packets[-1]) == PACKET_BYTES and PACKET_BYTES * len(packets) < length:
        packets.append(bus.read(0)[2])
    assert b"".join(packets) == expected
    assert (packets[-1] == b"") == (n_bytes < length and n_bytes % PACKET_BYTES == 0)
    assert bus.read(0)[0] is Handshake.NAK  # what follows is the status stage
    bus.answer_with(0)


@pytest.mark.parametrize("n_packets", [0, 1, 2, 3])
def test_status_stage_may_begin_before_all_data_was_read(bus, n_packets):
    """USB 2.0, 8.5.3.3: the device may not know that the host has received the last packet."""
    assert bus.setup(get_descriptor(2)) is Handshake.ACK
    for _ in range(n_packets):
        assert bus.read(0)[0] is Handshake.ACK
    assert bus.write(0, b"", 1) is Handshake.ACK
    whole = bus.control(get_descriptor(2))
    assert 128 < len(whole) < 192
    assert bus.control(get_descriptor(2)) == whole


def test_data_that_follows_an_aborted_request_is_received(host):
    """The buffer for the status of the aborted request must not swallow it."""
    coding = bytes([0x80, 0x25, 0, 0, 2, 1, 7])
    for n_packets in range(4):
        host.setup(get_descriptor(2))
        for _ in range(n_packets):
            assert host.read(0)[0] is Handshake.ACK
        assert host.control(request(CLASS_TO_INTERFACE, SET_LINE_CODING, 0, 0, 7), coding) == b""
        get = request(TO_HOST | CLASS_TO_INTERFACE, GET_LINE_CODING, 0, 0, 7)
        assert host.control(get) == coding
        coding = coding[::-1]


def test_line_coding_is_kept_and_wrong_data_for_it_refused(host):
    get = request(TO_HOST | CLASS_TO_INTERFACE, GET_LINE_CODING, 0, 0, 7)
    put = request(CLASS_TO_INTERFACE, SET_LINE_CODING, 0, 0, 7)
    assert host.control(get) == DEFAULT_CODING
    coding = bytes([0x80, 0x25, 0, 0, 2, 1, 7])
    assert host.control(put, coding) == b""
    assert host.control(get) == coding
    for wrong in (b"", bytes(3), bytes(8), bytes(64)):
        host.setup(put)
        host.write(0, wrong, 1)
        assert host.read(0)[0] is Handshake.STALL
        assert host.control(get) == coding


@pytest.mark.parametrize("endpoint", [CONSOLE, MIDI, IN | CONSOLE, IN | MIDI, IN | 1])
def test_halted_endpoint_stalls_until_the_host_clears_it_and_begins_with_data0(host, endpoint):
    def use() -> tuple[Handshake, int]:
        if not endpoint & IN:
            return host.write(endpoint, b"help", 0), 0
        host.write_midi(NOTE[1:])
        host.write_console(b"text")
        return host.read(endpoint & 0x7F)[:2]

    host.send(MIDI, NOTE), host.send(CONSOLE, b"x")  # the toggles from the host are now 1
    ready = Handshake.NAK if endpoint == IN | 1 else Handshake.ACK
    if endpoint & IN:
        assert use()[0] is ready
    assert host.control(request(TO_ENDPOINT, SET_FEATURE, HALT, endpoint)) == b""
    assert status(host, TO_ENDPOINT, endpoint) == b"\1\0"
    assert use()[0] is use()[0] is Handshake.STALL
    assert host.control(request(TO_ENDPOINT, CLEAR_FEATURE, HALT, endpoint)) == b""
    assert status(host, TO_ENDPOINT, endpoint) == b"\0\0"
    assert use() == (ready, 0)


@pytest.mark.parametrize(
    "again", [request(0, SET_CONFIGURATION, 1), request(TO_INTERFACE, SET_INTERFACE, 0, 3)]
)
def test_selecting_an_interface_again_ends_halt_and_begins_with_data0(host, again):
    """USB 2.0, 9.1.1.5: SET_CONFIGURATION and SET_INTERFACE reset the toggles."""
    host.send(MIDI, NOTE)
    host.control(request(TO_ENDPOINT, SET_FEATURE, HALT, MIDI))
    assert host.control(again) == b""
    host.toggles[MIDI] = 0
    assert host.send(MIDI, NOTE) is Handshake.ACK
    assert host.read_midi() == NOTE[1:] + b"\xf5" + NOTE[1:]


def build_rp2(folder: Path, board: str, source: str) -> Program:
    """Builds a program above the driver of the Picos, whose registers are plain memory."""
    boards = APP_DIR / "boards"
    return build_program(
        "host",
        [FOLDER / source, boards / "ports" / "usb" / "streams.c", *DEVICE_SOURCES],
        out=folder / f"{board}-{source}",
        include_dirs=[boards, boards / "ports" / "rp2", boards / "ports" / "usb", boards / board],
        defines=["_GNU_SOURCE", "BOARD_USB"],
    )


def test_port_of_the_pico_tells_the_packets_of_two_transfers_apart(run_folder):
    """And starts none at the end of a frame; see ``rp2_setup.c``."""
    program = build_rp2(run_folder, "pico", "rp2_setup.c")
    assert subprocess.run([program.elf], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize(
    ("board", "revision", "has_erratum"),
    [("pico", 1, 1), ("pico", 2, 0), ("pico", 2, 1), ("pico2", 2, 0)],
)
def test_early_pico_leaves_reset_on_a_busy_bus(run_folder, board, revision, has_erratum):
    """And later chips leave GPIO 15 alone; see ``rp2_e5.c``."""
    program = build_rp2(run_folder, board, "rp2_e5.c")
    command = [program.elf, str(revision), str(has_erratum)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


LATE = pytest.mark.parametrize("usb_program", CONTROLLERS[1:], indirect=True)


@LATE
def test_setup_packet_that_waits_for_a_late_interrupt_ends_the_transfer_before(host):
    whole = host.control(get_descriptor(2))
    host.setup(get_descriptor(2))
    assert host.read(0) == (Handshake.ACK, 1, whole[:64])
    host.hold(True)
    assert host.read(0) == (Handshake.ACK, 0, whole[64:128])  # of which the driver hears late
    assert host.setup(get_descriptor(1)) is Handshake.ACK
    assert host.read(0)[0] is host.read(0)[0] is Handshake.NAK
    host.hold(False)
    handshake, toggle, device = host.read(0)
    assert (handshake, toggle, len(device)) == (Handshake.ACK, 1, 18)
    assert host.write(0, b"", 1) is Handshake.ACK


@LATE
def test_last_of_several_setup_packets_counts(host):
    host.hold(True)
    for index in (0, 1, 2):
        assert host.setup(get_descriptor(3, index)) is Handshake.ACK
    host.hold(False)
    assert host.read(0)[2][2:].decode("utf-16-le") == "neural FM player"


@LATE
def test_status_and_next_request_that_wait_for_a_late_interrupt_are_told_apart(bus):
    bus.setup(request(0, SET_ADDRESS, ADDRESS))
    assert bus.read(0)[0] is Handshake.ACK
    bus.address = ADDRESS
    bus.setup(get_descriptor(1, length=18))
    assert len(bus.read(0)[2]) == 18
    bus.hold(True)
    assert bus.write(0, b"", 1) is Handshake.ACK  # the status
    assert bus.setup(request(0, SET_CONFIGURATION, 1)) is Handshake.ACK
    assert bus.read(0)[0] is Handshake.NAK
    bus.hold(False)
    assert bus.read(0) == (Handshake.ACK, 1, b"")
    assert bus.send(MIDI, NOTE) is Handshake.ACK


@LATE
def test_data_before_the_setup_packet_is_handled_is_not_accepted(host):
    coding = bytes([0x80, 0x25, 0, 0, 2, 1, 7])
    host.setup(get_descriptor(2))  # which makes ready for the status
    host.hold(True)
    host.setup(request(CLASS_TO_INTERFACE, SET_LINE_CODING, 0, 0, 7))
    assert host.write(0, coding, 1) is Handshake.NAK
    host.hold(False)
    assert host.write(0, coding, 1) is Handshake.ACK
    assert host.read(0) == (Handshake.ACK, 1, b"")
    get = request(TO_HOST | CLASS_TO_INTERFACE, GET_LINE_CODING, 0, 0, 7)
    assert host.control(get) == coding


@LATE
def test_reset_that_waits_for_a_late_interrupt_drops_what_was_on_its_way(host):
    host.write_midi(NOTE[1:])
    host.setup(get_descriptor(2))
    assert host.read(0)[0] is Handshake.ACK
    host.hold(True)
    assert host.send(MIDI, NOTE) is Handshake.ACK
    host.reset()
    host.hold(False)
    assert len(host.control(get_descriptor(1))) == 18
    host.enumerate()
    assert host.read(MIDI)[0] is host.read(CONSOLE)[0] is Handshake.NAK
    assert host.send(MIDI, NOTE) is Handshake.ACK
    assert host.read_midi() == NOTE[1:]


def test_reset_returns_to_the_default_state(host):
    host.reset()
    assert host.control(request(TO_HOST, GET_CONFIGURATION, length=1)) == b"\0"
    assert host.send(MIDI, NOTE) is Handshake.TIMEOUT
    host.enumerate()
    assert host.send(MIDI, NOTE) is Handshake.ACK


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_random_hosts_do_not_crash_the_device(controller, tmp_path):
    """This run is short; ``make fuzz`` sends ten million inputs."""
    fuzzer = fuzzing.build_usb(tmp_path, controller)
    assert fuzzing.run(fuzzer, runs=30_000, max_bytes=300) >= 30_000
