#include "instrument/frame.h"

#include <string.h>

float frame_log2(float x) {
    /* Split x = 2^exponent * mantissa with the mantissa in [sqrt(1/2), sqrt(2)). Adding the difference
     * between the bits of 1 and of sqrt(1/2) carries into the exponent exactly when the mantissa exceeds
     * sqrt(2). */
    static const uint32_t one = 0x3F800000u;
    static const uint32_t sqrt_half = 0x3F3504F3u;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits += one - sqrt_half;
    const int32_t exponent = (int32_t)(bits >> 23) - 127;
    bits = (bits & 0x007FFFFFu) + sqrt_half;
    float mantissa;
    memcpy(&mantissa, &bits, sizeof mantissa);

    /* Minimax polynomial of log2(1 + t) / t on that interval, times t; the error is 3.0e-7. */
    const float t = mantissa - 1.0f;
    float p = 0.17063432f;
    p = p * t - 0.27269839f;
    p = p * t + 0.2972626f;
    p = p * t - 0.35896174f;
    p = p * t + 0.48046504f;
    p = p * t - 0.72137588f;
    p = p * t + 1.44269973f;
    return (float)exponent + p * t;
}

static float clamp(float x, float lowest, float highest) {
    return x < lowest ? lowest : x > highest ? highest : x;
}

frame_t frame_clamp(frame_t raw, float held_f0_hz) {
    const float f0_hz = raw.f0_hz != raw.f0_hz ? held_f0_hz : raw.f0_hz; /* only NaN differs from itself */
    const float loudness_db = raw.loudness_db != raw.loudness_db ? FRAME_MIN_LOUDNESS_DB : raw.loudness_db;
    return (frame_t){
        .f0_hz = clamp(f0_hz, FRAME_MIN_F0_HZ, FRAME_MAX_F0_HZ),
        .loudness_db = clamp(loudness_db, FRAME_MIN_LOUDNESS_DB, FRAME_MAX_LOUDNESS_DB),
    };
}

/* Rounds to the nearest integer, halves up; |x| is below 2^24. */
static int16_t round_to_int16(float x) {
    const float shifted = x + 0.5f;
    const int32_t truncated = (int32_t)shifted;
    return (int16_t)((float)truncated > shifted ? truncated - 1 : truncated);
}

void frame_quantize(const frame_scaling_t *scaling, float log2_f0, float loudness_db, int16_t quantized[2]) {
    const float f0 = scaling->f0_gain * log2_f0 + scaling->f0_offset;
    const float loudness = scaling->loudness_gain * loudness_db + scaling->loudness_offset;
    quantized[0] = round_to_int16(clamp(f0, scaling->lowest, scaling->highest));
    quantized[1] = round_to_int16(clamp(loudness, scaling->lowest, scaling->highest));
}
