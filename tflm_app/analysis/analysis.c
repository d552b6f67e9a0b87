#include "analysis/analysis.h"

#include <string.h>

#include "arm_common_tables.h"
#include "dsp/filtering_functions.h"
#include "dsp/transform_functions.h"

#define SAMPLE_RATE ((float)SHARED_SAMPLE_RATE)
#define NEARLY_AS_DEEP 0.06f      /* at twice this, trumpets jump up an octave; at half, flutes drop one */
#define UNSTEADINESS 1.25f        /* in an onset no dip is deep, and their depths differ by about as much */
#define HIGH_LAG 25.0f            /* samples; at longer lags, the unsteadiness counts less */
#define SHORT_LAG 5.2f            /* samples; shorter lags make the depth of a dip less certain */
#define DB_PER_OCTAVE 3.01029996f /* dB per factor of two in power */

SHARED_ASSERT(ANALYSIS_N_BLOCKS == 5, "the window below has five steps");

/* sin^2 over five blocks, times 2 because a full-scale sine has half the power of full scale. */
static const float energy_weights[ANALYSIS_N_BLOCKS] = {
    0.0954915f * 0.8f / ANALYSIS_BLOCK_SAMPLES, 0.6545085f * 0.8f / ANALYSIS_BLOCK_SAMPLES,
    1.0f * 0.8f / ANALYSIS_BLOCK_SAMPLES,       0.6545085f * 0.8f / ANALYSIS_BLOCK_SAMPLES,
    0.0954915f * 0.8f / ANALYSIS_BLOCK_SAMPLES,
};

/* This instance equals the one that arm_rfft_fast_init_512_f32 initializes, but is in flash. */
static const arm_rfft_fast_instance_f32 fft = {
    .Sint = {ANALYSIS_FFT_SAMPLES / 2, twiddleCoef_256, armBitRevIndexTable256,
             ARMBITREVINDEXTABLE_256_TABLE_LENGTH},
    .fftLenRFFT = ANALYSIS_FFT_SAMPLES,
    .pTwiddleRFFT = twiddleCoef_rfft_512,
};

static float clamp_f0(float hz) {
    const float above = hz > ANALYSIS_MIN_F0_HZ ? hz : ANALYSIS_MIN_F0_HZ;
    return above < ANALYSIS_MAX_F0_HZ ? above : ANALYSIS_MAX_F0_HZ;
}

void analysis_init(analysis_t *analysis, float f0_min_hz, float f0_max_hz) {
    analysis->shortest_lag = (uint32_t)(SAMPLE_RATE / clamp_f0(f0_max_hz));
    analysis->longest_lag = (uint32_t)(SAMPLE_RATE / clamp_f0(f0_min_hz)) + 1u;
    analysis_reset(analysis);
}

static void forget_samples(analysis_t *analysis) {
    analysis->aperiodicity = 1.0f;
    analysis->power = ANALYSIS_FLOOR_POWER;
    memset(analysis->filter, 0, sizeof analysis->filter);
    memset(analysis->window, 0, sizeof analysis->window);
    memset(analysis->energies, 0, sizeof analysis->energies);
}

void analysis_reset(analysis_t *analysis) {
    analysis->f0_hz = FRAME_DEFAULT_F0_HZ;
    analysis->n_silent = ANALYSIS_WINDOW_SAMPLES;
    forget_samples(analysis);
}

/* --- samples ---------------------------------------------------------------------------------------- */

/* Returns how many samples of digital silence there are at the end of a block. */
static uint32_t count_silence(const int16_t samples[ANALYSIS_BLOCK_SAMPLES]) {
    uint32_t n = 0;
    while (n < ANALYSIS_BLOCK_SAMPLES && (uint32_t)(samples[ANALYSIS_BLOCK_SAMPLES - 1 - n] + 1) <= 2u) {
        n++;
    }
    return n;
}

/* Appends a block to the window, and its energy to `energies`. The window, in which the pitch is found,
 * passes only the first section of the weighting, which removes rumble: 6 dB per octave below 108 Hz, 12 dB
 * below 21 Hz. */
