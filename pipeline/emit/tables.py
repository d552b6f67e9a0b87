"""The constant tables that are committed as C."""

from collections.abc import Sequence

from pipeline.audio.a_weighting import weighting_sections
from pipeline.core.paths import APP_DIR, REPOSITORY
from pipeline.model.expression import GAIN_DB_Q8
from pipeline.model.upsampler import FACTOR, design_taps
from pipeline.reference.expression import EXP2_Q30
from pipeline.reference.fm import SINE_TABLE

SINE_TABLE_PATH = REPOSITORY / "tflm_app" / "fm" / "fm_sine_table.c"


def sine_table_text() -> str:
    """Returns ``fm_sine_table.c``."""
    words = [f"0x{int(word) & 0xFFFFFFFF:08X}" for word in SINE_TABLE]
    rows = [", ".join(words[i : i + 8]) for i in range(0, len(words), 8)]
    table = "".join(f"    {row},\n" for row in rows)
    return f"""\
/* Made by python -m pipeline.fm_codegen --sine-table; do not edit. */
#include "fm/fm_sine.h"

FM_HOT_TABLE const uint32_t fm_sine_table[{len(words)}] = {{
{table}}};
"""


PITCH_TABLES_PATH = REPOSITORY / "tflm_app" / "player" / "pitch_tables.c"


def pitch_tables_text() -> str:
    """Returns ``pitch_tables.c``."""

    def rows(values: Sequence[int], form: str) -> str:
        words = [format(value, form) for value in values]
        return "".join(f"    {', '.join(words[i : i + 12])},\n" for i in range(0, len(words), 12))

    return f"""\
/* Made by python -m pipeline.expression_fixed; do not edit. */
#include "player/pitch.h"

/* clang-format off */
const uint32_t pitch_exp2_q30[{len(EXP2_Q30)}] = {{
{rows(EXP2_Q30, "d")}}};

const int16_t gain_db_q8[{len(GAIN_DB_Q8)}] = {{
{rows(GAIN_DB_Q8, "d")}}};
"""


TAPS_PATH = APP_DIR / "upsampler" / "upsampler_taps.c"


def upsampler_taps_text() -> str:
    """Returns ``upsampler_taps.c``."""
    rows = ""
    for phase in design_taps().reshape(-1, FACTOR).T[1:]:
        numbers = list(map(str, phase[::-1]))
        rows += f"    {{{', '.join(numbers[:16])},\n     {', '.join(numbers[16:])}}},\n"
    return f"""\
/* Made by python -m pipeline.upsampler --taps; do not edit. */
#include "upsampler/upsampler.h"

/* clang-format off */
const int16_t upsampler_taps[UPSAMPLER_FACTOR - 1][UPSAMPLER_PHASE_TAPS] = {{
{rows}}};
"""


ANALYSIS_TABLES_PATH = APP_DIR / "analysis" / "analysis_tables.c"


def analysis_tables_text() -> str:
    """Returns ``analysis_tables.c``."""
    rows = "".join(
        f"    {', '.join(f'{number:.9g}f' for number in row)},\n" for row in weighting_sections()
    )
    return f"""\
/* Made by python -m pipeline.live_features --tables; do not edit. */
#include "analysis/analysis.h"

/* clang-format off */
const float analysis_weighting[5 * ANALYSIS_N_SECTIONS] = {{
{rows}}};
"""
