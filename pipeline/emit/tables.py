"""Generates the constant tables of the firmware, which are committed as C."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.core.paths import APP_DIR
from pipeline.emit.c_text import TABLES_BANNER, rows
from pipeline.emit.constants import constants_text
from pipeline.model.expression import GAIN_DB_Q8
from pipeline.model.upsampler import FACTOR, design_taps
from pipeline.reference.expression import EXP2_Q30
from pipeline.reference.fm import SINE_TABLE

_ANALYSIS_TABLES = APP_DIR / "analysis" / "analysis_tables.c"


def sine_table_text() -> str:
    """Returns ``fm_sine_table.c``."""
    words = [
        f"FM_SINE_LINE(turn, {(i + 1) // 2}, 0x{int(word) & 0xFFFFFFFF:08X}u)"
        for i, word in enumerate(SINE_TABLE)
    ]
    lines = rows(words, 3).rstrip(",\n").replace("\n", " \\\n") + "\n"
    return f"""\
{TABLES_BANNER}#include "fm/fm_sine.h"

/* clang-format off */
#define LINES(turn) \\
{lines}
FM_HOT_TABLE const uint32_t fm_sine_table[FM_SINE_TURNS * FM_SINE_LINES] = {{
#if FM_SINE_TURNS == 3
    LINES(-1), LINES(0), LINES(1)
#else
    LINES(0)
#endif
}};
"""


def pitch_tables_text() -> str:
    """Returns ``pitch_tables.c``."""
    return f"""\
{TABLES_BANNER}#include "player/pitch.h"

/* clang-format off */
const uint32_t pitch_exp2_q30[{len(EXP2_Q30)}] = {{
{rows(EXP2_Q30, 12)}}};

const int16_t gain_db_q8[{len(GAIN_DB_Q8)}] = {{
{rows(GAIN_DB_Q8, 12)}}};
"""


def upsampler_taps_text() -> str:
    """Returns ``upsampler_taps.c``."""
    phases = ""
    for phase in design_taps().reshape(-1, FACTOR).T[1:]:
        numbers = list(map(str, phase[::-1]))
        phases += f"    {{{', '.join(numbers[:16])},\n     {', '.join(numbers[16:])}}},\n"
    return f"""\
{TABLES_BANNER}#include "upsampler/upsampler.h"

/* clang-format off */
const int16_t upsampler_taps[UPSAMPLER_FACTOR - 1][UPSAMPLER_PHASE_TAPS] = {{
{phases}}};
"""


def analysis_tables_text() -> str:
    """Returns ``analysis_tables.c``. The filter design needs scipy and librosa.

    The last digits of the design depend on the machine's linear algebra library, so the stored
    coefficients are kept as long as they agree with the design to 1e-6.
    """
    from pipeline.audio.a_weighting import weighting_sections

    sections = weighting_sections()
    committed = _ANALYSIS_TABLES.read_text() if _ANALYSIS_TABLES.is_file() else ""
    stored = re.findall(r"(-?\d[-.e\d]*)f", committed)
    if len(stored) == sections.size:
        kept = np.array(stored, float).reshape(sections.shape)
        sections = kept if np.allclose(kept, sections, rtol=0, atol=1e-6) else sections
    coefficients = (f"{number:.9g}f" for number in sections.ravel())
    return f"""\
{TABLES_BANNER}#include "analysis/analysis.h"

/* clang-format off */
const float analysis_weighting[5 * ANALYSIS_N_SECTIONS] = {{
{rows(coefficients, sections.shape[1])}}};
"""


TABLES: dict[Path, Callable[[], str]] = {
    APP_DIR / "fm" / "fm_sine_table.c": sine_table_text,
    APP_DIR / "player" / "pitch_tables.c": pitch_tables_text,
    APP_DIR / "upsampler" / "upsampler_taps.c": upsampler_taps_text,
    _ANALYSIS_TABLES: analysis_tables_text,
    APP_DIR / "shared_constants.h": constants_text,
}
"""Every committed table: its file and the function that returns its text."""
