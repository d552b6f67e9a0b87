"""Neural FM instruments from a recording to a Cortex-M: one module a stage."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's remarks hide what a stage says
