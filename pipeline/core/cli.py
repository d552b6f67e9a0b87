"""What every command does around its `main`: errors become one line and an exit status."""

import errno
import os
import sys
from collections.abc import Callable

from pipeline.core.errors import UserError


def run_main(main: Callable[[], None]) -> None:
    """Runs a command: one line on stderr and exit status 2 for bad input, 130 for Ctrl-C.

    Args:
        main: The stage's `main`, called without arguments so that it reads the command line.
    """
    try:
        main()
    except UserError as error:
        message = f"error: {error}"
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if _is_disk_full(error):
            message = (
                f"error: {_file_of(error)}: no space left; make room and run the command again"
            )
        elif isinstance(error, OSError):  # such as a folder that may not be written
            message = f"error: {_file_of(error)}: {error.strerror or error}"
        else:
            raise
    else:
        return
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(2)


def _is_disk_full(error: Exception) -> bool:
    """Whether a disk, quota or file size limit is at its end; libraries give the words alone."""
    limits = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return getattr(error, "errno", None) in limits or any(
        os.strerror(limit) in str(error) for limit in limits
    )


def _file_of(error: Exception) -> str:
    return getattr(error, "filename", None) or "the disk"
