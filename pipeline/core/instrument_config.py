"""Instrument configuration: one TOML file per instrument fills frozen dataclasses.

The file's name is the instrument's name. Every field declares the values that it accepts;
`pipeline.core.schema` checks them when the file is read.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypedDict

from pipeline.core.constants import CLIP_FRAMES, N_OPERATORS
from pipeline.core.errors import UserError
from pipeline.core.files import read_toml
from pipeline.core.patch_files import PatchValue, resolve_patch
from pipeline.core.paths import INSTRUMENT_DIR, MODEL_DIR
from pipeline.core.schema import Identifier, OneOf, Within, from_table
from pipeline.core.sound_sets import DEFAULT_SOUND_SET, SOUND_SETS

MIN_RANGE = 12  # semitones; the phrases of the corpus need an octave
MIN_CROP_FRAMES = 17  # more than half of the longest window of the spectral loss

_Steps = Annotated[int, Within(1, 10_000_000)]
_Share = Annotated[float, Within(0, 1)]
_Seed = Annotated[int, Within(0, 2**32 - 1)]
MIDI_NOTE = Within(12, 115)  # phrases exceed the range by up to an octave
TRACKED_F0 = Within(47, 4000)  # what the pitch tracker can find
_MidiNote = Annotated[int, MIDI_NOTE]
_TrackedF0 = Annotated[float, TRACKED_F0]


@dataclass(frozen=True)
class TcnConfig:
    """Shape of the decoder network (see `pipeline.model.topology`)."""

    n_blocks: Annotated[int, Within(2, 8)]
    hidden_channels: Annotated[int, Within(1, 512)]
    kernel_size: Annotated[int, Within(1, 4)] = 3
    n_inputs: Annotated[int, Within(2, 2)] = 2
    n_outputs: Annotated[int, Within(N_OPERATORS, N_OPERATORS)] = N_OPERATORS

    @property
    def receptive_field(self) -> int:
        """Number of frames that one output depends on."""
        return 1 + 2 * (self.kernel_size - 1) * ((1 << self.n_blocks) - 1)


@dataclass(frozen=True)
class CorpusConfig:
    """What `pipeline.data` composes and renders when it is given no recordings."""

    gm_program: Annotated[int, Within(0, 127)]  # General MIDI, counted from 0
    lowest_note: _MidiNote
    highest_note: _MidiNote
    decays: bool = False  # plucked or struck: there are no swells, and long tones die away
    sound_sets: list[str] = field(default_factory=lambda: [DEFAULT_SOUND_SET])

    def __post_init__(self) -> None:
        if not self.sound_sets or set(self.sound_sets) - set(SOUND_SETS):
            raise ValueError(
                f"corpus.sound_sets = {self.sound_sets}: give some of {', '.join(SOUND_SETS)}"
            )
        if self.highest_note - self.lowest_note < MIN_RANGE:
            raise ValueError(
                f"corpus.lowest_note = {self.lowest_note} is less than {MIN_RANGE} semitones below "
                f"corpus.highest_note = {self.highest_note}"
            )


class F0Bounds(TypedDict):
    """Lowest and highest pitch that an analysis looks for, as keyword arguments."""

    f0_min_hz: float
    f0_max_hz: float


@dataclass(frozen=True)
class DataConfig:
    """How recordings become clips and frames."""

    f0_min_hz: _TrackedF0
    f0_max_hz: _TrackedF0
    confidence_threshold: _Share = 0.8
    silence_db: Annotated[float, Within(0, 120)] = 40.0  # below the loudest frame
    pause_seconds: Annotated[float, Within(0, 60)] = 0.5  # shorter pauses do not end a phrase
    level: Annotated[str, OneOf(("calibrated", "as recorded"))] = "calibrated"
    urmp_tag: str = ""  # abbreviation of the instrument in URMP's file names
    seed: _Seed = 0

    def __post_init__(self) -> None:
        if self.f0_min_hz >= self.f0_max_hz:
            raise ValueError(
                f"data.f0_min_hz = {self.f0_min_hz} is not below data.f0_max_hz = {self.f0_max_hz}"
            )

    @property
    def f0_bounds(self) -> F0Bounds:
        """The search range."""
        return {"f0_min_hz": self.f0_min_hz, "f0_max_hz": self.f0_max_hz}


@dataclass(frozen=True)
class TrainConfig:
    """Hyper-parameters of a training run.

    The defaults are the papers', except where other values work better for everyone; the profiles
    in ``data/profiles`` replace some of them.
    """

    steps: Annotated[_Steps, "optimizer steps"] = 120_000
    batch_size: Annotated[int, Within(1, 1024), "clips per step"] = 16
    crop_frames: Annotated[
        int,
        Within(MIN_CROP_FRAMES, CLIP_FRAMES),
        "length of the crop of each clip, in frames of 4 ms",
    ] = 500
    learning_rate: Annotated[float, Within(1e-9, 1), "learning rate after the warm-up"] = 1e-3
    warmup_steps: Annotated[
        int, Within(0, 10_000_000), "steps in which the learning rate rises from 0"
    ] = 500
    final_learning_rate: Annotated[
        float, Within(0, 1), "learning rate at the last step, the end of a cosine decay"
    ] = 1e-5
    weight_decay: Annotated[_Share, "weight decay per step, as a share of the learning rate"] = 1e-2
    gradient_clip: Annotated[
        float, Within(1e-6, 1e6), "largest norm of the gradient; larger ones are scaled down"
    ] = 3.0
    dropout: Annotated[
        float, Within(0, 0.99), "share of hidden values that are set to 0 in training"
    ] = 0.0
    initial_logit: Annotated[
        float,
        Within(-10, 10),
        "logit of the levels that training starts with; with higher ones it ends too bright",
    ] = -5.0
    highest_logit: Annotated[
        float,
        Within(0, 12),
        "logit of the levels above which a penalty keeps them able to change",
    ] = 2.0
    rendered_share: Annotated[
        _Share, "share of the crops that come from rendered sources where there are recordings, too"
    ] = 0.1
    live_share: Annotated[
        _Share, "share of the crops that are played from live features, if the data set has them"
    ] = 0.25
    dry_steps: Annotated[
        int, Within(0, 10_000_000), "first steps, in which the reverb is left out and not trained"
    ] = 0
    loss_density: Annotated[
        int, Within(1, 2), "windows of the spectral loss per half a window; 1 halves its cost"
    ] = 2
    average_steps: Annotated[
        int, Within(1, 1_000_000), "steps over which the weights are averaged; 1 for no average"
    ] = 100
    validate_every: Annotated[_Steps, "steps between validations"] = 1_000
    patience: Annotated[
        int, Within(1, 10_000_000), "validations without improvement before training stops"
    ] = 20
    seed: Annotated[_Seed, "seed of weights, batches and dropout"] = 0


@dataclass(frozen=True)
class InstrumentConfig:
    """Everything that differs between instruments."""

    instrument: Annotated[str, Identifier()]
    patch: PatchValue
    data: DataConfig
    corpus: CorpusConfig | None = None
    full: TcnConfig = TcnConfig(n_blocks=5, hidden_channels=128)
    reduced: TcnConfig = TcnConfig(n_blocks=3, hidden_channels=64)
    tiny: TcnConfig = TcnConfig(n_blocks=2, hidden_channels=16)

    def __post_init__(self) -> None:
        resolve_patch(self.patch, self.instrument)

    def tcn(self, variant: str) -> TcnConfig:
        """Returns the network's shape for one of `VARIANTS`."""
        return {"full": self.full, "tiny": self.tiny}.get(variant, self.reduced)

    def require_corpus(self) -> CorpusConfig:
        """Returns how music is composed for the instrument.

        Raises:
            UserError: Its file has no ``[corpus]``, so that it can only learn from recordings.
        """
        if self.corpus is None:
            path = INSTRUMENT_DIR / f"{self.instrument}.toml"
            raise UserError(
                f"{path} has no [corpus], so no music can be composed for it: add gm_program, "
                "lowest_note and highest_note under [corpus], or give recordings with --audio"
            )
        return self.corpus

    @property
    def decays(self) -> bool:
        """Whether it is plucked or struck, as far as its file says."""
        return self.corpus is not None and self.corpus.decays


