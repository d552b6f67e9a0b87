"""Learns an instrument's expression table from its corpus and its data set.

The corpus, whose notes are known, shows how notes begin, develop, end and are slurred. The real
recordings of the data set show vibrato and drift. Everything is measured in features, so the
firmware plays frames like those that the decoder was trained with, at the calibrated level.
Loudness is measured in a window of 128 ms, so notes rise and fall no faster than that.
"""

from pathlib import Path
from typing import Any

import mido
import numpy as np

from pipeline.audio.analysis import analyse
from pipeline.audio.level import calibrate, find_gains
from pipeline.audio.recordings import render_corpus
from pipeline.core.files import load_arrays
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.core.runs import runs_option
from pipeline.model.expression import Expression
from pipeline.model.expression_curves import learn_curves, learn_slur
from pipeline.model.expression_movement import learn_movement
from pipeline.model.note_measurement import Note, measure_notes

LOUDEST_PERCENTILE = 99.9


def learn(config: InstrumentConfig, run_dir: Path) -> tuple[Expression, int]:
    """Learns an instrument's expression table.

    Args:
        config: The instrument.
        run_dir: ``runs/<instrument>``, with ``dataset.npz``; the corpus is rendered if it is
            missing.

    Returns:
        The table, and the number of notes that it was learnt from.

    Raises:
        UserError: The data set is missing or damaged.
    """
    names = ("f0_hz", "loudness_db", "confidence")
    dataset = load_arrays(
        run_dir / "dataset.npz",
        remedy=f"run python -m pipeline.data --instrument {config.instrument}"
        f"{runs_option(run_dir.parent)}",
        names=(*names, "sounding", "real"),
    )
    notes: list[Note] = []
    sound_sets = config.require_corpus().sound_sets[:1]  # others begin and end notes otherwise
    recordings = render_corpus(config, run_dir / "corpus", sound_sets)
    analyses = list(analyse(recordings, config.data, run_dir / "features"))
    gains = find_gains(((take.recording, take.features) for take in analyses), config.data)
    for take in analyses:
        midi = mido.MidiFile(take.recording.path.with_suffix(".mid"))
        features = calibrate(take, gains.of(take.recording)).features
        notes += measure_notes(midi, features.f0_hz, features.loudness_db)
    decays = config.decays
    fields: dict[str, Any] = learn_curves(notes, config) | learn_slur(notes, decays=decays)
    fields |= learn_movement(*(dataset[name][dataset["real"]] for name in names))
    loudest_db = float(
        np.percentile(dataset["loudness_db"][dataset["sounding"]], LOUDEST_PERCENTILE)
    )
    return Expression(**fields, loudest_db=round(loudest_db, 1)), len(notes)
