"""Neural FM instruments from a recording to a Cortex-M: one module a stage."""

import faulthandler
import os
import sys

if sys.argv[0] == "-m":  # run as a command, python -m pipeline.<stage>
    # TensorFlow's C++ fills the terminal with remarks that no option silences. Python gets a stderr
    # of its own; what else is written there is dropped, but for the traceback of a crash.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.enable(sys.stderr)
