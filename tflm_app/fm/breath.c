#include "fm/breath.h"

#include <string.h>

#ifdef __ARM_FEATURE_SIMD32
#include <arm_acle.h>
#endif

#include "fm/fm_block.h"

void breath_reset(breath_t *breath) {
    breath->random = BREATH_RESET;
    breath->ending = 0;
    breath->gain = BREATH_SILENCE;
}

breath_gain_t breath_gain(const breath_preset_t *preset, float log2_f0, float loudness_db) {
    float gain = preset->gain_log2 + preset->per_octave * log2_f0 + preset->per_db * loudness_db;
    gain = gain < -16.0f ? -16.0f : gain > -1.0f / 4096 ? -1.0f / 4096 : gain;
    const int32_t fixed = (int32_t)((gain + 16.0f) * 4096.0f);
    const int32_t t = fixed & 4095;
    return (breath_gain_t){
        .step = 256 + ((t * (10756 + ((5628 * t) >> 12))) >> 18), /* 256 * 2^(t / 4096) */
        .exponent = fixed >> 12,
    };
}

/* Adds (i * fade_in * beginning[i - 1] + (64 - i) * fade_out * ending[i - 1]) >> shift, rounded, for i = 1
 * .. 64. Weights keep below 2^15 and sums below 2^30. */
#ifdef __ARM_FEATURE_SIMD32

static inline uint32_t load_pair(const int16_t *samples) {
    uint32_t pair;
    memcpy(&pair, __builtin_assume_aligned(samples, 4), sizeof pair);
    return pair;
}

FM_HOT static void add_grains(const int16_t *beginning, const int16_t *ending, int32_t fade_in,
                              int32_t fade_out, int32_t shift, int16_t *pcm) {
    const uint32_t slope = (uint32_t)fade_in - ((uint32_t)fade_out << 16);
    const int32_t half = 1 << (shift - 1);
    uint32_t weights = ((uint32_t)fade_out << 22) + slope; /* of the beginning below, of the ending above */
    for (int n = 0; n < FM_BLOCK_SAMPLES; n += 2) {
        const uint32_t begins = load_pair(beginning + n), ends = load_pair(ending + n);
        const uint32_t first = (begins & 0xFFFFu) | (ends << 16);
        const uint32_t second = (begins >> 16) | (ends & 0xFFFF0000u);
        const int32_t a = __smlad((int16x2_t)first, (int16x2_t)weights, half) >> shift;
        weights += slope;
        const int32_t b = __smlad((int16x2_t)second, (int16x2_t)weights, half) >> shift;
        weights += slope;
        const uint32_t noise = ((uint32_t)a & 0xFFFFu) | ((uint32_t)b << 16);
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
        const int32_t sum = pcm[n] + ((beginning[n] * in + ending[n] * out + half) >> shift);
        pcm[n] = (int16_t)(sum > INT16_MAX ? INT16_MAX : sum < INT16_MIN ? INT16_MIN : sum);
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
