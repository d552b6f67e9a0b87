"""Voices of the DX7 are read from its SysEx messages, and damaged files are refused."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dx7_cartridge import Voice, cartridge, message, vced, vmem

from pipeline.core.dx7_algorithms import ALGORITHMS
from pipeline.core.errors import UserError
from pipeline.model.dx7_sysex import checksum, read_voices

PIANO = Voice(
    "E.PIANO 1",
    algorithm=5,
    feedback=6,
    operators=[
        (1, 0, 10, 0),
        (14, 0, 7, 0),
        (1, 0, 7, 0),
        (1, 0, 7, 0),
        (0, 1, 0, 0),
        (3, 52, 14, 0),
    ],
)
BELL = Voice("2nd/BELL ", 4, 3, [(1, 0, 7, 0)] * 5 + [(7, 25, 9, 1)], transpose=36)

any_operator = st.tuples(
    st.integers(0, 31), st.integers(0, 99), st.integers(0, 14), st.integers(0, 1)
)
any_voice = st.builds(
    Voice,
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=10),
    st.integers(1, 32),
    st.integers(0, 7),
    st.lists(any_operator, min_size=6, max_size=6),
    st.integers(0, 48),
)


def read(tmp_path, data):
    path = tmp_path / "voices.syx"
    path.write_bytes(data)
    return read_voices(path)


def test_voice_becomes_a_patch_with_exact_ratios(tmp_path):
    (voice,) = read(tmp_path, message(vced(PIANO), 0))
    assert (voice.name, voice.identifier, voice.algorithm) == ("E.PIANO 1", "e_piano_1", 5)
    patch = voice.patch()
    assert patch.name == "e_piano_1" and patch.routing == ALGORITHMS[5]
    assert patch.ratios == (1, 14, 1, 1, Fraction("0.505"), Fraction("4.56"))
    assert patch.detune_cents == (3, 0, 0, 0, -7, 7)
    assert voice.not_played() == ["feedback 6 of operator 6"]


def test_what_the_synthesizer_lacks_is_described(tmp_path):
    (voice,) = read(tmp_path, message(vced(BELL), 0))
    assert voice.identifier == "dx7_2nd_bell"
    assert voice.not_played() == [
        "feedback 3 from 4 to 6",
        "the fixed 1778 Hz of operator 6 (ratio 1 instead)",
        "the transposition by +12 semitones",
    ]
    assert voice.patch().ratios == (1,) * 6
    assert not any(voice.patch().detune_cents)  # the detuning of a fixed operator does not count


@settings(deadline=None)
@given(voice=any_voice)
def test_both_formats_hold_the_same_voice(tmp_path_factory, voice):
    folder = tmp_path_factory.getbasetemp()
    single = read(folder, message(vced(voice), 0))
    first, *others = read(folder, cartridge(voice))
    assert single == [first] and len(others) == 31
    assert {other.name for other in others} == {"INIT VOICE"}
    assert (first.algorithm, first.feedback) == (voice.algorithm, voice.feedback)
    found = [(op.coarse, op.fine, op.detune + 7, op.is_fixed) for op in first.operators]
    assert found == [(*rest, bool(mode)) for *rest, mode in voice.operators]
    assert first.name == " ".join(voice.name.split())
    first.patch()


def test_several_messages_and_bare_dumps_are_read(tmp_path):
    other = b"\xf0\x43\x10\x01\x1b\x00\xf7"  # a parameter change is passed over
    voices = read(tmp_path, message(vced(BELL), 0) + other + cartridge(PIANO))
    assert [voice.name for voice in voices[:3]] == ["2nd/BELL", "E.PIANO 1", "INIT VOICE"]
    assert len(voices) == 33
    bare = b"".join(map(vmem, [PIANO, BELL] * 16))
    assert [voice.name for voice in read(tmp_path, bare)] == ["E.PIANO 1", "2nd/BELL"] * 16
    assert [voice.name for voice in read(tmp_path, vced(BELL))] == ["2nd/BELL"]


def test_all_shared_detuning_is_no_part_of_the_patch(tmp_path):
    (voice,) = read(tmp_path, vced(Voice("SHARP", operators=[(1, 0, 12, 0)] * 6)))
    assert not any(voice.patch().detune_cents)


GOOD = message(vced(PIANO), 0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"not SysEx at all", "begins with 6E 6F 74 20"),
        (b"MThd\0\0\0\6", "SysEx begins with F0"),
        (bytes(4095), "a bare dump has 155 or 4096 bytes"),
        (bytes([200]) * 4096, "below 0x80"),
        (GOOD[:100], "cut off after 100 bytes"),
        (GOOD[:-1], "cut off after 162 bytes"),
        (GOOD + b"\x00", "after message 1, byte 163 is not F0"),
        (GOOD[:60] + b"\xf0" + GOOD[60:], "cut off after 60 bytes"),
        (b"\xf0\x41" + GOOD[2:], "manufacturer 0x41, not 0x43"),
        (b"\xf0\xf7", "manufacturer none"),
        (b"\xf0\x43\xf7", "no voice dump"),
        (b"\xf0\x43\x10" + GOOD[3:], "no voice dump"),
        (GOOD[:3] + b"\x05" + GOOD[4:], "no voice dump"),
        (GOOD[:5] + b"\x1a" + GOOD[6:], "has 155 bytes of data and announces 154"),
        (GOOD[:50] + GOOD[51:], "has 154 bytes of data"),
        (GOOD[:50] + bytes([GOOD[50] ^ 1]) + GOOD[51:], "checksum"),
        (GOOD[:-2] + bytes([GOOD[-2] ^ 64]) + GOOD[-1:], "checksum"),
        (GOOD + cartridge(BELL)[:4000], "message 2 is cut off"),
        (b"\xf0\xf7" * 99_999 + GOOD[:-2] + b"\x7f\xf7", "message 100000 has checksum"),
        (b"\xf0\x43\xf7" * 99_999 + GOOD[:-1], "message 100000 is cut off"),
    ],
)
def test_damaged_file_is_refused_with_a_reason(tmp_path, data, reason):
    with pytest.raises(UserError, match=reason) as error:
        read(tmp_path, data)
    assert "voices.syx" in str(error.value) and "\n" not in str(error.value)


def test_missing_file_and_folder_are_named(tmp_path):
    for path in (tmp_path / "none.syx", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_voices(path)


@settings(deadline=None)
@given(
    data=st.binary(max_size=300) | st.binary(max_size=200).map(lambda x: b"\xf0\x43" + x + b"\xf7")
)
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    try:
        voices = read(tmp_path_factory.getbasetemp(), data)
    except UserError:
        return
    assert voices and all(voice.patch() for voice in voices)


def test_checksum_completes_the_sum():
    data = vced(PIANO)
    assert (sum(data) + checksum(data)) % 128 == 0
