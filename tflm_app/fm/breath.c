#include "fm/breath.h"

#include <string.h>

#ifdef __ARM_FEATURE_SIMD32
#include <arm_acle.h>
#endif

#include "fm/fm_block.h"
#include "fm/fm_sine.h"

void breath_reset(breath_t *breath, uint32_t seed) {
    breath->random = seed;
    breath->ending = 0;
    breath->gain = BREATH_SILENCE;
}

breath_gain_t breath_gain(const breath_preset_t *preset, float log2_f0, float loudness_db) {
    const int32_t octaves_q12 = (int32_t)(log2_f0 * 4096.0f);
    const int32_t db_q8 = (int32_t)(loudness_db * 256.0f);
    int32_t gain_q12 = preset->gain_q12 + ((preset->per_octave_q12 * octaves_q12) >> 12) +
                       ((preset->per_db_q16 * db_q8) >> 12);
    if (db_q8 < BREATH_QUIET_DB * 256) {
        gain_q12 -= 32 * (BREATH_QUIET_DB * 256 - db_q8); /* two octaves a dB */
    }
    if (gain_q12 <= 0) {
        return BREATH_SILENCE;
    }
    gain_q12 = gain_q12 > 65535 ? 65535 : gain_q12;
    const int32_t t = gain_q12 & 4095;
    return (breath_gain_t){
        .step = 256 + ((t * (10756 + ((5628 * t) >> 12))) >> 18), /* 256 * 2^(t / 4096) */
        .exponent = gain_q12 >> 12,
    };
}

/* Adds (i * fade_in * beginning[i - 1] + (64 - i) * fade_out * ending[i - 1]) >> shift, rounded, for
 * i = 1 .. 64. Weights keep below 2^15 and sums below 2^30. */
#ifdef __ARM_FEATURE_SIMD32

static inline uint32_t load_pair(const int16_t *samples) {
    uint32_t pair;
    memcpy(&pair, __builtin_assume_aligned(samples, 4), sizeof pair);
    return pair;
}

/* Lower halves and upper halves of two words; gcc 12 takes two instructions for what is one. */
static inline uint32_t lower_halves(uint32_t a, uint32_t b) {
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(a) : "r"(a), "r"(b));
    return a;
}

static inline uint32_t upper_halves(uint32_t a, uint32_t b) {
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(a) : "r"(b), "r"(a));
    return a;
}

FM_HOT static void add_grains(const int16_t *beginning, const int16_t *ending, int32_t fade_in,
                              int32_t fade_out, int32_t shift, int16_t *pcm) {
    const uint32_t slope = (uint32_t)fade_in - ((uint32_t)fade_out << 16);
    const int32_t half = 1 << (shift - 1);
    uint32_t weights = (uint32_t)fade_out << 22; /* of the beginning below, of the ending above */
#pragma GCC unroll 4
    for (int n = 0; n < FM_BLOCK_SAMPLES; n += 2) {
        const uint32_t begins = load_pair(beginning + n), ends = load_pair(ending + n);
        weights += slope;
        const int32_t a = __smlad((int16x2_t)lower_halves(begins, ends), (int16x2_t)weights, half);
        weights += slope;
        const int32_t b = __smlad((int16x2_t)upper_halves(begins, ends), (int16x2_t)weights, half);
        const uint32_t noise = lower_halves((uint32_t)(a >> shift), (uint32_t)(b >> shift));
        const uint32_t sum = (uint32_t)__qadd16((int16x2_t)load_pair(pcm + n), (int16x2_t)noise);
        memcpy(__builtin_assume_aligned(pcm + n, 4), &sum, sizeof sum);
    }
}

#else

FM_HOT static void add_grains(const int16_t *beginning, const int16_t *ending, int32_t fade_in,
                              int32_t fade_out, int32_t shift, int16_t *pcm) {
    const int32_t half = 1 << (shift - 1);
    int32_t in = fade_in, out = fade_out * (FM_BLOCK_SAMPLES - 1);
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        pcm[n] = (int16_t)fm_saturate(pcm[n] + ((beginning[n] * in + ending[n] * out + half) >> shift));
        in += fade_in;
        out -= fade_out;
    }
}

#endif

void breath_add(breath_t *breath, const breath_preset_t *preset, breath_gain_t gain,
                int16_t pcm[FM_BLOCK_SAMPLES]) {
    breath->random = breath->random * 1664525u + 1013904223u;
    const int16_t *const grain = preset->table + 2 * (breath->random >> 23);
    const breath_gain_t last = breath->gain;
    const int32_t larger = gain.exponent > last.exponent ? gain.exponent : last.exponent;
    add_grains(grain, last.step > 0 ? breath->ending : grain, gain.step >> (larger - gain.exponent),
               last.step >> (larger - last.exponent), 30 - larger, pcm);
    breath->ending = grain + FM_BLOCK_SAMPLES;
    breath->gain = gain;
}
