"""The looks of the pages that the pipeline writes: sound, spectrograms, curves and tables.

A page is one self-contained file of HTML: audio and images are inlined, curves are SVG that takes
the colours of the reader's scheme, nothing is loaded. It works without its few lines of script,
which let one player sound at a time and draw where it is.
"""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

import librosa
import matplotlib
import numpy as np
import numpy.typing as npt

from pipeline.config import SAMPLE_RATE

matplotlib.use("Agg")
import matplotlib.image

SPECTROGRAM_DB = (-100.0, -20.0)  # re a full-scale sine: one scale for all
SPECTROGRAM_HZ = (125.0, 8000.0)  # logarithmic
SPECTROGRAM_WINDOW = 2048  # samples
IMAGE_SIZE = (960, 256)  # pixels
MAX_POINTS = 1200  # of a curve


def data_uri(data: bytes, media_type: str) -> str:
    """Returns bytes as a URI that can stand in the page itself."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def spectrogram_png(audio: npt.NDArray[np.floating]) -> bytes:
    """Draws a spectrogram without axes.

    Args:
        audio: Samples in [-1, 1] at 16 kHz, shape [n].

    Returns:
        PNG of `IMAGE_SIZE`: `SPECTROGRAM_HZ` upwards on a logarithmic scale, colours over
        `SPECTROGRAM_DB`.
    """
    width, height = IMAGE_SIZE
    hop = max(len(audio) // width, 1)
    spectrum = librosa.stft(np.asarray(audio, np.float32), n_fft=SPECTROGRAM_WINDOW, hop_length=hop)
    level_db = 20 * np.log10(np.maximum(np.abs(spectrum) * 4 / SPECTROGRAM_WINDOW, 1e-9))
    lowest_hz, highest_hz = SPECTROGRAM_HZ
    bins = np.geomspace(highest_hz, lowest_hz, height) * SPECTROGRAM_WINDOW / SAMPLE_RATE
    rows = np.minimum(bins.round().astype(int), len(level_db) - 1)
    columns = np.linspace(0, level_db.shape[1] - 1, width).round().astype(int)
    image = io.BytesIO()
    low, high = SPECTROGRAM_DB
    matplotlib.image.imsave(
        image, level_db[np.ix_(rows, columns)], vmin=low, vmax=high, cmap="magma", format="png"
    )
    return image.getvalue()


def curves_svg(
    curves: Sequence[tuple[str, npt.NDArray[np.floating]]], low: float, high: float, label: str
) -> str:
    """Draws curves over a common time as SVG that stretches to its box.

    Args:
        curves: CSS class (``main`` is a thin line, filled below; ``line`` a broad one) and values,
            shape [n_frames], NaN where there is none; drawn in order.
        low: Value at the bottom.
        high: Value at the top.
        label: What a reader who cannot see it is told.
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
    return (
        '<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">'
        f"{''.join(shapes)}</svg>"
    )


def plot(content: str, *, top: str, bottom: str, size: str, caption: str = "") -> str:
    """Puts an image or curves beside their vertical axis.

    Args:
        content: HTML of an image or SVG.
        top: Label of the axis at the top.
        bottom: Label at the bottom.
        size: CSS class of the height: ``tall``, ``medium`` or ``small``.
        caption: HTML above the plot.
    """
    title = f'<p class="caption">{caption}</p>' if caption else ""
    axis = f'<div class="axis"><span>{escape(top)}</span><span>{escape(bottom)}</span></div>'
    return f'<div class="plot">{title}{axis}<div class="track {size}">{content}</div></div>'


def time_axis(seconds: float) -> str:
    """Labels the whole seconds under plots."""
    step = max(round(seconds / 8), 1)
    marks = "".join(
        f'<span style="left:{100 * second / seconds:.2f}%">{second} s</span>'
        for second in range(0, int(seconds) + 1, step)
        if second / seconds < 0.97
    )
    return f'<div class="plot" aria-hidden="true"><div></div><div class="time">{marks}</div></div>'


def player(title: str, text: str, wav: Path, audio: npt.NDArray[np.floating]) -> str:
    """Makes a heading, a sentence, a player and a spectrogram of one recording."""
    sound = data_uri(wav.read_bytes(), "audio/wav")
    image = data_uri(spectrogram_png(audio), "image/png")
    picture = f'<img src="{image}" alt="Spectrogram: {escape(title)}">'
    return (
        f"<article><h3>{escape(title)}</h3><p>{text}</p>"
        f'<audio controls preload="metadata" src="{sound}" aria-label="{escape(title)}"></audio>'
        f"{plot(picture, top='8 kHz', bottom='125 Hz', size='tall')}</article>"
    )


