/* The words that a patch is written in.
 *
 * pipeline.fm_codegen turns an algorithm of pipeline.patches into a loop over slices of the block, which
 * moves signals between two mixes, X and Y:
 *
 *     fm_start(&run, &block, pcm);
 *     do {
 *         fm_advance(&run);
 *         const fm_turns_t turns3 = fm_turns(&run, 3);      phase of three times the base ratio
 *         fm_set(&run, FM_X, 6, turns3, FM_NONE);           x = operator 6
 *         fm_set(&run, FM_X, 5, turns4, FM_X);              x = operator 5, its phase bent by x
 *         fm_add(&run, FM_X, 2, turns2, FM_NONE);           x += operator 2
 *         fm_play(&run, 1, turns2, FM_X, FM_NONE, 1);       pcm = operator 1, bent by x; one carrier
 *     } while (fm_continue(&run));
 *
 * Two schedules of the same arithmetic stand behind the words. Where there are registers and
 * multiply-accumulate instructions for it (the DSP extension), a slice is a pair of samples that never
 * leaves the registers: fm_kernel_dsp.h. Elsewhere the slice is the block, and one operator at a time has the
 * registers for itself: fm_kernel_portable.h. FM_KERNEL_DSP chooses; either compiles anywhere.
 */
#ifndef FM_ALGORITHM_H
#define FM_ALGORITHM_H

#include "fm/fm_block.h"

#ifndef FM_KERNEL_DSP
#ifdef __ARM_FEATURE_DSP
#define FM_KERNEL_DSP 1
#else
#define FM_KERNEL_DSP 0
#endif
#endif

enum { FM_NONE = -1, FM_X, FM_Y, FM_N_MIXES };

#if FM_KERNEL_DSP
#include "fm/fm_kernel_dsp.h"
#else
#include "fm/fm_kernel_portable.h"
#endif

#endif
