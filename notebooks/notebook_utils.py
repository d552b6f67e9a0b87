"""Helpers for the notebooks: audio players, spectrograms on a common scale, drawings.

Import this module first: it also keeps TensorFlow's start-up messages and progress bars out of the
outputs.
"""

import base64
import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape

import matplotlib.pyplot as plt
import numpy as np
import soundfile as sf
from IPython.display import HTML
from PIL import Image

os.environ |= {"TQDM_DISABLE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
warnings.filterwarnings("ignore", "IProgress not found")


@contextmanager
def quiet() -> Iterator[None]:
    """Hides what C++ libraries print on stderr; Python exceptions are still shown."""
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


with quiet():
    import keras
    import tensorflow as tf

    keras.ops.zeros(1)
tf.get_logger().setLevel(logging.ERROR)  # only now: in notebooks TensorFlow starts at INFO

from pipeline.core.constants import FRAME_RATE, SAMPLE_RATE
from pipeline.core.paths import REPOSITORY
from pipeline.pages import html

BUILD_DIR = REPOSITORY / "build" / "notebooks"  # files that the notebooks write
TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000)

plt.rcParams |= {
    "figure.figsize": (9, 3),
    "figure.dpi": 80,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e2",
    "axes.prop_cycle": plt.cycler(
        color=["#0b6e75", "#c2410c", "#6b3f8f", "#8a6d1f", "#4b5563", "#9bbf4d"]
    ),
}


def players(sounds: Mapping[str, np.ndarray]) -> HTML:
    """Returns an audio player for each sound: samples at 16 kHz, float in [-1, 1] or int16."""
    rows = []
    for name, samples in sounds.items():
        samples = np.asarray(samples)
        samples = samples if samples.dtype == np.int16 else np.clip(samples, -1, 1)
        flac = io.BytesIO()
        sf.write(flac, samples, SAMPLE_RATE, format="FLAC")
        source = f"data:audio/flac;base64,{base64.b64encode(flac.getvalue()).decode()}"
        rows.append(
            f'<tr><td style="text-align:left">{escape(name)}</td>'
            f'<td><audio controls src="{source}" aria-label="{escape(name)}"></audio></td></tr>'
        )
    return HTML(f"<table>{''.join(rows)}</table>")


def spectrograms(sounds: Mapping[str, np.ndarray]) -> None:
    """Draws spectrograms below each other; the colours of all cover -100 to -20 dB."""
    size = (9, 0.5 + 1.5 * len(sounds))
    figure, rows = plt.subplots(len(sounds), figsize=size, sharex=True, squeeze=False)
    for axes, (name, samples) in zip(rows[:, 0], sounds.items(), strict=True):
        samples = np.asarray(samples)
        audio = samples / 32768 if samples.dtype == np.int16 else samples
        image = Image.open(io.BytesIO(html.spectrogram_png(audio))).convert("RGB")
        low, high = np.log2(html.SPECTROGRAM_HZ)
        axes.imshow(image, extent=(0, len(audio) / SAMPLE_RATE, low, high), aspect="auto")
        axes.set_yticks(np.log2(TICKS_HZ), TICKS_HZ)
        axes.set(title=name, ylabel="Hz")
        axes.grid(False)
    rows[-1, 0].set_xlabel("seconds")
    plt.show()


def frame_times(n_frames: int) -> np.ndarray:
    """Returns the time of the end of every frame in seconds."""
    return (np.arange(n_frames) + 1) / FRAME_RATE


def drawing(svg: str) -> HTML:
    """Returns a drawing of `pipeline.pages.diagrams` in the light colours of the pages."""
    colours = "--paper:#fbfbf9;--card:#fff;--ink:#1c1e21;--soft:#5a6068;--rule:#dfe0dc;"
    colours += "--accent:#0b6e75;--fill:#0b6e7526;--line:#b4481e;background:#fbfbf9;padding:1em"
    lines = (html.ASSETS / "page.css").read_text().splitlines()
    style = "".join(line for line in lines if line.startswith(".drawing "))
    return HTML(f'<style>{style}</style><div class="drawing" style="{colours}">{svg}</div>')
