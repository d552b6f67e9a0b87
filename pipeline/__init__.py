"""Neural FM instruments from a recording to a Cortex-M: one command per stage."""

import faulthandler
import os
import signal
import sys
from types import FrameType, TracebackType

INTERRUPTED = "interrupted; the same command continues from here"
INTERRUPTED_STATUS = 130  # what shells report for Ctrl-C

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


def _end_at_interrupt(_: int, __: FrameType | None) -> None:
    """Ends a command at Ctrl-C while its packages are being imported, which takes seconds."""
    os.write(sys.stderr.fileno(), f"{INTERRUPTED}\n".encode())
    os._exit(INTERRUPTED_STATUS)


def raise_interrupts() -> None:
    """Lets Ctrl-C raise `KeyboardInterrupt` again, once a command can put its files in order."""
    if signal.getsignal(signal.SIGINT) is _end_at_interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if sys.argv[0] == "-m":
    sys.excepthook = _report_uncaught
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # shells may ignore it
        signal.signal(signal.SIGINT, _end_at_interrupt)
