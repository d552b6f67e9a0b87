"""Prints an inspection as a short text: what is there, what it is for, what to do better."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.audio.inspection import Inspection
from pipeline.audio.inspection_advice import Advice, brief
from pipeline.audio.inspection_levels import LOWEST_DB
from pipeline.audio.instrument_entries import PatchChoice
from pipeline.audio.level import describe_gain
from pipeline.audio.note_names import note_name
from pipeline.audio.pitch import note_to_hz
from pipeline.core.constants import A4_HZ, CALIBRATED_LEVEL_DB, SEMITONES_PER_OCTAVE, SPLITS
from pipeline.core.markdown import counted
from pipeline.training.dataset_plan import SourceUse

LABEL = 14  # width of the labels
WIDTH = 100
BARS = "\N{MIDDLE DOT}▁▂▃▄▅▆▇█"  # the first one for notes that hardly sound
HARDLY = 0.05  # seconds
MAX_ADVICE = 8  # the page has all
DRY_SECONDS, SMALL_SECONDS = 0.25, 0.6  # RT60
IN_TUNE_CENTS = 5
AUDIBLE_HUM_DB = -96.0  # a sample of 16 bits holds nothing softer


def inspection_lines(
    inspection: Inspection, uses: Mapping[str, SourceUse], advice: Sequence[Advice], setting: str
) -> list[str]:
    """Returns the text, about 25 lines of at most 100 characters.

    Args:
        inspection: The measurements.
        uses: What training would use, by source.
        advice: What to do better.
        setting: The search range and where it comes from, or what it should be.
    """
    lines = ["what is there"]
    for label, text in facts(inspection, setting):
        lines += _labelled(label, text)
    lines += ["", "what training would use of it"]
    for source, use in uses.items():
        lines += _labelled(*_use_text(source, use))
    lines += ["", "what to do better" if advice else "nothing needs to be done better"]
    for number, item in enumerate(advice[:MAX_ADVICE], 1):
        lines += _wrapped(f"{number:3d}. ", f"{item.finding}: {item.remedy}.")
    if len(advice) > MAX_ADVICE:
        lines.append(f"     {len(advice) - MAX_ADVICE} more on the page")
    return lines


def describe_setting(
    inspection: Inspection, instrument: str | None, patch: PatchChoice | None
) -> str:
    """Returns one sentence about the search range of the pitch tracker.

    Args:
        inspection: The measurements.
        instrument: Name of the instrument whose search range was used; None for the widest range,
            so that a range and a patch are suggested.
        patch: The patch to suggest; None if an instrument is given or no note has a clear pitch.
    """
    config = inspection.config
    used = f"{config.f0_min_hz:g} to {config.f0_max_hz:g} Hz"
    if instrument:
        used += f", of data/instruments/{instrument}.toml"
    if inspection.measured is None:
        return used
    suggested = "f0_min_hz = {:g} and f0_max_hz = {:g}".format(*inspection.measured.search_hz)
    if patch is None:
        return f"{used}; these notes need {suggested}"
    return f"new_instrument writes {suggested} and patch = {patch.name!r}: {patch.reason}"


def facts(inspection: Inspection, setting: str) -> list[tuple[str, str]]:
    """Returns the measurements as pairs of a label and a text."""
    soft_db, loud_db = inspection.loudness_db
    found = [
        ("recordings", _recordings_text(inspection)),
        ("notes", _notes_text(inspection)),
    ]
    if len(inspection.played_notes):
        found += [("", text) for text in note_bars(inspection)]
    found += [
        ("search range", setting),
        ("tuning", tuning_text(inspection)),
        *(("names", text) for text in _names_texts(inspection)),
        (
            "loudness",
            f"{round(soft_db)} dB (soft) to {round(loud_db)} dB (loud), A-weighted; highest peak "
            f"{inspection.peak_db:.1f} dBFS",
        ),
        ("level", _level_text(inspection)),
        ("noise", noise_text(inspection)),
        ("room", room_text(inspection)),
        ("doubts", _doubts_text(inspection)),
    ]
    return found


def _names_texts(inspection: Inspection) -> list[str]:
    """Says for each source how the notes in file names compare with what was found."""
    pitches = inspection.pitches
    is_only_source = len(inspection.gains.sources) == 1
    return list(map(str, pitches.names.values())) if is_only_source else pitches.name_lines()


def _level_text(inspection: Inspection) -> str:
    if inspection.config.level == "as recorded":
        return "training uses recordings as they are, because the instrument's file says so"
    gains = inspection.gains.sources
    names = {source: f"{source}: " if len(gains) > 1 else "" for source in gains}
    texts = (
        f"{names[source]}{describe_gain(gain_db, inspection.own_gains_db(source))}"
        for source, gain_db in gains.items()
    )
    return f"training brings loud notes to {CALIBRATED_LEVEL_DB:.0f} dB: {'; '.join(texts)}"


def _recordings_text(inspection: Inspection) -> str:
    parts = []
    for (rate, channels), count in inspection.formats.most_common(2):
        kind = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
        parts.append(f"{count} of {rate / 1000:g} kHz {kind}")
    others = inspection.formats.total() - sum(n for _, n in inspection.formats.most_common(2))
    parts += [f"{others} of other formats"] if others else []
    if inspection.n_duplicates:
        parts.append(f"{counted(inspection.n_duplicates, 'duplicate')} left out")
    return (
        f"{len(inspection.reports)}, {duration(inspection.seconds)}, of which "
        f"{duration(inspection.sounding_seconds)} sound and "
        f"{duration(inspection.pitched_seconds)} have a clear pitch; {', '.join(parts)}"
    )


def duration(seconds: float) -> str:
    """Formats a length in seconds, or from two minutes on in minutes."""
    return f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.1f} s"


def _notes_text(inspection: Inspection) -> str:
    notes = inspection.played_notes
    if not notes:
        return "none with a clear pitch"
    low_hz, high_hz = note_to_hz([notes[0], notes[-1]])
    n_played = sum(inspection.note_seconds[note] >= HARDLY for note in notes)
    return (
        f"{note_name(notes[0])} to {note_name(notes[-1])} ({low_hz:.0f} to {high_hz:.0f} Hz), "
        f"{n_played} of {counted(len(notes), 'semitone')}"
    )


def note_bars(inspection: Inspection) -> list[str]:
    """Draws the seconds per note as bars, an octave from C to B between two lines."""
    notes, seconds = inspection.played_notes, inspection.note_seconds
    first = notes[0] // SEMITONES_PER_OCTAVE * SEMITONES_PER_OCTAVE
    highest = max(float(seconds[notes[0] : notes[-1] + 1].max()), HARDLY)
    octaves = []
    for start in range(first, notes[-1] + 1, SEMITONES_PER_OCTAVE):
        bars = ""
        for note in range(start, start + SEMITONES_PER_OCTAVE):
            share = float(np.sqrt(seconds[note] / highest)) if note in notes else 0.0
            sounds = note in notes and seconds[note] >= HARDLY
            bars += BARS[max(round(share * (len(BARS) - 1)), 1)] if sounds else BARS[0]
        octaves.append(f"{note_name(start)} {bars}")
    return [" ".join(octaves[row : row + 5]) for row in range(0, len(octaves), 5)]


def tuning_text(inspection: Inspection) -> str:
    """Says how far the notes lie from A4 = 440 Hz."""
    cents = inspection.tuning_cents
    if not inspection.tuning.any():
        return "unknown, because no note is steady"
    direction = "above" if cents > 0 else "below"
    where = f"{abs(cents):.0f} cents {direction}" if round(cents) else "exactly at"
    a4_hz = A4_HZ * 2 ** (cents / 1200)
    text = f"{where} A4 = {A4_HZ:.0f} Hz, which is A4 = {a4_hz:.1f} Hz"
    return text if abs(cents) > IN_TUNE_CENTS else f"{where} A4 = {A4_HZ:.0f} Hz"


def noise_text(inspection: Inspection) -> str:
    """Says how loud noise and hum are."""
    floor_db = inspection.floor_db
    if floor_db is None:
        text = "unknown, because no recording has a pause"
    elif floor_db <= LOWEST_DB:
        text = "pauses are digital silence"
    else:
        _, loud_db = inspection.loudness_db
        text = f"{floor_db:.0f} dBFS in pauses, {loud_db - floor_db:.0f} dB below loud notes"
    found = (report.checks.hum for report in inspection.reports)
    hums = [hum for hum in found if hum and hum.level_db > AUDIBLE_HUM_DB]
    if hums:
        mains_hz = max((50, 60), key=lambda hz: sum(hum.mains_hz == hz for hum in hums))
        loudest_db = max(hum.level_db for hum in hums)
        text += (
            f"; hum of {mains_hz} Hz in {len(hums)} of {len(inspection.reports)} recordings, up to "
            f"{loudest_db:.0f} dBFS"
        )
    return text


def room_text(inspection: Inspection) -> str:
    """Says how long note ends ring."""
    room = inspection.room_seconds
    if room is None:
        return "unknown, because too few notes end in a straight decay"
    kind = (
        "dry" if room < DRY_SECONDS else "a small room" if room < SMALL_SECONDS else "reverberant"
    )
    dies = inspection.measured is not None and inspection.measured.decays
    dying = "; notes die away, so the instrument is plucked or struck" if dies else ""
    n_ends = len(inspection.decays)
    subject = "1 note end rings" if n_ends == 1 else f"{n_ends} note ends ring"
    return f"{subject} for {room:.2f} s (RT60, the shorter ones): {kind}{dying}"


def _doubts_text(inspection: Inspection) -> str:
    kinds = inspection.issues.by_kind()
    if not kinds:
        return "none"
    return "; ".join(f"{len(names)} with {kind.partition(':')[0]}" for kind, names in kinds.items())


def _use_text(source: str, use: SourceUse) -> tuple[str, str]:
    """Returns label and text for a source; a long name does not fit into the label."""
    label, start = (source, "") if len(source) < LABEL else ("", f"{source}: ")
    used = brief(use.seconds["whole"] + use.seconds["joined"])
    seconds = {kind: brief(number) for kind, number in use.seconds.items()}
    splits = ", ".join(f"{name} {brief(use.splits[name][1])} s" for name in SPLITS)
    return label, (
        f"{start}{used} of {seconds['given']} s in {counted(use.n_clips, 'clip')} of 4 s: "
        f"{seconds['whole']} s whole, {seconds['joined']} s of joined notes; not used: "
        f"{seconds['silent']} s of silence and {seconds['unclear']} s without a clear pitch; "
        f"{splits}"
    )


def _labelled(label: str, text: str) -> list[str]:
    return _wrapped(f"  {label:{LABEL}}", text)


def _wrapped(start: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
    )
