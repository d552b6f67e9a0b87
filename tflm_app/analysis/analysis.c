#include "analysis/analysis.h"

#include <string.h>

#include "arm_common_tables.h"
#include "dsp/filtering_functions.h"
#include "dsp/transform_functions.h"

#define SAMPLE_RATE 16000.0f
#define NEARLY_AS_DEEP 0.06f /* with twice that, trumpets jump an octave; with half of it, flutes drop one \
                              */
#define SHORT_LAG 5.2f /* samples: how deep a dip is between samples is known the less, the shorter the lag \
                        */
#define SILENCE_POWER 1e-8f       /* -80 dB */
#define DB_PER_OCTAVE 3.01029996f /* of power */

/* sin^2 over five blocks, times 2 because a full-scale sine has half the power of full scale. */
static const float energy_weights[ANALYSIS_N_BLOCKS] = {
    0.0954915f * 0.8f / ANALYSIS_BLOCK_SAMPLES, 0.6545085f * 0.8f / ANALYSIS_BLOCK_SAMPLES,
    1.0f * 0.8f / ANALYSIS_BLOCK_SAMPLES,       0.6545085f * 0.8f / ANALYSIS_BLOCK_SAMPLES,
    0.0954915f * 0.8f / ANALYSIS_BLOCK_SAMPLES,
};

/* As arm_rfft_fast_init_512_f32 makes it, but in flash. */
static const arm_rfft_fast_instance_f32 fft = {
    .Sint = {ANALYSIS_FFT_SAMPLES / 2, twiddleCoef_256, armBitRevIndexTable256,
             ARMBITREVINDEXTABLE_256_TABLE_LENGTH},
    .fftLenRFFT = ANALYSIS_FFT_SAMPLES,
    .pTwiddleRFFT = twiddleCoef_rfft_512,
};

static float held_within(float hz) {
    const float above = hz > ANALYSIS_MIN_F0_HZ ? hz : ANALYSIS_MIN_F0_HZ;
    return above < ANALYSIS_MAX_F0_HZ ? above : ANALYSIS_MAX_F0_HZ;
}

void analysis_init(analysis_t *analysis, float f0_min_hz, float f0_max_hz) {
    analysis->shortest_lag = (uint32_t)(SAMPLE_RATE / held_within(f0_max_hz));
    analysis->longest_lag = (uint32_t)(SAMPLE_RATE / held_within(f0_min_hz)) + 1u;
    analysis_reset(analysis);
}

void analysis_reset(analysis_t *analysis) {
    analysis->f0_hz = FRAME_DEFAULT_F0_HZ;
    analysis->aperiodicity = 1.0f;
    memset(analysis->filter, 0, sizeof analysis->filter);
    memset(analysis->window, 0, sizeof analysis->window);
    memset(analysis->energies, 0, sizeof analysis->energies);
}

/* --- samples ---------------------------------------------------------------------------------------- */

/* Puts a block into the window, and its energy to the others. What the pitch is looked for in has passed the
 * weighting's first section alone, which takes off rumble: first order below 108 Hz, second below 21 Hz. */
static void listen(analysis_t *analysis, const int16_t samples[ANALYSIS_BLOCK_SAMPLES]) {
    float *const window = analysis->window, *const energies = analysis->energies;
    float *const block = window + ANALYSIS_WINDOW_SAMPLES - ANALYSIS_BLOCK_SAMPLES;
    float weighted[ANALYSIS_BLOCK_SAMPLES];
    memmove(window, window + ANALYSIS_BLOCK_SAMPLES,
            (ANALYSIS_WINDOW_SAMPLES - ANALYSIS_BLOCK_SAMPLES) * sizeof *window);
    memmove(energies, energies + 1, (ANALYSIS_N_BLOCKS - 1) * sizeof *energies);
    for (size_t i = 0; i < ANALYSIS_BLOCK_SAMPLES; i++) {
        block[i] = (float)samples[i] * (1.0f / 32768.0f);
    }
    const arm_biquad_cascade_df2T_instance_f32 high_pass = {1, analysis->filter, analysis_weighting};
    const arm_biquad_cascade_df2T_instance_f32 others = {ANALYSIS_N_SECTIONS - 1, analysis->filter + 2,
                                                         analysis_weighting + 5};
    arm_biquad_cascade_df2T_f32(&high_pass, block, block, ANALYSIS_BLOCK_SAMPLES);
    arm_biquad_cascade_df2T_f32(&others, block, weighted, ANALYSIS_BLOCK_SAMPLES);
    float energy = 0.0f;
    for (size_t i = 0; i < ANALYSIS_BLOCK_SAMPLES; i++) {
        energy += weighted[i] * weighted[i];
    }
    energies[ANALYSIS_N_BLOCKS - 1] = energy;
}

static float loudness_db(const float energies[ANALYSIS_N_BLOCKS]) {
    float power = SILENCE_POWER;
    for (size_t i = 0; i < ANALYSIS_N_BLOCKS; i++) {
        power += energy_weights[i] * energies[i];
    }
    const float db = DB_PER_OCTAVE * frame_log2(power);
    return db < FRAME_MAX_LOUDNESS_DB ? db : FRAME_MAX_LOUDNESS_DB;
}