static void append_block(analysis_t *analysis, const int16_t samples[ANALYSIS_BLOCK_SAMPLES]) {
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

static float window_power(const float energies[ANALYSIS_N_BLOCKS]) {
    float power = ANALYSIS_FLOOR_POWER;
    for (size_t i = 0; i < ANALYSIS_N_BLOCKS; i++) {
        power += energy_weights[i] * energies[i];
    }
    return power;
}

float analysis_loudness_db(float power) {
    const float db = DB_PER_OCTAVE * frame_log2(power);
    return db < FRAME_MAX_LOUDNESS_DB ? db : FRAME_MAX_LOUDNESS_DB;
}

/* --- pitch ------------------------------------------------------------------------------------------ */

/* Computes the autocorrelation of the window; the result is in `time`, by lag. */
static void correlate(analysis_t *analysis) {
    float *const time = analysis->time, *const bins = analysis->spectrum;
    memcpy(time, analysis->window, sizeof analysis->window);
    memset(time + ANALYSIS_WINDOW_SAMPLES, 0, sizeof analysis->time - sizeof analysis->window);
    arm_rfft_fast_f32(&fft, time, bins, 0);
    bins[0] *= bins[0]; /* the bins at frequency zero and at half the sample rate */
    bins[1] *= bins[1];
    for (size_t i = 2; i < ANALYSIS_FFT_SAMPLES; i += 2) {
        bins[i] = bins[i] * bins[i] + bins[i + 1] * bins[i + 1];
        bins[i + 1] = 0.0f;
    }
    arm_rfft_fast_f32(&fft, bins, time, 1);
}

/* Computes the difference function, the mean square of x[i] - x[i + lag], for each lag up to `last`, and a
 * normalized version of it: each value divided by the mean of the values up to its lag. */
static void make_differences(const analysis_t *analysis, float *difference, float *normalized, size_t last) {
    const float *const x = analysis->window, *const correlation = analysis->time;
    float energy = 0.0f; /* of both samples, summed over all pairs */
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

/* Returns the position of the vertex of the parabola through a dip and its neighbours: -0.5 to 0.5 from the
 * dip. */
static float vertex(const float *dip) {
    const float bend = dip[-1] - 2.0f * dip[0] + dip[1];
    const float offset = bend > 0.0f ? 0.5f * (dip[-1] - dip[1]) / bend : 0.0f;
    return offset > 0.5f ? 0.5f : offset < -0.5f ? -0.5f : offset;
}

/* Returns the value at that vertex. For short periods, no sample may be close to the true minimum. */
static float depth(const float *dip) { return dip[0] - 0.25f * (dip[-1] - dip[1]) * vertex(dip); }

/* Returns by how much a dip may be shallower than the deepest one and still be selected. In the onset of a
 * high flute note, the lower register sounds first, so that the dip at its period is the deepest; the true
 * one is selected, and the pitch is held until that one is deep. */
static float tolerance(size_t lag, float deepest) {
    const float shortness = SHORT_LAG * SHORT_LAG / (float)(lag * lag);
    const float highness = HIGH_LAG * HIGH_LAG / (SHORT_LAG * SHORT_LAG) * shortness;
    const float unsteadiness = UNSTEADINESS * deepest;
    return NEARLY_AS_DEEP + shortness * shortness + unsteadiness * (highness < 1.0f ? highness : 1.0f);
}

/* Returns the shortest lag whose dip is nearly as deep as the deepest; 0 if there is no dip. */
static size_t find_dip(const analysis_t *analysis, const float *normalized) {
    float deepest = 2.0f;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t lag = analysis->shortest_lag; lag <= analysis->longest_lag; lag++) {
            const float *const dip = normalized + lag;
            if (dip[0] < dip[-1] && dip[0] <= dip[1]) {
                if (pass == 0) {
                    deepest = depth(dip) < deepest ? depth(dip) : deepest;
                } else if (depth(dip) <= deepest + tolerance(lag, deepest)) {
                    return lag;
                }
            }
        }
    }
    return 0;
}

/* Refines the period with the dips near twice the period, four times the period, and so on. */
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
    const float found = dip > 0 ? depth(normalized + dip) : 1.0f;
    analysis->aperiodicity = found < 1.0f ? found : 1.0f; /* in noise, a dip may lie above the mean */
    if (analysis->aperiodicity < ANALYSIS_MAX_APERIODICITY) {
        const float period = (float)dip + vertex(normalized + dip);
        analysis->f0_hz = SAMPLE_RATE / refine(difference, period, analysis->longest_lag);
    }
}

frame_t analysis_step(analysis_t *analysis, const int16_t samples[ANALYSIS_BLOCK_SAMPLES]) {
    const uint32_t n = count_silence(samples);
    const uint32_t n_silent = n < ANALYSIS_BLOCK_SAMPLES ? n : analysis->n_silent + n;
    analysis->n_silent = n_silent < ANALYSIS_WINDOW_SAMPLES ? n_silent : ANALYSIS_WINDOW_SAMPLES;
    if (analysis->n_silent == ANALYSIS_WINDOW_SAMPLES) {
        forget_samples(analysis);
        return (frame_t){.f0_hz = analysis->f0_hz, .loudness_db = FRAME_MIN_LOUDNESS_DB};
    }
    append_block(analysis, samples);
    find_pitch(analysis);
    analysis->power = window_power(analysis->energies);
    return (frame_t){.f0_hz = analysis->f0_hz, .loudness_db = analysis_loudness_db(analysis->power)};
}
