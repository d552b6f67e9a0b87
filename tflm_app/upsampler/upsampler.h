/* Upsampling from 16 to 48 kHz, for converters that require a higher rate, and downsampling, for those that
 * would fold what is above 8 kHz into what they hear: a polyphase filter.
 *
 * The filter is a sinc under a Kaiser window, 96 taps at 48 kHz. It is zero at every third tap except the
 * middle one, so every third output sample equals an input sample, bit for bit; the two between come from two
 * filters of 32 taps each (arm_fir_q15 of CMSIS-DSP, or the same sums in C). The response is flat to 7 kHz,
 * -6 dB at 8 kHz and below -60 dB from 9 kHz on; the delay is 1 ms. README.md compares this with other ways
 * to 48 kHz. Downsampling uses the same filter with the same delay.
 *
 * The integer arithmetic gives the same bits on every core; pipeline/reference/upsampler.py does the same in
 * NumPy.
 *
 * Cost in instructions per block of 4 ms: 8 600 on Cortex-M4F, M7F and M33, 55 000 on M0+; downsampling 9 700
 * on Cortex-M4F. State: 64 bytes, to downsample 192; stack: 650 bytes, to downsample 780. Flash: 1.2 kB.
 */
#ifndef UPSAMPLER_H
#define UPSAMPLER_H

#include <stdint.h>

#include "shared_constants.h"

#ifdef __cplusplus
extern "C" {
#endif

#define UPSAMPLER_FACTOR SHARED_UPSAMPLER_FACTOR                        /* 3 */
#define UPSAMPLER_BLOCK_SAMPLES SHARED_HOP_SAMPLES                      /* 64 samples of input */
#define UPSAMPLER_PHASE_TAPS (SHARED_UPSAMPLER_TAPS / UPSAMPLER_FACTOR) /* 32 */
#define UPSAMPLER_DELAY (UPSAMPLER_PHASE_TAPS / 2)                      /* 16 samples of input */

/* Caller-owned state: the last samples of the input, oldest first. */
typedef struct {
    int16_t past[UPSAMPLER_PHASE_TAPS];
} upsampler_t;

/* Caller-owned state of the other direction: the same for every third sample from the first, second and third
 * on; zeros are silence. */
typedef struct {
    int16_t past[UPSAMPLER_FACTOR][UPSAMPLER_PHASE_TAPS];
} downsampler_t;

/* Resets the state to silence. */
void upsampler_reset(upsampler_t *upsampler);

/* Converts the next block at 16 kHz to three times as many samples at 48 kHz, saturated; int16, all values
 * are valid. */
void upsampler_process(upsampler_t *upsampler, const int16_t in[UPSAMPLER_BLOCK_SAMPLES],
                       int16_t out[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES]);

/* Converts the next block of three times as many samples at 48 kHz to one at 16 kHz, saturated; int16, all
 * values are valid. */
void downsampler_process(downsampler_t *downsampler,
                         const int16_t in[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES],
                         int16_t out[UPSAMPLER_BLOCK_SAMPLES]);

/* Taps of the two filters, Q15, last tap first (upsampler_taps.c). */
extern const int16_t upsampler_taps[UPSAMPLER_FACTOR - 1][UPSAMPLER_PHASE_TAPS];

#ifdef __cplusplus
}
#endif

#endif
