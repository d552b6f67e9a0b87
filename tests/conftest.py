"""What pytest collects: tests of the tflm engine only where TFLM_DIR names a tflite-micro tree."""

import os

collect_ignore = [] if os.environ.get("TFLM_DIR") else ["target/test_tflm_engine.py"]
