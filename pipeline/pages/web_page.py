"""Writes the page on which one plays the instruments: the firmware as WebAssembly, with controls.

The page is one file. It contains the module, the code of the audio thread, styles and pictures,
and loads nothing.
"""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib

from pipeline.core.constants import MAX_LEVEL
from pipeline.core.files import atomic_write
from pipeline.core.patch import Patch
from pipeline.evaluation.voice_costs import ChipCosts
from pipeline.pages import html
from pipeline.pages.diagrams import patch_svg
from pipeline.target.boards import ALL_BOARDS

TITLE = "Neural instruments to play in your browser"
WORKLET = ("view.js", "synth.js", "resampler.js", "processor.js")
SCRIPTS = (
    *("view.js", "midi_file.js", "models.js", "engine.js", "keyboard.js", "midi_input.js"),
    *("live_input.js", "recorder.js", "picture.js", "costs.js", "start.js", "controls.js"),
    *("tune_panel.js", "live_panel.js", "inputs.js", "recorder_panel.js", "show.js", "link.js"),
)
STYLES = ("style.css", "page.css", "web/page.css")


@dataclass(frozen=True)
class PlayedInstrument:
    """An instrument of the page.

    Attributes:
        label: Name for readers.
        patch: Its FM patch.
        note: MIDI note of the key in the middle of the keyboard, a C.
        range: Lowest and highest MIDI note that it has learnt; None if that is not known.
        is_solo: Whether it is first played one note at a time, with slurs.
        presets: Number of its preset in the module, by kind of model; None where it has none.
    """

    label: str
    patch: Patch
    note: int
    range: tuple[int, int] | None
    is_solo: bool
    presets: Sequence[int | None]


@dataclass(frozen=True)
class PlayedKind:
    """A kind of model that the instruments are played with, such as "Tiny, int8".

    Attributes:
        label: Name for readers.
        detail: What it is, in a few words.
    """

    label: str
    detail: str


def write_web_page(
    module: Path,
    instruments: Sequence[PlayedInstrument],
    kinds: Sequence[PlayedKind],
    costs: Sequence[ChipCosts],
    out: Path,
    *,
    has_reverb: bool,
    left_out: Sequence[str],
) -> Path:
    """Writes ``index.html`` into `out` and returns it.

    Args:
        module: From `pipeline.target.web_module.build_web_module`.
        instruments: The instruments.
        kinds: The kinds of model to choose from; the first one plays at the beginning.
        costs: What the voices of the module's presets cost on the chips that the page shows.
        out: Folder of the page.
        has_reverb: Whether the module has the learnt reverbs.
        left_out: Kinds of model that there are, but not on the page, as ``--models`` names them.
    """
    n_voices = ALL_BOARDS["wasm"].n_voices
    facts = {
        "instruments": [
            {
                "label": instrument.label,
                "svg": patch_svg(instrument.patch),
                "note": instrument.note,
                "range": instrument.range,
                "isSolo": instrument.is_solo,
                "presets": instrument.presets,
            }
            for instrument in instruments
        ],
        "kinds": [asdict(kind) for kind in kinds],
        "maxLevel": MAX_LEVEL,
        "chips": [_chip(chip) for chip in costs],
        "palette": "".join(f"{r:02x}{g:02x}{b:02x}" for r, g, b in _palette()),
        "nVoices": n_voices,
        "hasReverb": has_reverb,
    }
    body = html.fill_template(
        "web/page.html",
        title=TITLE,
        n_voices=n_voices,
        left_out=_left_out_text(left_out),
        facts=html.embedded_json(facts),
        module=base64.b64encode(module.read_bytes()).decode(),
        worklet=worklet_code(),
    )
    scripts = [f"web/{name}" for name in SCRIPTS]
    path = out / "index.html"
    with atomic_write(path) as temporary:
        temporary.write_text(html.page(TITLE, body, styles=STYLES, scripts=scripts))
    return path


def _left_out_text(kinds: Sequence[str]) -> str:
    if not kinds:
        return ""
    words = " ".join(kinds)
    return (
        "There are more models, which are left out so that the page stays small: "
        f"<code>python -m pipeline.web --models {words}</code> builds one with them."
    )


def worklet_code() -> str:
    """Returns the scripts of the audio thread."""
    return "\n".join((html.ASSETS / "web" / name).read_text() for name in WORKLET)


def _palette() -> list[tuple[int, int, int]]:
    colours = matplotlib.colormaps["magma"](range(256), bytes=True)
    return [(int(r), int(g), int(b)) for r, g, b, _ in colours]


def _chip(costs: ChipCosts) -> dict[str, Any]:
    board = costs.board
    cores = "" if board.n_cores == 1 else f"{board.n_cores} cores, "
    return {
        "title": board.title,
        "detail": f"{board.chip}, {cores}{board.core} at {board.clock_hz / 1e6:.0f} MHz",
        "nCores": board.n_cores,
        "silent": costs.silent,
        "voices": [cost and asdict(cost) for cost in costs.voices],
    }
