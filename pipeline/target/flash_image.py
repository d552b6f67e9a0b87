"""Flash images: the loadable bytes of an ELF file, as binary or Intel HEX."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError

ERASED = 0xFF  # value of erased flash, which fills gaps
LOADER_BYTES = 256  # size of an RP2040's loader with its checksum


@dataclass(frozen=True)
class Image:
    """Contiguous bytes of flash.

    Attributes:
        address: Address of the first byte.
        content: The bytes.
    """

    address: int
    content: bytes


def read_elf(path: Path, *, address: int, size: int) -> Image:
    """Reads the image that an ELF file stores in flash.

    Args:
        path: Executable for a 32-bit little-endian core.
        address: Address of the flash.
        size: Bytes of the flash that an image may take.

    Raises:
        UserError: The file is missing, is not such an executable, or stores bytes elsewhere.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: build the firmware first")
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x01\x01":
        raise UserError(f"{path} is not a 32-bit little-endian ELF file: build it for a board")
    try:
        parts = list(stored_parts(data))
    except struct.error:
        raise UserError(f"{path} is cut off: build the firmware again") from None
    for at, part in parts:
        if at < address or at + len(part) > address + size:
            raise UserError(
                f"{path} stores {len(part)} bytes at {at:#010x}, outside the {size} bytes of the "
                f"board's flash for images, at {address:#010x}"
            )
    if not parts:
        raise UserError(f"{path} stores nothing in the flash at {address:#010x}")
    first = min(at for at, _ in parts)
    content = bytearray([ERASED]) * (max(at + len(part) for at, part in parts) - first)
    for at, part in parts:
        content[at - first : at - first + len(part)] = part
    return Image(first, bytes(content))


def stored_parts(elf: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the physical address and content of every part that an ELF file loads.

    Source: Tool Interface Standard, ELF specification: header, program headers of type PT_LOAD.
    """
    (table,) = struct.unpack_from("<I", elf, 28)
    entry_bytes, n_entries = struct.unpack_from("<HH", elf, 42)
    for index in range(n_entries):
        kind, offset, _, at, n_bytes = struct.unpack_from("<5I", elf, table + index * entry_bytes)
        if kind == 1 and n_bytes:
            yield at, struct.unpack_from(f"{n_bytes}s", elf, offset)[0]


def crc32_mpeg2(data: bytes) -> int:
    """Returns CRC-32/MPEG-2: initial value all ones, highest bit first, result not inverted."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def seal_loader(image: Image) -> Image:
    """Appends the checksum to the loader of an RP2040, whose boot ROM requires it.

    Source: RP2040 datasheet, section 2.8.1.
    """
    loader = image.content[: LOADER_BYTES - 4]
    checksum = struct.pack("<I", crc32_mpeg2(loader))
    return Image(image.address, loader + checksum + image.content[LOADER_BYTES:])


def to_hex(image: Image) -> str:
    """Returns an image as Intel HEX: 16 bytes per record, and a record per upper half."""

    def record(kind: int, address: int, data: bytes) -> str:
        body = struct.pack(">BHB", len(data), address, kind) + data
        return f":{(body + bytes([-sum(body) & 0xFF])).hex().upper()}\n"

    lines = []
    upper = None
    start = image.address - image.address % 16
    for address in range(start, image.address + len(image.content), 16):
        data = image.content[max(address - image.address, 0) : address + 16 - image.address]
        if address >> 16 != upper:
            upper = address >> 16
            lines.append(record(4, 0, struct.pack(">H", upper)))
        lines.append(record(0, max(address, image.address) & 0xFFFF, data))
    return "".join([*lines, record(1, 0, b"")])
