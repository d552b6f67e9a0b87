#include "upsampler/upsampler.h"

#include <string.h>

#ifndef UPSAMPLER_PORTABLE
#include "dsp/filtering_functions.h"
#endif

SHARED_ASSERT(UPSAMPLER_FACTOR == 3, "upsampler_process writes one input sample and two others in turn");

void upsampler_reset(upsampler_t *upsampler) { memset(upsampler, 0, sizeof *upsampler); }

#ifdef UPSAMPLER_PORTABLE

/* As arm_fir_q15, for projects without CMSIS-DSP. The products of one half of the taps fit into 32 bits. */
static void filter(int16_t *state, const int16_t *taps, const int16_t *in, int16_t *out) {
    enum { N_PAST = UPSAMPLER_PHASE_TAPS - 1, HALF = UPSAMPLER_PHASE_TAPS / 2 };
    memcpy(state + N_PAST, in, UPSAMPLER_BLOCK_SAMPLES * sizeof *in);
    for (int n = 0; n < UPSAMPLER_BLOCK_SAMPLES; n++) {
        int32_t first = 0, second = 0;
        for (int i = 0; i < HALF; i++) {
            first += taps[i] * state[n + i];
            second += taps[HALF + i] * state[n + HALF + i];
        }
        const int32_t value = (int32_t)((first + (int64_t)second) >> 15);
        out[n] = (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
    }
    memmove(state, state + UPSAMPLER_BLOCK_SAMPLES, N_PAST * sizeof *state);
}

#else

static void filter(int16_t *state, const int16_t *taps, const int16_t *in, int16_t *out) {
    const arm_fir_instance_q15 fir = {.numTaps = UPSAMPLER_PHASE_TAPS, .pState = state, .pCoeffs = taps};
    arm_fir_q15(&fir, in, out, UPSAMPLER_BLOCK_SAMPLES);
}

#endif

void upsampler_process(upsampler_t *upsampler, const int16_t in[UPSAMPLER_BLOCK_SAMPLES],
                       int16_t out[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES]) {
    int16_t between[UPSAMPLER_FACTOR - 1][UPSAMPLER_BLOCK_SAMPLES];
    for (int phase = 0; phase < UPSAMPLER_FACTOR - 1; phase++) {
        filter(upsampler->filters[phase], upsampler_taps[phase], in, between[phase]);
    }
    for (int i = 0; i < UPSAMPLER_BLOCK_SAMPLES; i++) {
        *out++ = i < UPSAMPLER_DELAY ? upsampler->past[i] : in[i - UPSAMPLER_DELAY];
        *out++ = between[0][i];
        *out++ = between[1][i];
    }
    memcpy(upsampler->past, in + UPSAMPLER_BLOCK_SAMPLES - UPSAMPLER_DELAY, sizeof upsampler->past);
}

/* The mean of the three phases of the input, each filtered by the taps that it meets; those of the last one
 * are 1 at one tap, so it is only delayed. */
void upsampler_reverse(upsampler_t *upsampler, const int16_t in[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES],
                       int16_t out[UPSAMPLER_BLOCK_SAMPLES]) {
    enum { THIRD_Q15 = 10923 };
    int16_t phases[UPSAMPLER_FACTOR][UPSAMPLER_BLOCK_SAMPLES];
    for (int i = 0; i < UPSAMPLER_BLOCK_SAMPLES; i++) {
        for (int phase = 0; phase < UPSAMPLER_FACTOR; phase++) {
            phases[phase][i] = *in++;
        }
    }
    filter(upsampler->filters[0], upsampler_taps[0], phases[1], out);
    filter(upsampler->filters[1], upsampler_taps[1], phases[0], phases[1]);
    for (int i = 0; i < UPSAMPLER_BLOCK_SAMPLES; i++) {
        const int16_t last = i < UPSAMPLER_DELAY ? upsampler->past[i] : phases[2][i - UPSAMPLER_DELAY];
        const int32_t sum = out[i] + phases[1][i] + last;
        out[i] = (int16_t)((sum * THIRD_Q15 + (1 << 14)) >> 15);
    }
    memcpy(upsampler->past, phases[2] + UPSAMPLER_BLOCK_SAMPLES - UPSAMPLER_DELAY, sizeof upsampler->past);
}
