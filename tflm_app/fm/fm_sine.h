/* The arithmetic of an operator: a sine and a product, bit-identical on every core. */
#ifndef FM_SINE_H
#define FM_SINE_H

#include <stdint.h>

#include "shared_constants.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Selects one of the two kernels, see fm_algorithm.h. */
#ifndef FM_KERNEL_DSP
#ifdef __ARM_FEATURE_DSP
#define FM_KERNEL_DSP 1
#else
#define FM_KERNEL_DSP 0
#endif
#endif

/* A board may define it to keep the table in RAM: __attribute__((section(".data.fm"))). */
#ifndef FM_HOT_TABLE
#define FM_HOT_TABLE
#endif

#define FM_SINE_LINES SHARED_SINE_LINES
SHARED_ASSERT(FM_SINE_LINES == 512, "the shifts and masks of the kernels are made for 512 lines");

/* For Armv6-M, the table has lines for the turn before and the turn after, too, so that the kernel need not
 * mask a modulated phase. */
#if defined(__thumb__) && !defined(__thumb2__) && !FM_KERNEL_DSP && !defined(FM_PORTABLE)
#define FM_SINE_TURNS 3
#else
#define FM_SINE_TURNS 1
#endif
#define FM_SINE_ORIGIN (FM_SINE_TURNS / 2 * FM_SINE_LINES) /* index of the line at phase 0 */

/* Straight lines that approximate the sine over a 512th of a turn each: the upper half of a word is the
 * value, the lower half the slope (pipeline/reference/fm.py). At each 256th of a turn one line leads back and
 * one ahead. */
extern const uint32_t fm_sine_table[FM_SINE_TURNS * FM_SINE_LINES];

#if FM_KERNEL_DSP

/* The word of a line that starts at the 256th number `start` of a turn. */
#define FM_SINE_LINE(turn, start, word) (word)

/* Returns the sine of a phase, 2^24 per turn; higher bits of the phase are ignored. The result is Q31; its
 * upper 16 bits are the rounded sine, with an error of -96 dB.
 *
 * Bits 15 to 23 of the phase select the line, and bits 0 to 15, as a signed number, are the distance from its
 * start. Therefore the lower halves of phase and line are multiplied as they are, and the whole line is added
 * (UBFX, LDR, SMLABB). The table compensates for what the slope in the lower half adds to the value. */
static inline int32_t fm_sine(uint32_t phase) {
    const int32_t line = (int32_t)fm_sine_table[(phase >> 15) & 511u];
    return line + (int16_t)phase * (int16_t)line;
}

#else

/* The same, with the line's value at phase 0, modulo 2^32. */
#define FM_SINE_LINE(turn, start, word) ((word) - (((uint32_t)((turn)*256 + (start)) * (word)) << 16))

/* Returns the same sine. The phase is multiplied as a whole, because a core without SMLABB would need another
 * instruction to extract its lower half. */
static inline int32_t fm_sine(uint32_t phase) {
    phase &= 0xFFFFFFu;
    const uint32_t line = fm_sine_table[FM_SINE_ORIGIN + (phase >> 15)];
    const int32_t slope = (int16_t)line;
    return (int32_t)(line + phase * (uint32_t)slope);
}

#endif

/* Returns sum + sine * level, using the upper halves of both factors (SMLATT). */
static inline int32_t fm_scale(int32_t sum, int32_t sine, int32_t level) {
    return sum + (sine >> 16) * (level >> 16);
}

/* Saturates a value to 16 bits. */
static inline int32_t fm_saturate(int32_t value) {
    return value == (int16_t)value ? value : (value >> 31) ^ INT16_MAX;
}

#ifdef __cplusplus
}
#endif

#endif
