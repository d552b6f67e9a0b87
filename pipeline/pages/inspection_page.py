"""Writes the page of an inspection: advice, measurements, plots, use and doubtful recordings."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from pipeline.audio.inspection import Inspection
from pipeline.audio.inspection_advice import Advice, brief
from pipeline.audio.note_names import note_name
from pipeline.audio.recordings import Found
from pipeline.core.constants import SPLITS
from pipeline.core.files import atomic_write
from pipeline.core.markdown import counted
from pipeline.pages import html
from pipeline.pages.inspection_plots import (
    coverage_plot,
    decay_plot,
    loudness_plot,
    notes_plot,
    tuning_plot,
    use_strip,
)
from pipeline.pages.inspection_text import duration, facts
from pipeline.training.dataset_plan import SourceUse

MAX_ROWS = 100  # of the tables of files; the rest is in the JSON file
USES = {
    "whole": "clips of one recording",
    "joined": "joined notes",
    "silent": "silence",
    "unclear": "no clear pitch",
}


def write_page(
    title: str,
    inspection: Inspection,
    uses: Mapping[str, SourceUse],
    advice: Sequence[Advice],
    found: Found,
    *,
    setting: str,
    out: Path,
) -> None:
    """Writes ``index.html`` to the folder `out`.

    Args:
        title: Name of the instrument or of the folders.
        inspection: The measurements.
        uses: What training would use, by source.
        advice: What to do better.
        found: Contains the files that were passed over.
        setting: The search range; see `inspection_text.describe_setting`.
        out: Folder of the page.
    """
    parts = [
        f"<main><h1>{escape(title[:1].upper() + title[1:])}: recordings before training</h1>",
        _tiles(inspection, uses),
        _advice_list(advice),
        _plots(inspection),
        _uses(uses),
        _facts(inspection, setting),
        _names_table(inspection),
        _issue_table(inspection),
        _passed_over_table(found),
        "</main>",
    ]
    body = "\n".join(parts)
    with atomic_write(out / "index.html") as temporary:
        styles = ["style.css", "inspection.css"]
        temporary.write_text(html.page(title, body, styles=styles, scripts=[]), "utf-8")


def _tiles(inspection: Inspection, uses: Mapping[str, SourceUse]) -> str:
    notes = inspection.played_notes
    used = sum(use.seconds["whole"] + use.seconds["joined"] for use in uses.values())
    soft_db, loud_db = inspection.loudness_db
    floor_db, room = inspection.floor_db, inspection.room_seconds
    low, high = (note_name(notes[0]), note_name(notes[-1])) if notes else ("none", "")
    return html.tiles(
        [
            ("Recordings", f"{len(inspection.reports)}", duration(inspection.seconds)),
            (
                "Used",
                duration(used),
                f"of {duration(inspection.seconds)}, with validation and test",
            ),
            ("Notes", f"{low} to {high}" if notes else low, counted(len(notes), "semitone")),
            (
                "Soft to loud",
                html.quantity(loud_db - soft_db, "dB"),
                f"{html.quantity(soft_db, 'dB')} to {html.quantity(loud_db, 'dB')}",
            ),
            (
                "Noise in pauses",
                "unknown" if floor_db is None else html.quantity(floor_db, "dBFS"),
                "no recording has a pause"
                if floor_db is None
                else f"{html.quantity(loud_db - floor_db, 'dB')} below loud notes",
            ),
            (
                "Note ends ring for",
                "unknown" if room is None else f"{room:.2f}\N{NO-BREAK SPACE}s",
                f"{counted(len(inspection.decays), 'note end')}, RT60",
            ),
        ]
    )


def _advice_list(advice: Sequence[Advice]) -> str:
    if not advice:
        return "<h2>What to do better</h2><p>Nothing: these recordings are fit for training.</p>"
    items = "".join(
        f"<li><b>{escape(_sentence(item.remedy))}</b> {escape(_sentence(item.finding))}</li>"
        for item in advice
    )
    return f'<h2>What to do better</h2><ol class="advice">{items}</ol>'


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _plots(inspection: Inspection) -> str:
    drawings = []
    if inspection.played_notes:
        drawings += [notes_plot(inspection), coverage_plot(inspection), tuning_plot(inspection)]
    drawings.append(loudness_plot(inspection))
    if inspection.decays:
        drawings.append(decay_plot(inspection))
    text = (
        '<p class="note">The model plays well what it has heard: notes over the whole range, each '
        "of them soft and loud.</p>"
    )
    return f"<h2>What is there</h2>{text}{''.join(drawings)}"


def _uses(uses: Mapping[str, SourceUse]) -> str:
    strips = "".join(
        use_strip(source, [(kind, use.seconds[kind]) for kind in USES])
        for source, use in uses.items()
    )
    key = "".join(f'<b class="{kind}">{escape(text)}</b>' for kind, text in USES.items())
    head = ["Source", "Recordings", "Clips", *(text.capitalize() for text in USES.values())]
    rows = [
        [
            escape(source),
            f"{use.n_recordings}",
            f"{use.n_clips}",
            *(_seconds(use.seconds[kind]) for kind in USES),
        ]
        for source, use in uses.items()
    ]
    splits = [
        [
            escape(source),
            *(
                f"{_seconds(use.splits[split][1])}"
                f"<small>{counted(use.splits[split][0], 'recording')}</small>"
                for split in SPLITS
            ),
        ]
        for source, use in uses.items()
    ]
    return (
        "<h2>What training would use of it</h2>"
        '<p class="note">Recordings are cut into clips of four seconds. Shorter notes are joined. '
        "Whole recordings are kept for validation and test.</p>"
        f'{strips}<p class="key">{key}</p>'
        f"{html.table('Use of the recordings', head, rows)}"
        f"{html.table('Split by recording', ['Source', 'Training', 'Validation', 'Test'], splits)}"
    )


def _seconds(seconds: float) -> str:
    return f"{brief(seconds)}\N{NO-BREAK SPACE}s"


def _facts(inspection: Inspection, setting: str) -> str:
    pairs: list[tuple[str, str]] = []
    for label, text in facts(inspection, setting):
        if label:
            pairs.append((label, text))
    items = "".join(f"<dt>{escape(a.capitalize())}</dt><dd>{escape(b)}</dd>" for a, b in pairs)
    return f'<h2>In words</h2><dl class="facts">{items}</dl>'


def _names_table(inspection: Inspection) -> str:
    compared = inspection.pitches.names.values()
    strays = [stray for names in compared for stray in (*names.octave_errors, *names.others)]
    if not strays:
        return ""
    rows = [
        [
            escape(stray.name),
            _pitch_text(stray.note, stray.named_hz),
            _pitch_text(stray.found_note, stray.found_hz),
        ]
        for stray in strays
    ]
    caption = "Files that sound at another pitch than their names say"
    return f"<h2>Names and pitches</h2>{_file_table(caption, ['Named', 'Found'], rows)}"


def _pitch_text(note: float, f0_hz: float) -> str:
    return f"{note_name(note)}, {html.quantity(f0_hz, 'Hz')}"


def _issue_table(inspection: Inspection) -> str:
    by_name = inspection.issues.by_name()
    if not by_name:
        return ""
    rows = [[escape(name), escape("; ".join(issues))] for name, issues in by_name.items()]
    return f"<h2>Doubtful recordings</h2>{_file_table('They are used anyway', ['Doubt'], rows)}"


def _passed_over_table(found: Found) -> str:
    by_path = found.by_path()
    if not by_path:
        return ""
    rows = [[escape(Path(path).name), escape(text)] for path, text in by_path.items()]
    return f"<h2>Passed over</h2>{_file_table('Files that cannot be used', ['Why'], rows)}"


def _file_table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rest = len(rows) - MAX_ROWS
    more = f"<p>{rest} more are listed in inspection.json.</p>" if rest > 0 else ""
    table = html.table(caption, ["File", *columns], rows[:MAX_ROWS])
    return f'<div class="files">{table}</div>{more}'
