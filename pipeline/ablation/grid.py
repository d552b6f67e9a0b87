"""Grids: TOML files that say which settings an ablation compares, and on what.

description = "What distillation brings"
instruments = ["flute"]
sources = ["urmp", "FluidR3_GM"]    # a folder that --source binds to the name, or a sound set
hold_out = ["each", "none"]         # sources that are only judged on, in turn; none: learn all
seeds = [0, 1, 2]
profile = "laptop"                  # of data/profiles, from which every setting starts

[train]                             # entries of TrainConfig that all settings change
steps = 600

[evaluate]
systems = ["float", "int8"]         # the float model, dry, and the int8 model in the firmware
figures = ["mss"]                   # columns of the table
boards = ["qemu_m4"]                # emulated boards on which the int8 firmware is counted

[settings.full]                     # what is compared; a setting may refer to earlier ones
variant = "full"
start = "random"

[settings."other patch"]
instrument.patch = "two_stacks"     # entries of the instrument's file that it changes
train.learning_rate = 1e-3          # entries of TrainConfig that it changes
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pipeline.core.constants import TAUGHT, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.files import read_toml
from pipeline.core.paths import ABLATION_DIR, shown
from pipeline.core.schema import OneOf, Within, from_table
from pipeline.evaluation.systems import LPC, LPC_NOISE
from pipeline.model.figure_names import FIGURES
from pipeline.target.boards import EMULATED_BOARDS

NONE, EACH = "none", "each"
RANDOM, PRETRAINED = "random", "pretrained"
FLOAT, FLOAT_125, INT8 = MODELS = ("float", "float at 125 Hz", "int8")
ANCHORS = (LPC.name, LPC_NOISE.name)  # made of the recording, without a model
SYSTEMS = (*MODELS, *ANCHORS)
RECORDINGS = "recordings"  # number of recordings, beside the figures of a source
MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class Setting:
    """What one row of the comparison changes.

    Attributes:
        variant: The model that is trained.
        start: Initial weights: ``random``; ``pretrained``, the nearest model of ``data/models``; or
            the name of an earlier setting. If empty, the profile decides.
        teacher: For distilled variants, the earlier setting that is the teacher.
        as_long_as: An earlier setting. Instead of for ``train.steps``, the model that ``start``
            names is trained until both took as many seconds, all trainings included that they are
            made from.
        sources: The sources to learn from; if empty, all of the grid. The held-out source is never
            learnt from, and always judged on.
        train: Entries of `TrainConfig`.
        instrument: Entries of the instrument's file, such as ``patch``.
    """

    variant: Annotated[str, OneOf(VARIANTS)] = "reduced"
    start: str = ""
    teacher: str = ""
    as_long_as: str = ""
    sources: list[str] = field(default_factory=list)
    train: dict[str, Any] = field(default_factory=dict)
    instrument: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluate:
    """How models are measured.

    Attributes:
        systems: What plays, of `SYSTEMS`: the float model, dry; the same, but with every other
            frame's levels interpolated; the int8 model in the firmware; or an anchor, LPC or LPC
            with noise, on the same clips. For anchors alone, no model is trained.
        boards: Emulated boards on which the instructions of the int8 firmware are counted, which
            gives a column for each, and a picture.
        clips: Largest number of test clips of four seconds per source.
        qat_epochs: Largest number of epochs of quantization-aware training before int8 plays.
        figures: The columns of the table, of `FIGURES` and `RECORDINGS`; all of them are stored.
        known: Whether the table also has rows for the sources that a model has learnt from.
    """

    systems: list[str] = field(default_factory=lambda: [FLOAT])
    boards: list[str] = field(default_factory=list)
    clips: Annotated[int, Within(1, 100_000)] = 16
    qat_epochs: Annotated[int, Within(0, 10_000)] = 0
    figures: list[str] = field(default_factory=lambda: ["mss"])
    known: bool = False

    def __post_init__(self) -> None:
        _check_names("evaluate.systems", self.systems, SYSTEMS)
        _check_names("evaluate.figures", self.figures, (*FIGURES, RECORDINGS))
        if self.boards:
            _check_names("evaluate.boards", self.boards, EMULATED_BOARDS)
            if INT8 not in self.systems:
                raise ValueError(f"evaluate.boards: counts {INT8} models: add it to systems")


@dataclass(frozen=True)
class _Entries:
    """The entries of a grid's file.

    Attributes:
        new_instruments: Content of the files of instruments that ``data/instruments`` lacks.
    """

    description: str
    instruments: list[str]
    sources: list[str]
    settings: dict[str, Any]
    profile: str
    hold_out: list[str] = field(default_factory=lambda: [NONE])
    seeds: list[int] = field(default_factory=lambda: [0])
    train: dict[str, Any] = field(default_factory=dict)
    new_instruments: dict[str, Any] = field(default_factory=dict)
    evaluate: Evaluate = field(default_factory=Evaluate)

    def __post_init__(self) -> None:
        _check_names("instruments", self.instruments)
        _check_names("sources", self.sources)
        if reserved := {NONE, EACH} & set(self.sources):
            raise ValueError(f"sources: {min(reserved)!r} has a meaning in hold_out: rename it")
        _check_names("hold_out", self.hold_out, (NONE, EACH, *self.sources))
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds = {self.seeds}: give one or more, each once")
        if not all(0 <= seed <= MAX_SEED for seed in self.seeds):
            raise ValueError(f"seeds = {self.seeds}: give whole numbers from 0 to {MAX_SEED}")
        for name, own in self.new_instruments.items():
            if name not in self.instruments or not isinstance(own, dict):
                raise ValueError(f"new_instruments.{name}: give a table for one of instruments")
        if not self.settings:
            raise ValueError("settings: give at least one table [settings.NAME]")


@dataclass(frozen=True)
class Grid:
    """A checked grid; see the module for the entries that are not described here.

    Attributes:
        path: Its file.
        table: Its content as it was read.
        hold_out: What is held out in turn: names of sources, or `NONE`.
        settings: The settings by name, in the order of the file.
    """

    path: Path
    table: dict[str, Any]
    description: str
    instruments: list[str]
    sources: list[str]
    hold_out: list[str]
    seeds: list[int]
    profile: str
    train: dict[str, Any]
    new_instruments: dict[str, Any]
    evaluate: Evaluate
    settings: dict[str, Setting]

    @property
    def name(self) -> str:
        """The name of the file, which is that of the results."""
        return self.path.stem


def load_grid(path: Path) -> Grid:
    """Reads a grid's file and checks all of it that does not depend on the instruments.

    Raises:
        UserError: The file is missing, or an entry is missing, unknown or not allowed.
    """
    if not path.exists():
        known = sorted(shown(grid) for grid in ABLATION_DIR.glob("*.toml"))
        raise UserError(f"{path} is missing: give one of {', '.join(map(str, known))}, or your own")
    table = read_toml(path)
    entries = from_table(_Entries, table, path)
    settings: dict[str, Setting] = {}
    for name, own in entries.settings.items():
        section = f"settings.{name}."
        if name in (RANDOM, PRETRAINED):
            raise UserError(f"{path}: {section[:-1]}: {name!r} has a meaning in start: rename it")
        if not isinstance(own, dict):
            raise UserError(f"{path}: {section[:-1]} = {own!r}: give a table")
        setting = from_table(Setting, own, path, section=section)
        _check_references(path, section, setting, settings, entries.sources)
        settings[name] = setting
    turns = (entries.sources if turn == EACH else [turn] for turn in entries.hold_out)
    hold_out = list(dict.fromkeys(name for turn in turns for name in turn))
    shared = {k: v for k, v in vars(entries).items() if k not in ("settings", "hold_out")}
    return Grid(path=path, table=table, hold_out=hold_out, settings=settings, **shared)


def _check_references(
    path: Path, section: str, setting: Setting, earlier: dict[str, Setting], sources: list[str]
) -> None:
    """Raises `UserError` if entries of a setting contradict each other or earlier settings."""
    where, is_distilled = f"{path}: {section}", setting.variant in TAUGHT
    if is_distilled and not setting.teacher:
        raise UserError(f"{where}teacher is missing: a {setting.variant} model needs one")
    if setting.teacher and not is_distilled:
        raise UserError(f"{where}teacher: a {setting.variant} model has none: leave it out")
    if setting.as_long_as and "steps" in setting.train:
        raise UserError(f"{where}as_long_as and train.steps: give one of the two")
    for key, allowed in (
        ("start", [RANDOM, PRETRAINED, *earlier]),
        ("teacher", list(earlier)),
        ("as_long_as", list(earlier)),
    ):
        value = getattr(setting, key)
        if value and value not in allowed:
            known = ", ".join(allowed) or "none of them is earlier"
            raise UserError(
                f"{where}{key} = {value!r}: give one of the settings before it: {known}"
            )
    if setting.as_long_as and setting.start not in earlier:
        raise UserError(f"{where}as_long_as: give start = the earlier setting that is trained on")
    start = earlier.get(setting.start)
    if start is not None and (start.variant == "full") != (setting.variant == "full"):
        raise UserError(
            f"{where}start = {setting.start!r} is a {start.variant} model, whose network "
            f"has another shape than a {setting.variant} one: give another setting"
        )
    try:
        _check_names("sources", setting.sources or sources, sources)
    except ValueError as error:
        raise UserError(f"{where}{error}") from None


def _check_names(key: str, names: list[str], allowed: Iterable[str] | None = None) -> None:
    """Raises `ValueError` unless there are one or more names, each once, all of them allowed."""
    known = list(names if allowed is None else allowed)
    if not names or len(set(names)) < len(names) or not set(names) <= set(known):
        which = "names" if allowed is None else f"of {', '.join(known)}"
        raise ValueError(f"{key} = {names}: give one or more {which}, each once")
