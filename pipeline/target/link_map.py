"""Reads sizes by part from GNU ld's link map."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class PartSize:
    """Bytes of one part of the firmware; initialized data counts for both."""

    flash_bytes: int
    ram_bytes: int


def read_link_map(link_map: str) -> tuple[int, int, dict[str, PartSize]]:
    """Reads bytes of flash and RAM, in all and by part, from GNU ld's map file."""
    link_map = link_map[link_map.index("Linker script and memory map") :]
    in_flash = (".boot", ".text", ".rodata", ".vectors", ".init_array", ".ARM.ex")
    in_ram = (".bss", ".stack", ".dma", ".room", "COMMON")
    copied = (".data",)  # stored in flash, and copied to RAM at the start

    def bytes_of(section: str, size: int) -> tuple[int, int]:
        flash = size if section.startswith((*in_flash, *copied)) else 0
        return flash, size if section.startswith((*in_ram, *copied)) else 0

    # Output sections stand at the start of a line, what goes into them behind one blank, with its
    # object; a long name pushes the numbers to the next line.
    flash = ram = 0
    for section, size in re.findall(r"^([.\w]+)\s+0x\w+\s+0x(\w+)", link_map, re.MULTILINE):
        more_flash, more_ram = bytes_of(section, int(size, 16))
        flash, ram = flash + more_flash, ram + more_ram
    parts: dict[str, list[int]] = {}
    entry = r"^ ([.\w]+)\s+0x\w+\s+0x(\w+) (\S+)$"
    for section, size, origin in re.findall(entry, link_map, re.MULTILINE):
        library = re.search(r"lib(\w+)[-.\w]*\.a\(", origin)
        name = library.group(1) if library else "app"
        part = parts.setdefault(_PART_OF_LIBRARY.get(name, name), [0, 0])
        more_flash, more_ram = bytes_of(section, int(size, 16))
        part[0], part[1] = part[0] + more_flash, part[1] + more_ram
    return (
        flash,
        ram,
        {name: PartSize(*sizes) for name, sizes in sorted(parts.items()) if any(sizes)},
    )


_PART_OF_LIBRARY = {
    name: "libc" for name in ("c", "c_nano", "gcc", "m", "stdc++_nano", "supc++_nano")
} | {"tensorflow": "tflm"}  # libtensorflow-microlite.a
