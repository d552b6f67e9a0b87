"""Neural FM instruments from a recording to a Cortex-M: one command per stage."""

import faulthandler
import os
import sys

if sys.argv[0] == "-m":  # run as a command, python -m pipeline.<stage>
    # TensorFlow's C++ code prints messages that no option silences. So Python gets its own copy of
    # stderr; everything else that is written to stderr is dropped, except the traceback of a crash.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.enable(sys.stderr)