def known_instruments() -> list[str]:
    """Lists the instruments of ``data/instruments`` by name."""
    names = (path.stem for path in INSTRUMENT_DIR.glob("*.toml"))
    return sorted(name for name in names if Identifier().accepts(name))


def shipped_instruments() -> list[str]:
    """Lists the instruments that have a pretrained model in ``data/models``."""
    return sorted({path.parts[-3] for path in MODEL_DIR.glob("*/*/config.toml")})


def load_instrument(name: str) -> InstrumentConfig:
    """Loads an instrument's configuration from ``data/instruments/<name>.toml``.

    Raises:
        UserError: There is no such instrument, or an entry of the file is missing or not allowed.
    """
    known = known_instruments()
    if name not in known:
        maker = name if Identifier().accepts(name) else "NAME"
        raise UserError(
            f"unknown instrument {name!r}: choose one of {', '.join(known)}, or describe your own "
            f"with python -m pipeline.new_instrument {maker} --audio DIR"
        )
    path = INSTRUMENT_DIR / f"{name}.toml"
    return instrument_from_table(read_toml(path), path)


def instrument_from_table(table: dict[str, Any], path: Path) -> InstrumentConfig:
    """Checks the content of an instrument's file.

    Args:
        table: The content.
        path: The file, whose name is the instrument's name.

    Raises:
        UserError: An entry is missing or not allowed, or names another instrument.
    """
    given = table.get("instrument", path.stem)
    if given != path.stem:
        raise UserError(
            f"{path}: instrument = {given!r}: give {path.stem!r}, which is the file's name, or "
            "remove the entry"
        )
    return from_table(InstrumentConfig, table | {"instrument": path.stem}, path)
