/* Int8 layers; internal to decoder_kernel_armv6m.h. */
#ifndef DECODER_KERNEL_ARMV6M_INT8_H
#define DECODER_KERNEL_ARMV6M_INT8_H

#include "decoder/decoder_kernel_armv6m_loop.h"

/* clang-format off */

/* Registers: r0 weights, r1 inputs, r12 their end, r2 input, r3 and r4 the words of eight weights, r5 product;
 * sums: V in r6 and r7, V >> 16 in r8 and r10, V reversed in r9 and r11. */
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
#define DIGITS_8_INT8_BYTES (8 * 18 * 2)

/* Solves for four sums, given those of V (r6), V >> 16 (r1) and V reversed (r3). The lowest byte of C is that
 * of the second sum, which gives the lower half of D; that gives C, and C gives D. A and B follow likewise. */
#define DIGITS_SOLVE_INT8                               \
    "lsls r4, r1, #16\n" /* r1: C + 2^8 D */            \
    "subs r6, r6, r4\n" /* A + 2^8 B */                 \
    "lsls r4, r1, #8\n"                                 \
    "subs r4, r3, r4\n" /* r3: D + 2^8 C + 2^16 B + 2^24 A */ \
    "uxth r4, r4\n"                                     \
    "lsls r4, r4, #8\n"                                 \
    "subs r4, r1, r4\n"                                 \
    "lsls r4, r4, #8\n"                                 \
    "lsrs r4, r4, #8\n" /* C */                         \
    "subs r5, r1, r4\n"                                 \
    "lsrs r5, r5, #8\n" /* D */                         \
    "subs r3, r3, r5\n"                                 \
    "lsls r1, r4, #8\n"                                 \
    "subs r3, r3, r1\n"                                 \
    "lsrs r3, r3, #16\n" /* the lower half of B + 2^8 A */ \
    "lsls r1, r6, #8\n"                                 \
    "subs r3, r3, r1\n"                                 \
    "uxth r3, r3\n"                                     \
    "lsls r3, r3, #8\n"                                 \
    "subs r3, r6, r3\n"                                 \
    "lsls r3, r3, #8\n"                                 \
    "lsrs r3, r3, #8\n" /* A */                         \
    "subs r6, r6, r3\n"                                 \
    "lsrs r6, r6, #8\n" /* B */                         \
    "ldr r1, [sp, #12]\n"                               \
    "subs r3, r3, r1\n"                                 \
    "subs r6, r6, r1\n"                                 \
    "subs r4, r4, r1\n"                                 \
    "subs r5, r5, r1\n"                                 \
    "mov r8, r6\n"                                      \
    "mov r9, r4\n"                                      \
    "mov lr, r5\n"

/* Requantizes the sum in r3: multiply_high, twice_rounded and saturate of decoder_fixed.h. Registers: r0
 * channels, r2 output, r12 offset of the output. */
#define DIGITS_SCALE_INT8(BIAS, LOW, HIGH, SHIFT, OUTPUT) \
    "ldr r4, [r0, #" BIAS "]\n"                           \
    "adds r3, r3, r4\n"                                   \
    "ldrh r4, [r0, #" LOW "]\n"                           \
    "ldrh r5, [r0, #" HIGH "]\n"                          \
    "asrs r6, r3, #15\n"                                  \
    "lsls r3, r3, #17\n"                                  \
    "lsrs r3, r3, #17\n"                                  \
    "movs r1, r3\n"                                       \
    "muls r1, r4, r1\n"                                   \
    "lsrs r1, r1, #15\n"                                  \
    "muls r4, r6, r4\n"                                   \
    "adds r1, r1, r4\n"                                   \
    "asrs r1, r1, #1\n"                                   \
    "muls r3, r5, r3\n"                                   \
    "adds r1, r1, r3\n"                                   \
    "muls r6, r5, r6\n"                                   \
    "asrs r1, r1, #15\n"                                  \
    "adcs r1, r6\n" /* the last rounding uses the carry of the last shift */ \
    "ldr r4, [r0, #" SHIFT "]\n"                          \
    "asrs r3, r1, #31\n"                                  \
    "adds r1, r1, r3\n"                                   \
    "asrs r1, r4\n"                                       \
    "add r1, r12\n"                                       \
    "asrs r1, r1, #1\n"                                   \
    "sxtb r3, r1\n"                                       \
    "cmp r3, r1\n"                                        \
    "beq 2f\n"                                            \
    "movs r3, #127\n"                                     \
    "asrs r1, r1, #31\n"                                  \
    "eors r3, r1\n"                                       \
    "2:\n"                                                \
    "strh r3, [r2, #" OUTPUT "]\n"
#define DIGITS_4_INT8                                     \
    DIGITS_SOLVE_INT8                                     \
    DIGITS_SCALE_INT8("0", "16", "18", "20", "0")         \
    "mov r3, r8\n"                                        \
    DIGITS_SCALE_INT8("4", "24", "26", "28", "2")         \
    "mov r3, r9\n"                                        \
    DIGITS_SCALE_INT8("8", "32", "34", "36", "4")         \
    "mov r3, lr\n"                                        \
    DIGITS_SCALE_INT8("12", "40", "42", "44", "6")        \
    DIGITS_NEXT_4

DECODER_HOT __attribute__((naked, noipa)) static void digits_int8(const uint32_t *weights,
                                                                  const digits_t *layer) {
    (void)weights, (void)layer;
    __asm__ volatile(
        DIGITS_ENTER
        "0:\n" /* eight channels */
        DIGITS_CLEAR_SUMS
        "ldr r1, [sp]\n"
        "ldr r2, [sp, #4]\n"
        "mov r12, r2\n"
        "ldr r2, [sp, #8]\n"
        "bx r2\n"
        ".balign 4\n"
        "1:\n"
        DIGITS_16_INPUTS(DIGITS_INPUT_INT8)
        "adds r1, #32\n"
        "cmp r1, r12\n"
        "beq 2f\n"
        "b 1b\n"
        "2:\n"
        DIGITS_FINISH
        "ldr r1, [sp, #16]\n"
        "mov r12, r1\n"
        "mov r1, r8\n"
        "mov r3, r9\n"
        DIGITS_4_INT8
        "mov r6, r7\n"
        "mov r1, r10\n"
        "mov r3, r11\n"
        DIGITS_4_INT8
        DIGITS_REPEAT);
}

/* clang-format on */

static inline void convolve_int8(const decoder_layer_t *layer, const uint16_t *input, uint32_t offset,
                                 int16_t *output) {
    const digits_t digits = digits_arguments(layer, input, offset, DIGITS_8_INT8_BYTES, output);
    digits_int8(layer->weights, &digits);
}

#endif
