"""The MIDI parser with valid and invalid byte streams."""

from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.paths import APP_DIR
from pipeline.target.build import Program, build_program
from pipeline.target.emulator import run_program

pytestmark = pytest.mark.firmware

SOURCES = [Path(__file__).parent / "midi_parse.c", APP_DIR / "midi" / "midi_parser.c"]
TWO_DATA_BYTES = (0x80, 0x90, 0xA0, 0xB0, 0xE0)

data_byte = st.integers(0, 127)
real_time = st.lists(st.integers(0xF8, 0xFF), max_size=2).map(bytes)
channel_message = st.tuples(
    st.sampled_from([0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0]),
    st.integers(0, 15),
    data_byte,
    data_byte,
).map(lambda m: m if m[0] in TWO_DATA_BYTES else (*m[:3], 0))
system_message = st.one_of(
    st.binary(max_size=20).map(lambda b: b"\xf0" + bytes(x & 127 for x in b) + b"\xf7"),
    st.binary(max_size=20).map(lambda b: b"\xf0" + bytes(x & 127 for x in b)),  # no end
    st.sampled_from([b"\xf1\x01", b"\xf2\x01\x02", b"\xf3\x01", b"\xf4", b"\xf5", b"\xf6"]),
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return build_program("host", SOURCES, out=tmp_path_factory.mktemp("midi"), sanitize=True)


def parse(program: Program, stream: bytes) -> list[tuple[int, ...]]:
    run = run_program(
        program, arguments=["in", "out"], inputs={"in": stream}, outputs=["out"], timeout_s=30
    )
    assert run.status == 0, run.console
    return [tuple(row) for row in np.frombuffer(run.files["out"], np.uint8).reshape(-1, 4).tolist()]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, ...]]]:
    """Draws a valid stream, with running status and real-time bytes anywhere, and its messages."""
    stream, expected = b"", []
    running = None
    for item in draw(st.lists(st.one_of(channel_message, system_message), max_size=30)):
        if isinstance(item, bytes):
            stream, running = stream + item, None
            continue
        status = item[0] | item[1]
        data = item[2:] if item[0] in TWO_DATA_BYTES else item[2:3]
        written = [] if status == running and draw(st.booleans()) else [status]
        for byte in (*written, *data):
            stream += draw(real_time) + bytes([byte])
        running = status
        expected.append(item)
    return stream, expected


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams())
def test_every_valid_stream_gives_its_channel_messages(program, case):
    stream, expected = case
    assert parse(program, stream) == expected


def test_parser_agrees_with_mido_on_a_long_stream_of_channel_messages(program):
    rng = np.random.default_rng(0)
    stream = b""
    for _ in range(5000):
        status = int(rng.integers(0x80, 0xF0))
        n_data = 2 if status & 0xF0 in TWO_DATA_BYTES else 1
        stream += bytes([status, *rng.integers(0, 128, n_data).tolist()])
    reference = mido.Parser()
    reference.feed(stream)
    expected = [message.bytes() for message in reference]
    parsed = [
        [m[0] | m[1], *m[2:]][: len(e)]
        for m, e in zip(parse(program, stream), expected, strict=True)
    ]
    assert parsed == expected


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300), channel_message)
def test_complete_message_is_parsed_after_any_bytes(program, noise, message):
    data = message[2:] if message[0] in TWO_DATA_BYTES else message[2:3]
    parsed = parse(program, noise + bytes([message[0] | message[1], *data]))
    assert parsed[-1] == message
    assert all(kind in range(0x80, 0xF0, 16) and channel < 16 for kind, channel, _, _ in parsed)
    assert all(max(m[2:]) < 128 for m in parsed)


def test_truncated_and_overlong_messages_do_not_affect_later_ones(program):
    cut_short = b"\x90\x3c" + b"\xb0\x07\x64"
    assert parse(program, cut_short) == [(0xB0, 0, 7, 100)]
    overlong = b"\x80\x3c\x40\x3d"  # a note off with an extra byte, which starts another one
    assert parse(program, overlong + b"\xc1\x05\x06") == [
        (0x80, 0, 60, 64),
        (0xC0, 1, 5, 0),
        (0xC0, 1, 6, 0),
    ]
    assert parse(program, b"\x3c\x40\x00" + b"\xf7\x01\x02") == []


def test_system_exclusive_of_any_length_is_skipped_and_ends_running_status(program):
    stream = (
        b"\x90\x3c\x40"
        + b"\xf0"
        + bytes(range(128)) * 100
        + b"\xf7"
        + b"\x3c\x00"
        + b"\x90\x3c\x00"
    )
    assert parse(program, stream) == [(0x90, 0, 60, 64), (0x90, 0, 60, 0)]
