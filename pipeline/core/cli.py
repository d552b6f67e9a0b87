"""How commands end: errors become one line on stderr and an exit status."""

import errno
import os
import select
import shlex
import signal
import sys
from collections.abc import Callable

from pipeline import INTERRUPTED, interrupted_status, raise_interrupts
from pipeline.core.errors import UserError

CONTINUES = "; the same command continues from here"
REMEDIES = {
    errno.EACCES: ": check its permissions",
    errno.EPERM: ": check its permissions",
    errno.EROFS: ": give another folder",
    errno.EEXIST: ": a folder is needed here, give another name",
    errno.ENOTDIR: ": a folder is needed here, give another name",
    errno.EISDIR: ": a file is needed here, give its name",
}


def command_line(command: str, *words: object) -> str:
    """Returns ``python -m pipeline.<command>`` with words, quoted for the shell where needed."""
    return shlex.join(["python", "-m", f"pipeline.{command}", *map(str, words)])


def run_main(main: Callable[[], None], *, resumes: bool = False) -> None:
    """Runs a command: one line on stderr and exit status 2 for bad input, 130 for Ctrl-C.

    SIGTERM and SIGHUP are handled like Ctrl-C, with the status 143 or 129. A command whose output
    nobody reads any longer, as with ``| head``, ends without a message, with the status 141, or as
    usual if it has nothing more to write.

    Args:
        main: The command's `main`, called without arguments so that it parses ``sys.argv``.
        resumes: Whether the command, if it is interrupted and run again, uses what it has done.
    """
    try:
        raise_interrupts()
        main()
    except UserError as error:
        message = f"error: {error}"
    except KeyboardInterrupt as interrupt:
        print(INTERRUPTED + (CONTINUES if resumes else ""), file=sys.stderr)
        sys.exit(interrupted_status(*interrupt.args or (signal.SIGINT,)))
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _is_output_closed():
            sys.exit(interrupted_status(signal.SIGPIPE))
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
    finally:
        _write_buffered()
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(2)


def _write_buffered() -> None:
    """Writes the rest of the output; drops it if nobody reads it, which Python would report."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_output_closed() -> bool:
    """Whether stdout is a pipe without a reader; the pipe that broke may be that of a process."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def _is_disk_full(error: Exception) -> bool:
    """Whether a disk, quota or file size limit is exhausted; some libraries only quote the text."""
    limits = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return getattr(error, "errno", None) in limits or any(
        os.strerror(limit) in str(error) for limit in limits
    )
