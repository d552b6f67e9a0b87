#include "player/limiter.h"

#include <stdbool.h>

#include "fm/fm_sine.h"

#define UNITY_Q24 (1 << 24)
#define RAMP_BITS 4 /* the gain ramps over 16 samples */
#define HOLD_BLOCKS 25u
#define RELEASE_BITS 8        /* per block, the gain moves by 2^-8 of its distance from 1, */
#define RELEASE_Q24 (1 << 10) /* and by this, so that it arrives */

void limiter_init(limiter_t *limiter) { *limiter = (limiter_t){.gain_q24 = UNITY_Q24}; }

/* x ^ x >> 31 is x or -1 - x, and above 32767 exactly if x does not fit into 16 bits. The bits above are set
 * in the result if they are set for any sample. */
static bool fits(const int32_t mix[FM_BLOCK_SAMPLES]) {
    int32_t bits = 0;
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        bits |= mix[n] ^ (mix[n] >> 31);
    }
    return bits <= INT16_MAX;
}

/* Returns the largest gain with which the block fits; at most 1. */
static int32_t largest_gain(const int32_t mix[FM_BLOCK_SAMPLES]) {
    if (fits(mix)) {
        return UNITY_Q24;
    }
    int32_t peak = 0;
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        const int32_t size = mix[n] < 0 ? -mix[n] : mix[n];
        peak = size > peak ? size : peak;
    }
    return ((INT16_MAX << 16) / peak) << 8;
}

static int32_t next_gain(limiter_t *limiter, int32_t largest) {
    const int32_t gain = limiter->gain_q24;
    const int32_t released = gain + ((UNITY_Q24 - gain) >> RELEASE_BITS) + RELEASE_Q24;
    if (largest < gain) {
        limiter->n_held = HOLD_BLOCKS;
        return largest;
    }
    if (limiter->n_held > 0) {
        limiter->n_held--;
        return gain;
    }
    return released < largest ? released : largest;
}

void limiter_process(limiter_t *limiter, const int32_t mix[FM_BLOCK_SAMPLES],
                     int16_t samples[FM_BLOCK_SAMPLES]) {
    int32_t gain = limiter->gain_q24;
    limiter->gain_q24 = next_gain(limiter, largest_gain(mix));
    if (gain == UNITY_Q24 && limiter->gain_q24 == UNITY_Q24) {
        for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
            samples[n] = (int16_t)mix[n];
        }
        return;
    }
    const int32_t step = (limiter->gain_q24 - gain) >> RAMP_BITS;
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        gain = n < 1 << RAMP_BITS ? gain + step : limiter->gain_q24;
        samples[n] = (int16_t)fm_saturate((int32_t)((int64_t)mix[n] * gain >> 24));
    }
}
