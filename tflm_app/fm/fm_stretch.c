#include "fm/fm_block.h"

/* Interpolates the table at f0, in 2^-19 Hz from 20 Hz. Its knots divide every octave from 16 Hz into four
 * equal parts, so the upper three bits of f0 select one of them, and the others are the place within it. */
static uint32_t stretch_increment(const uint32_t *table, uint32_t f0) {
    int bits = 21; /* below the upper three; 16 Hz has 24 */
    while ((f0 >> (bits + 3)) != 0) {
        bits++;
    }
    const uint32_t part = ((uint32_t)(bits - 21) << 2) + (f0 >> bits) - 4u;
    const int64_t rest = f0 & ((1u << bits) - 1u);
    const int32_t rise = (int32_t)(table[part + 1] - table[part]);
    return table[part] + (uint32_t)((rise * rest) >> bits);
}

/* Returns weight * x / 2^8, rounded down, modulo 2^32; |weight| <= 2^12. 64-bit products would cost more. */
static int32_t weigh(int32_t weight, uint64_t x) {
    const int32_t below = (weight * (int32_t)(x & 0xFFu)) >> 8;
    return (int32_t)((uint32_t)weight * (uint32_t)(x >> 8) + (uint32_t)below);
}

void fm_block_ramp_stretch(fm_ramp_t *ramps, const int32_t *weights, int n_weights, fm_voice_t *voice,
                           const uint32_t *table, float f0_hz) {
    const uint64_t increment = stretch_increment(table, fm_fixed_f0(f0_hz));
    voice->stretch += increment << 6;
    for (int i = 0; i < n_weights; i++) {
        ramps[i].end = weigh(weights[i], voice->stretch);
        ramps[i].step = weigh(weights[i], increment);
    }
}
