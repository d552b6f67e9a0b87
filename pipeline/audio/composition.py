"""Composes music: a corpus to train on without recordings, and examples to listen to.

Phrases are drawn from a seeded generator, so a corpus is the same on every machine: scales,
arpeggios, leaps, chromatic runs, repeated notes, melodies and long tones through the whole range of
the instrument, tongued and slurred, at several strengths, with swells (MIDI expression) and vibrato
(pitch bend) where the instrument can play them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import mido
import numpy as np

from pipeline.core.instrument_config import CorpusConfig, InstrumentConfig

TICKS_PER_SECOND = 1000  # at mido's default tempo of two beats per second
CONTROL_SECONDS = 0.02  # interval between points of an expression or vibrato curve
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 7, 9))
CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 6, 9))
EXPRESSION, MONOPHONIC = 11, 126  # MIDI controllers

Pitches = Iterator[int]  # endless sequence of MIDI note numbers


@dataclass(frozen=True)
class Note:
    """A note of a phrase.

    Attributes:
        start: Onset in seconds.
        seconds: Length.
        pitch: MIDI note number.
        velocity: MIDI velocity.
    """

    start: float
    seconds: float
    pitch: int
    velocity: int


@dataclass
class Phrase:
    """Notes and control curves.

    Attributes:
        notes: Notes in the order of their onsets.
        expression: Pairs of a time in seconds and an expression in [0, 1].
        bend: Pairs of a time in seconds and a pitch bend in semitones.
    """

    notes: list[Note] = field(default_factory=list)
    expression: list[tuple[float, float]] = field(default_factory=list)
    bend: list[tuple[float, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Time at which the last note ends."""
        return max(note.start + note.seconds for note in self.notes)


