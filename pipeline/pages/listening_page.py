"""Writes the pages of `pipeline.page`: the tables of players and the blind listening test."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from pipeline.audio.loading import load_audio
from pipeline.core.constants import FRAME_RATE, SAMPLE_RATE
from pipeline.core.files import atomic_write
from pipeline.core.instrument_config import InstrumentConfig
from pipeline.evaluation.systems import REFERENCE, System
from pipeline.model.patches import find_patch
from pipeline.pages import diagrams, html
from pipeline.pages.catalogue import KEYS, InstrumentSection, Source, Take, catalogue_json
from pipeline.pages.heard import LEGEND, describe
from pipeline.pages.sounds import image_path, write_take
from pipeline.pages.web_link import web_link
from pipeline.target.boards import EMULATED_BOARDS, FILE_BOARDS

WORD = re.compile(r"[^\s_-]*[\s_-]+|[^\s_-]+")  # with what separates it from the next one
TITLE = "Distilled FM instruments, from recording to microcontroller"
SOURCES: dict[Source, str] = {
    "recorded": "recordings.",
    "rendered": "rendered, not recorded.",
    "composed": "phrases that were composed for this page and rendered with a sampled instrument. "
    "The training corpus contains other phrases by the same sampled instrument.",
}


def write_pages(
    instruments: Sequence[InstrumentSection], systems: Sequence[System], board: str, out: Path
) -> None:
    """Writes ``index.html``, ``listening_test.html``, ``sounds`` and ``images`` into `out`.

    Args:
        instruments: Sections of the page.
        systems: All systems in their order.
        board: Board that ran the firmware.
        out: Folder of the page, which also contains the WAV files.
    """
    for instrument in instruments:
        for take in instrument.takes:
            write_take(take, out)
    catalogue = catalogue_json(instruments, systems)
    index = html.page(
        TITLE,
        _index(instruments, systems, board, catalogue, web_link(out)),
        styles=["style.css", "page.css"],
        scripts=["mixer.js", "page.js"],
    )
    test = html.page(
        "Listening test",
        html.fill_template("listening_test.html", catalogue=catalogue),
        styles=["style.css", "page.css", "listening_test.css"],
        scripts=["mixer.js", "listening_test.js"],
    )
    for name, text in (("index.html", index), ("listening_test.html", test)):
        with atomic_write(out / name) as temporary:
            temporary.write_text(text)


def _index(
    instruments: Sequence[InstrumentSection],
    systems: Sequence[System],
    board: str,
    catalogue: str,
    link: str,
) -> str:
    emulated = board in EMULATED_BOARDS
    place = f"an emulated {FILE_BOARDS[board].core}" if emulated else "this computer"
    groups = [
        (
            "Recording and anchors",
            "the sound to reproduce, and a simple method that every model should surpass: linear "
            "prediction of the recording at its pitch, without and with as much noise as it has",
            [system for system in systems if system.variant is None],
        ),
        (
            "Models",
            "in floating point: the teacher, a student that was trained alone, and students that "
            "were distilled from the teacher",
            [system for system in systems if system.variant and not system.is_firmware],
        ),
        (
            "Firmware",
            f"the quantized network and the integer synthesizer, run on {place}; with reverb, on a "
            "Cortex-M7 if that has too little memory",
            [system for system in systems if system.is_firmware],
        ),
    ]
    lowest, highest = html.SPECTROGRAM_HZ
    quietest, loudest = html.SPECTROGRAM_DB
    config = instruments[0].config  # the networks have the same shape for all instruments
    return html.fill_template(
        "listening_page.html",
        title=TITLE,
        keys=_keys(len(systems)),
        lowest=html.quantity(lowest, "Hz"),
        highest=html.quantity(highest / 1000, "kHz"),
        quietest=html.quantity(quietest, "dB"),
        loudest=html.quantity(loudest, "dB"),
        tables="\n".join(
            _table(name, text, group, instruments) for name, text, group in groups if group
        ),
        legend="".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in LEGEND.items()),
        sources=_sources(instruments),
        frame_rate=FRAME_RATE,
        signal_path=diagrams.signal_path_svg(config.full, config.reduced),
        networks=_networks(config),
        patches=_patches(instruments),
        catalogue=catalogue,
        web_link=link,
    )


def _keys(n_systems: int) -> str:
    """Names the keys that select a system, as HTML."""
    rows = filter(None, (KEYS[: min(n_systems, 9)], KEYS[9:n_systems]))
    ends = [dict.fromkeys((row[0], row[-1])) for row in rows]
    return _and([" to ".join(f"<kbd>{key}</kbd>" for key in pair) for pair in ends])


def _sources(instruments: Sequence[InstrumentSection]) -> str:
    """States what the references are, and which folders contain the models."""
    sentences = []
    for source, statement in SOURCES.items():
        names = [instrument.name for instrument in instruments if instrument.source == source]
        if names:
            sentences.append(f"The references of {_and(names)} are {statement}")
    by_models: dict[str, list[str]] = {}
    for instrument in instruments:
        if instrument.models:
            by_models.setdefault(instrument.models, []).append(instrument.name)
    sentences += [
        f"The models of {_and(names)} are those in {escape(models)}."
        for models, names in by_models.items()
    ]
    return " ".join(sentences)


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _networks(config: InstrumentConfig) -> str:
    n_frames = config.full.receptive_field
    return "".join(
        f'<figure class="drawing">{diagrams.network_svg(tcn, n_frames)}'
        f"<figcaption><b>{name}</b>: {tcn.n_blocks} blocks of {tcn.hidden_channels} channels, "
        f"{tcn.receptive_field} frames or {tcn.receptive_field / FRAME_RATE:.2f} s"
        "</figcaption></figure>"
        for name, tcn in (("Full", config.full), ("Reduced", config.reduced))
    )


def _patches(instruments: Sequence[InstrumentSection]) -> str:
    patches = dict.fromkeys(find_patch(instrument.config) for instrument in instruments)
    return "".join(
        f"<figure>{diagrams.patch_svg(patch)}"
        f"<figcaption><b>{patch.name.replace('_', ' ').capitalize()}</b></figcaption></figure>"
        for patch in patches
    )


def _table(
    name: str, text: str, systems: Sequence[System], instruments: Sequence[InstrumentSection]
) -> str:
    head = "".join(f'<th scope="col">{escape(system.label)}</th>' for system in systems)
    rows = "".join(
        f'<tr><th scope="row">{instrument.label}{_picker(instrument)}</th>'
        + "".join(f"<td>{_cell(instrument, system)}</td>" for system in systems)
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
    titles = [take.title for take in instrument.takes]
    options = "".join(
        f'<option value="{take.id}" title="{escape(take.title)}">{escape(short)}</option>'
        for take, short in zip(instrument.takes, short_titles(titles), strict=True)
    )
    return f'<select class="takes" aria-label="Take of the {instrument.name}">{options}</select>'


def short_titles(titles: Sequence[str]) -> list[str]:
    """Leaves out the words at the beginning that all titles share, because the list is narrow."""
    words = [WORD.findall(title) for title in titles]
    n_shared = 0
    while all(len(w) > n_shared + 1 for w in words) and len({w[n_shared] for w in words}) == 1:
        n_shared += 1
    return ["".join(w[n_shared:]) for w in words]


def _cell(instrument: InstrumentSection, system: System) -> str:
    if system in instrument.missing:
        label, reason = escape(system.label), escape(instrument.missing[system])
        return f'<div class="missing"><b>{label}: not available</b><p>{reason}</p></div>'
    return "".join(
        _player(instrument, take, system, hidden=index > 0)
        for index, take in enumerate(instrument.takes)
    )


def _player(instrument: InstrumentSection, take: Take, system: System, *, hidden: bool) -> str:
    audio = load_audio(take.sounds[system])
    peak = 1.1 * float(abs(load_audio(take.sounds[REFERENCE])).max())
    label = escape(system.label)
    name = f"{system.label}, {instrument.name}, {take.title}"
    waveform = html.waveform_svg(audio, peak or 1.0, f"Waveform: {name}")
    source = image_path(take, system)
    image = f'<img src="{source}" loading="lazy" alt="Spectrogram: {escape(name)}">'
    return (
        f'<article class="player" data-take="{take.id}" data-system="{system.name}"'
        f'{" hidden" if hidden else ""} style="--seconds:{len(audio) / SAMPLE_RATE:.4f}"><header>'
        f'<button type="button" class="play" aria-pressed="false" aria-label="Play {escape(name)}">'
        f'</button><div><span class="label">{label}</span>'
        f"{_facts(instrument, take, system)}</div></header>"
        f'<div class="tracks"><div class="track wave-track">{waveform}</div>'
        f'<div class="track image-track">{image}</div></div>{_heard(take, system)}</article>'
    )


def _facts(instrument: InstrumentSection, take: Take, system: System) -> str:
    facts = []
    if system == REFERENCE:
        reverb = "recorded" if instrument.source == "recorded" else "none"
    else:
        reverb = "learnt" if system.reverb else "none"
        facts.append(("MSS", f"{take.figures[system]['mss']:.2f}"))
        n_bytes = instrument.systems[system]["model_bytes"]
        if n_bytes:
            facts.append(("size", f"{n_bytes / 1000:,.0f} kB"))
    facts.append(("reverb", reverb))
    items = "".join(f"<div><dt>{n}</dt><dd>{escape(v)}</dd></div>" for n, v in facts)
    return f'<dl class="facts">{items}</dl>'


def _heard(take: Take, system: System) -> str:
    """Says what a listener hears of a system's figures, as HTML."""
    phrases = describe(take.figures.get(system, {}))
    items = "".join(f"<li>{escape(phrase)}</li>" for phrase in phrases)
    return f'<ul class="heard-as">{items}</ul>' if items else ""
