/* What every operator is made of: a sine and a product, the same bits on every core. */
#ifndef FM_SINE_H
#define FM_SINE_H

#include <stdint.h>

#ifndef FM_HOT_TABLE
#define FM_HOT_TABLE /* a board may keep the table in RAM: __attribute__((section(".data.fm"))) */
#endif

/* Straight lines that follow the sine for a 512th of a turn each: the value in the upper half of a word,
 * the slope in the lower. Made by pipeline.fm_fixed. */
extern const uint32_t fm_sine_table[512];

/* Sine of a phase, 2^24 a turn, whose higher bits are ignored. Q31, of which the upper 16 bits are the
 * result, rounded; the error is -96 dB.
 *
 * From each 256th of a turn one line leads back and one ahead: bits 15 to 23 of the phase choose the line,
 * and bits 0 to 15, as a signed number, are the distance from that point. So the lower halves of phase and
 * line are multiplied as they are, and the line is added as a whole (UBFX, LDR, SMLABB): what the slope
 * in it adds to the value, the table has taken off. */
static inline int32_t fm_sine(uint32_t phase) {
    const int32_t line = (int32_t)fm_sine_table[(phase >> 15) & 511u];
    return line + (int16_t)phase * (int16_t)line;
}

/* sum + sine * level, of which the upper halves count (SMLATT). */
static inline int32_t fm_scale(int32_t sum, int32_t sine, int32_t level) {
    return sum + (sine >> 16) * (level >> 16);
}

/* Holds a value within 16 bits. */
static inline int32_t fm_saturate(int32_t value) {
    return value == (int16_t)value ? value : (value >> 31) ^ INT16_MAX;
}

#endif
