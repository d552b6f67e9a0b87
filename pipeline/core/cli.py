"""How commands end: errors become one line on stderr and an exit status."""

import errno
import os
import shlex
import signal
import sys
from collections.abc import Callable

from pipeline import INTERRUPTED, interrupted_status, raise_interrupts
from pipeline.core.errors import UserError

REMEDIES = {
    errno.EACCES: ": check its permissions",
    errno.EPERM: ": check its permissions",
    errno.EROFS: ": give another folder",
}


def command_line(command: str, *words: object) -> str:
    """Returns ``python -m pipeline.<command>`` with words, quoted for the shell where needed."""
    return shlex.join(["python", "-m", f"pipeline.{command}", *map(str, words)])


def run_main(main: Callable[[], None]) -> None:
    """Runs a command: one line on stderr and exit status 2 for bad input, 130 for Ctrl-C.

    SIGTERM and SIGHUP are handled like Ctrl-C, with the status 143 or 129.

    Args:
        main: The command's `main`, called without arguments so that it parses ``sys.argv``.
    """
    try:
        raise_interrupts()
        main()
    except UserError as error:
        message = f"error: {error}"
    except KeyboardInterrupt as interrupt:
        print(INTERRUPTED, file=sys.stderr)
        sys.exit(interrupted_status(*interrupt.args or (signal.SIGINT,)))
    except Exception as error:
        if _is_disk_full(error):
            remedy = "free some space and run the command again"
            where = getattr(error, "filename", None) or "the disk"
            message = f"error: {where}: no space left; {remedy}"
        elif isinstance(error, OSError):  # for example a folder without write permission
            where = f"{error.filename}: " if error.filename else ""
            remedy = REMEDIES.get(error.errno or 0, "")
            message = f"error: {where}{error.strerror or error}{remedy}"
        else:
            raise
    else:
        return
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(2)


def _is_disk_full(error: Exception) -> bool:
    """Whether a disk, quota or file size limit is exhausted; some libraries only quote the text."""
    limits = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return getattr(error, "errno", None) in limits or any(
        os.strerror(limit) in str(error) for limit in limits
    )
