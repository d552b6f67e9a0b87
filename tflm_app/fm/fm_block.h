/* The ramps of one block; internal to fm/, to noise/ and to the generated patches. */
#ifndef FM_BLOCK_H
#define FM_BLOCK_H

#include <string.h>

#include "fm/fm_voice.h"

/* A board may define it to run this code from RAM: __attribute__((section(".ramfunc"))). */
#ifndef FM_HOT
#define FM_HOT
#endif

#define FM_INLINE static inline __attribute__((always_inline))

/* The level at sample i = 1 .. 64 of the block is end + (i - 64) * step, 2^32 per turn. An operator is
 * multiplied by its upper half; `end` includes half a unit of that half, so that truncation rounds. */
typedef struct {
    int32_t end;
    int32_t step;
} fm_ramp_t;

typedef struct {
    uint32_t phase;          /* phase of the base oscillator before the first sample, 2^32 per turn */
    uint32_t increment;      /* from that phase to the first sample */
    uint32_t increment_step; /* growth of the increment per sample */
    fm_ramp_t levels[FM_N_OPERATORS];
} fm_block_t;

/* The phase of one ratio, for ratios that are large multiples of the base: multiplying the 32-bit phase of
 * the base would multiply its rounding errors. Members as in fm_block_t. */
typedef struct {
    uint32_t phase;
    uint32_t increment;
    uint32_t increment_step;
} fm_ratio_t;

/* Computes the ramp of a ratio, as fm_block_ramp_f0 does for the base: `multiple` times the exact phase and
 * increments, modulo one turn.
 *
 * phase, first  phase and increment of the voice before fm_block_ramp_f0
 * last          its increment thereafter
 */
FM_INLINE void fm_block_ramp_ratio(fm_ratio_t *ratio, uint64_t phase, uint64_t first, uint64_t last,
                                   uint32_t multiple) {
    if (first == 0) {
        first = last; /* the first block starts at its own f0 */
    }
    const uint64_t half_step = (uint64_t)((int64_t)(last - first) >> 7);
    const uint64_t mean = (((first + last) >> 1) + half_step) * multiple;
    const int32_t step = (int32_t)(((int64_t)(half_step * multiple) + (1 << 30)) >> 31);
    ratio->phase = (uint32_t)((phase * multiple) >> 32);
    ratio->increment = (uint32_t)((mean + (1u << 31)) >> 32) - (uint32_t)((63 * (int64_t)step) >> 1);
    ratio->increment_step = (uint32_t)step;
}

/* As integers, the bits of positive floats have the same order as the floats, and those of negative floats
 * are negative. */
#define FM_FLOAT_BITS_16 0x41800000
#define FM_FLOAT_BITS_20 0x41A00000
#define FM_FLOAT_BITS_4000 0x457A0000
#define FM_FLOAT_BITS_INFINITY 0x7F800000

/* Returns the bits of f0 as a float, clamped to its range. */
FM_INLINE uint32_t fm_f0_bits(float f0_hz) {
    int32_t bits;
    memcpy(&bits, &f0_hz, sizeof bits);
    if (bits > FM_FLOAT_BITS_4000) {
        bits = bits > FM_FLOAT_BITS_INFINITY ? FM_FLOAT_BITS_20 : FM_FLOAT_BITS_4000;
    }
    if (bits < FM_FLOAT_BITS_20) {
        bits = FM_FLOAT_BITS_20;
    }
    return (uint32_t)bits;
}

/* Returns f0 in 2^-19 Hz. This is exact: a float from 16 to 4096 Hz has no finer bits. */
FM_INLINE uint32_t fm_fixed_f0(uint32_t bits) {
    return ((bits & 0x7FFFFFu) | 0x800000u) << ((bits - FM_FLOAT_BITS_16) >> 23);
}

/* Returns a * b. The library that gcc calls on Armv6-M takes twice as many instructions. */
FM_INLINE uint64_t fm_multiply(uint32_t a, uint32_t b) {
#if defined(__thumb__) && !defined(__thumb2__)
    const uint32_t a_low = a & 0xFFFFu, a_high = a >> 16, b_low = b & 0xFFFFu, b_high = b >> 16;
    const uint32_t low = a_low * b_low, middle = a_high * b_low + (low >> 16);
    const uint32_t sum = middle + a_low * b_high, carry = sum < middle ? 0x10000u : 0;
    return ((uint64_t)(a_high * b_high + carry + (sum >> 16)) << 32) | (sum << 16) | (low & 0xFFFFu);
#else
    return (uint64_t)a * b;
#endif
}

/* Returns the increment of the base oscillator, 2^64 per turn. The truncated bits amount to 2^-20 turns per
 * hour. */
