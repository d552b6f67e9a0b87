"""Chooses the model that a command plays: one's own if there is one, else the pretrained one."""

import argparse
import shlex
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.instrument_config import (
    known_instruments,
    load_instrument,
    shipped_instruments,
)
from pipeline.core.paths import MODEL_DIR, RUN_DIR, shown
from pipeline.core.runs import WEIGHTS, how_to_finish, is_unfinished, load_run, runs_option

GIVEN = "given by --run"
PREFERRED = ("reduced_cd", "reduced_ad", "reduced", "full", "tiny")  # small and good ones first


@dataclass(frozen=True)
class Model:
    """The run folder of a model, and why it was chosen.

    Attributes:
        run_dir: The run folder.
        reason: Where the model comes from, such as "pretrained".
    """

    run_dir: Path
    reason: str

    def __str__(self) -> str:
        """Returns the folder and the reason, as commands print them."""
        return f"{shown(self.run_dir)} ({self.reason})"


def choose_model(
    instrument: str,
    *,
    variant: str | None = None,
    other_than: str | None = None,
    runs: Path | None = None,
    file: str = WEIGHTS,
) -> Model:
    """Chooses the model that plays an instrument.

    Models in `runs` come before pretrained ones, and among those in the same folder the order is
    that of `PREFERRED`. Those whose training is not finished are left out.

    Args:
        instrument: Name of the instrument.
        variant: The only variant to consider, one of `VARIANTS`; None for all.
        other_than: A variant to leave out.
        runs: Folder of run folders; `RUN_DIR` if None.
        file: What the run folder must contain to be played, such as ``decoder_int8.tflite``.

    Raises:
        UserError: There is no such model; the message names the command that makes one.
    """
    variants = [v for v in PREFERRED if v != other_than] if variant is None else [variant]
    bases = list(dict.fromkeys((runs or RUN_DIR, MODEL_DIR)))
    unready: list[Path] = []
    for base in bases:
        folders = [base / instrument / name for name in variants]
        if ready := [f for f in folders if (f / file).is_file() and not is_unfinished(f)]:
            reason = _origin(ready[0])
            if unready:
                reason += f"; {_how_to_ready(unready[0])}"
            return Model(ready[0], reason)
        unready += [folder for folder in folders if (folder / WEIGHTS).is_file()]
    if unready:
        raise UserError(f"no {instrument} can be played: {_how_to_ready(unready[0])}")
    load_instrument(instrument)  # an unknown one is the reason
    wanted = f"{variant} {instrument}" if variant else f"model of {instrument}"
    wanted += f" other than {other_than}" if other_than else ""
    if bases == [MODEL_DIR]:
        shipped = ", ".join(shipped_instruments())
        raise UserError(
            f"there is no pretrained {wanted}: leave out --pretrained, or choose one of {shipped}"
        )
    places = " or ".join(str(shown(base / instrument)) for base in bases)
    raise UserError(
        f"no trained {wanted} in {places}: run python -m pipeline.run --instrument {instrument} "
        f"--audio DIR{runs_option(runs)} first"
    )


def describe_run(run_dir: Path) -> str:
    """Returns a run folder and whether its model is pretrained, as commands print them."""
    return str(Model(run_dir, _origin(run_dir)))


def _origin(run_dir: Path) -> str:
    return "pretrained" if run_dir.resolve().is_relative_to(MODEL_DIR) else "trained here"


def modelled_instruments(runs: Path | None = None) -> list[str]:
    """Lists the known instruments that have a trained or a pretrained model.

    Args:
        runs: Folder of run folders; `RUN_DIR` if None.
    """
    bases = dict.fromkeys((runs or RUN_DIR, MODEL_DIR))
    modelled = {path.parts[-3] for base in bases for path in base.glob(f"*/*/{WEIGHTS}")}
    return [name for name in known_instruments() if name in modelled]


def _how_to_ready(run_dir: Path) -> str:
    """Says what is missing before a model can be played, and the command that makes it."""
    if is_unfinished(run_dir):
        return how_to_finish(run_dir)
    folder = shown(run_dir)
    command = f"python -m pipeline.quantize --run {shlex.quote(str(folder))}"
    return f"{folder} is trained but not quantized: run {command}"


def chosen_model(arguments: argparse.Namespace, *, file: str = WEIGHTS) -> Model:
    """Returns the model that the options of `pipeline.core.options.add_model` select.

    Args:
        arguments: The options; ``instrument`` is set to the model's instrument if it is None.
        file: What the run folder must contain to be played.

    Raises:
        UserError: Neither ``--instrument`` nor ``--run`` is given, the instrument has no such
            model, or the run folder is damaged or belongs to another instrument.
    """
    if arguments.run is None and arguments.instrument is None:
        raise UserError("give --instrument NAME or --run DIR, to say what plays")
    if arguments.instrument is not None:
        load_instrument(arguments.instrument)
    if arguments.run is not None:
        model = Model(arguments.run, GIVEN)
    else:
        model = choose_model(
            arguments.instrument, variant=arguments.variant, runs=arguments.runs, file=file
        )
    arguments.instrument = load_run(model.run_dir, instrument=arguments.instrument).instrument
    return model


def chosen_models(arguments: argparse.Namespace, *, file: str = WEIGHTS) -> list[Model]:
    """Returns the models that the options of `pipeline.core.options.add_models` select, in order.

    Args:
        arguments: The options.
        file: What the run folders must contain to be played.

    Raises:
        UserError: An instrument has no such model, or a folder is not a run folder or damaged.
    """
    if arguments.run:
        for run_dir in arguments.run:
            load_run(run_dir)
        return [Model(run_dir, GIVEN) for run_dir in arguments.run]
    return [
        choose_model(name, variant=arguments.variant, runs=arguments.runs, file=file)
        for name in arguments.instrument or []
    ]
