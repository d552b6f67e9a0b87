"""What the linker put where, from the executable of a board."""

import re
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
