/* Convolution kernel of the aot engine for cores without SIMD, made for Cortex-M0+: 8 instructions per 4 MAC,
 * 1 byte per weight; internal to decoder_aot.c.
 *
 * Cortex-M0+ has no multiply-add, but a 32-bit multiplication takes one cycle, and multiplying single bytes
 * would waste most of it. Therefore a word V holds the weights of four channels for one input as unsigned
 * digits, A + 2^8 B + 2^16 C + 2^24 D with 128 added to each, and is multiplied as a whole. The sums of the
 * products of V, of V >> 16 and of V with its bytes reversed are kept modulo 2^32. These three words contain
 * exactly the information of four sums below 2^24, and `digits_solve` recovers them byte by byte. The code
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
 * Order of the weights: [n_outputs / 8][n_inputs][4 + 4 channels]; the digits of the padding are 0.
 */
#ifndef DECODER_KERNEL_ARMV6M_H
#define DECODER_KERNEL_ARMV6M_H

#include <string.h>

#include "decoder/decoder_aot.h"
#include "decoder/decoder_fixed.h"

/* Copies n inputs; this kernel needs no sum. */
static inline uint32_t copy_input(int16_t *to, const int16_t *from, uint32_t n, uint32_t sum, int is_int8) {
    (void)sum, (void)is_int8;
    copy(to, from, n);
    return 0;
}

/* Makes the inputs from `input` to `end` unsigned and returns the `offset` for `convolve`; their number is
 * even and at most 514. */
static inline uint32_t prepare(int16_t *input, const int16_t *end, uint32_t sum, int is_int8) {
    (void)sum;
    uint32_t both = 0, upper = 0;
    for (; input != end; input += 2) {
        uint32_t pair;
        memcpy(&pair, __builtin_assume_aligned(input, 4), sizeof pair);
        pair = is_int8 ? (pair ^ 0x00800080u) & 0x00ff00ffu : pair ^ 0x80008000u;
        memcpy(__builtin_assume_aligned(input, 4), &pair, sizeof pair);
        both += pair;
        upper += is_int8 ? 0 : pair >> 16;
    }
    upper = is_int8 ? both >> 16 : upper; /* the sum of 257 bytes does not carry */
    return 128 * (both - (upper << 16) + upper);
}

#if defined(__thumb__) && !defined(__thumb2__)

/* clang-format off */

/* Registers while eight channels are summed: r0 weights, r1 inputs, r2 input, r3 and r4 the words of eight
 * weights, r5 product; r12 or the stack holds the end of the inputs, and the stack the address for the
 * sums. */
#define DIGITS_ENTER                     \
    ".syntax unified\n"                  \
    "push {r4, r5, r6, r7, lr}\n"        \
    "mov r4, r8\n"                       \
    "mov r5, r9\n"                       \
    "mov r6, r10\n"                      \
    "mov r7, r11\n"                      \
    "push {r2, r3, r4, r5, r6, r7}\n"    \
    "movs r6, #0\n"                      \
    "movs r7, #0\n"                      \
    "mov r8, r6\n"                       \
    "mov r9, r6\n"                       \
    "mov r10, r6\n"                      \
    "mov r11, r6\n"
#define DIGITS_LEAVE                     \
    "pop {r4, r5, r6, r7}\n"             \
    "mov r8, r4\n"                       \
    "mov r9, r5\n"                       \
    "mov r10, r6\n"                      \
    "mov r11, r7\n"                      \
    "pop {r4, r5, r6, r7, pc}\n"
#define DIGITS_8_INPUTS(INPUT)           \
    INPUT("0") INPUT("2") INPUT("4") INPUT("6") INPUT("8") INPUT("10") INPUT("12") INPUT("14")

