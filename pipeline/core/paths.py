"""Paths of the repository's folders, and its version."""

import configparser
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
INSTRUMENT_DIR = REPOSITORY / "data" / "instruments"
PATCH_DIR = REPOSITORY / "data" / "patches"
PROFILE_DIR = REPOSITORY / "data" / "profiles"
MODEL_DIR = REPOSITORY / "data" / "models"  # pretrained run folders
ABLATION_DIR = REPOSITORY / "data" / "ablations"  # grids and their results
BOARD_REPORT_DIR = REPOSITORY / "data" / "boards"  # what real boards have measured
RUN_DIR = REPOSITORY / "runs"
APP_DIR = REPOSITORY / "tflm_app"
BUILD_DIR = REPOSITORY / "build"
THIRD_PARTY_DIR = BUILD_DIR / "third_party"


def version() -> str:
    """Returns the version of the pipeline."""
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    return setup["metadata"]["version"]


def shown(path: Path) -> Path:
    """Returns a path as a message shows it: relative to the current folder if it lies below."""
    current = Path.cwd()
    return path.relative_to(current) if path.is_relative_to(current) else path
