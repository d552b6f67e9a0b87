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

void fm_block_ramp_stretch(fm_ramp_t *ramps, const int32_t *weights, int n_weights, fm_voice_t *voice,
                           const uint32_t *table, float f0_hz) {
    const uint64_t increment = stretch_increment(table, fm_fixed_f0(f0_hz));
    voice->stretch += increment << 6;
    for (int i = 0; i < n_weights; i++) {
        const uint64_t weight = (uint64_t)(int64_t)weights[i];
        ramps[i].end = (int32_t)(uint32_t)((weight * voice->stretch) >> 8);
        ramps[i].step = (int32_t)(uint32_t)((weight * increment) >> 8);
    }
}
