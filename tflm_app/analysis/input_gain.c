#include "analysis/input_gain.h"

#include <string.h>

#define NO_LEVEL_DB (2.0f * FRAME_MIN_LOUDNESS_DB)

/* Returns 2^x for -30 <= x <= 30; the relative error is 3e-6. */
static float exp2_small(float x) {
    const int32_t whole = (int32_t)(x + 127.5f); /* truncates a positive number: nearest to x, plus 127 */
    const float t = x - (float)(whole - 127);
    float p = 0.00133335581f; /* Taylor series: |t| is at most 1/2 */
    p = p * t + 0.00961812911f;
    p = p * t + 0.0555041087f;
    p = p * t + 0.240226507f;
    p = p * t + 0.693147181f;
    p = p * t + 1.0f;
    const uint32_t bits = (uint32_t)whole << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return scale * p;
}

static void change(input_gain_t *gain, float gain_db) {
    gain->gain_db = gain_db;
    gain->power = exp2_small(gain_db * SHARED_OCTAVES_PER_DB);
}

void input_gain_set(input_gain_t *gain, float gain_db) {
    gain->is_automatic = false;
    const float above = gain_db > -SHARED_MAX_GAIN_DB ? gain_db : -SHARED_MAX_GAIN_DB;
    change(gain, above < SHARED_MAX_GAIN_DB ? above : SHARED_MAX_GAIN_DB);
}

void input_gain_follow(input_gain_t *gain) {
    gain->is_automatic = true;
    gain->level_db = NO_LEVEL_DB;
    gain->step_db = SHARED_GAIN_FIRST_STEP_DB;
    change(gain, 0.0f);
}

/* Moves the level and the gain by a pitched frame. */
static void follow(input_gain_t *gain, float loudness_db) {
    const bool is_first = gain->level_db < FRAME_MIN_LOUDNESS_DB;
    if (loudness_db < (is_first ? SHARED_GAIN_QUIET_DB : gain->level_db - SHARED_GAIN_RANGE_DB)) {
        return;
    }
    if (is_first) {
        gain->level_db = loudness_db;
    }
    const float share = loudness_db > gain->level_db ? SHARED_GAIN_UP : -SHARED_GAIN_DOWN;
    gain->level_db += share * gain->step_db;
    const float shorter = SHARED_GAIN_SHRINK * gain->step_db;
    gain->step_db = shorter > SHARED_GAIN_LAST_STEP_DB ? shorter : SHARED_GAIN_LAST_STEP_DB;
    const float wanted = SHARED_CALIBRATED_LEVEL_DB - gain->level_db;
    const float next = gain->gain_db + SHARED_GAIN_RISE_DB;
    const float reached = wanted < next ? wanted : next;
    const float above = reached > -SHARED_GAIN_BOUND_DB ? reached : -SHARED_GAIN_BOUND_DB;
    change(gain, above < SHARED_GAIN_BOUND_DB ? above : SHARED_GAIN_BOUND_DB);
}

frame_t input_gain_analyse(input_gain_t *gain, analysis_t *analysis,
                           const int16_t samples[ANALYSIS_BLOCK_SAMPLES]) {
    frame_t frame = analysis_step(analysis, samples);
    if (gain->is_automatic && analysis->aperiodicity < SHARED_GAIN_APERIODICITY) {
        follow(gain, frame.loudness_db);
    }
    if (gain->power != 1.0f) {
        const float sound = analysis->power - ANALYSIS_FLOOR_POWER;
        frame.loudness_db = analysis_loudness_db(ANALYSIS_FLOOR_POWER + gain->power * sound);
    }
    return frame;
}
