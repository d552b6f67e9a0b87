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

/* Computes the ramp from the last f0 of the voice to `f0_hz`, and advances the voice to the end of the
 * block. */
void fm_block_ramp_f0(fm_block_t *block, fm_voice_t *voice, float f0_hz);

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
#define FM_FLOAT_BITS_20 0x41A00000
#define FM_FLOAT_BITS_4000 0x457A0000
#define FM_FLOAT_BITS_INFINITY 0x7F800000

/* Returns f0, clamped to its range, in 2^-19 Hz. This is exact: a float from 16 to 4096 Hz has no finer
 * bits. */
FM_INLINE uint32_t fm_fixed_f0(float f0_hz) {
    int32_t bits;
    memcpy(&bits, &f0_hz, sizeof bits);
    if (bits > FM_FLOAT_BITS_4000) {
        bits = bits > FM_FLOAT_BITS_INFINITY ? FM_FLOAT_BITS_20 : FM_FLOAT_BITS_4000;
    }
    if (bits < FM_FLOAT_BITS_20) {
        bits = FM_FLOAT_BITS_20;
    }
    const uint32_t mantissa = ((uint32_t)bits & 0x7FFFFFu) | 0x800000u;
    return mantissa << ((bits >> 23) - 131); /* 131 is the biased exponent of 16 Hz */
}

/* Computes the stretch of the operators, and advances that of the voice to the end of the block. Ramp i is
 * weights[i] times the stretch, as the levels in fm_block_t, but without half a unit.
 *
 * table  stretch of a sample, 2^40 per turn, at every quarter of the octaves from 16 to 4096 Hz: 33 values
 */
void fm_block_ramp_stretch(fm_ramp_t *ramps, const int32_t *weights, int n_weights, fm_voice_t *voice,
                           const uint32_t *table, float f0_hz);

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
