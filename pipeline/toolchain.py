"""Builds C for the boards and runs it under an emulator; no other module starts such a tool.

CMake builds ``tflm_app`` for a board; the emulated boards run under QEMU with ``-icount shift=0``,
where one instruction takes one nanosecond of virtual time, so that a timer counts instructions
exactly. CMSIS comes from the package registries, pinned by version and checksum, into
``build/third_party``.
"""

from pipeline.core.cli import run_main
from pipeline.core.paths import REPOSITORY
from pipeline.target.tools import require_tools
from pipeline.target.vendor import fetch_cmsis, fetch_rp2040js


def main() -> None:
    """Checks that every tool is there and fetches what the firmware is built with."""
    require_tools(
        "cmake", "ninja", "cc", "arm-none-eabi-gcc", "arm-none-eabi-objdump", "qemu-system-arm"
    )
    for folder in (*fetch_cmsis(), fetch_rp2040js()):
        print(folder.relative_to(REPOSITORY))


if __name__ == "__main__":
    run_main(main)
