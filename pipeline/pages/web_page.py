"""Writes the page on which one plays the instruments: the firmware as WebAssembly, with controls.

The page is one file. It contains the module, the code of the audio thread, styles and pictures,
and loads nothing.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
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

TITLE = "Play it yourself"
WORKLET = ("view.js", "synth.js", "resampler.js", "processor.js")
SCRIPTS = (
    *("view.js", "midi_file.js", "engine.js", "keyboard.js", "midi_input.js", "live_input.js"),
    *("recorder.js", "picture.js", "costs.js", "start.js", "controls.js", "tune_panel.js"),
    *("live_panel.js", "inputs.js", "recorder_panel.js", "show.js", "link.js"),
)
STYLES = ("style.css", "page.css", "web/page.css")


@dataclass(frozen=True)
class PlayedPreset:
    """An instrument of the page.

    Attributes:
        label: Name for readers.
        patch: Its FM patch.
        note: MIDI note of the key in the middle of the keyboard, a C.
    """

    label: str
    patch: Patch
    note: int


def write_web_page(
    module: Path,
    presets: Sequence[PlayedPreset],
    costs: Sequence[ChipCosts],
    out: Path,
    *,
    has_reverb: bool,
) -> Path:
    """Writes ``index.html`` into `out` and returns it.

    Args:
        module: From `pipeline.target.web_module.build_web_module`.
        presets: Instruments in the order of the module.
        costs: What the voices cost on the chips that the page shows.
        out: Folder of the page.
        has_reverb: Whether the module has the learnt reverbs.
    """
    n_voices = ALL_BOARDS["wasm"].n_voices
    facts = {
        "presets": [
            {
                "label": preset.label,
                "svg": patch_svg(preset.patch),
                "maxLevel": MAX_LEVEL,
                "note": preset.note,
            }
            for preset in presets
        ],
        "chips": [_chip(chip) for chip in costs],
        "palette": "".join(f"{r:02x}{g:02x}{b:02x}" for r, g, b in _palette()),
        "nVoices": n_voices,
        "hasReverb": has_reverb,
    }
    body = html.fill_template(
        "web/page.html",
        title=TITLE,
        n_voices=n_voices,
        facts=html.embedded_json(facts),
        module=base64.b64encode(module.read_bytes()).decode(),
        worklet=worklet_code(),
    )
    scripts = [f"web/{name}" for name in SCRIPTS]
    path = out / "index.html"
    with atomic_write(path) as temporary:
        temporary.write_text(html.page(TITLE, body, styles=STYLES, scripts=scripts))
    return path


def worklet_code() -> str:
    """Returns the scripts of the audio thread."""
    return "\n".join((html.ASSETS / "web" / name).read_text() for name in WORKLET)


def _palette() -> list[tuple[int, int, int]]:
    colours = matplotlib.colormaps["magma"](range(256), bytes=True)
    return [(int(r), int(g), int(b)) for r, g, b, _ in colours]


def _chip(costs: ChipCosts) -> dict[str, Any]:
    board = costs.board
    cores = "" if board.n_cores == 1 else f"{board.n_cores} cores, "
    voices = zip(costs.one, costs.two, strict=True)
    return {
        "title": board.chip,
        "detail": f"{cores}{board.core} at {board.clock_hz / 1e6:.0f} MHz",
        "nCores": board.n_cores,
        "nVoices": board.n_voices,
        "silent": costs.silent,
        "voices": [{"one": one, "two": two} for one, two in voices],
    }
