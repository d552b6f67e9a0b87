"""The data sets of an ablation: found, named by what they are made of, and built once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.ablation.grid import NONE
from pipeline.audio.audio_folders import list_sounds
from pipeline.audio.continuation import join_continued
from pipeline.audio.recordings import Recording, open_recordings, render_corpus
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.processes import locked
from pipeline.core.runs import config_hash
from pipeline.core.sound_sets import SOUND_SETS
from pipeline.target.live_features import live_extractor
from pipeline.training.dataset_building import build_dataset

Content = list[tuple[str, int]]  # names and sizes of a source's files


@dataclass(frozen=True)
class DataSet:
    """A data set that tasks share.

    Attributes:
        config: The instrument.
        sources: Its sources, the held-out one included.
        hold_out: The source that is kept for the test, or `NONE`.
        hash: Short hash of the instrument's data settings and of the sources and their files.
    """

    config: InstrumentConfig
    sources: tuple[str, ...]
    hold_out: str
    hash: str

    @property
    def title(self) -> str:
        """What it is, for a line of the terminal."""
        held_out = "" if self.hold_out == NONE else f", {self.hold_out} held out"
        return f"{self.config.instrument}{held_out}"


@dataclass
class Library:
    """Finds the recordings of sources, and builds data sets of them in a folder.

    Analyses of recordings, joined recordings and rendered phrases are shared between the data sets
    of an instrument.

    Attributes:
        folder: Folder of the data sets.
        places: The folder of each source that is not rendered; it holds one for each instrument.
    """

    folder: Path
    places: Mapping[str, Path]
    _contents: dict[Path, Content] = field(default_factory=dict)
    _recordings: dict[Any, list[Recording]] = field(default_factory=dict)

    def check_sources(self, sources: list[str], instruments: list[str]) -> None:
        """Checks that every source is a sound set or bound to folders that exist.

        Raises:
            UserError: One is neither, or a folder belongs to no source.
        """
        for name, place in self.places.items():
            if name not in sources:
                raise UserError(f"--source {name}: give one of the grid: {', '.join(sources)}")
            if not place.is_dir():
                fault = "is a file" if place.exists() else "does not exist"
                raise UserError(
                    f"--source {name}={place}: {place} {fault}: give a folder that holds one for "
                    "each instrument"
                )
            for instrument in instruments:
                if not (place / instrument).is_dir():
                    raise UserError(
                        f"--source {name}={place}: {place / instrument} does not exist: give a "
                        "folder that holds one for each instrument"
                    )
        missing = [name for name in sources if name not in self.places and name not in SOUND_SETS]
        if missing:
            verb = "is no sound set" if len(missing) == 1 else "are no sound sets"
            options = " ".join(f"--source {name}=DIR" for name in missing)
            raise UserError(
                f"{', '.join(missing)} {verb} ({', '.join(SOUND_SETS)}): give {options}, a folder "
                "that holds one for each instrument"
            )

    def describe(
        self, config: InstrumentConfig, sources: tuple[str, ...], hold_out: str
    ) -> DataSet:
        """Returns a data set, which need not exist yet."""
        is_rendered = any(name in SOUND_SETS and name not in self.places for name in sources)
        table = {
            "instrument": config.instrument,
            "data": asdict(config.data),
            "corpus": asdict(config.require_corpus()) if is_rendered else None,
            "sources": {name: self._content(name, config.instrument) for name in sources},
            "hold_out": hold_out,
        }
        return DataSet(config, sources, hold_out, config_hash(table))

    def path(self, data: DataSet) -> Path:
        """Returns where a data set is, its ``dataset.npz``."""
        return self.folder / data.config.instrument / data.hash / "dataset.npz"

    def build(self, data: DataSet) -> None:
        """Builds a data set unless it exists; if another process is building it, waits for it.

        Raises:
            UserError: A recording or a source is not usable.
        """
        base, path = self.folder / data.config.instrument, self.path(data)
        with locked(base):
            if path.exists():
                return
            recordings = [r for name in data.sources for r in self._open(name, data.config, base)]
            hold_out = () if data.hold_out == NONE else (data.hold_out,)
            build_dataset(
                data.config,
                recordings,
                path.parent,
                hold_out=hold_out,
                cache=base / "features",
                measure_live=live_extractor(data.config.data),
            )

    def _content(self, name: str, instrument: str) -> Content:
        """Returns the names and sizes of a source's files; none for a sound set."""
        if name not in self.places:
            return []
        place = self.places[name] / instrument
        if place not in self._contents:
            files, _ = list_sounds(place)
            self._contents[place] = [
                (file.relative_to(place).as_posix(), file.stat().st_size) for file in files
            ]
        return self._contents[place]

    def _open(self, name: str, config: InstrumentConfig, base: Path) -> list[Recording]:
        """Returns the recordings of a source under the source's name in the grid."""
        key = (name, config.instrument, str(config.corpus), config.data.urmp_tag)
        if key not in self._recordings:
            self._recordings[key] = (
                self._open_folder(name, config, base)
                if name in self.places
                else render_corpus(config, base / "corpus", [name])
            )
        return self._recordings[key]

    def _open_folder(self, name: str, config: InstrumentConfig, base: Path) -> list[Recording]:
        found = open_recordings([self.places[name] / config.instrument], config.data)
        found.warn()
        return [
            Recording(f"{name}{r.name.removeprefix(r.source)}", r.path, r.real, name)
            for r in join_continued(found.recordings, base / "joined" / name)
        ]
