/* Int8 layers of one voice; internal to decoder_kernel_dsp.h, which explains the three sums. */
#ifndef DECODER_KERNEL_DSP_INT8_H
#define DECODER_KERNEL_DSP_INT8_H

#include <stddef.h>

#include "decoder/decoder_kernel_dsp_loop.h"

_Static_assert(offsetof(lanes_t, output_end) == 28 && offsetof(lanes_t, is_rectified) == 40,
               "in the assembly");
_Static_assert(sizeof(lanes_t) == 48, "two copies of six words");

/* clang-format off */

/* Registers: r0 weights, r1 inputs; sums r2 (AB), r3 (CD), r4 (BC); pairs of inputs r5 to r7 and lr; weights r8
 * to r11; mask r12. Products alternate with other instructions, because a Cortex-M7 issues two at a time, but
 * only one product. */
#define LANES_INT8_4(X0, X1)                   \
    "ldmia.w r0!, {r8, r9, r10, r11}\n"        \
    "smlad r3, r9, " X0 ", r3\n"               \
    "and.w r9, r12, r9, lsl #8\n"              \
    "smlad r2, r8, " X0 ", r2\n"               \
    "sxtab16 r9, r9, r8, ror #8\n"             \
    "smlad r3, r11, " X1 ", r3\n"              \
    "and.w r11, r12, r11, lsl #8\n"            \
    "smlad r2, r10, " X1 ", r2\n"              \
    "sxtab16 r11, r11, r10, ror #8\n"          \
    "smlad r4, r9, " X0 ", r4\n"               \
    "smlad r4, r11, " X1 ", r4\n"
#define LANES_INT8_8                           \
    LANES_PREFETCH                             \
    "ldmia.w r1!, {r5, r6, r7, lr}\n"          \
    LANES_INT8_4("r5", "r6")                   \
    LANES_INT8_4("r7", "lr")
#define LANES_INT8_8_BYTES (4 * 23 + LANES_PREFETCH_BYTES)

#define LANES_INT8_SCALE(SUM, MULTIPLIER, SHIFT, AWAY) \
    "smmulr " SUM ", " SUM ", " MULTIPLIER "\n"        \
    AWAY                                               \
    "asr " SUM ", " SUM ", " SHIFT "\n"                \
    "add " SUM ", " SUM ", r1\n"                       \
    "ssat " SUM ", #8, " SUM ", asr #1\n"

DECODER_HOT __attribute__((naked, noipa)) static void lanes_int8(const uint32_t *weights,
                                                                 const lanes_t *layer) {
    (void)weights, (void)layer;
    __asm__ volatile(
        LANES_ENTER
        "1:\n" /* four channels */
        "mov r12, #0xff00ff00\n"
        "ldr r1, [sp, #24]\n"
        "ldmia r1!, {r2, r3, r4, r5}\n"
        "str r1, [sp, #24]\n"
        "ldr r5, [sp, #16]\n"
        "sub r2, r5\n"
        "ldr r1, [sp]\n"
        "ldr pc, [sp, #8]\n"
        ".balign 4\n"
        "2:\n" /* 64 inputs */
        LANES_INT8_8 LANES_INT8_8 LANES_INT8_8 LANES_INT8_8 LANES_INT8_8 LANES_INT8_8 LANES_INT8_8 LANES_INT8_8
        "ldr r5, [sp, #4]\n"
        "cmp r1, r5\n"
        "bne 2b\n"
        LANES_INT8_SOLVE("r2", "r3", "r4", "r5", "r6")
        "ldr r1, [sp, #24]\n"
        "ldmia r1!, {r2, r7, r8, r9, r10, r11, r12, lr}\n"
        "str r1, [sp, #24]\n"
        "ldr r1, [sp, #12]\n"
        "ldr pc, [sp, #40]\n"
        "4:\n" /* ReLU */
        LANES_INT8_SCALE("r5", "r2", "r7", "") LANES_INT8_SCALE("r6", "r8", "r9", "")
        LANES_INT8_SCALE("r4", "r10", "r11", "") LANES_INT8_SCALE("r3", "r12", "lr", "")
        "3:\n"
        "ldrd r2, r1, [sp, #28]\n"
        "pkhbt r5, r5, r6, lsl #16\n"
        "pkhbt r6, r4, r3, lsl #16\n"
        "stmia r1!, {r5, r6}\n"
        "str r1, [sp, #32]\n"
        "cmp r1, r2\n"
        "bne 1b\n"
        LANES_LEAVE
        "5:\n" /* no ReLU */
        LANES_INT8_SCALE("r5", "r2", "r7", LANES_INT8_AWAY("r5"))
        LANES_INT8_SCALE("r6", "r8", "r9", LANES_INT8_AWAY("r6"))
        LANES_INT8_SCALE("r4", "r10", "r11", LANES_INT8_AWAY("r4"))
        LANES_INT8_SCALE("r3", "r12", "lr", LANES_INT8_AWAY("r3"))
        "b 3b\n");
}

/* clang-format on */

static inline void convolve_int8(const decoder_layer_t *layer, const int16_t *input, uint32_t offset,
                                 int16_t *output) {
    const lanes_t lanes = {
        .input = input,
        .end = input + layer->n_inputs,
        .skip = (64u - layer->n_inputs) % 64 / 8 * LANES_INT8_8_BYTES,
        .offset = layer->offset,
        .input_offsets = {(int32_t)offset},
        .channels = layer->channels,
        .output_end = output + layer->n_outputs,
        .outputs = {output},
        .is_rectified = layer->is_rectified,
    };
    lanes_int8(layer->weights, &lanes);
}

#endif
