"""The two pages that `pipeline.page` writes: tables of players, and the blind listening test."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy.typing as npt
import soundfile as sf

from pipeline.audio.features import load_audio
from pipeline.core import constants
from pipeline.core.constants import SAMPLE_RATE, VARIANTS
from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.model.patches import PATCHES
from pipeline.pages import diagrams, html
from pipeline.target.boards import BOARDS

VARIANT_LABELS = {
    "full": "Full",
    "reduced": "Reduced",
    "reduced_ad": "Reduced + AD",
    "reduced_cd": "Reduced + CD",
}
FORMAT_LABELS = {"_mcu": "int8", "_mcu16": "16x8", "_mcu_room": "int8 with room"}
ROOMS = {"with the learnt room": "learnt", "linear prediction of the recording": "dry"}
SPECTROGRAM_SIZE = (480, 160)  # pixels
KEYS = "123456789ABCDEFGHIJKMNOPQRSTUVWXYZ"  # that choose a system, in order; L is the loop's


@dataclass(frozen=True)
class Take:
    """A recording, or a composed phrase, as every system plays it.

    Attributes:
        id: Short name for files and scripts.
        title: What a reader calls it.
        sounds: WAV file by system, the reference first; all of one length.
        figures: Of `pipeline.evaluate`, by system.
    """

    id: str
    title: str
    sounds: Mapping[str, Path]
    figures: Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class InstrumentSection:
    """What the pages say of an instrument.

    Attributes:
        config: Instrument.
        real: Whether the takes are recordings.
        takes: To be chosen from.
        systems: As ``metrics.json`` describes them.
        models: Which folder their models lie in (see `pipeline.evaluate.model_sources`).
        missing: Why a system is missing, by system.
    """

    config: InstrumentConfig
    real: bool
    takes: Sequence[Take]
    systems: Mapping[str, Mapping[str, Any]]
    models: str
    missing: Mapping[str, str]

    @property
    def name(self) -> str:
        """The instrument's name."""
        return self.config.instrument


def system_labels(
    mcu: Sequence[str] = VARIANTS, variants: Sequence[str] = VARIANTS
) -> dict[str, str]:
    """Names all systems, in the order in which they are heard; those of `mcu` by the firmware."""
    models = {variant: label for variant, label in VARIANT_LABELS.items() if variant in variants}
    players = {
        variant + suffix: f"{VARIANT_LABELS[variant]}, {label}"
        for variant in mcu
        for suffix, label in FORMAT_LABELS.items()
    }
    return {"reference": "Reference", "lpc": "Anchor (LPC)", **models, **players}


def write_pages(
    instruments: Sequence[InstrumentSection], labels: Mapping[str, str], board: str, out: Path
) -> None:
    """Writes ``index.html``, ``listening_test.html``, ``sounds`` and ``images`` into `out`.

    Args:
        instruments: What is there to hear.
        labels: Of all systems, in order.
        board: Where the firmware ran.
        out: Folder; the WAV files lie below it.
    """
    for instrument in instruments:
        for take in instrument.takes:
            _write_sounds(take, out / "sounds" / f"{take.id}.js")
            for system, path in take.sounds.items():
                with atomic_write(out / _image(take, system)) as temporary:
                    picture = html.spectrogram_png(load_audio(path), SPECTROGRAM_SIZE)
                    temporary.write_bytes(picture)
    catalogue = _catalogue(instruments, labels)
    _write(out / "index.html", _index(instruments, labels, board, catalogue))
    test = _template("listening_test.html", catalogue=catalogue)
    assets = {"styles": ["style.css", "page.css", "listening_test.css"],
              "scripts": ["mixer.js", "listening_test.js"]}  # fmt: skip
    _write(out / "listening_test.html", html.page("Listening test", test, **assets))


def _template(name: str, **parts: Any) -> str:
    return (html.ASSETS / name).read_text().format(**parts)


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def _image(take: Take, system: str) -> str:
    return f"images/{take.id}.{system}.png"


