"""The build systems that libraries are written for: which files each wants, and where."""

from collections.abc import Mapping
from dataclasses import dataclass

_PICO_I2S, _TEENSY_AUDIO = "pico_i2s.ino", "teensy_audio.ino"


@dataclass(frozen=True)
class Ecosystem:
    """A build system, or a family of boards with one.

    Attributes:
        files: Asset of each file, besides the sources and the documents, by its path in the export.
        source_prefix: What its build file writes before the path of a source.
        next_step: What the user does with the export; completes "next: ".
    """

    files: Mapping[str, str]
    source_prefix: str
    next_step: str


ECOSYSTEMS = {
    "cmake": Ecosystem(
        files={
            "CMakeLists.txt": "cmake_library.cmake",
            "examples/render.c": "render.c",
            "examples/daisy.cpp": "daisy.cpp",
        },
        source_prefix="",
        next_step='add_subdirectory("{out}" ddx7) and link ddx7::ddx7',
    ),
    "arduino": Ecosystem(
        files={
            "library.properties": "library.properties",
            "examples/PicoI2S/PicoI2S.ino": _PICO_I2S,
            "examples/TeensyAudio/TeensyAudio.ino": _TEENSY_AUDIO,
        },
        source_prefix="",
        next_step="move {shown} into the folder libraries of your sketchbook, and open an example",
    ),
    "platformio": Ecosystem(
        files={
            "library.json": "library.json",
            "examples/pico_i2s/platformio.ini": "pico_platformio.ini",
            "examples/pico_i2s/src/main.cpp": _PICO_I2S,
            "examples/teensy_audio/platformio.ini": "teensy_platformio.ini",
            "examples/teensy_audio/src/main.cpp": _TEENSY_AUDIO,
        },
        source_prefix="",
        next_step="lib_deps = symlink://{out} in your platformio.ini",
    ),
    "pico-sdk": Ecosystem(
        files={
            "CMakeLists.txt": "pico_library.cmake",
            "examples/i2s/CMakeLists.txt": "pico_example.cmake",
            "examples/i2s/main.c": "pico_example.c",
        },
        source_prefix="${CMAKE_CURRENT_LIST_DIR}/",
        next_step='add_subdirectory("{out}" ddx7) after pico_sdk_init(), and link ddx7',
    ),
    "zephyr": Ecosystem(
        files={
            "zephyr/module.yml": "zephyr_module.yml",
            "zephyr/CMakeLists.txt": "zephyr_library.cmake",
            "zephyr/Kconfig": "zephyr_Kconfig",
            "samples/i2s/CMakeLists.txt": "zephyr_example.cmake",
            "samples/i2s/prj.conf": "zephyr_prj.conf",
            "samples/i2s/src/main.c": "zephyr_example.c",
        },
        source_prefix="${DDX7_DIR}/",
        next_step='-DEXTRA_ZEPHYR_MODULES="{out}" and CONFIG_DDX7=y',
    ),
}
