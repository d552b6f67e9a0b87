"""General MIDI: which program is nearest to an instrument, by its name or by its notes."""

import re
from dataclasses import dataclass

PROGRAMS = tuple(
    """
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
    """.replace("\n", " ").split(", ")
)
PROGRAMS = tuple(" ".join(name.split()) for name in PROGRAMS)


@dataclass(frozen=True)
class Notes:
    """The notes of an instrument.

    Attributes:
        lowest: MIDI note.
        highest: MIDI note.
        decays: Whether it is plucked or struck, so that its notes die away.
    """

    lowest: int
    highest: int
    decays: bool = False

    def distance(self, other: "Notes") -> float:
        """Returns how far the ranges are apart in semitones; decay makes the largest difference."""
        apart = abs(self.lowest - other.lowest) + abs(self.highest - other.highest)
        return apart + (1000 if self.decays != other.decays else 0)


# What the instruments usually play. Programs that no melodic instrument has are left out.
USUAL_NOTES = {
    **{program: Notes(21, 108, decays=True) for program in (0, 1, 2, 3)},
    **{program: Notes(28, 103, decays=True) for program in (4, 5)},
    6: Notes(29, 89, decays=True),
    7: Notes(36, 96, decays=True),
    8: Notes(60, 108, decays=True),
    9: Notes(79, 108, decays=True),
    10: Notes(60, 84, decays=True),
    11: Notes(53, 89, decays=True),
    12: Notes(48, 96, decays=True),
    13: Notes(65, 108, decays=True),
    14: Notes(60, 77, decays=True),
    15: Notes(60, 84, decays=True),
    **{program: Notes(36, 96) for program in (16, 17, 18, 20)},
    19: Notes(21, 108),
    21: Notes(53, 89),
    22: Notes(60, 84),
    23: Notes(53, 89),
    **{program: Notes(40, 86, decays=True) for program in range(24, 31)},
    **{program: Notes(28, 55, decays=True) for program in range(32, 38)},
    40: Notes(55, 96),
    41: Notes(48, 84),
    42: Notes(36, 72),
    43: Notes(23, 55),
    45: Notes(36, 96, decays=True),
    46: Notes(23, 103, decays=True),
    47: Notes(36, 57, decays=True),
    **{program: Notes(28, 96) for program in (48, 49)},
    52: Notes(48, 79),
    53: Notes(48, 79),
    56: Notes(52, 84),
    57: Notes(34, 72),
    58: Notes(29, 55),
    59: Notes(54, 82),
    60: Notes(41, 77),
    64: Notes(54, 87),
    65: Notes(49, 80),
    66: Notes(42, 75),
    67: Notes(36, 68),
    68: Notes(58, 91),
    69: Notes(52, 81),
    70: Notes(34, 72),
    71: Notes(50, 91),
    72: Notes(74, 102),
    73: Notes(60, 96),
    74: Notes(60, 86),
    75: Notes(60, 96),
    76: Notes(60, 84),
    77: Notes(55, 84),
    78: Notes(60, 96),
    79: Notes(60, 84),
    104: Notes(48, 77, decays=True),
    105: Notes(48, 84, decays=True),
    106: Notes(50, 79, decays=True),
    107: Notes(55, 84, decays=True),
    108: Notes(48, 79, decays=True),
    109: Notes(36, 77),
    110: Notes(55, 96),
    111: Notes(48, 72),
    114: Notes(52, 76, decays=True),
}
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
URMP_TAGS = {
    **{40: "vn", 41: "va", 42: "vc", 43: "db", 56: "tpt", 57: "tbn", 58: "tba", 60: "hn"},
    **{64: "sax", 65: "sax", 66: "sax", 67: "sax", 68: "ob", 70: "bn", 71: "cl", 73: "fl"},
}
"""Abbreviations in the file names of the URMP data set, by program."""


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


def nearest_program(notes: Notes, programs: list[int] | None = None) -> int:
    """Returns the program that usually plays these notes; the first one if several do.

    Args:
        notes: The notes of the instrument.
        programs: Programs to choose from; None or empty for all.
    """
    return min(programs or USUAL_NOTES, key=lambda program: USUAL_NOTES[program].distance(notes))
