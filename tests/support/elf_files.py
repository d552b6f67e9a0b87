"""What the linker put where, from the executable of a board."""

import re
import struct
import subprocess
from pathlib import Path


def _print(tool: str, option: str, elf: Path) -> str:
    command = [f"arm-none-eabi-{tool}", option, str(elf)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def sections(elf: Path) -> dict[str, tuple[int, int]]:
    """Returns address and size in bytes of every section that takes memory."""
    line = r"\] (\S+)\s+(?:PROGBITS|NOBITS|ARM_EXIDX|INIT_ARRAY)\s+(\w+) \w+ (\w+) \w+\s+\w*A"
    listed = re.findall(line, _print("readelf", "-SW", elf))
    return {name: (int(address, 16), int(size, 16)) for name, address, size in listed}


def symbols(elf: Path) -> dict[str, tuple[int, int]]:
    """Returns address and size in bytes of every symbol; labels have size 0."""
    words = (line.split() for line in _print("nm", "-S", elf).splitlines())
    return {w[-1]: (int(w[0], 16), int(w[1], 16) if len(w) == 4 else 0) for w in words}


def segments(elf: Path) -> list[tuple[int, int, int, int]]:
    """Returns where each part runs, where it is stored, its stored bytes, and its bytes."""
    line = r"LOAD\s+0x\w+ 0x(\w+) 0x(\w+) 0x(\w+) 0x(\w+)"
    rows = re.findall(line, _print("readelf", "-lW", elf))
    return [(int(a, 16), int(b, 16), int(c, 16), int(d, 16)) for a, b, c, d in rows]


def copies(elf: Path) -> list[tuple[int, int, int]]:
    """Returns what reset copies: address in flash, address, and end, of every section."""
    names = symbols(elf)
    start, end = names["link_copies_start"][0], names["link_copies_end"][0]
    data = elf.read_bytes()
    (headers,) = struct.unpack_from("<I", data, 28)
    n_bytes, n_headers = struct.unpack_from("<HH", data, 42)
    for header in range(headers, headers + n_headers * n_bytes, n_bytes):
        _, offset, address, _, size = struct.unpack_from("<5I", data, header)
        if address <= start < address + size:
            table = data[offset + start - address : offset + end - address]
            return list(struct.iter_unpack("<3I", table))
    raise AssertionError("the table of copies is not stored")


def assert_start_fills_the_ram(elf: Path, *loaded: tuple[int, int, int]) -> None:
    """Checks that all that runs elsewhere than it is stored is copied there once.

    Args:
        elf: Executable for a board.
        loaded: What a loader copies before reset, as `copies` has it.
    """
    wanted = [(at, stored, n) for at, stored, n, _ in segments(elf) if n and at != stored]
    done = sorted((*loaded, *copies(elf)), key=lambda copy: copy[1])
    assert wanted
    for at, stored, n_bytes in wanted:
        reached = at
        for source, start, end in done:
            if at <= start < at + n_bytes and start < end:
                assert start - reached < 8 and source - stored == start - at
                reached = end
        assert reached >= at + n_bytes