def _write_sounds(take: Take, path: Path) -> None:
    """Writes a script that hands the page a take's sounds, as FLAC; see ``mixer.js`` for why."""
    sounds = {}
    for system, wav in take.sounds.items():
        samples, rate = sf.read(wav, dtype="int16")
        flac = io.BytesIO()
        sf.write(flac, samples, rate, format="FLAC")
        sounds[system] = base64.b64encode(flac.getvalue()).decode()
    _write(path, f'deliver("{take.id}", {json.dumps(sounds, indent=0)});\n')


def _catalogue(instruments: Sequence[InstrumentSection], labels: Mapping[str, str]) -> str:
    """Describes the takes to the scripts, as JSON that can stand in HTML."""
    entries = [
        {
            "id": take.id,
            "instrument": instrument.name.capitalize(),
            "title": take.title,
            "systems": [
                {"system": system, "label": label, "key": key}
                for key, (system, label) in zip(KEYS, labels.items(), strict=False)
                if system in take.sounds
            ],
        }
        for instrument in instruments
        for take in instrument.takes
    ]
    return json.dumps(entries).replace("<", "\\u003c")


def _index(
    instruments: Sequence[InstrumentSection], labels: Mapping[str, str], board: str, catalogue: str
) -> str:
    title = "Distilled FM instruments, from recording to microcontroller"
    core = BOARDS[board].core
    players = [system for system in labels if "_mcu" in system]
    tables = [
        ("Recording and anchor", "where it starts, and what any model should beat: linear "
         "prediction of the recording at its pitch", ["reference", "lpc"]),
        ("Models", "in floating point: the teacher, a student trained alone, and students that "
         "were distilled from the teacher", [s for s in labels if s in VARIANT_LABELS]),
        ("Firmware", "the quantized network and the integer synthesizer, run on an emulated "
         f"{core}, or on a Cortex-M7 where it plays the room as well", players),
    ]  # fmt: skip
    lowest, highest = html.SPECTROGRAM_HZ
    quietest, loudest = html.SPECTROGRAM_DB
    some = instruments[0].config
    body = _template(
        "index.html",
        title=title,
        keys=_keys(len(labels)),
        lowest=f"{lowest:.0f} Hz",
        highest=f"{highest / 1000:.0f} kHz",
        quietest=f"−{-quietest:.0f} dB",
        loudest=f"−{-loudest:.0f} dB",
        tables="\n".join(
            _table(name, text, systems, labels, instruments)
            for name, text, systems in tables
            if systems
        ),
        sources=_sources(instruments),
        frame_rate=constants.FRAME_RATE,
        signal_path=diagrams.signal_path_svg(some.full, some.reduced),
        networks="".join(
            f'<figure class="drawing">{diagrams.network_svg(tcn, some.full.receptive_field)}'
            f"<figcaption><b>{name}</b>: {tcn.n_blocks} blocks of {tcn.hidden_channels} channels, "
            f"{tcn.receptive_field} frames or {tcn.receptive_field / constants.FRAME_RATE:.2f} s"
            "</figcaption></figure>"
            for name, tcn in (("Full", some.full), ("Reduced", some.reduced))
        ),
        patches="".join(
            f"<figure>{diagrams.patch_svg(PATCHES[name])}<figcaption><b>{name.capitalize()}</b>"
            f"</figcaption></figure>"
            for name in dict.fromkeys(instrument.config.patch for instrument in instruments)
        ),
        catalogue=catalogue,
    )
    return html.page(title, body, styles=["style.css", "page.css"], scripts=["mixer.js", "page.js"])


def _keys(n_systems: int) -> str:
    """Names the keys that choose among systems, as HTML."""
    rows = filter(None, (KEYS[: min(n_systems, 9)], KEYS[9:n_systems]))
    ends = [dict.fromkeys((row[0], row[-1])) for row in rows]
    return _and([" to ".join(f"<kbd>{key}</kbd>" for key in pair) for pair in ends])