/* --- pitch ------------------------------------------------------------------------------------------ */

/* Correlates the window with itself; the result is in `time`, by lag. */
static void correlate(analysis_t *analysis) {
    float *const time = analysis->time, *const bins = analysis->spectrum;
    memcpy(time, analysis->window, sizeof analysis->window);
    memset(time + ANALYSIS_WINDOW_SAMPLES, 0, sizeof analysis->time - sizeof analysis->window);
    arm_rfft_fast_f32(&fft, time, bins, 0);
    bins[0] *= bins[0]; /* of frequency zero, and of half the rate */
    bins[1] *= bins[1];
    for (size_t i = 2; i < ANALYSIS_FFT_SAMPLES; i += 2) {
        bins[i] = bins[i] * bins[i] + bins[i + 1] * bins[i + 1];
        bins[i + 1] = 0.0f;
    }
    arm_rfft_fast_f32(&fft, bins, time, 1);
}

/* Makes the difference function, mean square of x[i] - x[i + lag] by lag up to `last`, and the same over its
 * mean up to the lag. */
static void make_differences(const analysis_t *analysis, float *difference, float *normalized, size_t last) {
    const float *const x = analysis->window, *const correlation = analysis->time;
    float energy = 0.0f; /* of both samples of all pairs */
    for (size_t i = 0; i < ANALYSIS_WINDOW_SAMPLES; i++) {
        energy += 2.0f * x[i] * x[i];
    }
    float sum = 0.0f;
    difference[0] = 0.0f;
    normalized[0] = 1.0f;
    for (size_t lag = 1; lag <= last; lag++) {
        const float begin = x[lag - 1], end = x[ANALYSIS_WINDOW_SAMPLES - lag];
        energy -= begin * begin + end * end;
        const float square = energy - 2.0f * correlation[lag];
        const float d = square > 0.0f ? square / (float)(ANALYSIS_WINDOW_SAMPLES - lag) : 0.0f;
        sum += d;
        difference[lag] = d;
        normalized[lag] = sum > 0.0f ? d * (float)lag / sum : 1.0f;
    }
}

/* Where the parabola through a dip and its neighbours has its vertex, between -0.5 and 0.5 around it. */
static float vertex(const float *dip) {
    const float bend = dip[-1] - 2.0f * dip[0] + dip[1];
    const float offset = bend > 0.0f ? 0.5f * (dip[-1] - dip[1]) / bend : 0.0f;
    return offset > 0.5f ? 0.5f : offset < -0.5f ? -0.5f : offset;
}

/* How deep that vertex is: of a short period, no sample of the function may come near it. */
static float depth(const float *dip) { return dip[0] - 0.25f * (dip[-1] - dip[1]) * vertex(dip); }

/* The shortest lag whose dip is nearly as deep as the deepest; 0 if there is none. */
static size_t find_dip(const analysis_t *analysis, const float *normalized) {
    float deepest = 2.0f;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t lag = analysis->shortest_lag; lag <= analysis->longest_lag; lag++) {
            const float *const dip = normalized + lag;
            if (dip[0] < dip[-1] && dip[0] <= dip[1]) {
                const float shortness = SHORT_LAG * SHORT_LAG / (float)(lag * lag);
                if (pass == 0) {
                    deepest = depth(dip) < deepest ? depth(dip) : deepest;
                } else if (depth(dip) <= deepest + NEARLY_AS_DEEP + shortness * shortness) {
                    return lag;
                }
            }
        }
    }
    return 0;
}

/* The period, from a dip near it and those at twice, four times the period and so on. */
static float refine(const float *difference, float period, size_t longest) {
    for (float multiple = 2.0f; multiple * period < (float)longest - 1.0f; multiple *= 2.0f) {
        const size_t near = (size_t)(multiple * period + 0.5f);
        const size_t dip = difference[near - 1] < difference[near]   ? near - 1
                           : difference[near + 1] < difference[near] ? near + 1
                                                                     : near;
        period = ((float)dip + vertex(difference + dip)) / multiple;
    }
    return period;
}

static void find_pitch(analysis_t *analysis) {
    correlate(analysis);
    float *const difference = analysis->spectrum;
    float *const normalized = difference + ANALYSIS_FFT_SAMPLES / 2;
    make_differences(analysis, difference, normalized, analysis->longest_lag + 1);
    const size_t dip = find_dip(analysis, normalized);
    analysis->aperiodicity = dip > 0 ? depth(normalized + dip) : 1.0f;
    if (analysis->aperiodicity < ANALYSIS_MAX_APERIODICITY) {
        const float period = (float)dip + vertex(normalized + dip);
        analysis->f0_hz = SAMPLE_RATE / refine(difference, period, analysis->longest_lag);
    }
}

frame_t analysis_step(analysis_t *analysis, const int16_t samples[ANALYSIS_BLOCK_SAMPLES]) {
    listen(analysis, samples);
    find_pitch(analysis);
    return (frame_t){.f0_hz = analysis->f0_hz, .loudness_db = loudness_db(analysis->energies)};
}
