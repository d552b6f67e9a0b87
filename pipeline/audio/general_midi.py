"""General MIDI: which program is nearest to an instrument, by its name or by its notes."""

import re
from dataclasses import dataclass

_NAMES = """
Acoustic Grand Piano, Bright Acoustic Piano, Electric Grand Piano, Honky-tonk Piano,
Electric Piano 1, Electric Piano 2, Harpsichord, Clavinet, Celesta, Glockenspiel, Music Box,
Vibraphone, Marimba, Xylophone, Tubular Bells, Dulcimer, Drawbar Organ, Percussive Organ,
Rock Organ, Church Organ, Reed Organ, Accordion, Harmonica, Tango Accordion,
Acoustic Guitar (nylon), Acoustic Guitar (steel), Electric Guitar (jazz),
Electric Guitar (clean), Electric Guitar (muted), Overdriven Guitar, Distortion Guitar,
Guitar Harmonics, Acoustic Bass, Electric Bass (finger), Electric Bass (pick), Fretless Bass,
Slap Bass 1, Slap Bass 2, Synth Bass 1, Synth Bass 2, Violin, Viola, Cello, Contrabass,
Tremolo Strings, Pizzicato Strings, Orchestral Harp, Timpani, String Ensemble 1,
String Ensemble 2, Synth Strings 1, Synth Strings 2, Choir Aahs, Voice Oohs, Synth Choir,
Orchestra Hit, Trumpet, Trombone, Tuba, Muted Trumpet, French Horn, Brass Section,
Synth Brass 1, Synth Brass 2, Soprano Sax, Alto Sax, Tenor Sax, Baritone Sax, Oboe,
English Horn, Bassoon, Clarinet, Piccolo, Flute, Recorder, Pan Flute, Blown Bottle, Shakuhachi,
Whistle, Ocarina, Lead 1 (square), Lead 2 (sawtooth), Lead 3 (calliope), Lead 4 (chiff),
Lead 5 (charang), Lead 6 (voice), Lead 7 (fifths), Lead 8 (bass and lead), Pad 1 (new age),
Pad 2 (warm), Pad 3 (polysynth), Pad 4 (choir), Pad 5 (bowed), Pad 6 (metallic), Pad 7 (halo),
Pad 8 (sweep), FX 1 (rain), FX 2 (soundtrack), FX 3 (crystal), FX 4 (atmosphere),
FX 5 (brightness), FX 6 (goblins), FX 7 (echoes), FX 8 (sci-fi), Sitar, Banjo, Shamisen, Koto,
Kalimba, Bagpipe, Fiddle, Shanai, Tinkle Bell, Agogo, Steel Drums, Woodblock, Taiko Drum,
Melodic Tom, Synth Drum, Reverse Cymbal, Guitar Fret Noise, Breath Noise, Seashore, Bird Tweet,
Telephone Ring, Helicopter, Applause, Gunshot
"""
PROGRAMS = tuple(" ".join(_NAMES.split()).split(", "))


@dataclass(frozen=True)
class NoteRange:
    """The range of notes of an instrument.

    Attributes:
        lowest: MIDI note.
        highest: MIDI note.
        decays: Whether it is plucked or struck, so that its notes die away.
    """

    lowest: int
    highest: int
    decays: bool = False

    def distance(self, other: "NoteRange") -> float:
        """Returns how far the ranges are apart in semitones; decay makes the largest difference."""
        apart = abs(self.lowest - other.lowest) + abs(self.highest - other.highest)
        return apart + (1000 if self.decays != other.decays else 0)