/* Sums: V in r6 and r7, V >> 16 in r8 and r10, V reversed in r9 and r11. */
#define DIGITS_INPUT_INT8(OFFSET)        \
    "ldrh r2, [r1, #" OFFSET "]\n"       \
    "ldmia r0!, {r3, r4}\n"              \
    "lsrs r5, r3, #16\n"                 \
    "muls r5, r2, r5\n"                  \
    "add r8, r5\n"                       \
    "rev r5, r3\n"                       \
    "muls r5, r2, r5\n"                  \
    "add r9, r5\n"                       \
    "muls r3, r2, r3\n"                  \
    "adds r6, r6, r3\n"                  \
    "lsrs r5, r4, #16\n"                 \
    "muls r5, r2, r5\n"                  \
    "add r10, r5\n"                      \
    "rev r5, r4\n"                       \
    "muls r5, r2, r5\n"                  \
    "add r11, r5\n"                      \
    "muls r4, r2, r4\n"                  \
    "adds r7, r7, r4\n"

/* Computes the sums {V, V >> 16, V reversed} of both words; returns the address of the weights that
 * follow. */
DECODER_HOT __attribute__((naked, noipa)) static const uint32_t *digits_sum_int8(
    const uint32_t *weights, const uint16_t *input, const uint16_t *end, uint32_t sums[6]) {
    (void)weights, (void)input, (void)end, (void)sums;
    __asm__ volatile(
        DIGITS_ENTER
        "mov r12, r2\n"
        "1:\n"
        DIGITS_8_INPUTS(DIGITS_INPUT_INT8)
        "adds r1, #16\n"
        "cmp r1, r12\n"
        "beq 2f\n" /* the target is too far for a conditional branch */
        "b 1b\n"
        "2:\n"
        "pop {r2, r3}\n"
        "mov r4, r8\n"
        "mov r5, r9\n"
        "stmia r3!, {r6}\n"
        "stmia r3!, {r4, r5}\n"
        "mov r4, r10\n"
        "mov r5, r11\n"
        "stmia r3!, {r7}\n"
        "stmia r3!, {r4, r5}\n"
        DIGITS_LEAVE);
}

/* Sums for shifts by 0, 8, 16 and 24: of r3 in r8 to r11, of r4 in r6, r7, r12 and lr. */
#define DIGITS_INPUT_INT16(OFFSET)       \
    "ldrh r2, [r1, #" OFFSET "]\n"       \
    "ldmia r0!, {r3, r4}\n"              \
    "lsrs r5, r3, #24\n"                 \
    "muls r5, r2, r5\n"                  \
    "add r11, r5\n"                      \
    "lsrs r5, r3, #16\n"                 \
    "muls r5, r2, r5\n"                  \
    "add r10, r5\n"                      \
    "lsrs r5, r3, #8\n"                  \
    "muls r5, r2, r5\n"                  \
    "add r9, r5\n"                       \
    "muls r3, r2, r3\n"                  \
    "add r8, r3\n"                       \
    "lsrs r5, r4, #24\n"                 \
    "muls r5, r2, r5\n"                  \
    "add lr, r5\n"                       \
    "lsrs r5, r4, #16\n"                 \
    "muls r5, r2, r5\n"                  \
    "add r12, r5\n"                      \
    "lsrs r5, r4, #8\n"                  \
    "muls r5, r2, r5\n"                  \
    "adds r7, r7, r5\n"                  \
    "muls r4, r2, r4\n"                  \
    "adds r6, r6, r4\n"

/* Computes the shifted sums of both words; returns the address of the weights that follow. */
DECODER_HOT __attribute__((naked, noipa)) static const uint32_t *digits_sum_int16(
    const uint32_t *weights, const uint16_t *input, const uint16_t *end, uint32_t sums[8]) {
    (void)weights, (void)input, (void)end, (void)sums;
    __asm__ volatile(
        DIGITS_ENTER
        "mov r12, r6\n"
        "mov lr, r6\n"
        "1:\n"
        DIGITS_8_INPUTS(DIGITS_INPUT_INT16)
        "adds r1, #16\n"
        "ldr r5, [sp]\n"
        "cmp r1, r5\n"
        "beq 2f\n"
        "b 1b\n"
        "2:\n"
        "pop {r1, r2}\n"
        "mov r1, r8\n"
        "mov r3, r9\n"
        "mov r4, r10\n"
        "mov r5, r11\n"
        "stmia r2!, {r1, r3, r4, r5, r6, r7}\n"
        "mov r3, r12\n"
        "mov r4, lr\n"
        "stmia r2!, {r3, r4}\n"
        DIGITS_LEAVE);
}

