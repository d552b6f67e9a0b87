/* Convolution kernel of the aot engine for cores without SIMD, made for Cortex-M0+: 8 instructions per 4 MAC,
 * 1 byte per weight; internal to decoder_aot.c.
 *
 * Cortex-M0+ has no multiply-add, but a 32-bit multiplication takes one cycle, and multiplying single bytes
 * would waste most of it. Therefore a word V holds the weights of four channels for one input as unsigned
 * digits, A + 2^8 B + 2^16 C + 2^24 D with 128 added to each, and is multiplied as a whole. The sums of the
 * products of V, of V >> 16 and of V with its bytes reversed are kept modulo 2^32. These three words contain
 * exactly the information of four sums below 2^24, which are solved for one after the other. The code
 * generator checks that no sum reaches 2^24.
 *
 * 16-bit inputs have larger sums. For them V, V >> 8, V >> 16 and V >> 24 are summed (11 instructions per 4
 * MAC), and the sum of a digit is a shifted sum minus 2^8 times the next one, modulo 2^32.
 *
 * Inputs are unsigned, too, so that LDRH can load them: 128 (16x8: 32768) is added to them, and the biases
 * compensate for it. The 128 in the weights adds 128 times the sum of the inputs, which is the `offset` that
 * is subtracted from every sum. Eight channels at a time share the load of an input; some of their sums are
 * in high registers, which ADD can access.
 *
 * Order of the weights: [n_outputs / 8][n_inputs][4 + 4 channels]; the digits of the padding are 0. Other
 * cores do the same in C: decoder_kernel_armv6m_portable.h.
 */
#ifndef DECODER_KERNEL_ARMV6M_H
#define DECODER_KERNEL_ARMV6M_H

#include "decoder/decoder_kernel_armv6m_inputs.h"
#if defined(__thumb__) && !defined(__thumb2__)
#include "decoder/decoder_kernel_armv6m_int16.h"
#include "decoder/decoder_kernel_armv6m_int8.h"
#else
#include "decoder/decoder_kernel_armv6m_portable.h"
#endif

/* Computes the outputs of a layer from its prepared inputs. */
static inline void convolve(const decoder_layer_t *layer, const int16_t *input, uint32_t offset, int is_int8,
                            int16_t *output) {
    (is_int8 ? convolve_int8 : convolve_int16)(layer, (const uint16_t *)input, offset, output);
}

#endif
