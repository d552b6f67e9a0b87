/* The vocabulary of generated patches; internal to fm/ and to the generated code.
 *
 * pipeline/emit/fm.py compiles the routing of a patch to a loop over slices of the block.
 * The loop moves signals between two mixes, X and Y:
 *
 *     fm_start(&run, &block, pcm);
 *     do {
 *         fm_advance(&run);
 *         const fm_turns_t turns3 = fm_turns(&run, 3);      phase of 3 times the base ratio
 *         const fm_turns_t turns352 = fm_ratio_turns(&ratios[0]);    or of a ratio with a phase of its own
 *         const fm_turns_t turns3w27 = fm_stretched_turns(&run, 3, &stretch[0]);    or a stretched phase
 *         fm_set(&run, FM_X, 6, turns3, FM_NONE);           x = operator 6
 *         fm_set(&run, FM_X, 5, turns4, FM_X);              x = operator 5, phase modulated by x
 *         fm_add(&run, FM_X, 2, turns2, FM_NONE);           x += operator 2
 *         fm_play(&run, 1, turns2, FM_X, FM_NONE, 1);       pcm = operator 1, modulated by x; one carrier
 *     } while (fm_continue(&run));
 *
 * Operators with the same phase share it: the first stores it in one of two slots, as fm_stored(turns2, 0),
 * and the others load it, as fm_loaded(turns2, 0). A line and the next one become one call if nothing else is
 * modulated by the first, and one of the two loads its phase. The first 1 says that operator 4 is added to x,
 * which then modulates operator 3:
 *
 *         fm_stack(&run, FM_X, 4, fm_loaded(turns2, 0), FM_NONE, 1, 3, turns4, FM_NONE, FM_Y);    y = ...
 *
 * So do the last two lines if the modulator is not modulated itself, and both load the same phase:
 *
 *         fm_play_stack(&run, FM_X, 2, 1, 1, fm_loaded(turns2, 0), FM_NONE, 1);
 *
 * Two kernels implement these functions with the same arithmetic but different schedules. On cores with the
 * DSP extension, which has the registers and the multiply-accumulate instructions for it, a slice is a pair
 * of samples that stays in registers, and slots are not needed: fm_kernel_dsp.h. On other cores the slice is
 * the whole block, and each operator in turn has all registers: fm_kernel_portable.h. FM_KERNEL_DSP selects
 * the kernel; both compile on every core.
 */
#ifndef FM_ALGORITHM_H
#define FM_ALGORITHM_H

#include "fm/fm_block.h"
#include "fm/fm_sine.h"

enum { FM_NONE = -1, FM_X, FM_Y, FM_N_MIXES };
enum { FM_N_SLOTS = 2 };

#if FM_KERNEL_DSP
#include "fm/fm_kernel_dsp.h"
#else
#include "fm/fm_kernel_portable.h"
#endif

#endif
