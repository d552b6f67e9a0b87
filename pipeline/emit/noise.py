"""C of the filtered noise."""

from pipeline.emit.c_text import BANNER
from pipeline.model.noise import N_LAYERS, NoiseParameters
from pipeline.reference.noise import to_fixed_noise


def noise_text(name: str, breath: NoiseParameters) -> str:
    """Returns ``<name>_noise.c``, the noise of an instrument."""
    made = to_fixed_noise(breath)
    rows = "".join(
        "    " + ", ".join(f"{{{a}, {b}}}" for a, b in row) + ",\n"
        for row in made.tables.reshape(-1, 8, 2).tolist()
    )
    layers = "".join(
        f"        {{{made.gain_q12[i]}, {made.per_octave_q12[i]}, {made.per_db_q16[i]}, "
        f"{{{', '.join(map(str, made.per_level_q12[:, i]))}}}}},\n"
        for i in range(N_LAYERS)
    )
    return f"""\
{BANNER}#include "noise/noise.h"

static const noise_pair_t tables[NOISE_TABLE_SAMPLES + NOISE_GRAIN_SAMPLES]
    __attribute__((aligned(8))) = {{
{rows}}};

extern const noise_preset_t {name}_noise;
const noise_preset_t {name}_noise = {{
    .tables = tables,
    .layers = {{
{layers}    }},
}};
"""
