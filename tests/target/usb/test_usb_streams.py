"""MIDI and console text through the USB device, also with hosts that misbehave or do not read."""

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.usb_bus import (
    CLASS_TO_INTERFACE,
    CLEAR_FEATURE,
    CONSOLE,
    MIDI,
    SET_CONFIGURATION,
    SET_CONTROL_LINE_STATE,
    SET_INTERFACE,
    TO_ENDPOINT,
    TO_INTERFACE,
    Handshake,
    UsbBus,
    request,
)

pytestmark = pytest.mark.firmware

ON = bytes([0x90, 60, 100])
DAMAGED = b"\xf5"
EVENTS = {  # MIDI Devices 1.0, table 4-1: a packet, and the bytes that it stands for
    "note off": ("08 80 3c 00", "80 3c 00"),
    "note on": ("09 9f 3c 64", "9f 3c 64"),
    "key pressure": ("0a a1 3c 10", "a1 3c 10"),
    "control": ("0b b0 07 7f", "b0 07 7f"),
    "program": ("0c c0 05 00", "c0 05"),
    "channel pressure": ("0d d0 40 00", "d0 40"),
    "bend": ("0e e0 00 40", "e0 00 40"),
    "time code": ("02 f1 35 00", "f1 35"),
    "song select": ("02 f3 02 00", "f3 02"),
    "song position": ("03 f2 01 02", "f2 01 02"),
    "tune request": ("05 f6 00 00", "f6"),
    "clock": ("0f f8 00 00", "f8"),
    "a byte": ("0f 90 00 00", "90"),
    "sysex begins": ("04 f0 7e 7f", "f0 7e 7f"),
    "sysex goes on": ("04 01 02 03", "01 02 03"),
    "sysex ends 1": ("05 f7 00 00", "f7"),
    "sysex ends 2": ("06 01 f7 00", "01 f7"),
    "sysex ends 3": ("07 01 02 f7", "01 02 f7"),
    "shortest sysex": ("06 f0 f7 00", "f0 f7"),
    "short sysex": ("07 f0 01 f7", "f0 01 f7"),
}
MALFORMED = {
    "another cable": "19 90 3c 64",
    "another kind": "08 90 3c 64",
    "a data byte as status": "09 3c 3c 64",
    "first data byte too large": "09 90 80 64",
    "second data byte too large": "09 90 3c 80",
    "system message of another length": "02 f2 01 02",
    "status of a channel in a system message": "03 90 3c 64",
    "sysex without its end": "07 01 02 03",
    "status within a sysex": "04 f0 90 3c",
    "clock as a message of one byte": "05 f8 00 00",
    "data as a message of one byte": "05 01 00 00",
}


def received_midi(bus: UsbBus) -> bytes:
    """Reads event packets of the device until it answers NAK."""
    packets = b""
    while (answer := bus.read(MIDI))[0] is Handshake.ACK:
        assert len(answer[2]) % 4 == 0 and len(answer[2]) < 64
        packets += answer[2]
    return packets


def received_text(bus: UsbBus) -> bytes:
    text = b""
    while (answer := bus.read(CONSOLE))[0] is Handshake.ACK:
        assert len(answer[2]) < 64  # a full packet would not end the transfer
        text += answer[2]
    return text


# --- MIDI from the host ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVENTS)
def test_event_packet_is_its_midi_bytes(host, name):
    packet, stream = map(bytes.fromhex, EVENTS[name])
    assert host.send(MIDI, packet) is Handshake.ACK
    assert (host.read_midi(), host.n_errors) == (stream, 0)


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_event_is_dropped_and_counted_and_the_next_is_read(host, name):
    good = bytes.fromhex("09 90 3c 64")
    host.send(MIDI, bytes.fromhex(MALFORMED[name]) + good)
    assert (host.read_midi(), host.n_errors) == (ON, 1)


def test_padding_and_reserved_events_are_passed_over(host):
    host.send(MIDI, bytes(8) + b"\x09" + ON + b"\x01\x90\x3c\x64" + bytes(4))
    assert (host.read_midi(), host.n_errors) == (ON, 0)


