"""Makes the HTML that all pages share: players, spectrograms, curves and tables.

Styles and scripts from ``assets`` are embedded in the page. Curves are SVG, so they take the
reader's light or dark colours. No page loads anything from a server.
"""

import base64
import io
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import librosa
import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.core.constants import SAMPLE_RATE

Audio = npt.NDArray[np.floating]
ASSETS = Path(__file__).parent / "assets"
SPECTROGRAM_DB = (-100.0, -20.0)  # relative to a full-scale sine; the same scale in all pictures
SPECTROGRAM_HZ = (125.0, 8000.0)  # logarithmic
SPECTROGRAM_WINDOW = 2048  # samples
IMAGE_SIZE = (960, 256)  # pixels
WAVEFORM_POINTS = 300
MAX_POINTS = 1200  # per curve


def quantity(number: float, unit: str) -> str:
    """Formats a whole number with its unit, with a minus sign and without a line break."""
    return f"{number:.0f}\N{NO-BREAK SPACE}{unit}".replace("-", "\N{MINUS SIGN}")


def data_uri(data: bytes, media_type: str) -> str:
    """Encodes bytes as a URI that embeds them in the page."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def spectrogram_png(audio: Audio, size: tuple[int, int] = IMAGE_SIZE) -> bytes:
    """Draws a spectrogram without axes.

    Args:
        audio: Samples in [-1, 1] at 16 kHz, shape [n].
        size: Width and height in pixels.

    Returns:
        PNG file. The frequency axis covers `SPECTROGRAM_HZ` logarithmically, the colours cover
        `SPECTROGRAM_DB`.
    """
    width, height = size
    hop = max(len(audio) // width, 1)
    spectrum = librosa.stft(np.asarray(audio, np.float32), n_fft=SPECTROGRAM_WINDOW, hop_length=hop)
    level_db = 20 * np.log10(np.maximum(np.abs(spectrum) * 4 / SPECTROGRAM_WINDOW, 1e-9))
    lowest_hz, highest_hz = SPECTROGRAM_HZ
    bins = np.geomspace(highest_hz, lowest_hz, height) * SPECTROGRAM_WINDOW / SAMPLE_RATE
    rows = np.minimum(bins.round().astype(int), len(level_db) - 1)
    columns = np.linspace(0, level_db.shape[1] - 1, width).round().astype(int)
    low, high = SPECTROGRAM_DB
    shade = np.clip((level_db[np.ix_(rows, columns)] - low) / (high - low), 0, 1) * 255
    image = Image.fromarray(shade.round().astype(np.uint8))
    colours = matplotlib.colormaps["magma"](np.arange(256), bytes=True)[:, :3]
    image.putpalette(colours.tobytes())  # the shades become indices into the palette
    png = io.BytesIO()
    image.save(png, "png", optimize=True)
    return png.getvalue()


def waveform_svg(audio: Audio, peak: float, label: str) -> str:
    """Draws the outline of a waveform as SVG that stretches to its box.

    Args:
        audio: Samples, shape [n].
        peak: Amplitude that fills the height.
        label: Text for readers who cannot see the drawing.
    """
    parts = np.array_split(np.asarray(audio), min(WAVEFORM_POINTS, len(audio)))
    x = np.linspace(0, 1000, len(parts)).round().astype(int)
    top = [f"{x[i]},{50 - 50 * min(part.max() / peak, 1):.1f}" for i, part in enumerate(parts)]
    low = [f"{x[i]},{50 - 50 * max(part.min() / peak, -1):.1f}" for i, part in enumerate(parts)]
    outline = " ".join(top + low[::-1])
    return _stretching_svg(label, f'<polygon class="wave" points="{outline}"/>')


def curves_svg(curves: Sequence[tuple[str, Audio]], low: float, high: float, label: str) -> str:
    """Draws curves over a common time axis as SVG that stretches to its box.

    Args:
        curves: CSS class and values of each curve, in drawing order. The class ``main`` is a thin
            line with a filled area below it, ``line`` a broad line. The values have shape
            [n_frames] and are NaN where there is none.
        low: Value at the bottom.
        high: Value at the top.
        label: Text for readers who cannot see the drawing.
    """
    shapes = []
    for kind, values in curves:
        stride = -(-len(values) // MAX_POINTS)
        x = np.arange(0, len(values), stride) / max(len(values) - 1, 1) * 1000
        y = 100 - np.clip((values[::stride] - low) / (high - low), 0, 1) * 100
        known = np.isfinite(y)
        for part in np.split(np.arange(len(x)), np.flatnonzero(np.diff(known.astype(int))) + 1):
            if len(part) and known[part[0]]:
                points = " ".join(f"{x[i]:.1f},{y[i]:.1f}" for i in part)
                if kind == "main":
                    area = f"{x[part[0]]:.1f},100 {points} {x[part[-1]]:.1f},100"
                    shapes.append(f'<polygon class="{kind}" points="{area}"/>')
                shapes.append(f'<polyline class="{kind}" points="{points}"/>')
    return _stretching_svg(label, "".join(shapes))


def _stretching_svg(label: str, content: str) -> str:
    return (
        '<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{content}</svg>'
    )


def plot(content: str, *, top: str, bottom: str, size: str, caption: str = "") -> str:
    """Places an image or curves beside a vertical axis.

    Args:
        content: HTML of an image or SVG.
        top: Label at the top of the axis.
        bottom: Label at the bottom of the axis.
        size: CSS class of the height: ``tall``, ``medium`` or ``small``.
        caption: HTML above the plot.
    """
    title = f'<p class="caption">{caption}</p>' if caption else ""
    axis = f'<div class="axis"><span>{escape(top)}</span><span>{escape(bottom)}</span></div>'
    return f'<div class="plot">{title}{axis}<div class="track {size}">{content}</div></div>'


def time_axis(seconds: float) -> str:
    """Returns labels at whole seconds, for the space below plots."""
    step = max(round(seconds / 8), 1)
    marks = "".join(
        f'<span style="left:{100 * second / seconds:.2f}%">{second} s</span>'
        for second in range(0, int(seconds) + 1, step)
        if second / seconds < 0.97
    )
    return f'<div class="plot" aria-hidden="true"><div></div><div class="time">{marks}</div></div>'


def player(title: str, text: str, wav: Path, audio: Audio) -> str:
    """Returns a heading, a sentence, an audio player and a spectrogram of one recording."""
    sound = data_uri(wav.read_bytes(), "audio/wav")
    image = data_uri(spectrogram_png(audio), "image/png")
    picture = f'<img src="{image}" alt="Spectrogram: {escape(title)}">'
    return (
        f"<article><h3>{escape(title)}</h3><p>{text}</p>"
        f'<audio controls preload="metadata" src="{sound}" aria-label="{escape(title)}"></audio>'
        f"{plot(picture, top='8 kHz', bottom='125 Hz', size='tall')}</article>"
    )


def tiles(figures: Sequence[tuple[str, str, str]]) -> str:
    """Returns a row of tiles, each with a name, a figure and a note in small print."""
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in figures
    )
    return f'<dl class="tiles">{cells}</dl>'


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table that scrolls sideways.

    The cells are HTML, and the first cell of a row is its heading.
    """
    titles = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{titles}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def embedded_json(value: Any) -> str:
    """Encodes a value as JSON that no tag can end."""
    return json.dumps(value).replace("<", "\\u003c")


def fill_template(name: str, **parts: Any) -> str:
    """Returns a template from ``assets`` with its placeholders replaced."""
    return (ASSETS / name).read_text().format(**parts)


def page(title: str, body: str, *, styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Returns a complete page that embeds styles and scripts from ``assets``."""
    style, script = (
        "\n".join((ASSETS / name).read_text() for name in names) for names in (styles, scripts)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{body}\n"
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )
