/* The Armv6-M kernel in C, for other cores; internal to decoder_kernel_armv6m.h. */
#ifndef DECODER_KERNEL_ARMV6M_PORTABLE_H
#define DECODER_KERNEL_ARMV6M_PORTABLE_H

#include <string.h>

#include "decoder/decoder_aot.h"
#include "decoder/decoder_fixed.h"

/* Computes the sums {V, V >> 16, V reversed} of two words; returns the address of the weights that follow. */
static inline const uint32_t *digits_sum_int8(const uint32_t *weights, const uint16_t *input,
                                              const uint16_t *end, uint32_t sums[8]) {
    memset(sums, 0, 6 * sizeof *sums);
    for (; input != end; ++input) {
        for (int word = 0; word < 6; word += 3, ++weights) {
            sums[word] += *weights * *input;
            sums[word + 1] += (*weights >> 16) * *input;
            sums[word + 2] += __builtin_bswap32(*weights) * *input;
        }
    }
    return weights;
}

/* Computes the shifted sums of two words; returns the address of the weights that follow. */
static inline const uint32_t *digits_sum_int16(const uint32_t *weights, const uint16_t *input,
                                               const uint16_t *end, uint32_t sums[8]) {
    memset(sums, 0, 8 * sizeof *sums);
    for (; input != end; ++input, weights += 2) {
        for (int channel = 0; channel < 8; ++channel) {
            sums[channel] += (weights[channel / 4] >> (8 * (channel % 4))) * *input;
        }
    }
    return weights;
}

/* Solves for four sums, each below 2^24, given those of V, V >> 16 and V reversed. The lowest byte of C is
 * that of the second sum, which gives the lower half of D; that gives C, and C gives D. A and B follow
 * likewise. */
static inline void digits_solve_int8(const uint32_t products[3], uint32_t sums[4]) {
    const uint32_t cd = products[1], dcba = products[2]; /* C + 2^8 D; D + 2^8 C + 2^16 B + 2^24 A */
    const uint32_t ab = products[0] - (cd << 16);        /* A + 2^8 B */
    const uint32_t d01 = (dcba - (cd << 8)) & 0xffffu;
    const uint32_t c = (cd - (d01 << 8)) & 0xffffffu;
    const uint32_t d = (cd - c) >> 8;
    const uint32_t ba = (dcba - d - (c << 8)) >> 16; /* the lower 16 bits of B + 2^8 A */
    const uint32_t b01 = (ba - (ab << 8)) & 0xffffu;
    const uint32_t a = (ab - (b01 << 8)) & 0xffffffu;
    sums[0] = a;
    sums[1] = (ab - a) >> 8;
    sums[2] = c;
    sums[3] = d;
}

/* Solves for four sums, modulo 2^32, given those of V shifted by 0, 8, 16 and 24. */
static inline void digits_solve_int16(const uint32_t products[4], uint32_t sums[4]) {
    sums[0] = products[0] - (products[1] << 8);
    sums[1] = products[1] - (products[2] << 8);
    sums[2] = products[2] - (products[3] << 8);
    sums[3] = products[3];
}

/* Requantizes four sums, from each of which `offset` is subtracted. */
static inline void digits_requantize(const decoder_layer_t *layer, const decoder_channels_t *channels,
                                     const uint32_t sums[4], uint32_t offset, int is_int8,
                                     int16_t output[4]) {
    const int32_t lowest = is_int8 ? INT8_MIN : layer->is_rectified ? 0 : INT16_MIN;
    for (int channel = 0; channel < 4; ++channel) {
        const int32_t sum = (int32_t)(sums[channel] - offset + (uint32_t)channels->bias[channel]);
        const int32_t multiplier = channels->scale[channel].multiplier,
                      shift = channels->scale[channel].shift;
        int32_t y = is_int8 ? twice_rounded(multiply_high(sum, multiplier), shift)
                            : multiply_16(sum, multiplier) >> shift;
        y = saturate((y + layer->offset) >> 1, is_int8);
        output[channel] = (int16_t)(y < lowest ? lowest : y);
    }
}

__attribute__((always_inline)) static inline void digits_convolve(const decoder_layer_t *layer,
                                                                  const uint16_t *input, uint32_t offset,
                                                                  int is_int8, int16_t *output) {
    const uint32_t *weights = layer->weights;
    for (uint32_t first = 0; first < layer->n_outputs; first += 8) {
        uint32_t products[8], sums[4]; /* of two words; at int8 three products of each */
        weights =
            (is_int8 ? digits_sum_int8 : digits_sum_int16)(weights, input, input + layer->n_inputs, products);
        for (uint32_t word = 0; word < 2; ++word) {
            const uint32_t channel = first + 4 * word;
            (is_int8 ? digits_solve_int8 : digits_solve_int16)(products + (is_int8 ? 3 : 4) * word, sums);
            digits_requantize(layer, &layer->channels[channel / 4], sums, offset, is_int8, output + channel);
        }
    }
}

static inline void convolve_int8(const decoder_layer_t *layer, const uint16_t *input, uint32_t offset,
                                 int16_t *output) {
    digits_convolve(layer, input, offset, 1, output);
}

static inline void convolve_int16(const decoder_layer_t *layer, const uint16_t *input, uint32_t offset,
                                  int16_t *output) {
    digits_convolve(layer, input, offset, 0, output);
}

#endif