def test_packet_that_is_no_multiple_of_an_event_keeps_its_whole_events(host):
    for n_more in (1, 2, 3):
        host.send(MIDI, b"\x09" + ON + b"\x09\x90\x3d"[:n_more])
        assert (host.read_midi(), host.n_errors) == (ON, n_more)
    host.send(MIDI, b"")
    assert (host.read_midi(), host.n_errors) == (b"", 3)


def test_midi_waits_for_the_main_loop_and_none_is_lost(host):
    sent, arrived, waiting = b"", b"", []
    for n in range(200):
        events = [bytes([0x09, 0x90, (16 * n + i) % 128, 1 + i]) for i in range(16)]
        waiting.append(b"".join(events))
        while waiting and host.send(MIDI, waiting[0]) is Handshake.ACK:
            sent += waiting.pop(0)
        if n % 3 == 0:
            arrived += host.read_midi(7 + n % 40)
    while waiting:
        arrived += host.read_midi()
        if host.send(MIDI, waiting[0]) is Handshake.ACK:
            sent += waiting.pop(0)
    arrived += host.read_midi()
    assert len(sent) == 200 * 64
    assert arrived == b"".join(sent[i + 1 : i + 4] for i in range(0, len(sent), 4))


def test_repeated_packet_is_not_played_twice(host):
    """The device has acknowledged it, but the host has not received the handshake."""
    for _ in range(3):
        assert host.write(MIDI, b"\x09" + ON, 0) is Handshake.ACK
    assert host.read_midi() == ON
    assert host.write(MIDI, b"\x08\x80\x3c\x00", 1) is Handshake.ACK
    assert host.read_midi() == b"\x80\x3c\x00"


@pytest.mark.parametrize("how", ["suspend", "reset", "deconfigure"])
def test_end_of_the_connection_ends_notes_once(host, how):
    def end() -> None:
        if how == "deconfigure":
            host.control(request(0, SET_CONFIGURATION, 0))
        else:
            getattr(host, how)()

    end()
    assert host.read_midi() == b""  # nothing was played
    host.enumerate()
    host.send(MIDI, b"\x09" + ON)
    end()
    end()
    assert host.read_midi() == ON + DAMAGED
    host.enumerate()
    host.send(MIDI, b"\x09" + ON)
    assert host.read_midi() == ON


def test_end_of_the_connection_is_marked_even_if_the_ring_is_full(host):
    packet = 16 * (b"\x09" + ON)
    while host.send(MIDI, packet) is Handshake.ACK:
        pass
    host.suspend()
    arrived = b""
    while part := host.read_midi(20):
        arrived += part
    assert arrived == 32 * ON + DAMAGED


REOPENINGS = {
    "configuration": request(0, SET_CONFIGURATION, 1),
    "interface": request(TO_INTERFACE, SET_INTERFACE, 0, 3),
    "endpoint": request(TO_ENDPOINT, CLEAR_FEATURE, 0, MIDI),
}


@pytest.mark.parametrize("how", REOPENINGS)
def test_opening_the_endpoint_again_ends_notes(host, how):
    """A packet that waited in it, perhaps with the end of a note, is dropped."""
    host.send(MIDI, b"\x09" + ON)
    assert host.control(REOPENINGS[how]) == b""
    assert host.read_midi() == ON + DAMAGED
    assert host.control(REOPENINGS[how]) == b""
    assert host.read_midi() == b""  # nothing was played since


def test_second_suspend_ends_notes_once_the_full_ring_has_space(host):
    """The packet that was accepted before the first suspend fills the ring."""
    packet = 16 * (b"\x09" + ON)
    assert host.send(MIDI, packet) is Handshake.ACK
    assert host.send(MIDI, 10 * (b"\x09" + ON) + b"\x0f\xf8\x00\x00") is Handshake.ACK
    host.suspend()
    assert host.send(MIDI, packet) is Handshake.ACK
    host.suspend()
    assert host.read_midi() == 26 * ON + b"\xf8" + DAMAGED + 16 * ON
    assert host.read_midi() == DAMAGED
    assert host.send(MIDI, b"\x09" + ON) is Handshake.ACK
    assert host.read_midi() == ON