/* Registers: r0 channels, r1 sums, r2 output, r9 offset of the output. */
#define DIGITS_SCALE_INT8(BIAS, LOW, HIGH, SHIFT, OUTPUT) \
    "ldmia r1!, {r3}\n"                                   \
    "ldr r4, [r0, #" BIAS "]\n"                           \
    "adds r3, r3, r4\n"                                   \
    "ldrh r4, [r0, #" LOW "]\n"                           \
    "ldrh r5, [r0, #" HIGH "]\n"                          \
    "asrs r6, r3, #15\n" /* multiply_high */              \
    "lsls r3, r3, #17\n"                                  \
    "lsrs r3, r3, #17\n"                                  \
    "movs r7, r3\n"                                       \
    "muls r7, r4, r7\n"                                   \
    "lsrs r7, r7, #15\n"                                  \
    "muls r4, r6, r4\n"                                   \
    "adds r7, r7, r4\n"                                   \
    "asrs r7, r7, #1\n"                                   \
    "muls r3, r5, r3\n"                                   \
    "adds r7, r7, r3\n"                                   \
    "muls r6, r5, r6\n"                                   \
    "asrs r7, r7, #15\n"                                  \
    "adcs r7, r6\n"                                       \
    "ldr r4, [r0, #" SHIFT "]\n" /* twice_rounded */      \
    "asrs r3, r7, #31\n"                                  \
    "adds r7, r7, r3\n"                                   \
    "asrs r7, r4\n"                                       \
    "add r7, r9\n"                                        \
    "asrs r7, r7, #1\n"                                   \
    "sxtb r3, r7\n" /* saturate */                        \
    "cmp r3, r7\n"                                        \
    "beq 1f\n"                                            \
    "movs r3, #127\n"                                     \
    "asrs r7, r7, #31\n"                                  \
    "eors r3, r7\n"                                       \
    "1:\n"                                                \
    "strh r3, [r2, #" OUTPUT "]\n"

/* Requantizes four sums, like `digits_requantize` below. */
DECODER_HOT __attribute__((naked, noipa)) static void digits_requantize_int8(
    const decoder_channels_t *channels, const int32_t sums[4], int16_t output[4], int32_t offset) {
    (void)channels, (void)sums, (void)output, (void)offset;
    __asm__ volatile(
        ".syntax unified\n"
        "push {r4, r5, r6, r7, lr}\n"
        "mov r12, r9\n"
        "mov r9, r3\n"
        DIGITS_SCALE_INT8("0", "16", "18", "20", "0")
        DIGITS_SCALE_INT8("4", "24", "26", "28", "2")
        DIGITS_SCALE_INT8("8", "32", "34", "36", "4")
        DIGITS_SCALE_INT8("12", "40", "42", "44", "6")
        "mov r9, r12\n"
        "pop {r4, r5, r6, r7, pc}\n");
}

/* clang-format on */

#else /* other cores: the same in C */

