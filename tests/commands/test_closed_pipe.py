"""A command whose output nobody reads any longer ends without a message, as in ``... | head``."""

import subprocess
import sys

import pytest

from pipeline.core.cli import run_main


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["pipeline.patch"], 141, ""),  # lists the patches
        (["pipeline.latency", "--help"], 0, ""),
        (["pipeline.patch", "--show", "?"], 2, "error: "),
    ],
)
def test_command_of_which_nobody_reads_the_output_ends_quietly(words, status, message):
    with subprocess.Popen(
        [sys.executable, "-m", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == status
    assert errors.startswith(message) and errors.count("\n") == bool(message)


def test_long_output_ends_quietly():
    program = (
        "from pipeline.core.cli import run_main\n"
        "def main():\n"
        "    for n in range(100_000):\n"
        "        print(n)\n"
        "    raise AssertionError\n"
        "run_main(main)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        errors = process.stderr.read()
    assert (errors, process.returncode) == ("", 141)


def test_broken_pipe_of_a_process_is_an_error(capfd):
    def main():
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(SystemExit) as ended:
        run_main(main)
    assert ended.value.code == 2
    assert capfd.readouterr().err == "error: Broken pipe\n"