# Programs of instruments that usually play from a lowest to a highest MIDI note. Programs that no
# melodic instrument has are left out.
_SUSTAINED: dict[tuple[int, ...], tuple[int, int]] = {
    **{(16, 17, 18, 20): (36, 96), (19,): (21, 108), (21, 23): (53, 89), (22, 76, 79): (60, 84)},
    **{(40, 110): (55, 96), (41,): (48, 84), (42,): (36, 72), (43,): (23, 55)},
    **{(48, 49): (28, 96), (52, 53): (48, 79), (56,): (52, 84), (57, 70): (34, 72)},
    **{(58,): (29, 55), (59,): (54, 82), (60,): (41, 77), (64,): (54, 87), (65,): (49, 80)},
    **{(66,): (42, 75), (67,): (36, 68), (68,): (58, 91), (69,): (52, 81), (71,): (50, 91)},
    **{(72,): (74, 102), (73, 75, 78): (60, 96), (74,): (60, 86), (77,): (55, 84)},
    **{(109,): (36, 77), (111,): (48, 72)},
}
_DECAYING: dict[tuple[int, ...], tuple[int, int]] = {
    **{(0, 1, 2, 3): (21, 108), (4, 5): (28, 103), (6,): (29, 89), (7, 45): (36, 96)},
    **{(8,): (60, 108), (9,): (79, 108), (10, 15): (60, 84), (11,): (53, 89), (12,): (48, 96)},
    **{(13,): (65, 108), (14,): (60, 77), (24, 25, 26, 27, 28, 29, 30): (40, 86)},
    **{(32, 33, 34, 35, 36, 37): (28, 55), (46,): (23, 103), (47,): (36, 57), (104,): (48, 77)},
    **{(105,): (48, 84), (106,): (50, 79), (107,): (55, 84), (108,): (48, 79), (114,): (52, 76)},
}
USUAL_NOTES = dict(
    sorted(
        (program, NoteRange(lowest, highest, decays))
        for table, decays in ((_SUSTAINED, False), (_DECAYING, True))
        for programs, (lowest, highest) in table.items()
        for program in programs
    )
)
FOLDER_WORDS = {"audio", "notes", "recording", "recordings", "sample", "samples", "sounds", "wav"}
# Other words for instruments, as words of the programs' names.
SYNONYMS = {
    "saxophone": "sax",
    "baritone_saxophone": "baritone sax",
    "double_bass": "contrabass",
    "upright_bass": "acoustic bass",
    "bass_guitar": "electric bass",
    "cor_anglais": "english horn",
    "horn": "french horn",
    "harp": "orchestral harp",
    "violoncello": "cello",
    "voice": "voice oohs",
    "vocal": "voice oohs",
    "vocals": "voice oohs",
    "singer": "voice oohs",
    "choir": "choir aahs",
    "strings": "string ensemble",
    "organ": "church organ",
    "vibes": "vibraphone",
    "tin_whistle": "whistle",
    "bagpipes": "bagpipe",
    "mbira": "kalimba",
    "steelpan": "steel drums",
    "panpipes": "pan flute",
}
# Abbreviations in the file names of the URMP data set, by program.
URMP_TAGS = {
    **{40: "vn", 41: "va", 42: "vc", 43: "db", 56: "tpt", 57: "tbn", 58: "tba", 60: "hn"},
    **{64: "sax", 65: "sax", 66: "sax", 67: "sax", 68: "ob", 70: "bn", 71: "cl", 73: "fl"},
}


def programs_named(instrument: str) -> list[int]:
    """Returns the programs whose names match an instrument's name best.

    The last word of the name has to match: a ``bass_clarinet`` is a clarinet, not a bass. Words as
    of a folder after it, such as ``samples``, are ignored.

    Args:
        instrument: Name such as ``alto_saxophone``.

    Returns:
        Programs that match equally well; none if the name is none of an instrument.
    """
    words = re.findall("[a-z]+", re.sub("([a-z])([A-Z])", r"\1_\2", instrument).lower())
    while words and words[-1] in FOLDER_WORDS:
        words.pop()
    for start in range(len(words)):  # the longest ending that is a synonym
        synonym = SYNONYMS.get("_".join(words[start:]))
        if synonym:
            words = [*words[:start], *synonym.split()]
            break
    if not words:
        return []
    scores = {}
    for program in USUAL_NOTES:
        own = re.findall("[a-z]+", PROGRAMS[program].lower())
        if words[-1] in own:
            shared = len(set(words) & set(own))
            scores[program] = (shared, -len(set(own) - set(words)))
    best = max(scores.values(), default=None)
    return [program for program, score in scores.items() if score == best]


def nearest_program(notes: NoteRange, programs: list[int] | None = None) -> int:
    """Returns the program that usually plays these notes; the first one if several do.

    Args:
        notes: The notes of the instrument.
        programs: Programs to choose from; None or empty for all.
    """
    return min(programs or USUAL_NOTES, key=lambda program: USUAL_NOTES[program].distance(notes))
