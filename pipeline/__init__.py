"""Neural FM instruments from a recording to a Cortex-M: one command per stage."""

import faulthandler
import os
import signal
import sys
from types import FrameType, TracebackType

INTERRUPTED = "interrupted"
# Ctrl-C, a request to end, and a terminal that was closed. Shells may ignore them.
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

if sys.argv[0] == "-m":  # run as a command, python -m pipeline.<stage>
    # TensorFlow's C++ code prints messages that no option silences. So Python gets its own copy of
    # stderr; everything else that is written to stderr is dropped, except the traceback of a crash.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.enable(sys.stderr)


def _report_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Ends a command that lacks a package with one line and status 2; shows other errors whole."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.split(".")[0]
        if package != __name__:
            print(
                f"error: the Python package {package} is not installed: install it, or everything "
                "that the project needs with pip install .",
                file=sys.stderr,
            )
            sys.stdout.flush()
            os._exit(2)  # the interpreter would end with status 1 after this hook
    sys.__excepthook__(kind, error, trace)


def interrupted_status(number: int) -> int:
    """Returns the exit status of an interrupted command, as shells report it: 130 for Ctrl-C."""
    return 128 + number


def _end_at_interrupt(number: int, _: FrameType | None) -> None:
    """Ends a command while its packages are being imported, which takes seconds."""
    os.write(sys.stderr.fileno(), f"{INTERRUPTED}\n".encode())
    os._exit(interrupted_status(number))


def _raise_interrupt(number: int, _: FrameType | None) -> None:
    """Interrupts a command once; it then puts its files in order, which is not interrupted."""
    for other in INTERRUPTS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt(number)


def raise_interrupts() -> None:
    """Lets interrupts raise `KeyboardInterrupt`, once a command can put its files in order."""
    for number in INTERRUPTS:
        if signal.getsignal(number) is _end_at_interrupt:
            signal.signal(number, _raise_interrupt)


if sys.argv[0] == "-m":
    sys.excepthook = _report_uncaught
    for _number in INTERRUPTS:
        if signal.getsignal(_number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(_number, _end_at_interrupt)