def test_midi_goes_on_after_suspend_without_enumerating_again(host):
    host.send(MIDI, b"\x09" + ON)
    host.suspend()
    host.send(MIDI, b"\x09" + ON)
    assert host.read_midi() == ON + DAMAGED + ON


# --- MIDI to the host -----------------------------------------------------------------------------

data_byte = st.integers(0, 127)
channel_messages = st.tuples(
    st.sampled_from([0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0]),
    st.integers(0, 15),
    data_byte,
    data_byte,
).map(lambda m: bytes([m[0] | m[1], m[2]] + ([m[3]] if m[0] not in (0xC0, 0xD0) else [])))
messages = st.one_of(
    channel_messages,
    st.lists(data_byte, max_size=9).map(lambda data: bytes([0xF0, *data, 0xF7])),
    st.sampled_from([b"\xf1\x35", b"\xf2\x01\x02", b"\xf3\x05", b"\xf6", b"\xf8", b"\xff"]),
)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(stream=st.lists(messages, max_size=12), repeats=st.booleans())
def test_stream_becomes_events_that_stand_for_the_same_messages(host, stream, repeats):
    """With running status, as a keyboard sends it, or without."""
    sent, running = b"", None
    for message in stream:
        is_running = repeats and message[0] == running
        sent += message[1:] if is_running else message
        running = message[0] if message[0] < 0xF0 else running if message[0] >= 0xF8 else None
    host.write_midi(sent)
    packets = received_midi(host)
    host.send(MIDI, b"")
    host.read_midi()
    arrived = b""
    for i in range(0, len(packets), 4):
        assert host.send(MIDI, packets[i : i + 4]) is Handshake.ACK
        arrived += host.read_midi()
    assert arrived == b"".join(stream)
    assert host.n_errors == 0


def test_real_time_message_within_a_message_goes_first(host):
    host.write_midi(bytes([0x90, 60, 0xF8, 100, 0xF0, 1, 0xFE, 2, 0xF7]))
    packets = received_midi(host)
    assert packets == bytes.fromhex("0ff80000 09903c64 0ffe0000 04f00102 05f70000")


def test_broken_messages_are_not_sent(host):
    host.write_midi(bytes([1, 2, 0x90, 60, 0xF5, 100, 0xF4, 0x90, 60, 0xB0, 7, 127, 0xF7, 0xC0, 5]))
    assert received_midi(host) == bytes.fromhex("0bb0077f 0cc00500")


