"""Paths of the repository's folders."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
INSTRUMENT_DIR = REPOSITORY / "data" / "instruments"
MODEL_DIR = REPOSITORY / "data" / "models"  # pretrained run folders
RUN_DIR = REPOSITORY / "runs"
APP_DIR = REPOSITORY / "tflm_app"
BUILD_DIR = REPOSITORY / "build"
