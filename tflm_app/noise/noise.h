/* Breath: coloured noise beside the operators, which follows pitch, loudness and the operators' levels.
 *
 * FM gives partials and nothing between them. What a recording has there, breath, bow or hammer, is played
 * from two tables of noise of the colours that the model has learnt (pipeline.breath): a grain of two blocks
 * from a random place, the same in both, fades in through a block, and out through the next while another
 * fades in. So a frame's level is reached at the end of its block, as an operator's is. Either table has a
 * gain of its own, so that the colour changes with them.
 *
 * The arithmetic gives the same bits on every core; pipeline/breath.py is the same in NumPy.
 *
 * Cost: 15 instructions a sample on Cortex-M4F, M7F and M33, 67 on M0+, the gains included. State: 16
 * bytes. Flash: 4.6 kB for the tables.
 */
#ifndef NOISE_H
#define NOISE_H

#include <stdint.h>

#include "fm/fm_voice.h"

#define NOISE_TABLE_SAMPLES 1024 /* and its first 128 once more, so that a grain may begin anywhere */
#define NOISE_GRAIN_SAMPLES (2 * FM_BLOCK_SAMPLES)
#define NOISE_QUIET_DB (-70) /* of loudness; below, the gain falls by 12 dB a dB: silence is silent */

/* Random state from which a voice's performances begin; each voice of a player has noise of its own. */
#define NOISE_SEED(voice) (1u + 0x9E3779B9u * (uint32_t)(voice))

#define NOISE_N_LAYERS 2
#define NOISE_N_LEVELS 6

/* A sample of either table, of which one instruction takes both; the peak is half of full scale. */
typedef int16_t noise_pair_t[NOISE_N_LAYERS];

/* How a table's gain, a power of two and held within 2^-16 and 1/2, follows what is played: it is 2^(gain - 16 +
 * per_octave * log2(f0 in Hz) + per_db * loudness in dB + sum of per_level * log2(level / 0.32 + 0.001)). */
typedef struct {
    int32_t gain_q12;
    int32_t per_octave_q12;                 /* -4 to 4 */
    int32_t per_db_q16;                     /* -1 to 1 */
    int32_t per_level_q12[NOISE_N_LEVELS]; /* -4 to 4 */
} noise_layer_t;

/* What a model has learnt; pipeline.codegen makes it. */
typedef struct {
    const noise_pair_t *tables; /* aligned to 8 bytes */
    noise_layer_t layers[NOISE_N_LAYERS];
} noise_preset_t;

/* Of either table step / 512 * 2^(exponent - 15), with step from 256 to 511; or step is 0, which is silence. */
typedef struct {
    int16_t steps[NOISE_N_LAYERS];
    int16_t exponents[NOISE_N_LAYERS]; /* 0 to 14 */
} noise_gain_t;

#define NOISE_SILENCE ((noise_gain_t){{0}, {0}})

typedef struct {
    uint32_t random;             /* x = 1664525 * x + 1013904223 modulo 2^32, which repeats after 198 days */
    const noise_pair_t *ending; /* second half of the last grain */
    noise_gain_t gain;          /* of the last grain */
} noise_t;

/* Begins in silence, with a random state. */
void noise_reset(noise_t *breath, uint32_t seed);

/* Returns the gains of a frame; log2_f0 within 4 and 12, loudness_db within -80 and 0, levels as
 * decoder_levels gives them: turns, Q32, 0 to 0.32. */
noise_gain_t noise_gain(const noise_preset_t *preset, float log2_f0, float loudness_db,
                          const int32_t levels_q32[NOISE_N_LEVELS]);

/* Adds a block at whose end `gain` is reached to `pcm`, aligned to 4 bytes, which saturates. */
void noise_add(noise_t *breath, const noise_preset_t *preset, noise_gain_t gain,
                int16_t pcm[FM_BLOCK_SAMPLES]);

#endif
