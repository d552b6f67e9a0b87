"""Writes and reads UF2, the file format of boot loaders that appear as a USB drive.

A file is a sequence of blocks of 512 bytes. Each block contains the address of its payload, so a
boot loader can process them in any order. Source: Microsoft, "USB Flashing Format (UF2)"; the
family ids are those of the boot ROMs of the RP2040 and the RP2350.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from pipeline.core.errors import UserError
from pipeline.target.flash_image import ERASED, Image

RP2040 = 0xE48BFF56
RP2350_ARM_SECURE = 0xE48BFF59
MAGIC_START = (0x0A324655, 0x9E5D5157)
MAGIC_END = 0x0AB16F30
FLAG_FAMILY = 0x2000
BLOCK_BYTES = 512
PAYLOAD_BYTES = 256  # a page of flash, as the boot ROMs require
_HEADER = struct.Struct("<8I")  # magic, magic, flags, address, payload, block, blocks, family


@dataclass(frozen=True)
class Block:
    """One block: address and payload, its number, and the number of blocks in the file."""

    address: int
    payload: bytes
    number: int
    n_blocks: int
    family: int


def write(image: Image, family: int) -> bytes:
    """Returns an image as UF2, padded to whole pages with the value of erased flash."""
    before = image.address % PAYLOAD_BYTES
    content = bytes([ERASED]) * before + image.content
    content += bytes([ERASED]) * (-len(content) % PAYLOAD_BYTES)
    n_blocks = len(content) // PAYLOAD_BYTES
    file = bytearray()
    for number in range(n_blocks):
        offset = number * PAYLOAD_BYTES
        address = image.address - before + offset
        place = (address, PAYLOAD_BYTES, number, n_blocks, family)
        file += _HEADER.pack(*MAGIC_START, FLAG_FAMILY, *place)
        file += content[offset : offset + PAYLOAD_BYTES]
        file += bytes(BLOCK_BYTES - _HEADER.size - PAYLOAD_BYTES - 4)
        file += struct.pack("<I", MAGIC_END)
    return bytes(file)


def read_blocks(file: bytes) -> Iterator[Block]:
    """Yields the blocks of a file.

    Raises:
        UserError: A block is damaged, of another kind, or out of order.
    """
    if not file or len(file) % BLOCK_BYTES:
        raise UserError(f"a UF2 file of {len(file)} bytes is cut off: blocks have 512 bytes")
    for offset in range(0, len(file), BLOCK_BYTES):
        block = file[offset : offset + BLOCK_BYTES]
        *magic, flags, address, size, number, n_blocks, family = _HEADER.unpack_from(block)
        where = f"block {offset // BLOCK_BYTES} of the UF2 file"
        if tuple(magic) != MAGIC_START or struct.unpack_from("<I", block, 508)[0] != MAGIC_END:
            raise UserError(f"{where} does not have UF2's magic numbers")
        if number != offset // BLOCK_BYTES or n_blocks != len(file) // BLOCK_BYTES:
            raise UserError(f"{where} claims to be block {number} of {n_blocks}")
        if flags != FLAG_FAMILY or size != PAYLOAD_BYTES:
            raise UserError(f"{where} has flags {flags:#x} and {size} bytes, not 0x2000 and 256")
        payload = block[_HEADER.size : _HEADER.size + size]
        yield Block(address, payload, number, n_blocks, family)


def read(file: bytes) -> tuple[Image, int]:
    """Reads a file from `write`; returns the image, in whole pages, and its family.

    Raises:
        UserError: A block is damaged, or the blocks leave a gap or are of several families.
    """
    blocks = list(read_blocks(file))
    for before, block in pairwise(blocks):
        if block.address != before.address + len(before.payload) or block.family != before.family:
            raise UserError(
                f"block {block.number} of the UF2 file does not follow the previous one"
            )
    return Image(blocks[0].address, b"".join(block.payload for block in blocks)), blocks[0].family
