#include "fm/fm_block.h"

/* Interpolates the table at f0. Its knots divide every octave from 16 Hz into four equal parts: the exponent
 * and the upper two bits of the mantissa select one of them, and the others are the place within it. */
static uint32_t stretch_increment(const uint32_t *table, uint32_t f0_bits) {
    const uint32_t *const knot = table + ((f0_bits - FM_FLOAT_BITS_16) >> 21);
    const uint32_t place = f0_bits << 11, rise = knot[1] - knot[0];
    const uint32_t product = (uint32_t)(fm_multiply(rise, place) >> 32);
    return knot[0] + product - ((int32_t)rise < 0 ? place : 0); /* rise is signed, place is not */
}

void fm_block_ramp_stretched_f0(fm_block_t *block, fm_stretch_t *stretch, fm_voice_t *voice,
                                const uint32_t *table, float f0_hz) {
    const uint32_t f0_bits = fm_f0_bits(f0_hz);
    stretch->step = stretch_increment(table, f0_bits);
    voice->stretch += (uint64_t)stretch->step << 6;
    stretch->end = voice->stretch;
    fm_block_ramp_phase(block, voice, fm_fixed_f0(f0_bits));
}
