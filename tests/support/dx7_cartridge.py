"""Writes voices of a DX7 as SysEx, from the published tables of its data format."""

from dataclasses import dataclass, field


@dataclass
class Voice:
    """A voice; `operators` are (coarse, fine, detune from 0 to 14, mode), operator 1 first."""

    name: str
    algorithm: int = 1
    feedback: int = 0
    operators: list[tuple[int, int, int, int]] = field(default_factory=lambda: [(1, 0, 7, 0)] * 6)
    transpose: int = 24


def vced(voice: Voice) -> bytes:
    """Returns the 155 bytes of a voice."""
    data = bytearray()
    for number, (coarse, fine, detune, mode) in enumerate(reversed(voice.operators)):
        rates_and_levels = [99, 98 - number, 50, 40, 99, 90, 80, 0]
        scaling = [39, 12, 34, 1, 2, 5, 3, 6]
        data += bytes([*rates_and_levels, *scaling, 99 - number, mode, coarse, fine, detune])
    pitch = [99, 98, 97, 96, 50, 50, 50, 50]
    data += bytes([*pitch, voice.algorithm - 1, voice.feedback, 1, 35, 10, 20, 30, 1, 4, 3])
    data += bytes([voice.transpose]) + voice.name.ljust(10).encode("ascii")
    assert len(data) == 155
    return bytes(data)


def vmem(voice: Voice) -> bytes:
    """Returns the 128 bytes of a voice in a cartridge."""
    single, data = vced(voice), bytearray()
    for start in range(0, 126, 21):
        op = single[start : start + 21]
        data += op[:11]
        data += bytes([op[12] << 2 | op[11], op[20] << 3 | op[13], op[15] << 2 | op[14], op[16]])
        data += bytes([op[18] << 1 | op[17], op[19]])
    data += single[126:134]
    data += bytes([single[134], single[136] << 3 | single[135], *single[137:141]])
    data += bytes([single[143] << 4 | single[142] << 1 | single[141], single[144]])
    data += single[145:155]
    assert len(data) == 128
    return bytes(data)


def message(data: bytes, fmt: int) -> bytes:
    """Wraps data in a message of format 0, a voice, or 9, a cartridge."""
    size = bytes([len(data) >> 7, len(data) & 127])
    return b"\xf0\x43\x00" + bytes([fmt]) + size + data + bytes([-sum(data) & 127]) + b"\xf7"


def cartridge(*voices: Voice) -> bytes:
    """Returns the message of a cartridge; further voices are the DX7's initial voice."""
    full = [*voices, *[Voice("INIT VOICE")] * (32 - len(voices))]
    return message(b"".join(map(vmem, full)), 9)
