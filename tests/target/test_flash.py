"""Boards are flashed by the tool that is there, with the models that fit."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from support.refusals import refusal
from support.small_run import make_run

from pipeline import firmware as firmware_command
from pipeline import flash
from pipeline.core.errors import UserError
from pipeline.core.paths import APP_DIR, MODEL_DIR
from pipeline.target import firmware, flashing, sources, uf2
from pipeline.target.boards import INSTRUMENT_BOARDS
from pipeline.target.build import Program, make

BOARD_IDS = {"pico": "RPI-RP2", "pico2": "RP2350"}


@pytest.fixture
def drive(tmp_path):
    """A folder that looks like the drive of a Pico's boot ROM."""
    folder = tmp_path / "drive"
    folder.mkdir()
    info = "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"
    (folder / "INFO_UF2.TXT").write_text(info)
    return folder


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Empties PATH; returns a function that installs a tool, which prints a text and exits."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(name: str, status: int, output: str) -> None:
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$@" > {folder}/called\necho "{output}"\nexit {status}\n')
        path.chmod(0o755)

    return install


def files_of(board: str) -> dict[str, Path]:
    takes_uf2 = flashing.flasher(board).uf2_family is not None
    suffixes = ("bin", "hex", "uf2") if takes_uf2 else ("bin", "hex")
    return {suffix: Path(f"build/{board}.{suffix}") for suffix in suffixes}


def test_every_instrument_board_can_be_flashed():
    assert all(board.flash and board.flasher for board in INSTRUMENT_BOARDS.values())


def test_drive_is_identified_by_its_board_id(drive, tmp_path):
    assert flashing.find_drive("RPI-RP2", [tmp_path / "nowhere", tmp_path, drive]) == drive
    assert flashing.find_drive("RP2350", [tmp_path, drive]) is None


@pytest.mark.firmware
def test_uf2_is_copied_to_the_drive(pico_elf, drive):
    files = flashing.convert(pico_elf, "pico")
    command = flashing.flash("pico", files, drive=drive, dry_run=True)
    assert command == f"cp {files['uf2']} {drive}"
    assert not (drive / "pico.uf2").exists()
    assert flashing.flash("pico", files, drive=drive, dry_run=False) == command
    assert (drive / "pico.uf2").read_bytes() == files["uf2"].read_bytes()


@pytest.mark.parametrize("board", INSTRUMENT_BOARDS)
@pytest.mark.parametrize("tool", ["openocd", "st-flash", "pyocd"])
def test_installed_tool_is_used(board, tool, tools, tmp_path):
    tools(tool, 0, "done")
    if tool == "st-flash" and board in BOARD_IDS:
        with pytest.raises(UserError, match=f"no {board} is connected: hold BOOTSEL"):
            flashing.flash(board, files_of(board), drive=None, dry_run=False)
        return
    command = flashing.flash(board, files_of(board), drive=None, dry_run=False)
    called = (tmp_path / "tools" / "called").read_text().strip()
    assert command.replace("'", "") == f"{tool} {called}"
    suffix = "bin" if tool == "st-flash" else "hex"
    assert f"build/{board}.{suffix}" in called
    if tool == "st-flash":
        assert called.endswith("0x08000000")


@pytest.mark.parametrize("board", INSTRUMENT_BOARDS)
def test_missing_board_is_reported_in_one_line_with_the_remedy(board, tools):
    with pytest.raises(UserError, match=f"^no {board} is connected: ") as without_tool:
        flashing.flash(board, files_of(board), drive=None, dry_run=False)
    assert "\n" not in str(without_tool.value)
    tools("openocd", 1, "Open On-Chip Debugger\nError: unable to find a matching device")
    with pytest.raises(UserError) as without_board:
        flashing.flash(board, files_of(board), drive=None, dry_run=False)
    message = str(without_board.value)
    assert message.startswith(f"no {board} is connected (openocd: Error: unable to find a matching")
    assert flashing.flasher(board).remedy in message and "\n" not in message


@pytest.mark.parametrize("board", INSTRUMENT_BOARDS)
def test_dry_run_prints_a_command_even_without_board_and_tools(board, tools):
    command = flashing.flash(board, files_of(board), drive=None, dry_run=True)
    if board in BOARD_IDS:
        assert command == f"cp build/{board}.uf2 '<drive {BOARD_IDS[board]}>'"
    else:
        assert (
            command.startswith("openocd -f board/") and f"build/{board}.hex verify reset" in command
        )


