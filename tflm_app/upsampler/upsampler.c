#include "upsampler/upsampler.h"

#include <string.h>

#include "dsp/filtering_functions.h"

SHARED_ASSERT(UPSAMPLER_FACTOR == 3, "upsampler_process writes one input sample and two others in turn");

void upsampler_reset(upsampler_t *upsampler) { memset(upsampler, 0, sizeof *upsampler); }

void upsampler_process(upsampler_t *upsampler, const int16_t in[UPSAMPLER_BLOCK_SAMPLES],
                       int16_t out[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES]) {
    int16_t between[UPSAMPLER_FACTOR - 1][UPSAMPLER_BLOCK_SAMPLES];
    for (int phase = 0; phase < UPSAMPLER_FACTOR - 1; phase++) {
        const arm_fir_instance_q15 filter = {
            .numTaps = UPSAMPLER_PHASE_TAPS,
            .pState = upsampler->filters[phase],
            .pCoeffs = upsampler_taps[phase],
        };
        arm_fir_q15(&filter, in, between[phase], UPSAMPLER_BLOCK_SAMPLES);
    }
    for (int i = 0; i < UPSAMPLER_BLOCK_SAMPLES; i++) {
        *out++ = i < UPSAMPLER_DELAY ? upsampler->past[i] : in[i - UPSAMPLER_DELAY];
        *out++ = between[0][i];
        *out++ = between[1][i];
    }
    memcpy(upsampler->past, in + UPSAMPLER_BLOCK_SAMPLES - UPSAMPLER_DELAY, sizeof upsampler->past);
}