def test_midi_that_the_host_does_not_read_is_dropped_by_whole_events(host):
    stream = [bytes([0x90, n % 128, 1 + n // 128]) for n in range(500)]
    for message in stream:
        host.write_midi(message)
    packets = received_midi(host)
    kept = [packets[i + 1 : i + 4] for i in range(0, len(packets), 4)]
    assert 16 < len(kept) < 60 and kept == stream[: len(kept)]
    host.write_midi(ON)
    assert received_midi(host) == b"\x09" + ON


def test_nothing_is_kept_for_a_host_that_has_not_configured_the_device(bus):
    bus.write_midi(ON)
    bus.enumerate()
    assert received_midi(bus) == b""


def test_running_status_and_a_channel_message_go_on_over_a_reset(host):
    host.write_midi(ON[:2])
    host.enumerate()
    host.write_midi(ON[2:])
    assert received_midi(host) == b"\x09" + ON
    host.enumerate()
    host.write_midi(bytes([ON[1], 0]))
    assert received_midi(host) == b"\x09" + ON[:2] + b"\0"


def test_sysex_that_began_before_a_reset_is_not_continued(host):
    host.write_midi(bytes.fromhex("f0010203"))
    host.enumerate()
    host.write_midi(bytes([4, 5, 6, 7, 0xF7]) + ON)
    assert received_midi(host) == b"\x09" + ON


opening_again = pytest.mark.parametrize(
    "again",
    [request(TO_INTERFACE, SET_INTERFACE, 0, 3), request(TO_ENDPOINT, CLEAR_FEATURE, 0, 0x83)],
)


@opening_again
def test_sysex_that_began_before_the_endpoint_was_opened_again_is_not_continued(host, again):
    host.write_midi(bytes.fromhex("f0010203"))  # three bytes of it are in a packet
    assert host.control(again) == b""
    host.write_midi(bytes([4, 5, 6, 7, 0xF7]) + ON)
    assert received_midi(host) == b"\x09" + ON


@opening_again
def test_events_that_wait_when_the_endpoint_is_opened_again_are_dropped(host, again):
    host.write_midi(20 * ON)  # more than a packet
    assert host.control(again) == b""
    assert received_midi(host) == b""


def test_mido_reads_what_the_device_sends(host):
    sent = [
        mido.Message("note_on", note=60, velocity=100, channel=3),
        mido.Message("sysex", data=(1, 2, 3, 4, 5)),
        mido.Message("pitchwheel", pitch=-100),
    ]
    host.write_midi(b"".join(message.bin() for message in sent))
    packets = received_midi(host)
    lengths = {4: 3, 5: 1, 6: 2, 7: 3, 9: 3, 14: 3}
    parser = mido.Parser()
    for i in range(0, len(packets), 4):
        parser.feed(packets[i + 1 : i + 1 + lengths[packets[i]]])
    assert list(parser) == sent


# --- console --------------------------------------------------------------------------------------


def test_text_passes_both_ways(host):
    assert host.send(CONSOLE, b"stats\r") is Handshake.ACK
    assert host.read_console() == b"stats\r"
    text = bytes(range(32, 127))
    host.write_console(text)
    assert received_text(host) == text


def test_typed_text_waits_for_the_main_loop(host):
    typed, arrived = bytes(range(1, 128)) * 4, b""
    parts = [typed[i : i + 64] for i in range(0, len(typed), 64)]
    while parts:
        if host.send(CONSOLE, parts[0]) is Handshake.ACK:
            parts.pop(0)
        else:
            arrived += host.read_console(8)
    assert arrived + host.read_console() == typed


def test_text_that_the_host_does_not_read_is_lost_and_marked(host):
    lines = [b"line %03d\r\n" % n for n in range(40)]
    for line in lines:
        host.write_console(line)
    kept = received_text(host)
    assert len(kept) > 100 and kept == b"".join(lines)[: len(kept)]
    host.write_console(b"again\r\n")
    host.write_console(b"more\r\n")
    assert received_text(host) == b"~again\r\nmore\r\n"


def test_text_that_an_earlier_terminal_has_lost_is_not_marked_for_the_next(host):
    host.write_console(b"x" * 200)
    for state in (0, 1):
        assert host.control(request(CLASS_TO_INTERFACE, SET_CONTROL_LINE_STATE, state)) == b""
    host.write_console(b"neural")
    text = received_text(host)
    assert text.lstrip(b"x") == b"neural"


def test_without_a_terminal_no_text_is_kept(bus):
    bus.enumerate(opens_terminal=False)
    bus.write_console(b"nobody reads this")
    assert received_text(bus) == b""
    for text in (b"first", b"second"):
        assert bus.control(request(CLASS_TO_INTERFACE, SET_CONTROL_LINE_STATE, 1)) == b""
        bus.write_console(b"1" * 63)  # is under way
        bus.write_console(text)
        assert bus.control(request(CLASS_TO_INTERFACE, SET_CONTROL_LINE_STATE, 0)) == b""
        bus.write_console(b"nobody")
    assert bus.control(request(CLASS_TO_INTERFACE, SET_CONTROL_LINE_STATE, 1)) == b""
    assert received_text(bus) == b"1" * 63  # the rest was for a terminal that is gone
