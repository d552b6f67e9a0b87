"""Reads the size of each part of a firmware from GNU ld's link map.

Copies of weights take RAM that is left, so they do not count as RAM.
"""

import re
from dataclasses import dataclass

IN_FLASH = (".boot", ".text", ".rodata", ".vectors", ".init_array", ".ARM.ex", ".weights")
IN_RAM = (".bss", ".kept", ".stack", ".dma", ".reverb", "COMMON")
IN_BOTH = (".data",)  # stored in flash and copied to RAM at start-up


@dataclass(frozen=True)
class PartSize:
    """Bytes of one part of the firmware; initialized data counts in both memories."""

    flash_bytes: int
    ram_bytes: int


def read_link_map(link_map: str) -> tuple[int, int, dict[str, PartSize]]:
    """Reads the bytes of flash and RAM, in total and by part, from GNU ld's map file."""
    link_map = link_map[link_map.index("Linker script and memory map") :]
    # Output sections start at the beginning of a line. The input sections that they consist of are
    # indented by one blank and followed by their object; a long name moves the numbers to the next
    # line.
    flash = ram = 0
    for section, size in re.findall(r"^([.\w]+)\s+0x\w+\s+0x(\w+)", link_map, re.MULTILINE):
        more_flash, more_ram = _bytes_of(section, int(size, 16))
        flash, ram = flash + more_flash, ram + more_ram
    parts: dict[str, list[int]] = {}
    entry = r"^ ([.\w]+)\s+0x\w+\s+0x(\w+) (\S+)$"
    for section, size, origin in re.findall(entry, link_map, re.MULTILINE):
        library = re.search(r"lib(\w+)[-.\w]*\.a\(", origin)
        name = library.group(1) if library else "app"
        part = parts.setdefault(_PART_OF_LIBRARY.get(name, name), [0, 0])
        more_flash, more_ram = _bytes_of(section, int(size, 16))
        part[0], part[1] = part[0] + more_flash, part[1] + more_ram
    return (
        flash,
        ram,
        {name: PartSize(*sizes) for name, sizes in sorted(parts.items()) if any(sizes)},
    )


def _bytes_of(section: str, size: int) -> tuple[int, int]:
    """Returns the bytes of flash and of RAM that a section takes."""
    flash = size if section.startswith((*IN_FLASH, *IN_BOTH)) else 0
    return flash, size if section.startswith((*IN_RAM, *IN_BOTH)) else 0


_PART_OF_LIBRARY = {
    name: "libc" for name in ("c", "c_nano", "gcc", "m", "stdc++_nano", "supc++_nano")
} | {"tensorflow": "tflm"}  # libtensorflow-microlite.a
