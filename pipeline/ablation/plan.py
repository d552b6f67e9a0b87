"""Plans an ablation: every training that a grid asks for, in the order of what needs what."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.ablation.data_sets import DataSet, Library
from pipeline.ablation.grid import ANCHORS, PRETRAINED, RANDOM, Grid, Setting
from pipeline.core.errors import UserError
from pipeline.core.files import read_toml
from pipeline.core.instrument_config import InstrumentConfig, TrainConfig, load_instrument
from pipeline.core.paths import INSTRUMENT_DIR
from pipeline.core.profiles import Profile, Training, load_profile
from pipeline.core.runs import WEIGHTS, RunConfig, config_hash
from pipeline.core.schema import from_table
from pipeline.evaluation.model_files import file_digest
from pipeline.training.initial_run import nearest_pretrained
from pipeline.training.options import resolve


@dataclass(frozen=True)
class Task:
    """A training and its evaluation; of anchors alone, only the evaluation.

    Attributes:
        setting: Name of the setting.
        seed: Seed of weights, batches and dropout.
        data: The data set, with the instrument as the setting changes it.
        dataset: The file of the data set.
        config: The model and how it is trained.
        run_dir: The run folder, named after everything that the model depends on.
        start: Run folder of the initial weights; None for random ones.
        teacher: Run folder of the teacher; None without distillation.
        made_from: Run folders of the tasks that the model is made from, in order.
        as_long_as: Run folders of the tasks that together took as long as the model may take with
            those that it is made from; empty if ``config.train.steps`` counts.
        systems: What is measured, of `grid.SYSTEMS`.
        clips: Largest number of test clips per source.
        qat_epochs: Largest number of epochs of quantization-aware training.
    """

    setting: str
    seed: int
    data: DataSet
    dataset: Path
    config: RunConfig
    run_dir: Path
    start: Path | None
    teacher: Path | None
    made_from: tuple[Path, ...]
    as_long_as: tuple[Path, ...]
    systems: tuple[str, ...]
    clips: int
    qat_epochs: int

    @property
    def title(self) -> str:
        """What it is, for a line of the terminal."""
        return f"{self.setting}, seed {self.seed}: {self.data.title}"

    @property
    def is_trained(self) -> bool:
        """Whether what is measured needs the model."""
        return not set(self.systems) <= set(ANCHORS)

    @property
    def result(self) -> Path:
        """The file that holds the figures, once the task is done."""
        how = {"systems": self.systems, "clips": self.clips, "qat_epochs": self.qat_epochs}
        return self.run_dir / f"result-{config_hash(how)}.json"

    @property
    def needs(self) -> set[Path]:
        """Run folders of the tasks that have to be done before."""
        return {*self.made_from, *self.as_long_as}


@dataclass(frozen=True)
class Plan:
    """The work that a grid asks for.

    Attributes:
        data_sets: The data sets, each once.
        tasks: The tasks, each after those that it needs.
    """

    data_sets: list[DataSet]
    tasks: list[Task]

    def rounds(self) -> Iterator[list[Task]]:
        """Yields lists of tasks that only need tasks of earlier lists."""
        waiting = list(self.tasks)
        while waiting:
            missing = {task.run_dir for task in waiting}
            ready = [task for task in waiting if not task.needs & missing]
            yield ready
            waiting = [task for task in waiting if task not in ready]


def make_plan(grid: Grid, library: Library, runs: Path) -> Plan:
    """Plans a grid's data sets and tasks.

    A setting that has nothing to learn from, because its only source is held out, has no task.

    Args:
        grid: The grid.
        library: Knows the sources and where data sets are.
        runs: Where run folders are; equal ones of other grids are used.

    Raises:
        UserError: An entry that a setting changes is unknown or not allowed.
    """
    planner = _Planner(grid, library, runs, load_profile(grid.profile))
    for instrument in grid.instruments:
        for hold_out in grid.hold_out:
            for seed in grid.seeds:
                planner.add_settings(instrument, hold_out, seed)
    if not planner.tasks:
        raise UserError(f"{grid.path}: hold_out leaves no setting a source to learn from")
    return Plan(list(planner.data_sets.values()), planner.tasks)


class _Planner:
    """Collects data sets and tasks."""

    def __init__(self, grid: Grid, library: Library, runs: Path, profile: Profile) -> None:
        self.grid, self.library, self.runs, self.profile = grid, library, runs, profile
        self.data_sets: dict[str, DataSet] = {}
        self.tasks: list[Task] = []
        self._digests: dict[Path, str] = {}

    def add_settings(self, instrument: str, hold_out: str, seed: int) -> None:
        """Adds a task for every setting."""
        done: dict[str, Task] = {}
        for name, setting in self.grid.settings.items():
            learnt = [s for s in setting.sources or self.grid.sources if s != hold_out]
            others = (setting.start, setting.teacher, setting.as_long_as)
            if learnt and all(o in done for o in others if o in self.grid.settings):
                task = self._task(name, setting, instrument, hold_out, seed, done)
                done[name] = task
                self.tasks.append(task)

    def _task(
        self,
        name: str,
        setting: Setting,
        instrument: str,
        hold_out: str,
        seed: int,
        done: dict[str, Task],
    ) -> Task:
        config = self._instrument(name, setting, instrument)
        chosen = setting.sources or self.grid.sources
        sources = [s for s in self.grid.sources if s in chosen or s == hold_out]
        data = self.library.describe(config, tuple(sources), hold_out)
        self.data_sets[data.hash] = data
        run = resolve(config, setting.variant, self._training(name, setting, seed))
        start, began = self._start(setting, config, done)
        teacher = done.get(setting.teacher)
        match = done.get(setting.as_long_as)
        parts = [part for part in (done.get(began), teacher) if part]
        identity = {
            "run": asdict(run),
            "data": data.hash,
            "start": began if start is None else self._identify(start),
            "teacher": None if teacher is None else teacher.run_dir.name,
            "as_long_as": None if match is None else match.run_dir.name,
        }
        folder = f"{setting.variant}-{config_hash(identity)}"
        return Task(
            setting=name,
            seed=seed,
            data=data,
            dataset=self.library.path(data),
            config=run,
            run_dir=self.runs / instrument / folder,
            start=start,
            teacher=None if teacher is None else teacher.run_dir,
            made_from=_lineage(parts),
            as_long_as=() if match is None else _lineage([match]),
            systems=tuple(self.grid.evaluate.systems),
            clips=self.grid.evaluate.clips,
            qat_epochs=self.grid.evaluate.qat_epochs,
        )

    def _instrument(self, name: str, setting: Setting, instrument: str) -> InstrumentConfig:
        """Returns the instrument with the entries that a setting changes."""
        section = f"settings.{name}.instrument."
        table = self.grid.new_instruments.get(instrument)
        if table is None:
            known = load_instrument(instrument)
            if not setting.instrument:
                return known
            table = read_toml(INSTRUMENT_DIR / f"{instrument}.toml")
        elif not setting.instrument:
            section = f"new_instruments.{instrument}."
        table = _merge(table, setting.instrument) | {"instrument": instrument}
        return from_table(InstrumentConfig, table, self.grid.path, section=section)

    def _training(self, name: str, setting: Setting, seed: int) -> Training:
        """Returns how a setting trains: the profile, the grid's entries, and its own."""
        training = self.profile.trainings[setting.variant]
        table = asdict(training.config)
        for section, changes in (
            ("train.", self.grid.train),
            (f"settings.{name}.train.", setting.train),
        ):
            if "seed" in changes:
                raise UserError(f"{self.grid.path}: {section}seed: give seeds = [...] instead")
            table |= changes
            from_table(TrainConfig, table, self.grid.path, section=section)
        config = from_table(TrainConfig, table | {"seed": seed}, self.grid.path)
        return Training(config, setting.start or training.start)

    def _start(
        self, setting: Setting, config: InstrumentConfig, done: dict[str, Task]
    ) -> tuple[Path | None, str]:
        """Returns the run folder of the initial weights, and what it is in the grid's words."""
        start = setting.start or self.profile.trainings[setting.variant].start
        if start == PRETRAINED:
            return nearest_pretrained(config, setting.variant), start
        if start != RANDOM and start not in done:  # the profile's "reduced"
            raise UserError(
                f"{self.grid.path}: a {setting.variant} model of the profile {self.grid.profile} "
                f"starts from {start!r}, which no earlier setting is: give start"
            )
        return (None if start == RANDOM else done[start].run_dir), start

    def _identify(self, start: Path) -> str:
        """Returns what tells initial weights apart: the task's run folder, or their digest."""
        if start.is_relative_to(self.runs):
            return start.name
        if start not in self._digests:
            self._digests[start] = file_digest(start / WEIGHTS)
        return self._digests[start]


def _lineage(tasks: Sequence[Task]) -> tuple[Path, ...]:
    """Returns the run folders of tasks and of all that they are made from, each once."""
    folders = (folder for task in tasks for folder in (*task.made_from, task.run_dir))
    return tuple(dict.fromkeys(folders))


def _merge(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Returns a table with changed entries; tables within it are merged, except a patch."""
    merged = dict(table)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and key != "patch":
            value = _merge(old, value)
        merged[key] = value
    return merged
