#include "upsampler/upsampler.h"

#include <string.h>

#ifndef UPSAMPLER_PORTABLE
#include "dsp/filtering_functions.h"
#endif

SHARED_ASSERT(UPSAMPLER_FACTOR == 3, "upsampler_process writes one input sample and two others in turn");

void upsampler_reset(upsampler_t *upsampler) { memset(upsampler, 0, sizeof *upsampler); }

#ifdef UPSAMPLER_PORTABLE

static int32_t saturate(int32_t value) {
    return value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value;
}

/* As arm_fir_q15, for projects without CMSIS-DSP. The products of one half of the taps fit into 32 bits. */
static void convolve(int16_t *samples, const int16_t *taps, const int16_t *in, int16_t *out) {
    enum { N_PAST = UPSAMPLER_PHASE_TAPS - 1, HALF = UPSAMPLER_PHASE_TAPS / 2 };
    memcpy(samples + N_PAST, in, UPSAMPLER_BLOCK_SAMPLES * sizeof *in);
    for (int n = 0; n < UPSAMPLER_BLOCK_SAMPLES; n++) {
        int32_t first = 0, second = 0;
        for (int i = 0; i < HALF; i++) {
            first += taps[i] * samples[n + i];
            second += taps[HALF + i] * samples[n + HALF + i];
        }
        out[n] = (int16_t)saturate((int32_t)((first + (int64_t)second) >> 15));
    }
}

#else

static int32_t saturate(int32_t value) { return __SSAT(value, 16); }

static void convolve(int16_t *samples, const int16_t *taps, const int16_t *in, int16_t *out) {
    const arm_fir_instance_q15 fir = {.numTaps = UPSAMPLER_PHASE_TAPS, .pState = samples, .pCoeffs = taps};
    arm_fir_q15(&fir, in, out, UPSAMPLER_BLOCK_SAMPLES);
}

#endif

/* Filters a block that follows `past` by the taps of one phase. */
static void filter(const int16_t past[UPSAMPLER_PHASE_TAPS], int phase, const int16_t *in, int16_t *out) {
    int16_t samples[UPSAMPLER_PHASE_TAPS + UPSAMPLER_BLOCK_SAMPLES];
    memcpy(samples, past + 1, (UPSAMPLER_PHASE_TAPS - 1) * sizeof *past);
    convolve(samples, upsampler_taps[phase], in, out);
}

/* Returns sample i of a block that follows `past`, UPSAMPLER_DELAY samples late. */
static int16_t delayed(const int16_t past[UPSAMPLER_PHASE_TAPS], const int16_t *in, int i) {
    return i < UPSAMPLER_DELAY ? past[UPSAMPLER_PHASE_TAPS - UPSAMPLER_DELAY + i] : in[i - UPSAMPLER_DELAY];
}

static void keep(int16_t past[UPSAMPLER_PHASE_TAPS], const int16_t in[UPSAMPLER_BLOCK_SAMPLES]) {
    memcpy(past, in + UPSAMPLER_BLOCK_SAMPLES - UPSAMPLER_PHASE_TAPS, UPSAMPLER_PHASE_TAPS * sizeof *past);
}

void upsampler_process(upsampler_t *upsampler, const int16_t in[UPSAMPLER_BLOCK_SAMPLES],
                       int16_t out[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES]) {
    int16_t between[UPSAMPLER_FACTOR - 1][UPSAMPLER_BLOCK_SAMPLES];
    for (int phase = 0; phase < UPSAMPLER_FACTOR - 1; phase++) {
        filter(upsampler->past, phase, in, between[phase]);
    }
    for (int i = 0; i < UPSAMPLER_BLOCK_SAMPLES; i++) {
        *out++ = delayed(upsampler->past, in, i);
        *out++ = between[0][i];
        *out++ = between[1][i];
    }
    keep(upsampler->past, in);
}

/* The mean of the three phases of the input, each filtered by the taps that it meets; those of the last one
 * are 1 at one tap, so it is only delayed. */
void downsampler_process(downsampler_t *downsampler,
                         const int16_t in[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES],
                         int16_t out[UPSAMPLER_BLOCK_SAMPLES]) {
    enum { THIRD_Q15 = 10923 };
    int16_t phases[UPSAMPLER_FACTOR][UPSAMPLER_BLOCK_SAMPLES], filtered[UPSAMPLER_BLOCK_SAMPLES];
    for (int i = 0; i < UPSAMPLER_BLOCK_SAMPLES; i++) {
        for (int phase = 0; phase < UPSAMPLER_FACTOR; phase++) {
            phases[phase][i] = *in++;
        }
    }
    filter(downsampler->past[0], 1, phases[0], out);
    filter(downsampler->past[1], 0, phases[1], filtered);
    for (int i = 0; i < UPSAMPLER_BLOCK_SAMPLES; i++) {
        const int32_t sum = out[i] + filtered[i] + delayed(downsampler->past[2], phases[2], i);
        out[i] = (int16_t)saturate((sum * THIRD_Q15 + (1 << 14)) >> 15);
    }
    for (int phase = 0; phase < UPSAMPLER_FACTOR; phase++) {
        keep(downsampler->past[phase], phases[phase]);
    }
}
