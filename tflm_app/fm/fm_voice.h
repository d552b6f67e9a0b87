/* One voice of six-operator FM: a pitch and six levels in, 64 samples out.
 *
 * A frame gives the values at the end of its block: f0 and levels ramp linearly, sample by sample, from the
 * values of the previous call to those of this one. The output of operator i is level_i * sin(2 pi (ratio_i *
 * turns + sum of its modulators)), in turns, and the audio is the sum of the carriers divided by 0.32.
 *
 * The arithmetic is integer and gives the same bits on every core; pipeline/reference/fm.py does the same in
 * NumPy. The phase does not drift: it is kept to 2^-64 turns from block to block.
 *
 * Total cost in instructions per sample: flute 48, trumpet 49, violin 52, and piano, whose partials are
 * stretched, 63 on Cortex-M4F, M7F and M33; 97, 99, 101 and 105 on M0+. Every different ratio of more than
 * 255 times the base oscillator, as in detuned patches, takes 6 more, and 2 more on M0+. State: 56 bytes;
 * stack: 160 bytes (M0+: 1200). Flash: 2 kB (M0+: 6 kB) for the sine table, 0.3 kB (0.4 kB) for fm_voice.c,
 * as much for fm_stretch.c, and 0.6 to 1 kB (2 to 2.5 kB) for each patch.
 */
#ifndef FM_VOICE_H
#define FM_VOICE_H

#include <stdint.h>

#include "shared_constants.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FM_BLOCK_SAMPLES SHARED_HOP_SAMPLES /* 64: 4 ms at 16 kHz; patches are generated for this rate */
#define FM_N_OPERATORS SHARED_N_OPERATORS
#define FM_LEVEL_MAX_Q32 SHARED_FM_LEVEL_MAX_Q32 /* 0.32 turns, less the headroom that rounding needs */

SHARED_ASSERT(FM_BLOCK_SAMPLES == 64, "the ramps divide by the block length with shifts");
SHARED_ASSERT(FM_LEVEL_MAX_Q32 <= SHARED_MAX_LEVEL_Q32, "a carrier at full scale must not overflow");

typedef struct fm_voice fm_voice_t;

/* A patch is constant; pipeline/emit/fm.py generates it. */
typedef struct {
    /* Increment of the base oscillator in 2^-64 turns per sample, for each 2^-19 Hz of f0; 32.32 fixed
     * point. */
    uint64_t increment_per_f0;
    void (*render)(fm_voice_t *voice, float f0_hz, const int32_t levels_q32[FM_N_OPERATORS],
                   int16_t pcm[FM_BLOCK_SAMPLES]);
    uint32_t id; /* of routing, ratios, detuning and stretch: pipeline/core/patch.py */
} fm_patch_t;

/* Caller-owned state, private to the functions below. */
struct fm_voice {
    const fm_patch_t *patch;
    uint64_t phase;                 /* phase of the base oscillator, 2^64 per turn */
    uint64_t increment;             /* its last increment; 0 before the first block */
    int32_t levels[FM_N_OPERATORS]; /* last levels; those of carriers are scaled to the audio */
    uint64_t stretch;               /* phase of the stretch, 2^40 per turn; 0 if the patch is not stretched */
};

/* Binds the voice to a patch and resets it. */
void fm_voice_init(fm_voice_t *voice, const fm_patch_t *patch);

/* Resets the voice: the next block starts at its own f0 with all phases at 0, and its levels ramp up from
 * 0. */
void fm_voice_reset(fm_voice_t *voice);

/* Renders the next block.
 *
 * f0_hz       clamped to 20 to 4000 Hz; NaN counts as 20 Hz
 * levels_q32  levels of operators 1 to 6, 2^32 per turn, clamped to 0 to FM_LEVEL_MAX_Q32
 * pcm         64 samples at 16 kHz, saturated
 */
void fm_voice_render(fm_voice_t *voice, float f0_hz, const int32_t levels_q32[FM_N_OPERATORS],
                     int16_t pcm[FM_BLOCK_SAMPLES]);

#ifdef __cplusplus
}
#endif

#endif
