"""Reads voices of a Yamaha DX7 from its system exclusive (SysEx) messages.

A message is ``F0 43 0n ff bb bb data checksum F7``, n being the channel. Format ff = 0 holds one
voice of 155 bytes (VCED), format 9 a cartridge of 32 voices, packed into 128 bytes each (VMEM).
The data without its header, as some programs store it, is read too.

Of a voice, only what makes an FM patch is used: algorithm, frequency ratios and detuning. The
network takes the place of envelopes, levels, key scaling and low-frequency oscillator.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.core.constants import N_OPERATORS
from pipeline.core.dx7_algorithms import ALGORITHMS, FEEDBACK
from pipeline.core.errors import UserError
from pipeline.core.patch import Patch

START, END, YAMAHA = 0xF0, 0xF7, 0x43
VCED_BYTES, VMEM_BYTES, N_PACKED = 155, 128, 32
SIZES = {0: VCED_BYTES, 9: VMEM_BYTES * N_PACKED}  # data bytes by format
MAX_FILE_BYTES = 1 << 24
# In expressions, because a file may have millions of short messages.
MESSAGES = re.compile(rb"(?:\xf0[\x00-\x7f]*+\xf7)*+")
VOICE_DUMP = re.compile(rb"\xf0\x43[\x00-\x0f][\x00\x09][\x00-\x7f]{2,}+\xf7")
DETUNE_CENTS = 1.0  # per step, at 440 Hz; the DX7 detunes low notes more and high ones less
NO_TRANSPOSITION = 24  # the DX7's C3


@dataclass(frozen=True)
class Dx7Operator:
    """How the frequency of an operator is set.

    Attributes:
        coarse: 0 to 31; 0 stands for one half.
        fine: 0 to 99, percent added to the coarse ratio.
        detune: -7 to 7 steps.
        is_fixed: Whether coarse and fine set a frequency instead of a ratio.
    """

    coarse: int
    fine: int
    detune: int
    is_fixed: bool

    @property
    def ratio(self) -> Fraction:
        """Its ratio to f0; 1 for a fixed frequency, which the synthesizer does not have."""
        if self.is_fixed:
            return Fraction(1)
        return (Fraction(self.coarse) or Fraction(1, 2)) * Fraction(100 + self.fine, 100)

    @property
    def fixed_hz(self) -> float:
        """Its frequency in Hz if that is fixed."""
        return float(10 ** (self.coarse % 4 + self.fine / 100))


@dataclass(frozen=True)
class Dx7Voice:
    """What makes the FM patch of a voice, and what is not taken over.

    Attributes:
        name: Up to ten characters.
        algorithm: 1 to 32.
        feedback: 0 to 7.
        transpose: In semitones.
        operators: Operator 1 first.
    """

    name: str
    algorithm: int
    feedback: int
    transpose: int
    operators: tuple[Dx7Operator, ...]

    @property
    def identifier(self) -> str:
        """The name as the name of a patch: small letters, digits and underscores."""
        words = re.findall("[a-z0-9]+", self.name.lower())
        text = "_".join(words) or "voice"
        return text if text[0].isalpha() else f"dx7_{text}"

    def patch(self, name: str | None = None) -> Patch:
        """Returns the voice's patch, named `name` or after the voice."""
        steps = [0 if op.is_fixed else op.detune for op in self.operators]
        if len(set(steps)) == 1:  # the whole voice is out of tune, which is no part of its timbre
            steps = [0] * N_OPERATORS
        return Patch(
            name or self.identifier,
            ALGORITHMS[self.algorithm],
            tuple(op.ratio for op in self.operators),
            tuple(DETUNE_CENTS * step for step in steps),
        )

    def not_played(self) -> list[str]:
        """Describes what the synthesizer does not have."""
        notes = []
        if self.feedback:
            source, target = FEEDBACK[self.algorithm]
            way = f"of operator {source}" if source == target else f"from {source} to {target}"
            notes.append(f"feedback {self.feedback} {way}")
        notes += [
            f"the fixed {op.fixed_hz:.4g} Hz of operator {number} (ratio 1 instead)"
            for number, op in enumerate(self.operators, 1)
            if op.is_fixed
        ]
        if self.transpose:
            notes.append(f"the transposition by {self.transpose:+d} semitones")
        return notes


