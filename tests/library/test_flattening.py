"""Sources of the firmware become flat: includes without folders, names with a prefix."""

import pytest

from pipeline.library.flattening import flatten

HEADER = """\
/* Copies a tone; see tone/tone.h and instrument/frame.h. */
#ifndef TONE_H
#define TONE_H
#include "instrument/frame.h"
#define TONE_SAMPLES 64
typedef struct tone tone_t;
enum { TONE_OFF, TONE_ON = 3 /* COMMENT */ };
struct tone { int16_t copy; };
extern const uint32_t tone_table[4];
static inline int tone_half(const tone_t *tone) { return tone->copy / 2; }
static inline int copy(int x) { return x; }
void tone_play(tone_t *tone);
#endif
"""
SOURCE = """\
#include "tone/tone.h"
static int helper(struct tone *tone) { return copy(tone_half(tone)); }
void tone_play(tone_t *tone) { tone->copy = (int16_t)helper(tone); }
"""
PLAYER = "#ifndef PLAYER_N_VOICES\n#define PLAYER_N_VOICES 4 /* default */\n#endif\n"


@pytest.fixture
def flat():
    texts = {
        "tone.h": HEADER,
        "tone.c": SOURCE,
        "player.h": PLAYER,
        "ddx7.h": '#include "player/player.h"\nvoid ddx7_play(void);\n',
        "ddx7.c": '#include "ddx7/ddx7.h"\n',
    }
    return flatten(texts, n_voices=9, compiler_header="/* c */\n")


def test_names_that_others_see_get_the_prefix(flat):
    header, source = flat["ddx7/tone.h"], flat["ddx7/tone.c"]
    for line in (
        "#ifndef DDX7_TONE_H",
        "#define DDX7_TONE_SAMPLES 64",
        "typedef struct ddx7_tone ddx7_tone_t;",
        "enum { DDX7_TONE_OFF, DDX7_TONE_ON = 3 /* COMMENT */ };",
        "struct ddx7_tone { int16_t copy; };",
        "extern const uint32_t ddx7_tone_table[4];",
        "static inline int ddx7_tone_half(const ddx7_tone_t *tone) { return tone->copy / 2; }",
        "static inline int copy(int x) { return x; }",
        "void ddx7_tone_play(ddx7_tone_t *tone);",
    ):
        assert f"{line}\n" in header
    assert "static int helper(struct ddx7_tone *tone)" in source
    assert "return copy(ddx7_tone_half(tone));" in source


def test_includes_find_their_files_without_an_include_path(flat):
    assert flat["ddx7/tone.c"].startswith('#include "compiler.h"\n#include "tone.h"\n')
    assert '#include "frame.h"' in flat["ddx7/tone.h"]
    assert flat["ddx7/tone.h"].startswith("/* Copies a tone; see tone.h and frame.h. */\n")
    assert flat["ddx7.h"].startswith('#include "ddx7/player.h"\nvoid ddx7_play(void);\n')
    assert flat["ddx7/ddx7.c"] == '#include "compiler.h"\n#include "../ddx7.h"\n'
    assert flat["ddx7/compiler.h"] == "/* c */\n"


def test_number_of_voices_is_the_default(flat):
    assert flat["ddx7/player.h"] == "#ifndef DDX7_VOICES\n#define DDX7_VOICES 9\n#endif\n"