def compose_corpus(config: InstrumentConfig, *, n_phrases: int = 42) -> list[mido.MidiFile]:
    """Composes the default corpus of an instrument: phrases of 12, 16 or 20 s, about 11 minutes.

    The kinds of phrase alternate, and their registers cover the range evenly.
    """
    corpus = config.require_corpus()
    phrases = []
    for index in range(n_phrases):
        rng = np.random.default_rng([config.data.seed, index])
        register = (0.31 + index * 0.618034) % 1.0  # golden ratio: even for any n_phrases
        kind = list(PATTERNS)[index % len(PATTERNS)]
        seconds = (12.0, 16.0, 20.0)[index // len(PATTERNS) % 3]
        phrase = compose_phrase(corpus, rng, kind=kind, register=register, seconds=seconds)
        phrases.append(to_midi(phrase, corpus))
    return phrases


def compose_melody(config: InstrumentConfig, seed: int = 0) -> mido.MidiFile:
    """Composes a song-like melody of about eight seconds: two lines that end on the tonic.

    Args:
        config: Instrument; the melody lies in the middle of its range.
        seed: Selects the melody.
    """
    rng = np.random.default_rng([seed, 8])
    corpus = config.require_corpus()
    beat = 0.42
    tonic = (corpus.lowest_note + corpus.highest_note) // 2 - 4
    rhythms = ((1.5, 0.5, 1, 1), (1, 0.5, 0.5, 2), (0.5, 0.5, 1, 2), (1, 1, 0.5, 0.5, 1))
    first, second = (rhythms[i] for i in rng.permutation(len(rhythms))[:2])
    durations = [*first, *second, *first, 1, 1, 3]
    goal = len(first) + len(second)  # the second line begins on the tonic again
    degrees = [0]
    for i in range(1, len(durations)):
        step = int(rng.choice([-2, -1, 1, 2, 3], p=[0.15, 0.3, 0.3, 0.15, 0.1]))
        degrees.append(0 if i == goal else int(np.clip(degrees[-1] + step, -3, 7)))
    degrees[-3:] = [1, -1, 0]
    phrase = Phrase()
    start = 0.25
    for i, (degree, duration) in enumerate(zip(degrees, durations, strict=True)):
        octave, index = divmod(degree, 7)
        pitch = tonic + 12 * octave + SCALES[0][index]
        slurred = not corpus.decays and i not in (goal - 1, len(durations) - 1)
        seconds = duration * beat * (1.05 if slurred else 0.85)
        phrase.notes.append(Note(start, seconds, pitch, int(rng.integers(78, 100))))
        start += duration * beat
    if not corpus.decays:
        _swell(phrase, rng, low=0.55, period=goal * beat)
        _vibrato(phrase, rng, longest_plain=0.5)
    return to_midi(phrase, corpus)


def compose_examples(config: InstrumentConfig) -> dict[str, mido.MidiFile]:
    """Composes the short phrases of the listening page, none of which is in the corpus.

    Returns:
        Music by name: a melody, and a phrase that suits the instrument: swelling long tones, or
        arpeggios if its tones decay.
    """
    corpus = config.require_corpus()
    kind = "arpeggios" if corpus.decays else "long tones"
    rng = np.random.default_rng([config.data.seed, 1000])  # the corpus uses small numbers
    phrase = compose_phrase(corpus, rng, kind=kind, register=0.4, seconds=6.0)
    return {"melody": compose_melody(config, seed=1), kind: to_midi(phrase, corpus)}


def compose_phrase(
    corpus: CorpusConfig,
    rng: np.random.Generator,
    *,
    kind: str,
    register: float,
    seconds: float,
) -> Phrase:
    """Composes one phrase.

    Args:
        corpus: The instrument's range, and whether its tones decay.
        rng: Source of every choice.
        kind: One of `PATTERNS`.
        register: Where the phrase begins, from 0 (lowest note) to 1 (highest).
        seconds: Length of the phrase.
    """
    phrase = Phrase()
    start_pitch = corpus.lowest_note + register * (corpus.highest_note - corpus.lowest_note)
    pitches = PATTERNS[kind](rng, round(start_pitch))
    pulse = float(rng.choice([0.14, 0.2, 0.28, 0.4, 0.56]))
    gate = float(rng.choice([0.5, 0.9, 1.0 if corpus.decays else 1.1], p=[0.2, 0.3, 0.5]))
    strength = int(rng.choice([45, 65, 85, 105, 120]))
    start = 0.1
    next_rest = start + float(rng.uniform(3, 6))
    while start < seconds:
        if kind == "long tones":
            duration = float(rng.uniform(1.2, 3.5))
        elif kind == "melody":
            duration = pulse * float(rng.choice([1, 1, 2, 3, 4]))
        else:
            duration = pulse
        duration = min(duration, max(seconds - start, 0.14))
        pitch = _into_range(next(pitches), corpus)
        velocity = int(np.clip(strength + rng.integers(-12, 13), 20, 127))
        phrase.notes.append(Note(start, duration * gate, pitch, velocity))
        start += duration
        if start > next_rest:
            start += float(rng.uniform(0.15, 0.45))
            next_rest = start + float(rng.uniform(3, 6))
            strength = int(np.clip(strength + rng.choice([-30, 0, 30]), 35, 120))
    if not corpus.decays:
        if kind == "long tones" or rng.random() < 0.6:
            _swell(
                phrase,
                rng,
                low=float(rng.choice([0.2, 0.35, 0.6])),
                period=float(rng.uniform(1.5, 6)),
            )
        _vibrato(phrase, rng, longest_plain=float(rng.choice([0.4, 1.0, 9.0])))
    return phrase


def to_midi(phrase: Phrase, corpus: CorpusConfig) -> mido.MidiFile:
    """Converts a phrase to a one-track MIDI file with the instrument's program.

    Sustaining instruments play in monophonic mode, in which overlapping notes are slurred.
    """
    events: list[tuple[float, int, mido.Message]] = []
    for note in phrase.notes:
        on = mido.Message("note_on", note=note.pitch, velocity=note.velocity)
        off = mido.Message("note_off", note=note.pitch)
        events += [(note.start, 2, on), (note.start + note.seconds, 0, off)]
    for time, value in phrase.expression:
        level = round(127 * float(np.clip(value, 0, 1)))
        events.append((time, 1, mido.Message("control_change", control=EXPRESSION, value=level)))
    for time, semitones in phrase.bend:  # General MIDI: the wheel spans two semitones
        events.append((time, 1, mido.Message("pitchwheel", pitch=round(8191 * semitones / 2))))
    track = mido.MidiTrack([mido.Message("program_change", program=corpus.gm_program)])
    if not corpus.decays:
        track.append(mido.Message("control_change", control=MONOPHONIC, value=1))
    now = 0
    for time, _, message in sorted(events, key=lambda event: event[:2]):
        ticks = round(time * TICKS_PER_SECOND)
        track.append(message.copy(time=ticks - now))
        now = ticks
    track.append(mido.MetaMessage("end_of_track", time=TICKS_PER_SECOND // 2))
    return mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_SECOND // 2, tracks=[track])


def _into_range(pitch: int, corpus: CorpusConfig) -> int:
    """Transposes a pitch by octaves into the instrument's range."""
    while pitch < corpus.lowest_note:
        pitch += 12
    while pitch > corpus.highest_note:
        pitch -= 12
    return pitch


def _up_and_down(rng: np.random.Generator, pitch: int, steps: tuple[int, ...]) -> Pitches:
    """Runs through steps upwards and back, or mirrored, and each time from another pitch."""
    while True:
        n_notes = int(rng.integers(len(steps) + 1, 2 * len(steps) + 2))
        rising = [pitch + 12 * (i // len(steps)) + steps[i % len(steps)] for i in range(n_notes)]
        run = rising + rising[-2:0:-1]
        yield from run if rng.random() < 0.6 else [2 * pitch - note + 12 for note in run]
        pitch += int(rng.choice([-5, -4, -2, 2, 3, 5, 7]))


def _scales(rng: np.random.Generator, pitch: int) -> Pitches:
    return _up_and_down(rng, pitch, SCALES[rng.integers(len(SCALES))])


def _arpeggios(rng: np.random.Generator, pitch: int) -> Pitches:
    return _up_and_down(rng, pitch, CHORDS[rng.integers(len(CHORDS))])


def _walk(intervals: tuple[int, ...]) -> Callable[[np.random.Generator, int], Pitches]:
    """Returns a random walk by intervals, within 14 semitones of its first pitch."""

    def pitches(rng: np.random.Generator, pitch: int) -> Pitches:
        centre = pitch
        while True:
            yield pitch
            pitch += int(rng.choice(intervals)) * (1 if rng.random() < 0.5 else -1)
            if abs(pitch - centre) > 14:
                pitch = centre

    return pitches


def _repeated(rng: np.random.Generator, pitch: int) -> Pitches:
    while True:
        yield from [pitch] * int(rng.integers(2, 6))
        pitch += int(rng.choice([-4, -2, -1, 1, 2, 3]))


PATTERNS: dict[str, Callable[[np.random.Generator, int], Pitches]] = {
    "scales": _scales,
    "long tones": _walk((1, 2, 3, 5, 7)),
    "arpeggios": _arpeggios,
    "melody": _walk((1, 2, 2, 2, 3, 4)),
    "leaps": _walk((3, 5, 7, 8, 12)),
    "repeated notes": _repeated,
    "chromatic": _walk((1,)),
    "slow melody": _walk((2, 2, 3, 4, 5)),
}


def _swell(phrase: Phrase, rng: np.random.Generator, *, low: float, period: float) -> None:
    """Adds an expression curve that swells between `low` and 1, once every `period` seconds."""
    times = np.arange(0, phrase.seconds, CONTROL_SECONDS)
    turn = rng.random() + times / period
    curve = low + (1 - low) * (0.5 - 0.5 * np.cos(2 * np.pi * turn))
    phrase.expression += list(zip(times.tolist(), curve.tolist(), strict=True))


def _vibrato(phrase: Phrase, rng: np.random.Generator, *, longest_plain: float) -> None:
    """Adds a vibrato with a gradual onset to every note longer than `longest_plain` seconds."""
    rate_hz, depth = float(rng.uniform(4.5, 6.5)), float(rng.uniform(0.1, 0.35))
    for note in phrase.notes:
        if note.seconds <= longest_plain:
            continue
        times = np.arange(0, note.seconds, CONTROL_SECONDS)
        onset = np.clip((times - 0.2) / 0.3, 0, 1)
        bend = depth * onset * np.sin(2 * np.pi * rate_hz * times)
        phrase.bend += list(zip((note.start + times).tolist(), bend.tolist(), strict=True))
        phrase.bend.append((note.start + note.seconds, 0.0))