static inline const uint32_t *digits_sum_int8(const uint32_t *weights, const uint16_t *input,
                                              const uint16_t *end, uint32_t sums[6]) {
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

#endif

/* Requantizes four sums. */
static inline void digits_requantize(const decoder_layer_t *layer, const decoder_channels_t *channels,
                                     const int32_t sums[4], int is_int8, int16_t output[4]) {
#if defined(__thumb__) && !defined(__thumb2__)
    if (is_int8) {
        digits_requantize_int8(channels, sums, output, layer->offset);
        return;
    }
#endif
    const int32_t offset = layer->offset;
    const int32_t lowest = is_int8 ? INT8_MIN : layer->is_rectified ? 0 : INT16_MIN;
    for (int channel = 0; channel < 4; ++channel) {
        const int32_t sum = (int32_t)((uint32_t)sums[channel] + (uint32_t)channels->bias[channel]);
        const int32_t multiplier = channels->scale[channel].multiplier,
                      shift = channels->scale[channel].shift;
        int32_t y = is_int8 ? twice_rounded(multiply_high(sum, multiplier), shift)
                            : multiply_16(sum, multiplier) >> shift;
        y = saturate((y + offset) >> 1, is_int8);
        output[channel] = (int16_t)(y < lowest ? lowest : y);
    }
}

/* Solves for four sums, each below 2^24, given those of V, V >> 16 and V reversed; subtracts `offset` from
 * each. */
static inline void digits_solve_int8(const uint32_t products[3], uint32_t offset, int32_t sums[4]) {
    const uint32_t cd = products[1], dcba = products[2]; /* C + 2^8 D; D + 2^8 C + 2^16 B + 2^24 A */
    const uint32_t ab = products[0] - (cd << 16);        /* A + 2^8 B */
    const uint32_t d0 = dcba & 0xffu; /* digit by digit: cd and d0 give the low bytes of C, and so on */
    const uint32_t c01 = (cd - (d0 << 8)) & 0xffffu;
    const uint32_t d01 = (dcba - (c01 << 8)) & 0xffffu;
    const uint32_t c = (cd - (d01 << 8)) & 0xffffffu;
    const uint32_t d = (cd - c) >> 8;
    const uint32_t ba = (dcba - d - (c << 8)) >> 16; /* the lower 16 bits of B + 2^8 A */
    const uint32_t b0 = ba & 0xffu;
    const uint32_t a01 = (ab - (b0 << 8)) & 0xffffu;
    const uint32_t b01 = (ba - (a01 << 8)) & 0xffffu;
    const uint32_t a = (ab - (b01 << 8)) & 0xffffffu;
    sums[0] = (int32_t)(a - offset);
    sums[1] = (int32_t)(((ab - a) >> 8) - offset);
    sums[2] = (int32_t)(c - offset);
    sums[3] = (int32_t)(d - offset);
}

/* Solves for four sums, modulo 2^32, given those of V shifted by 0, 8, 16 and 24; subtracts `offset` from
 * each. */
static inline void digits_solve_int16(const uint32_t products[4], uint32_t offset, int32_t sums[4]) {
    sums[0] = (int32_t)(products[0] - (products[1] << 8) - offset);
    sums[1] = (int32_t)(products[1] - (products[2] << 8) - offset);
    sums[2] = (int32_t)(products[2] - (products[3] << 8) - offset);
    sums[3] = (int32_t)(products[3] - offset);
}

/* Computes the outputs of a layer from its prepared inputs. */
static inline void convolve(const decoder_layer_t *layer, const int16_t *input, uint32_t offset, int is_int8,
                            int16_t *output) {
    const uint16_t *const values = (const uint16_t *)input, *const values_end = values + layer->n_inputs;
    const uint32_t *weights = layer->weights;
    const decoder_channels_t *channels = layer->channels;
    const int16_t *const end = output + layer->n_outputs;
    while (output != end) {
        uint32_t products[8];
        weights = (is_int8 ? digits_sum_int8 : digits_sum_int16)(weights, values, values_end, products);
        for (int word = 0; word < 2; ++word, ++channels, output += 4) {
            int32_t sums[4];
            if (is_int8) {
                digits_solve_int8(products + 3 * word, offset, sums);
            } else {
                digits_solve_int16(products + 4 * word, offset, sums);
            }
            digits_requantize(layer, channels, sums, is_int8, output);
        }
    }
}

#endif
