/* The ramps of one block: internal to fm/ and to the generated patches. */
#ifndef FM_BLOCK_H
#define FM_BLOCK_H

#include "fm/fm_voice.h"

#ifndef FM_HOT
#define FM_HOT /* a board may run it from RAM: __attribute__((section(".ramfunc"))) */
#endif

#define FM_INLINE static inline __attribute__((always_inline))

/* A level at sample i = 1 .. 64 of the block is end + (i - 64) * step, 2^32 a turn; its upper half is what
 * an operator is multiplied by, and `end` holds half of that half's unit, so that cutting it off rounds. */
typedef struct {
    int32_t end;
    int32_t step;
} fm_ramp_t;

typedef struct {
    uint32_t phase;          /* of the base oscillator before the first sample, 2^32 a turn */
    uint32_t increment;      /* from there to the first sample */
    uint32_t increment_step; /* how much the increment grows from a sample to the next */
    fm_ramp_t levels[FM_N_OPERATORS];
} fm_block_t;

/* Makes the ramp from the voice's last f0 to this one, and moves the voice to the end of the block. */
void fm_block_ramp_f0(fm_block_t *block, fm_voice_t *voice, float f0_hz);

/* A carrier's level is scaled so that its product with a sine is the audio with this many binary digits
 * below 1. One less than fits leaves room to add two or three carriers up. */
#define FM_CARRIER_BITS(n_carriers) ((n_carriers) == 1 ? 15 : 14)

/* Likewise for the levels. Inline, for every algorithm has carriers of its own: bit i is operator i + 1. */
FM_INLINE void fm_block_ramp_levels(fm_block_t *block, fm_voice_t *voice,
                                    const int32_t levels_q32[FM_N_OPERATORS], unsigned carriers,
                                    int n_carriers) {
#pragma GCC unroll 6
    for (int i = 0; i < FM_N_OPERATORS; i++) {
        int32_t level = levels_q32[i];
        if ((uint32_t)level > FM_LEVEL_MAX_Q32) {
            level = level < 0 ? 0 : FM_LEVEL_MAX_Q32;
        }
        if ((carriers >> i) & 1) {
            level += (level >> 1) + (level >> 4); /* times 1.5625: 0.32 of 2^32 becomes 2^31 */
            level >>= 15 - FM_CARRIER_BITS(n_carriers);
        }
        block->levels[i].end = level + 0x8000;
        block->levels[i].step = (level - voice->levels[i]) >> 6;
        voice->levels[i] = level;
    }
}

#endif
