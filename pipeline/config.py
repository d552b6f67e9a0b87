"""Facts that every stage shares: constants, the instruments' configuration, run folders, errors.

Configuration is data: one TOML per instrument under ``data/instruments`` fills frozen dataclasses;
what a run was made with is written back, resolved, as ``config.toml`` into its run folder.
"""

import ctypes
import errno
import hashlib
import json
import os
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

SAMPLE_RATE = 16_000  # Hz
HOP_SAMPLES = 64  # samples per frame and per block of the firmware
FRAME_RATE = SAMPLE_RATE // HOP_SAMPLES  # 250 Hz
CLIP_SAMPLES = 4 * SAMPLE_RATE
CLIP_FRAMES = CLIP_SAMPLES // HOP_SAMPLES
MAX_LEVEL = 0.32  # turns: the largest output level of an operator
LEVEL_FLOOR = 1e-3  # of it, added before the logarithm: what is not heard hardly differs
LOGIT_RANGE = (-12.0, 6.0)  # beyond it the level is inaudible, or as good as the largest
N_OPERATORS = 6
LOUDNESS_RANGE_DB = 80.0
DEFAULT_F0_HZ = 440.0  # of a device before its first pitch

INSTRUMENTS = ("flute", "trumpet", "violin", "piano")
VARIANTS = ("full", "reduced", "reduced_ad", "reduced_cd")

REPOSITORY = Path(__file__).resolve().parent.parent
INSTRUMENT_DIR = REPOSITORY / "data" / "instruments"
MODEL_DIR = REPOSITORY / "data" / "models"  # pretrained run folders
RUN_DIR = REPOSITORY / "runs"


class UserError(Exception):
    """Something that the user can mend; its text is the one line that is shown, with status 2."""


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


def end_with_parent() -> None:
    """Ends this process, on Linux, as soon as the one that started it is gone, even if killed."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` that takes its name once the block ends without error.

    Args:
        path: Final name; its folder is made if needed. The temporary name ends like it, because
            libraries choose the format by it.

    Yields:
        The path to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, figures: Any) -> None:
    """Writes `figures` as indented JSON, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n")


@dataclass(frozen=True)
class TcnConfig:
    """Shape of the decoder network (see `pipeline.tcn`)."""

    n_blocks: int
    hidden_channels: int
    kernel_size: int = 3
    n_inputs: int = 2
    n_outputs: int = N_OPERATORS

    @property
    def receptive_field(self) -> int:
        """Number of frames that one output depends on."""
        return 1 + 2 * (self.kernel_size - 1) * (2**self.n_blocks - 1)


@dataclass(frozen=True)
class CorpusConfig:
    """What `pipeline.data` composes and renders when it is given no recordings."""

    gm_program: int  # General MIDI, counted from 0
    lowest_note: int  # MIDI note numbers of the instrument's range
    highest_note: int
    decays: bool = False  # plucked or struck: no swells, long tones die away


@dataclass(frozen=True)
class DataConfig:
    """How recordings become clips and frames."""

    f0_min_hz: float
    f0_max_hz: float
    confidence_threshold: float = 0.8
    silence_db: float = 40.0
    min_clip_seconds: float = 3.0
    pause_seconds: float = 0.5  # shorter pauses do not end a stretch of sound
    urmp_tag: str = ""  # the instrument in the file names of URMP
    seed: int = 0


@dataclass(frozen=True)
class TrainConfig:
    """Hyper-parameters of one training; the defaults are the paper's where they pay."""

    steps: int = 120_000
    batch_size: int = 16
    crop_frames: int = 500  # 2 s
    learning_rate: float = 1e-3
    warmup_steps: int = 500
    final_learning_rate: float = 1e-5  # reached along a cosine at the last step
    weight_decay: float = 1e-2
    gradient_clip: float = 3.0
    dropout: float = 0.0
    real_share: float = 0.5  # share of real recordings in a batch where both kinds are there
    validate_every: int = 1_000
    patience: int = 20  # validations without a better one before training stops
    seed: int = 0


@dataclass(frozen=True)
class InstrumentConfig:
    """Everything that is particular to an instrument."""

    instrument: str
    patch: str
    data: DataConfig
    corpus: CorpusConfig
    full: TcnConfig = TcnConfig(n_blocks=5, hidden_channels=128)
    reduced: TcnConfig = TcnConfig(n_blocks=3, hidden_channels=64)
    train: TrainConfig = field(default_factory=TrainConfig)

    def tcn(self, variant: str) -> TcnConfig:
        """Returns the network's shape for one of `VARIANTS`."""
        return self.full if variant == "full" else self.reduced


