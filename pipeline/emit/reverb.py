"""Generates the C of the reverb that an instrument has learnt (``tflm_app/reverb``).

The impulse response, cut to the length that a chip has memory for, is stored as spectra of its
partitions.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import HOP_SAMPLES
from pipeline.emit.c_text import BANNER, header, rows
from pipeline.model.reverb import Array, wet_taps
from pipeline.reference.reverb import GROUP_FLOATS, TAIL_SAMPLES, n_partitions


def partition_spectra(taps: Array, n_samples: int, n_parts: int) -> npt.NDArray[np.float32]:
    """Transforms partitions of `n_samples` taps each, padded to twice their length.

    Returns:
        float32 of shape [n_samples / 4, n_parts, 8]: real and imaginary parts of four bins.
        Bin 0 has the real part of the bin at half the sample rate in place of its imaginary part.
    """
    padded = np.zeros(n_parts * n_samples)
    padded[: len(taps)] = taps
    bins = np.fft.rfft(padded.reshape(n_parts, n_samples), 2 * n_samples)
    packed = np.stack([bins.real, bins.imag], axis=-1)[:, :n_samples]
    packed[:, 0, 1] = bins[:, n_samples].real
    groups = packed.reshape(n_parts, n_samples // 4, GROUP_FLOATS).transpose(1, 0, 2)
    return groups.astype(np.float32)


def reverb_text(name: str, response: Array) -> str:
    """Returns ``<name>_reverb.c``, the reverb of a preset."""
    taps = wet_taps(response)
    n_head, n_tail = n_partitions(len(taps))
    start = n_head * HOP_SAMPLES
    tables = _table("head", partition_spectra(taps[:start], HOP_SAMPLES, n_head))
    if n_tail:
        tables += "\n" + _table("tail", partition_spectra(taps[start:], TAIL_SAMPLES, n_tail))
    tail = "tail" if n_tail else "NULL"
    return f"""\
{BANNER}/* {len(response)} taps. */
#include "reverb/reverb.h"

{tables}
extern const reverb_response_t {name}_reverb;
const reverb_response_t {name}_reverb = {{head, {tail}, {n_head}, {n_tail}}};
"""


def _table(name: str, spectra: npt.NDArray[np.float32]) -> str:
    floats = (f"{value:.8e}f" for value in spectra.ravel())
    return f"static const float {name}[] = {{\n{rows(floats, GROUP_FLOATS)}}};\n"


def shared_texts(names: Sequence[str], responses: Sequence[Array]) -> dict[str, str]:
    """Returns the C that a firmware's reverbs share, by file name: their table and state size.

    Args:
        names: Names of the reverbs by preset; presets may share one.
        responses: Impulse responses of the presets.
    """
    declarations = "".join(
        f"extern const reverb_response_t {name}_reverb;\n" for name in dict.fromkeys(names)
    )
    table = ", ".join(f"&{name}_reverb" for name in names)
    most_head, most_tail = np.max([n_partitions(len(response)) for response in responses], axis=0)
    sizes = f"#define REVERB_MAX_HEAD {most_head}\n#define REVERB_MAX_TAIL {most_tail}\n"
    return {
        "reverbs.c": f'{BANNER}#include "reverb/reverb.h"\n\n{declarations}\n'
        f"const reverb_response_t *const reverb_presets[] = {{{table}}};\n",
        "reverb_config.h": header("reverb_config.h", sizes),
    }
