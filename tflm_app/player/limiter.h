/* The limiter of the mix: the sum of the voices in, samples of 16 bits out.
 *
 * While the gain is 1, sums that fit into 16 bits pass with their bits unchanged; a voice that plays alone
 * never lowers it. A block whose sum does not fit is turned down until its peak just fits. The gain falls
 * within the first millisecond of that block, in which voices that have just begun are still rising; samples
 * that exceed the range nevertheless saturate. The gain then stays for 100 ms, longer than most beats of a
 * chord, so that it does not follow the waveform, and returns to exactly 1 within 5 s, with a time constant
 * of 1 s.
 *
 * Chords of four sines whose sum exceeds full scale by up to 3, 6 and 11 dB are distorted by at most -47, -43
 * and -39 dB; if they saturated, it would be up to -24, -14 and -8 dB (tests/reference/test_limiter.py).
 *
 * Integer arithmetic, the same on every core; pipeline/reference/limiter.py does the same in Python. State: 8
 * bytes. Cost: 10 instructions per sample on Cortex-M4F and 14 on M0+ while the sum fits, 31 and 80 while it
 * is turned down.
 */
#ifndef LIMITER_H
#define LIMITER_H

#include <stdint.h>

#include "fm/fm_voice.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t gain_q24; /* at the end of the last block; 2^24: 1 */
    uint32_t n_held;  /* blocks for which the gain still stays where it is */
} limiter_t;

/* Initializes a limiter, whose gain is 1. */
void limiter_init(limiter_t *limiter);

/* Limits a block. mix: sums of samples, within +-2^23. */
void limiter_process(limiter_t *limiter, const int32_t mix[FM_BLOCK_SAMPLES],
                     int16_t samples[FM_BLOCK_SAMPLES]);

#ifdef __cplusplus
}
#endif

#endif
