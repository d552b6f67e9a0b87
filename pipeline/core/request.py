"""What a user asks `pipeline.run` for, and which stages a changed request outdates."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.patch_files import resolve_patch
from pipeline.core.profiles import Profile


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        profile: The profile.
        variants: Models to train, in order; the firmware plays the last one.
        instrument: The instrument's file, whose entries outdate what depends on them, too.
        audio: Folders of recordings; empty for the default corpus.
        recordings: The files in them.
        minutes: Length of the recordings, for the estimate of the time.
        data_options: Further options of `pipeline.data`.
        changes: Entries of `TrainConfig` that replace those of the profile.
    """

    profile: Profile
    variants: Sequence[str]
    instrument: InstrumentConfig
    audio: Sequence[Path] = ()
    recordings: Sequence[Path] = ()
    minutes: float = 0.0
    data_options: Sequence[str] = ()
    changes: dict[str, float] = field(default_factory=dict)

    @property
    def played(self) -> str:
        """The variant that the firmware plays."""
        return self.variants[-1]

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        """What each model and each kind of other stage is asked for, by name."""
        instrument = self.instrument
        patch = str(resolve_patch(instrument.patch, instrument.instrument))
        trainings = {
            variant: {
                "training": asdict(self.profile.training(variant, **self.changes)),
                "teacher": self.teacher_of(variant),
                "network": asdict(instrument.tcn(variant)),
                "patch": patch,
            }
            for variant in self.variants
        }
        corpus = asdict(instrument.corpus) if instrument.corpus else None
        sound = {"analysis": asdict(instrument.data), "corpus": corpus}
        pitches = instrument.data.f0_bounds
        recordings = [str(path.resolve()) for path in self.recordings]
        return {
            **trainings,
            "data": {"options": list(self.data_options), "recordings": recordings, **sound},
            "expression": sound,
            "quantization": {"epochs": self.profile.qat_epochs, **pitches},
            "firmware": {"variant": self.played},
            "comparison": {
                "variants": list(self.variants),
                "takes": self.profile.takes,
                **pitches,
            },
        }

    @property
    def has_corpus(self) -> bool:
        """Whether music can be composed for the instrument."""
        return self.instrument.corpus is not None

    def teacher_of(self, variant: str) -> str:
        """Returns the variant that teaches another, if that has a teacher."""
        others = [other for other in self.variants if other != "tiny"]
        return others[-1] if variant == "tiny" and others else "full"

    @property
    def renders_corpus(self) -> bool:
        """Whether the data set contains the default corpus."""
        return not self.audio or "--corpus" in self.data_options

    @property
    def learns_expression(self) -> bool:
        """Whether to learn how notes are played; with the corpus rendered, it takes seconds."""
        return self.has_corpus and (self.profile.expression or self.renders_corpus)

    @property
    def training_options(self) -> list[str]:
        """Options of every training command."""
        changes = [f"--{name.replace('_', '-')}={x}" for name, x in self.changes.items()]
        return ["--profile", self.profile.name, *changes]


def changed_parts(request: Request, path_of: Callable[[str], Path]) -> dict[str, str]:
    """Returns the text of the parts of a request that differ from the kept ones, by name.

    Args:
        request: The request.
        path_of: Returns the file of a part.
    """
    texts = {name: json.dumps(part, indent=2) + "\n" for name, part in request.parts.items()}
    return {name: text for name, text in texts.items() if _kept(path_of(name)) != text}


def _kept(path: Path) -> str | None:
    return path.read_text(errors="replace") if path.exists() else None


def keep_request(request: Request, path_of: Callable[[str], Path]) -> None:
    """Writes the parts of a request that have changed, which outdates what depends on them.

    Args:
        request: The request.
        path_of: Returns the file of a part.
    """
    for name, text in changed_parts(request, path_of).items():
        with atomic_write(path_of(name)) as temporary:
            temporary.write_text(text)
