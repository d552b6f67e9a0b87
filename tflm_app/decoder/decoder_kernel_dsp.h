/* Convolution kernel of the aot engine for cores with the DSP extension, 1 byte per weight; internal to
 * decoder_aot.c. For int8 it takes 5 instructions per 8 MAC, and 8 per 16 MAC if it computes two voices; for
 * 16x8 it takes 4 per 4 MAC; each also loads what it multiplies.
 *
 * It computes four channels A B C D at a time. A word holds the weights of two channels for two inputs, each
 * pair of channels in a 16-bit lane, and SMLAD multiplies both lanes with a pair of inputs.
 *
 * For int8 the lanes of the two words are 256 B + (A + 128) and 256 D + C. SMLAD of the first word sums
 * SA + 256 SB, besides 128 times the sum of the inputs; that of the second sums SC + 256 SD. A third word
 * with the lanes 256 C + B, which AND and SXTAB16 make of the other two, sums SB + 256 SC. Modulo 2^32 these
 * three sums determine all four, if each of them is below 2^23; the code generator checks this. First they
 * give SA - 2^16 SC, whose lower half is that of SA, and whose upper half differs by SC from that of SA. The
 * lowest byte of SC is known from the second sum, which gives the third byte of SA. Then SB, SC and SD follow
 * one from the other. The biases are stored as the initial values of the three sums.
 *
 * 16-bit inputs would exceed that bound. For them the two bytes of a lane are A and B, and SXTB16 extracts
 * one, then the other.
 *
 * Order of the weights: [n_outputs / 4][n_inputs / 2][AB, CD]; the inputs are the quantized values.
 */
#ifndef DECODER_KERNEL_DSP_H
#define DECODER_KERNEL_DSP_H

#include "decoder/decoder_kernel_dsp_inputs.h"
#ifdef __ARM_FEATURE_DSP
#include "decoder/decoder_kernel_dsp_int16.h"
#include "decoder/decoder_kernel_dsp_int8.h"
#include "decoder/decoder_kernel_dsp_pair.h"
#else
#include "decoder/decoder_kernel_dsp_portable.h"
#endif

/* Returns the `offset` for `convolve`, given the sum of all inputs of the layer. */
static inline uint32_t input_offset(uint32_t sum, int is_int8) { return is_int8 ? lanes_offset(sum) : 0; }

/* Computes the outputs of a layer. */
static inline void convolve(const decoder_layer_t *layer, const int16_t *input, uint32_t offset, int is_int8,
                            int16_t *output) {
    if (is_int8) {
        convolve_int8(layer, input, offset, output);
    } else {
        convolve_int16(layer, input, output);
    }
}

#endif
