"""Instrument configuration: one TOML per instrument fills frozen dataclasses."""

from dataclasses import dataclass, field

from pipeline.core.constants import N_OPERATORS
from pipeline.core.errors import UserError
from pipeline.core.files import from_table, read_toml
from pipeline.core.paths import INSTRUMENT_DIR


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
