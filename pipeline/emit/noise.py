"""Generates the C of a model's noise (``tflm_app/noise``)."""

from pipeline.emit.c_text import BANNER, braces, rows
from pipeline.model.noise import N_LAYERS, NoiseParameters
from pipeline.reference.noise import to_fixed_noise


def noise_text(name: str, parameters: NoiseParameters) -> str:
    """Returns ``<name>_noise.c``, the noise of a preset."""
    fixed = to_fixed_noise(parameters)
    tables = rows((braces(pair) for pair in fixed.tables.tolist()), 8)
    layers = "".join(
        f"        {{{fixed.gain_q12[i]}, {fixed.per_octave_q12[i]}, {fixed.per_db_q16[i]}, "
        f"{braces(fixed.per_level_q12[:, i])}}},\n"
        for i in range(N_LAYERS)
    )
    return f"""\
{BANNER}#include "noise/noise.h"

static const noise_pair_t tables[NOISE_TABLE_SAMPLES + NOISE_GRAIN_SAMPLES]
    __attribute__((aligned(8))) = {{
{tables}}};

extern const noise_preset_t {name}_noise;
const noise_preset_t {name}_noise = {{
    .tables = tables,
    .layers = {{
{layers}    }},
}};
"""
