"""Flash images agree with the specifications of their formats and with binutils."""

import contextlib
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.target import flashing, uf2
from pipeline.target.flash_image import Image, crc32_mpeg2, read_elf, seal_loader, to_hex

FAMILIES = [uf2.RP2040, uf2.RP2350_ARM_SECURE]
IMAGES = st.builds(
    Image, st.integers(0, 255).map(lambda n: 0x10000000 + n), st.binary(min_size=1, max_size=3000)
)


def objcopy(*arguments: object) -> None:
    subprocess.run(["arm-none-eabi-objcopy", *map(str, arguments)], check=True)


def test_uf2_block_has_the_layout_of_the_specification():
    """Source: Microsoft, USB Flashing Format: offsets, magic numbers and flags of a block."""
    assert (uf2.RP2040, uf2.RP2350_ARM_SECURE) == (0xE48BFF56, 0xE48BFF59)
    file = uf2.write(Image(0x10000000, bytes(range(256)) + b"end"), uf2.RP2350_ARM_SECURE)
    assert len(file) == 2 * 512
    for number in range(2):
        block = file[512 * number : 512 * number + 512]
        assert block[:8] == b"UF2\n" + struct.pack("<I", 0x9E5D5157)
        assert struct.unpack_from("<I", block, 8) == (0x00002000,)  # flag: familyID present
        assert struct.unpack_from("<I", block, 12) == (0x10000000 + 256 * number,)
        assert struct.unpack_from("<I", block, 16) == (256,)
        assert struct.unpack_from("<I", block, 20) == (number,)
        assert struct.unpack_from("<I", block, 24) == (2,)
        assert struct.unpack_from("<I", block, 28) == (0xE48BFF59,)
        assert not any(block[32 + 256 : 508])
        assert struct.unpack_from("<I", block, 508) == (0x0AB16F30,)
    assert file[32 : 32 + 256] == bytes(range(256))
    assert file[512 + 32 : 512 + 32 + 256] == b"end" + b"\xff" * 253


@given(IMAGES, st.sampled_from(FAMILIES))
def test_uf2_reads_back_the_image_in_whole_pages(image, family):
    file = uf2.write(image, family)
    read, read_family = uf2.read(file)
    assert read_family == family
    before = image.address - read.address
    assert 0 <= before < 256 and read.address % 256 == 0 and len(read.content) % 256 == 0
    assert read.content[before:].startswith(image.content)
    after = read.content[before + len(image.content) :]
    assert set(read.content[:before] + after) <= {0xFF} and len(after) < 256


@given(st.integers(0, 1023), st.integers(1, 255))
def test_damaged_uf2_is_refused_or_differs_in_its_payload(at, change):
    """Apart from padding, every changed byte of a file is detected."""
    image = Image(0x10000000, bytes(512))
    file = bytearray(uf2.write(image, uf2.RP2040))
    file[at] ^= change
    if 32 + 256 <= at % 512 < 508:
        assert uf2.read(bytes(file)) == (image, uf2.RP2040)
        return
    with contextlib.suppress(UserError):
        assert uf2.read(bytes(file)) != (image, uf2.RP2040)


@pytest.mark.parametrize("n_bytes", [0, 1, 511, 513, 1000])
def test_truncated_uf2_is_refused(n_bytes):
    with pytest.raises(UserError, match=f"{n_bytes} bytes is cut off"):
        uf2.read(
            uf2.write(Image(0, bytes(600)), uf2.RP2040)[:n_bytes] + bytes(max(0, n_bytes - 1536))
        )


def test_checksum_of_the_loader_is_crc_32_mpeg_2():
    """Compares with the check value of CRC-32/MPEG-2, that of "123456789"."""
    assert crc32_mpeg2(b"123456789") == 0x0376E6E7
    image = Image(0x10000000, bytes(range(252)) + bytes(4) + b"rest")
    sealed = seal_loader(image)
    assert sealed.content[:252] == image.content[:252] and sealed.content[256:] == b"rest"
    assert sealed.content[252:256] == struct.pack("<I", crc32_mpeg2(sealed.content[:252]))


@given(IMAGES.map(lambda image: Image(image.address + 0xFF00, image.content)))
def test_hex_records_contain_the_image_and_valid_checksums(image):
    content: dict[int, int] = {}
    upper = 0
    lines = to_hex(image).splitlines()
    for line in lines:
        record = bytes.fromhex(line.removeprefix(":"))
        assert sum(record) % 256 == 0 and record[0] == len(record) - 5 <= 16
        if record[3] == 4:
            upper = int.from_bytes(record[4:6], "big") << 16
        elif record[3] == 0:
            start = upper + int.from_bytes(record[1:3], "big")
            content |= dict(enumerate(record[4:-1], start))
    assert lines[-1] == ":00000001FF"
    assert bytes(content[at] for at in sorted(content)) == image.content
    assert min(content) == image.address and len(content) == max(content) - min(content) + 1


@pytest.mark.firmware
def test_binutils_read_the_same_bytes_from_elf_bin_and_hex(pico_elf, tmp_path):
    image = read_elf(pico_elf, address=0x10000000, size=2 << 20)
    objcopy("-O", "binary", pico_elf, tmp_path / "elf.bin")
    assert image.content == (tmp_path / "elf.bin").read_bytes()
    (tmp_path / "ours.hex").write_text(to_hex(image))
    objcopy("-I", "ihex", "-O", "binary", tmp_path / "ours.hex", tmp_path / "hex.bin")
    assert image.content == (tmp_path / "hex.bin").read_bytes()


@pytest.mark.firmware
def test_converted_files_contain_the_same_bytes(pico_elf):
    files = flashing.convert(pico_elf, "pico")
    content = files["bin"].read_bytes()
    image, family = uf2.read(files["uf2"].read_bytes())
    assert family == uf2.RP2040 and image.content.startswith(content)
    assert content[252:256] == struct.pack("<I", crc32_mpeg2(content[:252]))
    objcopy("-I", "ihex", "-O", "binary", files["hex"], pico_elf.with_suffix(".bin"))
    assert pico_elf.with_suffix(".bin").read_bytes() == content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing: build the firmware first"),
        (b"", "is not a 32-bit little-endian ELF file"),
        (b"\x7fELF\x02\x01" + bytes(100), "is not a 32-bit little-endian ELF file"),
        (b"\x7fELF\x01\x01" + bytes(100), "stores nothing in the flash"),
        (b"\x7fELF\x01\x01" + bytes(10), "is cut off"),
    ],
)
def test_file_that_is_not_firmware_is_refused(tmp_path, content, reason):
    path = tmp_path / "play"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"play {reason}"):
        read_elf(path, address=0x10000000, size=2 << 20)


@pytest.mark.firmware
def test_program_of_another_board_is_refused(pico_elf):
    with pytest.raises(UserError, match=r"outside the 786432 bytes of .* at 0x08000000"):
        flashing.convert(pico_elf, "stm32f4_discovery")
