"""The table of boards agrees with linker scripts, flash formats and Debian's packages."""

import re

import pytest

from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR, REPOSITORY
from pipeline.target import board_tables, tools
from pipeline.target.boards import (
    ALL_BOARDS,
    EMULATED_BOARDS,
    ESTIMATED_BOARDS,
    FILE_BOARDS,
    INSTRUMENT_BOARDS,
    LIVE_BOARDS,
)

UNITS = {"K": 1 << 10, "M": 1 << 20}


def linked_memories(board: str) -> dict[str, tuple[int, int]]:
    """Returns address and size in bytes of each region of a board's linker script."""
    script = (APP_DIR / "boards" / board / "link.ld").read_text()
    region = r"(\w+) \(\w+\) : ORIGIN = (0x\w+), LENGTH = (\d+)([KM])"
    return {
        name: (int(address, 16), int(number) * UNITS[unit])
        for name, address, number, unit in re.findall(region, script)
    }


@pytest.mark.parametrize("name", [name for name in ALL_BOARDS if ALL_BOARDS[name].flash])
def test_memories_equal_those_of_the_linker_script(name):
    board, linked = ALL_BOARDS[name], linked_memories(name)
    for region, memory in (("FLASH", board.flash), ("RAM", board.ram)):
        assert linked[region] == (memory.address, memory.n_bytes)


def test_every_board_has_a_folder_and_belongs_to_a_group():
    folders = {path.parent.name for path in (APP_DIR / "boards").glob("*/link.ld")}
    assert folders | {"host", "wasm"} == set(ALL_BOARDS)
    assert FILE_BOARDS.keys() | INSTRUMENT_BOARDS.keys() == ALL_BOARDS.keys()
    assert not FILE_BOARDS.keys() & INSTRUMENT_BOARDS.keys()
    assert set(LIVE_BOARDS) == set(FILE_BOARDS) - {"qemu_m0"}


def test_cost_of_every_flashed_board_is_estimated_on_its_core():
    assert {board.name for board in ESTIMATED_BOARDS} == set(INSTRUMENT_BOARDS)
    assert [board.emulated_by for board in ESTIMATED_BOARDS] == list(EMULATED_BOARDS)
    for board in ESTIMATED_BOARDS:
        emulated = ALL_BOARDS[board.emulated_by]
        assert emulated.processor == board.processor
        assert emulated.reverb_seconds == board.reverb_seconds


def test_readme_without_table_marks_is_refused(replace, tmp_path):
    readme = tmp_path / "README.md"
    replace(board_tables.README, readme)
    readme.write_text("a\n<!-- table: files -->\nstale\n<!-- end -->\nb\n")
    with pytest.raises(UserError, match="lacks the lines <!-- table: instruments -->"):
        board_tables.readme_text()
    with readme.open("a") as file:
        file.write("<!-- table: instruments -->\n<!-- end -->\n")
    readme.write_text(board_tables.readme_text())
    text = readme.read_text()
    assert text == board_tables.readme_text()
    assert text.startswith("a\n") and "stale" not in text and "\nb\n" in text
    assert len(re.findall(r"^\| \[?`", text, re.MULTILINE)) == len(ALL_BOARDS)


def test_debian_packages_are_found_by_their_tools():
    text = "# comment: of a line\n\na   # one two: purpose\nb  # one: other\nc  # library\n"
    assert tools.debian_packages(text) == {"one": ["a", "b"], "two": ["a"]}
    packages = tools.debian_packages((REPOSITORY / "requirements-debian.txt").read_text())
    assert packages["arm-none-eabi-gcc"] == ["gcc-arm-none-eabi", "libnewlib-arm-none-eabi"]
    assert packages["wasm-ld"] == ["lld", "wasi-libc", "libclang-rt-14-dev-wasm32"]


def test_line_with_the_reason_is_selected_from_the_output():
    assert tools.telling_line("") == "no message"
    assert tools.telling_line("first\n\nlast\n") == "last"
    output = "==1==ERROR: AddressSanitizer: heap\nx.c:1: error: no such name\nmake: Error 1"
    assert tools.telling_line(output) == "x.c:1: error: no such name"
