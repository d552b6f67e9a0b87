/* The DSP kernel in C, for cores without the extension; internal to decoder_kernel_dsp.h. */
#ifndef DECODER_KERNEL_DSP_PORTABLE_H
#define DECODER_KERNEL_DSP_PORTABLE_H

#include "decoder/decoder_aot.h"
#include "decoder/decoder_fixed.h"
#include "decoder/decoder_kernel_dsp_inputs.h"

/* Returns the sum of the products of two 16-bit lanes with a pair of inputs. */
static inline uint32_t lanes_multiply(uint32_t lanes, const int16_t *input) {
    return (uint32_t)((int16_t)(lanes & 0xffffu) * input[0] + (int16_t)(lanes >> 16) * input[1]);
}

static inline uint32_t lanes_low_bytes(uint32_t word) {
    return (uint16_t)(int8_t)(word & 0xffu) | (uint32_t)(uint16_t)(int8_t)(word >> 16 & 0xffu) << 16;
}

/* Computes the sums of four int8 channels; see convolve_int8_strided. */
static inline void lanes_sum_int8(const uint32_t *weights, const decoder_channels_t *channels,
                                  const int16_t *input, uint32_t n_inputs, uint32_t stride, uint32_t offset,
                                  int32_t sums[4]) {
    uint32_t ab = (uint32_t)channels->bias[0] - offset, cd = (uint32_t)channels->bias[1],
             bc = (uint32_t)channels->bias[2];
    for (uint32_t i = 0; i < n_inputs; i += 2, input += stride, weights += 2) {
        const uint32_t third = add_lanes((weights[1] << 8) & 0xff00ff00u, lanes_low_bytes(weights[0] >> 8));
        ab += lanes_multiply(weights[0], input);
        cd += lanes_multiply(weights[1], input);
        bc += lanes_multiply(third, input);
    }
    const uint32_t a_less_c = ab - (bc << 8);
    sums[0] = (int32_t)((a_less_c & 0xffffu) | (cd + (a_less_c >> 16)) << 16);
    sums[0] = (int32_t)((uint32_t)sums[0] << 8) >> 8;
    sums[1] = (int32_t)(ab - (uint32_t)sums[0]) >> 8;
    sums[2] = (int32_t)(bc - (uint32_t)sums[1]) >> 8;
    sums[3] = (int32_t)(cd - (uint32_t)sums[2]) >> 8;
}

static inline void lanes_sum_int16(const uint32_t *weights, const decoder_channels_t *channels,
                                   const int16_t *input, uint32_t n_inputs, int32_t sums[4]) {
    for (int channel = 0; channel < 4; ++channel) {
        sums[channel] = channels->bias[channel];
    }
    for (uint32_t i = 0; i < n_inputs; i += 2) {
        for (int channel = 0; channel < 4; channel += 2, ++weights) {
            const uint32_t low = lanes_multiply(lanes_low_bytes(*weights), input + i),
                           high = lanes_multiply(lanes_low_bytes(*weights >> 8), input + i);
            sums[channel] = (int32_t)((uint32_t)sums[channel] + low);
            sums[channel + 1] = (int32_t)((uint32_t)sums[channel + 1] + high);
        }
    }
}

static inline void lanes_scale(const decoder_layer_t *layer, const decoder_channels_t *channels,
                               const int32_t sums[4], int is_int8, int16_t *output) {
    const int32_t lowest = is_int8 ? INT8_MIN : layer->is_rectified ? 0 : INT16_MIN;
    for (int channel = 0; channel < 4; ++channel) {
        const int32_t multiplier = channels->scale[channel].multiplier,
                      shift = channels->scale[channel].shift;
        int32_t y = is_int8 ? twice_rounded(multiply_high(sums[channel], multiplier), shift)
                            : multiply_16(sums[channel], multiplier) >> shift;
        y = saturate((y + layer->offset) >> 1, is_int8);
        output[channel] = (int16_t)(y < lowest ? lowest : y);
    }
}

/* Computes an int8 layer of one voice; its pairs of inputs are `stride` values apart. */
static inline void convolve_int8_strided(const decoder_layer_t *layer, const int16_t *input, uint32_t stride,
                                         uint32_t offset, int16_t *output) {
    for (uint32_t first = 0; first < layer->n_outputs; first += 4) {
        const decoder_channels_t *channels = &layer->channels[first / 4];
        int32_t sums[4];
        lanes_sum_int8(layer->weights + first / 4 * layer->n_inputs, channels, input, layer->n_inputs, stride,
                       offset, sums);
        lanes_scale(layer, channels, sums, 1, output + first);
    }
}

static inline void convolve_int8(const decoder_layer_t *layer, const int16_t *input, uint32_t offset,
                                 int16_t *output) {
    convolve_int8_strided(layer, input, 2, offset, output);
}

static inline void convolve_pair(const decoder_layer_t *layer, const lanes_pair_t *pair) {
    for (int voice = 0; voice < 2; ++voice) {
        convolve_int8_strided(layer, pair->input + 2 * voice, 4, (uint32_t)pair->offsets[voice],
                              pair->outputs[voice]);
    }
}

static inline void convolve_int16(const decoder_layer_t *layer, const int16_t *input, int16_t *output) {
    for (uint32_t first = 0; first < layer->n_outputs; first += 4) {
        const decoder_channels_t *channels = &layer->channels[first / 4];
        int32_t sums[4];
        lanes_sum_int16(layer->weights + first / 4 * layer->n_inputs, channels, input, layer->n_inputs, sums);
        lanes_scale(layer, channels, sums, 0, output + first);
    }
}

#endif
