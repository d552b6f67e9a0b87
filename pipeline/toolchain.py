"""Checks that all tools are installed, and fetches the sources that the firmware needs.

    python -m pipeline.toolchain

CMSIS and the emulator rp2040js come from package registries, pinned by version and checksum. They
are stored in ``build/third_party``.
"""

from collections.abc import Sequence

from pipeline.core.cli import run_main
from pipeline.core.parser import Parser
from pipeline.core.paths import REPOSITORY
from pipeline.target.tools import require_tools
from pipeline.target.vendor import fetch_cmsis, fetch_rp2040js


def main(argv: Sequence[str] | None = None) -> None:
    """Checks that all tools are installed, and fetches the sources that the firmware needs."""
    Parser("toolchain", main.__doc__).parse_args(argv)
    require_tools("cmake", "ninja", "cc", "arm-none-eabi-gcc", "arm-none-eabi-objdump")
    require_tools("qemu-system-arm", "clang", "wasm-ld", "node")
    for folder in (*fetch_cmsis(), fetch_rp2040js()):
        print(folder.relative_to(REPOSITORY))


if __name__ == "__main__":
    run_main(main)
