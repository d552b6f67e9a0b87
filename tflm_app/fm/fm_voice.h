/* One voice of six-operator FM: a pitch and six levels in, 64 samples out.
 *
 * A frame holds what its block reaches at the end: f0 and levels ramp linearly, sample by sample, from the
 * values of the last call to those of this one. Operator i plays
 * level_i * sin(2 pi (ratio_i * turns + sum of its modulators)), in turns, and the audio is the sum of the
 * carriers over 0.32.
 *
 * The arithmetic is integer and gives the same bits on every core; pipeline.fm_fixed is the same in NumPy.
 * The phase does not drift: it is kept to 2^-64 turns from block to block.
 *
 * Cost, all included, in instructions a sample: flute and trumpet 48, violin 52, piano 58 on Cortex-M4F,
 * M7F and M33; 117, 117, 121 and 124 on M0+. State: 48 bytes, stack 160 (M0+: 680). Flash: 2 kB for the
 * sine table, 0.3 kB for fm_voice.c and 0.7 kB (M0+: 1.5 kB) for a patch.
 */
#ifndef FM_VOICE_H
#define FM_VOICE_H

#include <stdint.h>

#define FM_BLOCK_SAMPLES 64 /* 4 ms at 16 kHz, which the patches' constants are made for */
#define FM_N_OPERATORS 6
#define FM_LEVEL_MAX_Q32 1374367488 /* 0.32 turns, less what rounding a level of full scale takes */

typedef struct fm_voice fm_voice_t;

/* A patch is constant; pipeline.fm_codegen makes it. */
typedef struct {
    uint64_t
        increment_per_f0; /* of the base oscillator: 2^-64 turns a sample for 2^-19 Hz, 32.32 fixed point */
    void (*render)(fm_voice_t *voice, float f0_hz, const int32_t levels_q32[FM_N_OPERATORS],
                   int16_t pcm[FM_BLOCK_SAMPLES]);
} fm_patch_t;

/* Owned by the caller, but only the functions below look inside. */
struct fm_voice {
    const fm_patch_t *patch;
    uint64_t phase;                 /* of the base oscillator, 2^64 a turn */
    uint64_t increment;             /* its last one; 0 before the first block */
    int32_t levels[FM_N_OPERATORS]; /* the last ones, the carriers' scaled to the audio */
};

/* Takes a patch, from silence. */
void fm_voice_init(fm_voice_t *voice, const fm_patch_t *patch);

/* Forgets the past: the next block starts at its own f0 with all phases at 0, and ramps up from level 0. */
void fm_voice_reset(fm_voice_t *voice);

/* Plays the next block.
 *
 * f0_hz       held within 20 and 4000 Hz; what is not a number counts as 20
 * levels_q32  of operators 1 to 6, 2^32 a turn, held within 0 and FM_LEVEL_MAX_Q32
 * pcm         16 kHz, saturated
 */
void fm_voice_render(fm_voice_t *voice, float f0_hz, const int32_t levels_q32[FM_N_OPERATORS],
                     int16_t pcm[FM_BLOCK_SAMPLES]);

#endif
