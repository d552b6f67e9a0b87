"""Generates the C of the expression tables (``tflm_app/player/expression.c``)."""

from pipeline.emit.c_text import BANNER, braces
from pipeline.model.expression import Expression
from pipeline.reference.expression import FixedExpression, to_fixed


def expressions_text(expressions: dict[str, Expression]) -> str:
    """Returns ``expressions.c``: a firmware's instruments and tables by name, in preset order."""
    tables = "".join(table_text(name, to_fixed(table)) for name, table in expressions.items())
    presets = "".join(
        f"    {{&instrument_presets[{number}], &{name}_expression}},\n"
        for number, name in enumerate(expressions)
    )
    return f"""\
{BANNER}#include "player/player.h"

{tables}const player_preset_t player_presets[] = {{
{presets}}};
"""


def table_text(name: str, fixed: FixedExpression) -> str:
    """Returns the definition of ``<name>_expression``."""
    curves = "".join(
        f"    {{{braces(curve.envelope)},\n"
        f"     {braces(curve.release)}, {curve.envelope_slope}, {curve.release_slope}}},\n"
        for curve in fixed.curves
    )
    return f"""\
static const expression_curves_t {name}_curves[] = {{
{curves}}};
static const expression_t {name}_expression = {{
    .curves = {name}_curves,
    .slur = {braces(fixed.slur)},
    .n_curves = {len(fixed.curves)},
    .lowest_note = {fixed.lowest_note},
    .slur_frames = {fixed.slur_frames},
    .vibrato_delay = {fixed.vibrato_delay},
    .vibrato_growth_q16 = {fixed.vibrato_growth_q16},
    .vibrato_depth = {fixed.vibrato_depth},
    .vibrato_rate = {fixed.vibrato_rate}u,
    .pitch_drift = {fixed.pitch_drift},
    .loudness_drift = {fixed.loudness_drift},
    .loudest_db = {fixed.loudest_db},
}};

"""
