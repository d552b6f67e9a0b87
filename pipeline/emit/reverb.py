"""The room that an instrument learnt, as the firmware plays it (``tflm_app/reverb``).

The impulse response of `pipeline.synth.Reverb`, cut to the length that a chip has memory for,
becomes spectra of partitions in C; `play_room` says what the device makes of a sound in it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import HOP_SAMPLES
from pipeline.emit.c_text import BANNER
from pipeline.model.reverb import Array, wet_taps

TAIL_SAMPLES = 256  # taps of a partition of the tail; those of the head have 64
TAIL_START = 2 * TAIL_SAMPLES  # time that the tail's work takes
LONGEST_HEAD = 3200  # taps: up to 0.2 s a head alone is cheaper
GROUP_FLOATS = 8  # four bins, neighbours in memory


def n_partitions(n_taps: int) -> tuple[int, int]:
    """Returns how many partitions of 64 taps a response has, and how many of 256 behind them."""
    if n_taps <= LONGEST_HEAD:
        return -(-n_taps // HOP_SAMPLES), 0
    return TAIL_START // HOP_SAMPLES, -(-(n_taps - TAIL_START) // TAIL_SAMPLES)


def partition_spectra(taps: Array, n_samples: int, n_partitions: int) -> npt.NDArray[np.float32]:
    """Transforms partitions of `n_samples` taps each, padded to twice their length.

    Returns:
        float32 of shape [n_samples / 4, n_partitions, 8]: for four bins real and imaginary part;
        bin 0 has that of half the rate instead of the second.
    """
    padded = np.zeros(n_partitions * n_samples)
    padded[: len(taps)] = taps
    bins = np.fft.rfft(padded.reshape(n_partitions, n_samples), 2 * n_samples)
    packed = np.stack([bins.real, bins.imag], axis=-1)[:, :n_samples]
    packed[:, 0, 1] = bins[:, n_samples].real
    groups = packed.reshape(n_partitions, n_samples // 4, GROUP_FLOATS).transpose(1, 0, 2)
    return groups.astype(np.float32)


def reverb_text(name: str, response: Array) -> str:
    """Returns the C of a room, ``<name>_room.c``."""
    taps = wet_taps(response)
    n_head, n_tail = n_partitions(len(taps))
    start = n_head * HOP_SAMPLES
    head = partition_spectra(taps[:start], HOP_SAMPLES, n_head)
    tail = partition_spectra(taps[start:], TAIL_SAMPLES, n_tail)
    tables = f"static const float head[] = {{\n{_rows(head)}}};\n"
    if n_tail:
        tables += f"\nstatic const float tail[] = {{\n{_rows(tail)}}};\n"
    return f"""\
{BANNER}/* {len(response)} taps. */
#include "reverb/reverb.h"

{tables}
extern const reverb_response_t {name}_room;
const reverb_response_t {name}_room = {{head, {"tail" if n_tail else "NULL"}, {n_head}, {n_tail}}};
"""


def _rows(values: Array) -> str:
    return "".join(
        "    " + ", ".join(f"{value:.8e}f" for value in row) + ",\n"
        for row in values.reshape(-1, GROUP_FLOATS)
    )


def shared_texts(names: Sequence[str], responses: Sequence[Array]) -> dict[str, str]:
    """Returns the C that a firmware's rooms share by file name: their table, and the state's size.

    Args:
        names: Of the presets, in order.
        responses: Of their rooms.
    """
    rooms = "".join(f"extern const reverb_response_t {name}_room;\n" for name in names)
    table = ", ".join(f"&{name}_room" for name in names)
    most_head, most_tail = np.max([n_partitions(len(response)) for response in responses], axis=0)
    return {
        "rooms.c": f'{BANNER}#include "reverb/reverb.h"\n\n{rooms}\n'
        f"const reverb_response_t *const reverb_presets[] = {{{table}}};\n",
        "reverb_config.h": f"{BANNER}#ifndef REVERB_CONFIG_H\n#define REVERB_CONFIG_H\n\n"
        f"#define REVERB_MAX_HEAD {most_head}\n#define REVERB_MAX_TAIL {most_tail}\n\n#endif\n",
    }
