/* 48 kHz out of 16: a polyphase interpolator for converters that take no less.
 *
 * A sinc under a Kaiser window, 96 taps at 48 kHz, which is zero at every third tap but the middle one. So
 * every third sample is one of the core's, bit for bit, and the two between come from two filters of 32 taps
 * each, CMSIS-DSP's arm_fir_q15. Flat to 7 kHz, -6 dB at 8 kHz, below -60 dB from 9 kHz on; delay 1 ms. What
 * was measured against other ways to 48 kHz is in README.md.
 *
 * Integer arithmetic, the same bits on every core; pipeline.upsampler is the same in NumPy.
 *
 * Cost, in instructions a block of 4 ms: 8 600 on Cortex-M4F, M7F and M33, 55 000 on M0+. State: 416 bytes,
 * stack 460. Flash: 1.2 kB.
 */
#ifndef UPSAMPLER_H
#define UPSAMPLER_H

#include <stdint.h>

#define UPSAMPLER_FACTOR 3
#define UPSAMPLER_BLOCK_SAMPLES 64 /* that come in */
#define UPSAMPLER_PHASE_TAPS 32
#define UPSAMPLER_DELAY 16 /* samples that come in */

/* Owned by the caller. */
typedef struct {
    int16_t past[UPSAMPLER_DELAY];
    int16_t filters[UPSAMPLER_FACTOR - 1][UPSAMPLER_PHASE_TAPS + UPSAMPLER_BLOCK_SAMPLES];
} upsampler_t;

/* Forgets the past: as if silence had lasted for ever. */
void upsampler_reset(upsampler_t *upsampler);

/* Takes the next block at 16 kHz, any values, and makes three times as many samples of it, saturated. */
void upsampler_process(upsampler_t *upsampler, const int16_t in[UPSAMPLER_BLOCK_SAMPLES],
                       int16_t out[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES]);

/* Q15, the last tap first (upsampler_taps.c). */
extern const int16_t upsampler_taps[UPSAMPLER_FACTOR - 1][UPSAMPLER_PHASE_TAPS];

#endif