def tiles(figures: Sequence[tuple[str, str, str]]) -> str:
    """Makes a row of figures: what it is, the figure, and in small what belongs to it."""
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in figures
    )
    return f'<dl class="tiles">{cells}</dl>'


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Makes a table that scrolls sideways; cells are HTML, the first of a row its heading."""
    titles = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def page(title: str, body: str, *, seconds: float) -> str:
    """Returns a whole page; plots on it share a time axis of `seconds`."""
    return (
        f'<!doctype html>\n<html lang="en" style="--seconds:{seconds:.4f}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n{body}\n</main>\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


STYLE = """
:root {
  --paper: #fbfbf9; --card: #ffffff; --ink: #1c1e21; --soft: #5a6068; --rule: #dfe0dc;
  --grid: #ecece8; --accent: #0b6e75; --fill: #0b6e7526; --line: #b4481e; --head: #d8323c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131517; --card: #1a1d20; --ink: #e9e8e4; --soft: #a3a9b0; --rule: #30353a;
    --grid: #23272b; --accent: #5cc3c4; --fill: #5cc3c42e; --line: #f0996c; --head: #ff6b6b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans",
    sans-serif;
}
main { max-width: 60rem; margin: 0 auto; padding: 4rem 1.5rem 5rem; }
h1 {
  font-size: clamp(1.9rem, 5vw, 2.75rem); line-height: 1.15; letter-spacing: -.02em;
  margin: 0 0 1rem; font-weight: 650; text-wrap: balance;
}
h2 {
  font-size: 1.4rem; letter-spacing: -.01em; margin: 4rem 0 .5rem; padding-top: 1.5rem;
  border-top: 1px solid var(--rule);
}
h3 { font-size: 1.0625rem; margin: 2.25rem 0 .15rem; }
p { margin: 0 0 1rem; max-width: 44rem; }
article p, .note { color: var(--soft); }
.lead { font-size: 1.2rem; line-height: 1.5; color: var(--soft); }
a { color: var(--accent); }
.tiles {
  display: grid; grid-template-columns: repeat(3, 1fr); gap: 1px; margin: 2.5rem 0 0;
  background: var(--rule); border: 1px solid var(--rule); border-radius: .6rem; overflow: hidden;
}
.tiles div { background: var(--card); padding: 1.1rem 1.2rem; }
dt { font-size: .875rem; color: var(--soft); }
dd {
  margin: .2rem 0 0; font-size: 1.6rem; font-weight: 600; letter-spacing: -.01em;
  line-height: 1.25; font-variant-numeric: tabular-nums;
}
dd small {
  display: block; font-size: .875rem; font-weight: 400; letter-spacing: 0; color: var(--soft);
}
audio { display: block; width: 100%; height: 2.75rem; margin: 0 0 .75rem; }
.plot { display: grid; grid-template-columns: 4rem minmax(0, 1fr); column-gap: .6rem; }
.caption {
  grid-column: 2; margin: .9rem 0 .3rem; max-width: none; font-size: .9375rem; color: var(--ink);
}
.caption span, .key span { color: var(--soft); }
.axis {
  display: flex; flex-direction: column; justify-content: space-between; text-align: right;
  font-size: .8125rem; line-height: 1; color: var(--soft); font-variant-numeric: tabular-nums;
  white-space: nowrap;
}
.track {
  position: relative; border: 1px solid var(--rule); border-radius: .3rem; overflow: hidden;
  background: var(--card) repeating-linear-gradient(
    90deg, var(--grid) 0 1px, transparent 1px calc(100% / var(--seconds)));
}
.track::after {
  content: ""; position: absolute; inset: 0 auto 0 calc(var(--now, 0) * 100%); width: 2px;
  background: var(--head); opacity: var(--playing, 0);
}
.tall { height: 10rem; }
.medium { height: 8rem; }
.small { height: 4rem; }
.track img, .track svg { display: block; width: 100%; height: 100%; }
svg polyline {
  fill: none; vector-effect: non-scaling-stroke; stroke-width: 1.6; stroke-linejoin: round;
}
svg polygon.main { fill: var(--fill); stroke: none; }
svg .main { stroke: var(--accent); }
svg .line { stroke: var(--line); stroke-width: 5; stroke-opacity: .5; }
.time { position: relative; height: 1.6rem; font-size: .8125rem; color: var(--soft); }
.time span { position: absolute; top: .3rem; white-space: nowrap; }
.key { font-size: .9375rem; }
.key b { font-weight: 600; }
.key b::before {
  content: ""; display: inline-block; width: 1.2em; height: .2em; margin-right: .45em;
  vertical-align: middle; border-radius: 1px; background: var(--accent);
}
.key b.line::before { background: var(--line); }
.scroll { overflow-x: auto; margin: 1.25rem 0; border-radius: .3rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
table {
  border-collapse: collapse; width: 100%; font-size: .9375rem; font-variant-numeric: tabular-nums;
}
caption { text-align: left; color: var(--soft); font-size: .875rem; padding: 0 0 .5rem; }
th, td {
  text-align: right; padding: .55rem 0 .55rem .9rem; border-bottom: 1px solid var(--rule);
  vertical-align: top;
}
td { white-space: nowrap; }
thead th {
  font-weight: 500; color: var(--soft); font-size: .875rem; line-height: 1.35;
  vertical-align: bottom;
}
th:first-child { text-align: left; padding-left: 0; font-weight: 600; white-space: nowrap; }
td small, th small { display: block; color: var(--soft); font-weight: 400; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (max-width: 40rem) {
  main { padding: 2.25rem 1.1rem 3rem; }
  .plot { grid-template-columns: 3.3rem minmax(0, 1fr); column-gap: .45rem; }
  .tiles { grid-template-columns: 1fr 1fr; }
  .tiles div { padding: .85rem .9rem; }
  dd { font-size: 1.25rem; }
  .tall { height: 7.5rem; }
  .medium { height: 6.5rem; }
  h2 { margin-top: 3rem; }
}
"""

SCRIPT = """
const root = document.documentElement.style, players = [...document.querySelectorAll("audio")];
for (const player of players) {
  const draw = () => {
    root.setProperty("--now", player.currentTime / player.duration || 0);
    if (!player.paused) requestAnimationFrame(draw);
  };
  player.addEventListener("play", () => {
    players.forEach((other) => other !== player && other.pause());
    root.setProperty("--playing", 1);
    draw();
  });
  player.addEventListener("seeked", draw);
  player.addEventListener("ended", () => root.setProperty("--playing", 0));
}
"""
