/* Shimmer: operator levels that flutter at random from frame to frame, which sounds like breath or bow.
 *
 * Each level is multiplied by 1 - depth * u, where u, uniform from 0 to 1, is drawn anew for every operator
 * and frame, and depth is learnt (pipeline.synth.Shimmer). The voice ramps between frames, so the noise lies
 * around each partial, up to 125 Hz away.
 *
 * u is the upper half of x = 1664525 * x + 1013904223 modulo 2^32: it repeats after 33 days.
 *
 * Cost: 70 instructions a frame on Cortex-M4F, 340 on Cortex-M0+.
 */
#ifndef CONTROL_SHIMMER_H
#define CONTROL_SHIMMER_H

#include <stddef.h>
#include <stdint.h>

#define SHIMMER_RESET 1u /* state from which every performance begins */

/* Draws n times and lowers n levels, 0 to 2^31 - 1, by depths of 0 to 65535 / 65536; returns the state. */
static inline uint32_t shimmer(uint32_t state, const uint16_t depths_q16[], int32_t levels[], size_t n) {
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        const uint32_t amount_q32 = depths_q16[i] * (state >> 16);
        levels[i] -= (int32_t)((uint64_t)(uint32_t)levels[i] * amount_q32 >> 32);
    }
    return state;
}

#endif