def _sources(instruments: Sequence[InstrumentSection]) -> str:
    """Says what the references are, and where the models lie."""
    real = [instrument.name for instrument in instruments if instrument.real]
    rendered = [instrument.name for instrument in instruments if not instrument.real]
    sentences = []
    if real:
        sentences.append(f"The references of {_and(real)} are recordings.")
    if rendered:
        sentences.append(
            f"The references of {_and(rendered)} are phrases that were composed for this page and "
            "rendered with a sampled instrument; no model was trained on them."
        )
    names: dict[str, list[str]] = {}
    for instrument in instruments:
        if instrument.models:
            names.setdefault(instrument.models, []).append(instrument.name)
    sentences += [
        f"The models of {_and(theirs)} are those in {escape(models)}."
        for models, theirs in names.items()
    ]
    return " ".join(sentences)


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _table(
    name: str,
    text: str,
    systems: Sequence[str],
    labels: Mapping[str, str],
    instruments: Sequence[InstrumentSection],
) -> str:
    head = "".join(f'<th scope="col">{escape(labels[system])}</th>' for system in systems)
    rows = "".join(
        f'<tr><th scope="row">{instrument.name.capitalize()}{_picker(instrument)}</th>'
        + "".join(f"<td>{_cell(instrument, system, labels[system])}</td>" for system in systems)
        + "</tr>"
        for instrument in instruments
    )
    return (
        f'<table class="listen"><caption><b>{name}</b> <span>{escape(text)}</span></caption>'
        f'<thead><tr><th scope="col"><span class="hidden">Instrument</span></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _picker(instrument: InstrumentSection) -> str:
    if len(instrument.takes) == 1:
        return f'<span class="one-take">{escape(instrument.takes[0].title)}</span>'
    options = "".join(
        f'<option value="{take.id}">{escape(take.title)}</option>' for take in instrument.takes
    )
    return f'<select class="takes" aria-label="Take of the {instrument.name}">{options}</select>'


def _cell(instrument: InstrumentSection, system: str, label: str) -> str:
    if system in instrument.missing:
        reason = escape(instrument.missing[system])
        return f'<div class="missing"><b>{escape(label)}: not there yet</b><p>{reason}</p></div>'
    return "".join(
        _player(instrument, take, system, label, first=index == 0)
        for index, take in enumerate(instrument.takes)
    )


def _player(
    instrument: InstrumentSection, take: Take, system: str, label: str, *, first: bool
) -> str:
    audio = load_audio(take.sounds[system])
    name = f"{label}, {instrument.name}, {take.title}"
    image = f'<img src="{_image(take, system)}" loading="lazy" alt="Spectrogram: {escape(name)}">'
    return (
        f'<article class="player" data-take="{take.id}" data-system="{system}"'
        f'{"" if first else " hidden"} style="--seconds:{len(audio) / SAMPLE_RATE:.4f}"><header>'
        f'<button type="button" class="play" aria-pressed="false" aria-label="Play {escape(name)}">'
        f'</button><div><span class="label">{escape(label)}</span>'
        f"{_facts(instrument, take, system)}</div></header>"
        f'<div class="tracks"><div class="track wave-track">{_waveform(take, audio, name)}</div>'
        f'<div class="track image-track">{image}</div></div></article>'
    )


def _waveform(take: Take, audio: npt.NDArray, name: str) -> str:
    peak = float(abs(load_audio(take.sounds["reference"])).max())
    return html.waveform_svg(audio, 1.1 * peak or 1.0, f"Waveform: {name}")


def _facts(instrument: InstrumentSection, take: Take, system: str) -> str:
    facts = []
    if system != "reference":
        facts.append(("MSS", f"{take.figures[system]['mss']:.2f}"))
        about = instrument.systems[system]
        if about["model_bytes"]:
            facts.append(("size", f"{about['model_bytes'] / 1000:,.0f} kB"))
        room = ROOMS.get(about["domain"], about["domain"])
    else:
        room = "recorded" if instrument.real else "dry"
    facts.append(("room", room))
    items = "".join(f"<div><dt>{n}</dt><dd>{escape(v)}</dd></div>" for n, v in facts)
    return f'<dl class="facts">{items}</dl>'
