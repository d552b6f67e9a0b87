"""Names a chip and its revision by the registers that identify them.

Sources: Arm Architecture Reference Manuals, CPUID, and the manuals of the cores for their part
numbers; RP2040 datasheet, section 2.20; RP2350 datasheet, section 12.15; RM0090, section 38.6.1;
RM0433, section 60.5.8.
"""

_CORES = {
    **{0xC60: "Cortex-M0+", 0xC20: "Cortex-M0", 0xC24: "Cortex-M4", 0xC27: "Cortex-M7"},
    0xD21: "Cortex-M33",
}
_RASPBERRY_PI = 0x927  # MANUFACTURER of CHIP_ID
_PICO_CHIPS = {2: "RP2040", 4: "RP2350"}
_STM32_CHIPS = {0x413: "STM32F405/407", 0x450: "STM32H742/743/753"}
_STM32_REVISIONS = {
    (0x413, 0x1000): "A",
    (0x413, 0x1001): "Z",
    (0x413, 0x1003): "1",
    (0x413, 0x1007): "2",
    (0x413, 0x100F): "Y or 4",
    (0x413, 0x101F): "5 or 6",
    (0x450, 0x1001): "Z",
    (0x450, 0x1003): "Y",
    (0x450, 0x2001): "X",
    (0x450, 0x2003): "V",
}


def describe_register(name: str, value: int) -> str:
    """Returns the core or chip, and its revision, that the value of a register stands for.

    Args:
        name: ``CPUID``, ``CHIP_ID`` (Raspberry Pi) or ``DBGMCU_IDCODE`` (STM32).
        value: Its 32 bits.

    Returns:
        A phrase; a dash if the register is none of these, or reads as zero.
    """
    if name == "CPUID" and value:
        core = _CORES.get(value >> 4 & 0xFFF, f"part {value >> 4 & 0xFFF:#x}")
        return f"{core} r{value >> 20 & 15}p{value & 15}"
    if name == "CHIP_ID" and value & 0xFFF == _RASPBERRY_PI:
        part = value >> 12 & 0xFFFF
        return f"{_PICO_CHIPS.get(part, f'part {part:#x}')}, revision {value >> 28}"
    if name == "DBGMCU_IDCODE" and value:
        device, revision = value & 0xFFF, value >> 16
        letter = _STM32_REVISIONS.get((device, revision), f"{revision:#x}")
        return f"{_STM32_CHIPS.get(device, f'device {device:#x}')}, revision {letter}"
    return "—"
