"""Compares FM patches by short trainings.

A reduced model is trained for a short time, without reverb, distillation or live features, with
each of the patches that `pipeline.model.patch_fit` ranks best.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.audio.recordings import Recording
from pipeline.core.instrument_config import InstrumentConfig, TrainConfig
from pipeline.core.patch_files import patch_table
from pipeline.core.runs import RunConfig
from pipeline.model.patch_fit import Fit
from pipeline.training.dataset import load_dataset
from pipeline.training.dataset_building import build_dataset
from pipeline.training.loop import train_model

N_TRAINED = 5
SHORT = TrainConfig(
    steps=300,
    dry_steps=300,
    batch_size=8,
    crop_frames=125,  # 0.5 s
    learning_rate=3e-3,
    warmup_steps=30,
    live_share=0.0,  # which play no part in how a patch sounds
    validate_every=300,
)


def train_best(
    fits: Sequence[Fit],
    config: InstrumentConfig,
    recordings: Sequence[Recording],
    folder: Path,
    settings: TrainConfig = SHORT,
) -> list[Fit]:
    """Trains a reduced model for a short time with each of the best patches.

    Args:
        fits: From `patch_fit.fit_patches`, the best first.
        config: The instrument.
        recordings: The recordings; those that are kept for validation measure the distance.
        folder: Receives the data set and the run folders.
        settings: How the models are trained.

    Returns:
        The same patches; the trained ones come first, by their distances.
    """
    build_dataset(config, recordings, folder)
    trained = []
    for fit in fits[:N_TRAINED]:
        table = patch_table(fit.patch)
        dataset = load_dataset(folder / "dataset.npz", replace(config, patch=table))
        run = RunConfig(config.instrument, table, "reduced", config.reduced, settings)
        metrics = train_model(folder / fit.patch.name, run, dataset, resume=False)
        figures = metrics["mss"]["valid"]
        distance = figures.get("real_dry", figures.get("rendered_dry", figures["train_loss"]))
        trained.append(replace(fit, mss=float(distance)))
    return sorted(trained, key=lambda fit: fit.mss or 0.0) + list(fits[N_TRAINED:])
