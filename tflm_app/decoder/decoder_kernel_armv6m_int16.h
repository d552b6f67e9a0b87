/* Layers with 16-bit inputs; internal to decoder_kernel_armv6m.h. */
#ifndef DECODER_KERNEL_ARMV6M_INT16_H
#define DECODER_KERNEL_ARMV6M_INT16_H

#include "decoder/decoder_kernel_armv6m_loop.h"

/* clang-format off */

/* Registers: r0 weights, r1 inputs, r2 input, r3 and r4 the words of eight weights, r5 product; sums for shifts
 * by 0, 8, 16 and 24: of r3 in r8 to r11, of r4 in r6, r7, r12 and lr. */
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
#define DIGITS_8_INT16_BYTES (8 * 24 * 2)

/* Subtracts the part of the next digit from the sum. */
#define DIGITS_LESS(NEXT)                                 \
    "mov r4, " NEXT "\n"                                  \
    "lsls r4, r4, #8\n"                                   \
    "subs r3, r3, r4\n"

/* Requantizes the sum in the register SUM: multiply_16 and saturate of decoder_fixed.h. Registers: r0 channels,
 * r1 offset of the output, r2 output. */
#define DIGITS_SCALE_INT16(SUM, LESS, BIAS, MULTIPLIER, SHIFT, OUTPUT) \
    "mov r3, " SUM "\n"                                   \
    LESS                                                  \
    "ldr r4, [sp, #12]\n"                                 \
    "subs r3, r3, r4\n"                                   \
    "ldr r4, [r0, #" BIAS "]\n"                           \
    "adds r3, r3, r4\n"                                   \
    "ldrh r5, [r0, #" MULTIPLIER "]\n"                    \
    "asrs r4, r3, #16\n"                                  \
    "muls r4, r5, r4\n"                                   \
    "uxth r3, r3\n"                                       \
    "muls r3, r5, r3\n"                                   \
    "lsrs r3, r3, #16\n"                                  \
    "adds r3, r3, r4\n"                                   \
    "ldr r4, [r0, #" SHIFT "]\n"                          \
    "asrs r3, r4\n"                                       \
    "adds r3, r3, r1\n"                                   \
    "asrs r3, r3, #1\n"                                   \
    "ldr r4, [sp, #32]\n"                                 \
    "cmp r3, r4\n"                                        \
    "blt 2f\n"                                            \
    "ldr r4, [sp, #36]\n"                                 \
    "cmp r3, r4\n"                                        \
    "bgt 2f\n"                                            \
    "movs r4, r3\n"                                       \
    "2:\n"                                                \
    "strh r4, [r2, #" OUTPUT "]\n"
#define DIGITS_4_INT16(SUM0, SUM1, SUM2, SUM3)                               \
    DIGITS_SCALE_INT16(SUM0, DIGITS_LESS(SUM1), "0", "16", "20", "0")        \
    DIGITS_SCALE_INT16(SUM1, DIGITS_LESS(SUM2), "4", "24", "28", "2")        \
    DIGITS_SCALE_INT16(SUM2, DIGITS_LESS(SUM3), "8", "32", "36", "4")        \
    DIGITS_SCALE_INT16(SUM3, "", "12", "40", "44", "6")                      \
    DIGITS_NEXT_4

DECODER_HOT __attribute__((naked, noipa)) static void digits_int16(const uint32_t *weights,
                                                                   const digits_t *layer) {
    (void)weights, (void)layer;
    __asm__ volatile(
        DIGITS_ENTER
        "0:\n" /* eight channels */
        DIGITS_CLEAR_SUMS
        "mov r12, r6\n"
        "mov lr, r6\n"
        "ldr r1, [sp]\n"
        "ldr r2, [sp, #8]\n"
        "bx r2\n"
        ".balign 4\n"
        "1:\n"
        DIGITS_16_INPUTS(DIGITS_INPUT_INT16)
        "adds r1, #32\n"
        "ldr r5, [sp, #4]\n"
        "cmp r1, r5\n"
        "beq 2f\n"
        "b 1b\n"
        "2:\n"
        DIGITS_FINISH
        "ldr r1, [sp, #16]\n"
        DIGITS_4_INT16("r8", "r9", "r10", "r11")
        DIGITS_4_INT16("r6", "r7", "r12", "lr")
        DIGITS_REPEAT);
}

/* clang-format on */

static inline void convolve_int16(const decoder_layer_t *layer, const uint16_t *input, uint32_t offset,
                                  int16_t *output) {
    const digits_t digits = digits_arguments(layer, input, offset, DIGITS_8_INT16_BYTES, output);
    digits_int16(layer->weights, &digits);
}

#endif