FM_INLINE uint64_t fm_phase_increment(const fm_patch_t *patch, uint32_t f0) {
    const uint32_t integer = (uint32_t)(patch->increment_per_f0 >> 32);
    const uint32_t fraction = (uint32_t)(patch->increment_per_f0 >> 16) & 0xFFFFu;
    return fm_multiply(f0, integer) + (f0 >> 16) * fraction;
}

/* The increment of sample i = 1 .. 64 is first + (last - first) * i / 64, so their mean is the value at i =
 * 32.5. The phase of the voice advances by 64 times the mean, with 64 bits. The 32-bit increments of the loop
 * form a straight line, too, and go through the same mean: both phases agree at the end, and rounding errors
 * do not accumulate. Inline for the two functions below. */
FM_INLINE void fm_block_ramp_phase(fm_block_t *block, fm_voice_t *voice, uint32_t f0) {
    const uint64_t last = fm_phase_increment(voice->patch, f0);
    const uint64_t first = voice->increment != 0 ? voice->increment : last;
    const int64_t half_step = (int64_t)(last - first) >> 7;
    const uint64_t mean = ((first + last) >> 1) + (uint64_t)half_step;
    const int32_t step = ((int32_t)(half_step >> 30) + 1) >> 1;
    block->phase = (uint32_t)(voice->phase >> 32);
    block->increment = (uint32_t)(mean >> 32) + ((uint32_t)mean >> 31) - (uint32_t)((63 * step) >> 1);
    block->increment_step = (uint32_t)step;
    voice->phase += mean << 6;
    voice->increment = last;
}

/* Computes the ramp from the last f0 of the voice to `f0_hz`, and advances the voice to the end of the
 * block. */
void fm_block_ramp_f0(fm_block_t *block, fm_voice_t *voice, float f0_hz);

/* The stretch at the end of a block, and its growth per sample, 2^40 per turn. */
typedef struct {
    uint64_t end;
    uint32_t step;
} fm_stretch_t;

/* As fm_block_ramp_f0, for a voice with a stretch, which it computes and advances, too.
 *
 * table  stretch of a sample, 2^40 per turn, at every quarter of the octaves from 16 to 4096 Hz: 33 values
 */
void fm_block_ramp_stretched_f0(fm_block_t *block, fm_stretch_t *stretch, fm_voice_t *voice,
                                const uint32_t *table, float f0_hz);

/* Returns weight * x / 2^8, rounded down, modulo 2^32; |weight| <= 2^12. 64-bit products would cost more. */
FM_INLINE int32_t fm_weigh(int32_t weight, uint64_t x) {
    if ((weight & (weight - 1)) != 0) {
        __asm__("" : "+r"(weight)); /* not a power of 2, so MUL is shorter than shifts and additions */
    }
    const int32_t below = (weight * (int32_t)(x & 0xFFu)) >> 8;
    return (int32_t)((uint32_t)weight * (uint32_t)(x >> 8) + (uint32_t)below);
}

/* Returns the ramp of `weight` times the stretch, as the levels in fm_block_t, but without half a unit.
 * Inline because the weights are constants of each patch. */
FM_INLINE fm_ramp_t fm_weighted_ramp(const fm_stretch_t *stretch, int32_t weight) {
    return (fm_ramp_t){fm_weigh(weight, stretch->end), fm_weigh(weight, stretch->step)};
}

/* The level of a carrier is scaled so that its product with a sine is the audio with this many fractional
 * bits. One bit less than fits leaves headroom to sum two or three carriers, two bits less up to six. */
#define FM_CARRIER_BITS(n_carriers) ((n_carriers) == 1 ? 15 : (n_carriers) <= 3 ? 14 : 13)

/* Computes the ramps from the last levels of the voice to `levels_q32`, and stores these. Bit i of `carriers`
 * is set if operator i + 1 is a carrier. Inline because the carriers are constants of each algorithm. */
FM_INLINE void fm_block_ramp_levels(fm_block_t *block, fm_voice_t *voice,
                                    const int32_t levels_q32[FM_N_OPERATORS], unsigned carriers,
                                    int n_carriers) {
    int32_t max = FM_LEVEL_MAX_Q32, half = 0x8000;
    __asm__("" : "+r"(max), "+r"(half)); /* keeps gcc 12 from loading them again for each operator */
#pragma GCC unroll 6
    for (int i = 0; i < FM_N_OPERATORS; i++) {
        int32_t level = levels_q32[i];
        if ((uint32_t)level > (uint32_t)max) {
            level = level < 0 ? 0 : max;
        }
        if ((carriers >> i) & 1) {
            level += (level >> 1) + (level >> 4); /* times 1.5625: 0.32 of 2^32 becomes 2^31 */
            level >>= 15 - FM_CARRIER_BITS(n_carriers);
        }
        block->levels[i].end = level + half;
        block->levels[i].step = (level - voice->levels[i]) >> 6;
        voice->levels[i] = level;
    }
}

#endif
