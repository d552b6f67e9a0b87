"""Profiles: one TOML file each says which models are trained, how, and how thoroughly.

``data/profiles`` contains those that have a name; a copy of one can be edited and given by its
path.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pipeline.core.accelerator import has_gpu
from pipeline.core.constants import DISTILLED, VARIANTS
from pipeline.core.errors import UserError
from pipeline.core.files import read_toml
from pipeline.core.instrument_config import TrainConfig
from pipeline.core.paths import PROFILE_DIR, shown
from pipeline.core.schema import OneOf, Within, from_table

WITH_GPU, WITHOUT_GPU = "shipped", "laptop"  # default profiles
STARTS = ("random", "pretrained", "reduced")
# What [train.tiny] changes, because it learns from frames without audio, in about a minute.
# Entries of [train], which are for learning from audio, do not count for it.
TINY_TRAINING = TrainConfig(
    steps=10_000,
    batch_size=64,
    crop_frames=20,
    learning_rate=1e-2,
    warmup_steps=100,
    weight_decay=1e-4,
    rendered_share=0.3,
    average_steps=500,
)


@dataclass(frozen=True)
class Training:
    """How one variant is trained.

    Attributes:
        config: Hyper-parameters.
        start: Initial weights: ``random``; ``pretrained``, those of the nearest instrument in the
            repository with the same patch, or random ones if there is none; or ``reduced``, those
            of the reduced model that the same run has trained.
    """

    config: TrainConfig
    start: str


@dataclass(frozen=True)
class _Start:
    """The entry of a variant's table that is not a hyper-parameter."""

    start: Annotated[str, OneOf(STARTS)] = STARTS[0]


@dataclass(frozen=True)
class _Settings:
    """Entries of a profile outside its tables.

    Attributes:
        description: What the profile is for, in a few words.
        variants: Models to train, in this order; the firmware plays the last one.
        quantize_all: Whether to quantize all students, not only the one that the firmware plays.
        expression: Whether to learn how notes are played, for which a corpus is rendered.
        qat_epochs: Largest number of epochs of quantization-aware training; 0 for none.
        takes: Held-out clips for the evaluation and the page.
        stages_at_once: Independent stages that run at the same time, if there are enough cores.
    """

    description: str
    variants: list[str]
    quantize_all: bool
    expression: bool
    qat_epochs: Annotated[int, Within(0, 10_000)]
    takes: Annotated[int, Within(1, 1000)]
    stages_at_once: Annotated[int, Within(1, 64)]

    def __post_init__(self) -> None:
        check_variants(self.variants)


@dataclass(frozen=True)
class Profile(_Settings):
    """What a profile decides; see `_Settings` for the other attributes.

    Attributes:
        name: Its name, or the path of its file, as ``--profile`` accepts it.
        trainings: How each of `VARIANTS` is trained.
    """

    name: str
    trainings: Mapping[str, Training]

    def training(self, variant: str, **changes: Any) -> Training:
        """Returns how a variant is trained if the user has changed some entries."""
        training = self.trainings[variant]
        return replace(training, config=replace(training.config, **changes))

    def variants_for(self, students: Sequence[str] | None) -> list[str]:
        """Returns the models to train, in order, if the user has chosen the students.

        Args:
            students: Small variants; None for those of the profile. The teacher, and the reduced
                model if a student starts from it, are added; that of a tiny model is the last of
                the other students, or the reduced model.
        """
        if students is None:
            return self.variants
        wanted = {*students, *({"full"} & set(self.variants))}
        if wanted & set(DISTILLED):
            wanted.add("full")
        if any(self.trainings[variant].start == "reduced" for variant in students):
            wanted.add("reduced")
        if wanted <= {"full", "tiny"}:
            wanted.add("reduced")
        return sorted(wanted, key=VARIANTS.index)


def check_variants(variants: list[str]) -> None:
    """Raises ValueError if these variants cannot be trained in this order."""
    if not variants or len(set(variants)) < len(variants) or not set(variants) <= set(VARIANTS):
        raise ValueError(f"variants = {variants}: give one or more of {', '.join(VARIANTS)}")
    if variants != sorted(variants, key=VARIANTS.index):
        raise ValueError(f"variants = {variants}: give them in the order {', '.join(VARIANTS)}")
    for variant in variants:
        if variant in DISTILLED and "full" not in variants:
            raise ValueError(f"variants = {variants}: {variant} needs full, its teacher")
    if variants == ["tiny"]:
        raise ValueError(f"variants = {variants}: tiny needs another before it, its teacher")


def default_profile() -> str:
    """Returns the name of the profile that suits this machine."""
    return WITH_GPU if has_gpu() else WITHOUT_GPU


def known_profiles() -> list[str]:
    """Returns the names of the profiles of the repository."""
    return sorted(path.stem for path in PROFILE_DIR.glob("*.toml"))


def load_profile(name: str) -> Profile:
    """Loads a profile of the repository by its name, or any other by the path of its file.

    Raises:
        UserError: There is no such profile, or an entry is missing, unknown or not allowed.
    """
    path = Path(name) if name.endswith(".toml") else PROFILE_DIR / f"{name}.toml"
    if not path.is_file():
        raise UserError(
            f"there is no profile {name!r}: choose one of {', '.join(known_profiles())}, or give a "
            f"copy of a file in {shown(PROFILE_DIR)}"
        )
    table = read_toml(path)
    shared = table.pop("train", {})
    settings = from_table(_Settings, table, path)
    if not isinstance(shared, dict):
        raise UserError(f"{path}: train = {shared!r}: give a table")
    own = {variant: shared.pop(variant, {}) for variant in VARIANTS}
    from_table(TrainConfig, shared, path, section="train.")
    shared_by = dict.fromkeys(VARIANTS, shared) | {"tiny": asdict(TINY_TRAINING)}
    trainings = {v: _training(shared_by[v], own[v], path, f"train.{v}.") for v in VARIANTS}
    return Profile(**vars(settings), name=name, trainings=trainings)


def _training(shared: dict[str, Any], own: Any, path: Path, section: str) -> Training:
    """Merges the entries for all variants with those for one.

    Raises:
        UserError: An entry is unknown or not allowed.
    """
    if not isinstance(own, dict):
        raise UserError(f"{path}: {section[:-1]} = {own!r}: give a table")
    starts = {key: value for key, value in own.items() if key == "start"}
    entries = {key: value for key, value in own.items() if key not in starts}
    start = from_table(_Start, starts, path, section=section).start
    config = from_table(TrainConfig, shared | entries, path, section=section)
    return Training(config, start)