@pytest.mark.firmware
def test_dry_run_builds_the_model_of_a_run_folder(small_run, build_dir, capsys):
    flash.main(["--board", "pico2", "--run", str(small_run), "--dry-run"])
    doing, voices, sizes, written, command, following = capsys.readouterr().out.splitlines()
    assert doing == "building for pico2, and estimating what its voices take"
    share = r"at most \d+ % of a block's 4 ms, all else included, by estimate"
    assert re.fullmatch(f"32 voices take {share}", voices)
    assert sizes.startswith("pico2: flash ")
    image, family = uf2.read(Path(written.split()[-1]).read_bytes())
    assert family == uf2.RP2350_ARM_SECURE
    assert len(image.content) - 256 < int(sizes.split()[2]) <= len(image.content)
    assert command.startswith("to flash it: ") and "pico2." in command
    assert following == "next: wire it as in tflm_app/boards/ports/rp2/README.md, and play"


@pytest.mark.parametrize("board", INSTRUMENT_BOARDS)
def test_readme_that_flash_names_has_the_wiring(board):
    readme = APP_DIR / "boards" / INSTRUMENT_BOARDS[board].wiring / "README.md"
    assert "MIDI in" in readme.read_text()


@pytest.mark.firmware
def test_board_is_flashed_without_an_estimate_if_there_is_no_emulator(
    small_run, build_dir, capsys, monkeypatch
):
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda tool: None if "qemu" in tool else found(tool))
    flash.main(["--board", "pico", "--run", str(small_run), "--dry-run"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("16 voices; qemu-system-arm is not installed")
    with pytest.raises(UserError, match="apt-get install qemu-system-arm"):
        flash.main(["--board", "pico", "--run", str(small_run), "--dry-run", "--voices", "2"])


@pytest.mark.firmware
def test_run_folders_become_the_programs_of_one_image_in_order(
    small_run, tmp_path, build_dir, capsys, replace
):
    replace(sources.describe_time, lambda *_: "8 voices")
    violin = tmp_path / "violin" / "reduced_cd"
    make_run(violin, instrument="violin")
    runs = [violin, small_run]
    options = [word for run in runs for word in ("--run", str(run))]
    flash.main(["--board", "pico2", *options, "--dry-run"])
    *programs, _, _, _, written = capsys.readouterr().out.splitlines()[:6]
    assert programs == [f"program {n}: {run} (given by --run)" for n, run in enumerate(runs)]
    image, _ = uf2.read(Path(written.split()[-1]).read_bytes())
    assert b"violin_reduced_cd\0" in image.content and b"flute_reduced_cd\0" in image.content
    (table,) = (build_dir / "generated").glob("*/instruments.c")
    assert re.findall(r'\{"(\w+)"', table.read_text()) == ["violin_reduced_cd", "flute_reduced_cd"]
    with pytest.raises(UserError, match="two models are 'violin_reduced_cd'"):
        flash.main(["--board", "pico2", *options[:2], *options[:2], "--dry-run"])


@pytest.mark.parametrize(
    "options",
    [
        "--run 'my flute' --run b --format int16x8 --reverb 0.1",
        "--run a --reverb --voices 2 --option PICO_AUDIO=pwm --option SAMPLE_RATE=48000",
        "--generated c",
    ],
)
def test_firmware_prints_the_command_that_flashes_its_result(
    options, replace, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("my flute", "a", "b"):
        make_run(tmp_path / name)
    asked, built = [], firmware.Firmware(Program("pico2", Path("play")), "aot", 1, 1, {})
    replace(sources.generate_source, lambda given: asked.append(vars(given)) or Path("c"))
    replace(firmware.build, lambda *_, **how: asked.append(how["options"]) or built)
    replace(flashing.convert, lambda *_: files_of("pico2"))
    replace(sources.describe_time, lambda *_: "2 voices")
    firmware_command.main(["--board", "pico2", *shlex.split(options)])
    following = capsys.readouterr().out.splitlines()[-1]
    assert following == f"next: python -m pipeline.flash --board pico2 {options}"
    flash.main([*shlex.split(following)[4:], "--dry-run"])
    shared = ("board", "run", "generated", "format", "reverb", "voices", "option")
    assert [asked[0][name] for name in shared] == [asked[2][name] for name in shared]
    assert asked[1] == asked[3]


@pytest.mark.firmware
def test_learnt_reverb_is_flashed_only_with_an_fpu(small_run, build_dir, capsys, replace):
    replace(sources.describe_time, lambda *_: "8 voices")
    options = ["--run", str(small_run), "--dry-run"]
    sizes = []
    for reverb_options in ([], ["--reverb", "0.1"], ["--reverb"]):
        flash.main(["--board", "nucleo_h743zi", *options, *reverb_options])
        words = capsys.readouterr().out.splitlines()[2].split()
        sizes.append((int(words[2]), int(words[5])))
    assert sizes[1][0] - sizes[0][0] > 4 * 1600 < sizes[1][1] - sizes[0][1]
    # The whole response lasts one second.
    assert sizes[2][0] - sizes[1][0] > 4 * 14400 < sizes[2][1] - sizes[1][1]
    for reverb_options in (["--reverb", "0.1"], ["--reverb"]):
        with pytest.raises(UserError, match="pico has no FPU to play a reverb with"):
            flash.main(["--board", "pico", *options, *reverb_options])
    with pytest.raises(UserError, match="no reverb of 2 s: give a length above 0, up to 1 s"):
        flash.main(["--board", "pico2", *options, "--reverb", "2"])


def test_command_refuses_a_folder_that_is_not_a_drive(tmp_path):
    with pytest.raises(UserError, match="is not the drive of a pico2: hold BOOTSEL"):
        flash.main(["--board", "pico2", "--drive", str(tmp_path)])


@pytest.mark.parametrize("n_voices", ["abc", "-3", "0", "129", "4.5"])
@pytest.mark.parametrize("command", [flash, firmware_command])
def test_number_of_voices_in_an_option_is_checked_before_the_build(command, n_voices, capsys):
    words = ["--board", "pico", "--instrument", "flute", "--option", f"PLAYER_VOICES={n_voices}"]
    message = f"--option PLAYER_VOICES: '{n_voices}' is not a whole number from 1 to 128"
    assert message in refusal(capsys, command.main, *words)


@pytest.mark.firmware
@pytest.mark.parametrize(
    ("board", "variables", "message"),
    [
        ("host", {"PLAYER_VOICE": 4}, "build for host has no variable PLAYER_VOICE: leave"),
        ("host", {"FOO-BAR": 1}, "build for host has no variable FOO-BAR: leave"),
        ("host", {"PICO_AUDIO": "pwm", "X": 1}, "host has no variable PICO_AUDIO, X: leave"),
        ("pico", {"PICO_AUDIO": "nonsense"}, "^PICO_AUDIO is nonsense: choose i2s or pwm$"),
        ("pico", {"SAMPLE_RATE": "fast"}, "^SAMPLE_RATE is fast: choose 16000 or 48000$"),
    ],
)
def test_variable_that_the_build_does_not_use_is_named(tmp_path, board, variables, message):
    source = tmp_path / "main.c"
    source.write_text("int main(void) { return 0; }\n")
    for _ in range(2):  # the second time, too, although CMake keeps variables
        with pytest.raises(UserError, match=message):
            make(board, tmp_path, {"PROGRAM_SOURCES": source, **variables}, "program")
    assert make(board, tmp_path, {"PROGRAM_SOURCES": source}, "program").elf.is_file()


def test_message_about_too_many_models_says_how_many_fit(capsys):
    models = [
        word
        for instrument in ("flute", "piano", "trumpet", "violin")
        for word in ("--run", MODEL_DIR / instrument / "reduced_cd")
    ]
    line = refusal(capsys, flash.main, "--board", "pico", "--dry-run", *models)
    missing = r"error: play does not fit pico: \d+ bytes of RAM are missing; "
    assert re.fullmatch(f"{missing}with 2 voices, the first 3 of the 4 models fit", line)
    line = refusal(capsys, flash.main, "--board", "pico", "--dry-run", "--voices", "4", *models)
    assert line.endswith("with 2 voices, the first 3 of the 4 models fit: --voices 2")