def read_voices(path: Path) -> list[Dx7Voice]:
    """Reads all voices of a SysEx file, message by message.

    Raises:
        UserError: The file is missing or damaged, or contains no voices of a DX7.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UserError(f"{path} is larger than 16 MiB: give a SysEx file of a DX7")
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path} cannot be read ({reason}): give a SysEx file of a DX7") from None
    try:
        blocks = [data] if len(data) in SIZES.values() and max(data) < 0x80 else _voice_data(data)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return [voice for block in blocks for voice in _voices(bytes(block))]


def checksum(data: bytes) -> int:
    """Returns the seven bits that make the sum of `data` and themselves a multiple of 128."""
    return -sum(data) & 0x7F


def _voice_data(data: bytes) -> list[bytes]:
    """Returns the data of all messages that contain voices.

    Raises:
        ValueError: A message is damaged, or none contains voices.
    """
    _check_framing(data)
    blocks = []
    number = place = 0
    for dump in VOICE_DUMP.finditer(data):
        number += data.count(START, place, dump.end())
        place = dump.end()
        blocks.append(_checked(dump[0][1:-1], number))
    if not blocks:
        kind = "of Yamaha is no voice dump of a DX7"
        if data[1] != YAMAHA:
            maker = "none" if data[1] == END else f"0x{data[1]:02X}"
            kind = f"is of manufacturer {maker}, not 0x43, Yamaha"
        raise ValueError(f"message 1 {kind}; give a dump of one voice, or of the 32 of a cartridge")
    return blocks


def _check_framing(data: bytes) -> None:
    """Raises a `ValueError` unless the bytes are whole messages from F0 to F7."""
    if data[:1] != bytes([START]):
        kind = "is empty" if not data else "begins with " + data[:4].hex(" ").upper()
        raise ValueError(
            f"{kind}; SysEx begins with F0, and a bare dump has {VCED_BYTES} or "
            f"{SIZES[9]} bytes below 0x80"
        )
    whole = MESSAGES.match(data)
    place = whole.end() if whole else 0
    if place == len(data):
        return
    number = data.count(END, 0, place)
    if data[place] != START:
        raise ValueError(f"after message {number}, byte {place} is not F0")
    end = place + 1
    while end < len(data) and data[end] < 0x80:
        end += 1
    raise ValueError(
        f"message {number + 1} is cut off after {end - place} bytes, where F7 should be"
    )


def _checked(message: bytes, number: int) -> bytes:
    """Returns the data of a voice dump; raises a `ValueError` if it is damaged."""
    size, data = SIZES[message[2]], message[5:-1]
    if len(data) != size or message[3] << 7 | message[4] != size:
        raise ValueError(
            f"message {number} has {len(data)} bytes of data and announces "
            f"{message[3] << 7 | message[4]}, instead of {size}"
        )
    if message[-1] != checksum(data):
        raise ValueError(
            f"message {number} has checksum 0x{message[-1]:02X}, but its data 0x"
            f"{checksum(data):02X}; the file is damaged"
        )
    return data


def _voices(data: bytes) -> list[Dx7Voice]:
    if len(data) == VCED_BYTES:
        return [_single(data)]
    return [_packed(data[start : start + VMEM_BYTES]) for start in range(0, len(data), VMEM_BYTES)]


def _single(data: bytes) -> Dx7Voice:
    """Reads 155 bytes, one per parameter; operator 6 comes first."""
    blocks = [data[21 * i : 21 * i + 21] for i in reversed(range(N_OPERATORS))]
    return _voice(
        [(b[18], b[19], b[20], b[17]) for b in blocks], data[134], data[135], data[144], data[145:]
    )


def _packed(data: bytes) -> Dx7Voice:
    """Reads 128 bytes, some of which hold several parameters; operator 6 comes first."""
    blocks = [data[17 * i : 17 * i + 17] for i in reversed(range(N_OPERATORS))]
    operators = [(b[15] >> 1, b[16], b[12] >> 3, b[15]) for b in blocks]
    return _voice(operators, data[110], data[111], data[117], data[118:])


def _voice(
    operators: list[tuple[int, int, int, int]], algorithm: int, feedback: int, key: int, name: bytes
) -> Dx7Voice:
    """Limits all values to their ranges, as the DX7 does."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in name)
    return Dx7Voice(
        name=" ".join(text.split()),
        algorithm=(algorithm & 31) + 1,
        feedback=feedback & 7,
        transpose=min(key, 48) - NO_TRANSPOSITION,
        operators=tuple(
            Dx7Operator(coarse & 31, min(fine, 99), min(detune, 14) - 7, bool(mode & 1))
            for coarse, fine, detune, mode in operators
        ),
    )