def load_instrument(name: str) -> InstrumentConfig:
    """Loads an instrument's configuration from ``data/instruments/<name>.toml``.

    Raises:
        UserError: There is no such instrument, or the file has a wrong or missing entry.
    """
    path = INSTRUMENT_DIR / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in INSTRUMENT_DIR.glob("*.toml")))
        raise UserError(f"unknown instrument {name!r}: choose one of {known}, or write {path}")
    return from_table(InstrumentConfig, read_toml(path), path)


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file; raises `UserError` naming it where it is not one."""
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}") from None


def from_table(kind: Any, table: dict[str, Any], path: Path) -> Any:
    """Fills a frozen dataclass from a TOML table, refusing entries that it does not know."""
    known = {f.name: f for f in fields(kind)}
    if unknown := set(table) - set(known):
        raise UserError(f"{path}: unknown entry {min(unknown)!r}; allowed: {', '.join(known)}")
    values = {}
    for name, value in table.items():
        kind_of_field = known[name].type
        nested = is_dataclass(kind_of_field) and isinstance(value, dict)
        values[name] = from_table(kind_of_field, value, path) if nested else value
    try:
        return kind(**values)
    except TypeError as error:
        raise UserError(f"{path}: {error}") from None


def to_toml(table: dict[str, Any]) -> str:
    """Writes a table of numbers, strings, booleans and tables of these as TOML."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", to_toml(value).rstrip("\n")]
    return "\n".join(lines) + "\n"


def config_hash(table: dict[str, Any]) -> str:
    """Short hash of a resolved configuration, which tells two runs apart."""
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class RunConfig:
    """What a run folder was made with: its ``config.toml``, resolved."""

    instrument: str
    patch: str
    variant: str
    tcn: TcnConfig
    train: TrainConfig

    @property
    def hash(self) -> str:
        """Short hash over every entry."""
        return config_hash(asdict(self))

    def save(self, run_dir: Path) -> None:
        """Writes ``config.toml`` with the hash into `run_dir`."""
        with atomic_write(run_dir / "config.toml") as temporary:
            temporary.write_text(to_toml({"hash": self.hash, **asdict(self)}))


def load_run(run_dir: Path, *, instrument: str | None = None) -> RunConfig:
    """Loads the configuration of a run folder.

    Args:
        run_dir: Folder such as ``runs/flute/full`` or ``data/models/flute/reduced_cd``.
        instrument: If given, the instrument that the folder must belong to.

    Raises:
        UserError: The folder is no run folder, was altered, or belongs to another instrument.
    """
    path = run_dir / "config.toml"
    if not path.is_file():
        raise UserError(
            f"{run_dir} is no run folder (no config.toml): run {training_command(run_dir)} first"
        )
    table = read_toml(path)
    expected = table.pop("hash", None)
    config: RunConfig = from_table(RunConfig, table, path)
    if expected != config.hash:
        raise UserError(f"{path} does not match its hash {expected}: restore it or train again")
    if instrument is not None and config.instrument != instrument:
        raise UserError(
            f"{run_dir} holds a {config.instrument}, not a {instrument}: choose its own folder"
        )
    return config


def find_run(instrument: str, variant: str, runs: Path | None = None) -> Path:
    """Returns the run folder where a variant was trained, else the pretrained one.

    Raises:
        UserError: Neither is there.
    """
    bases = dict.fromkeys((runs or RUN_DIR, MODEL_DIR))
    candidates = [base / instrument / variant for base in bases]
    for folder in candidates:
        if (folder / "model.weights.h5").is_file():
            return folder
    raise UserError(
        f"no trained {variant} {instrument} in {' or '.join(map(str, candidates))}: "
        f"run {training_command(candidates[0])} first"
    )


def training_command(run_dir: Path) -> str:
    """Returns the command that trains what belongs into a run folder, by the folder's name."""
    stages = {variant: f"train --variant {variant}" for variant in VARIANTS}
    stages |= {"reduced_ad": "distill --method audio", "reduced_cd": "distill --method control"}
    *_, instrument, variant = run_dir.resolve().parts
    if variant not in stages or not (INSTRUMENT_DIR / f"{instrument}.toml").is_file():
        return "python -m pipeline.train"
    runs = run_dir.parent.parent
    elsewhere = f" --runs {runs}" if runs.resolve() != RUN_DIR else ""
    return f"python -m pipeline.{stages[variant]} --instrument {instrument}{elsewhere}"
