/* Layers with 16-bit inputs; internal to decoder_kernel_dsp.h. */
#ifndef DECODER_KERNEL_DSP_INT16_H
#define DECODER_KERNEL_DSP_INT16_H

#include "decoder/decoder_kernel_dsp_loop.h"

/* Arguments of the loop over a layer, in the order in which the assembly expects them on the stack. */
typedef struct {
    const int16_t *input;
    const int16_t *unrolled_end;
    const int16_t *end;
    int32_t offset;
    int32_t lowest;
    const decoder_channels_t *channels;
    int16_t *output;
    const int16_t *output_end;
} lanes_int16_t;

/* clang-format off */

/* Registers: r0 weights, r1 inputs; sums r2 (A), r3 (B), r12 (C), lr (D); pairs of inputs r4 and r5; weights
 * r8 to r11. */
#define LANES_INT16(W, SUM, LOW, X)           \
    "sxtb16 r6, " W "\n"                      \
    "sxtb16 " W ", " W ", ror #8\n"           \
    "smlad " LOW ", r6, " X ", " LOW "\n"     \
    "smlad " SUM ", " W ", " X ", " SUM "\n"
#define LANES_INT16_4                         \
    "ldmia r1!, {r4, r5}\n"                   \
    "ldmia r0!, {r8, r9, r10, r11}\n"         \
    LANES_INT16("r8", "r3", "r2", "r4")       \
    LANES_INT16("r9", "lr", "r12", "r4")      \
    LANES_INT16("r10", "r3", "r2", "r5")      \
    LANES_INT16("r11", "lr", "r12", "r5")
#define LANES_INT16_8 LANES_PREFETCH LANES_INT16_4 LANES_INT16_4

#define LANES_INT16_SCALE(SUM, MULTIPLIER, SHIFT) \
    "smulwb " SUM ", " SUM ", " MULTIPLIER "\n"   \
    "asr " SUM ", " SUM ", " SHIFT "\n"           \
    "add " SUM ", " SUM ", r1\n"                  \
    "ssat " SUM ", #16, " SUM ", asr #1\n"        \
    "ldr " SHIFT ", [sp, #16]\n"                  \
    "cmp " SUM ", " SHIFT "\n"                    \
    "it lt\n"                                     \
    "movlt " SUM ", " SHIFT "\n"

DECODER_HOT __attribute__((naked, noipa)) static void lanes_int16(const uint32_t *weights,
                                                                  const lanes_int16_t *layer) {
    (void)weights, (void)layer;
    __asm__ volatile(
        "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
        "ldmia r1, {r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "push {r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "1:\n" /* four channels */
        "ldr r1, [sp, #20]\n"
        "ldmia r1!, {r2, r3, r12, lr}\n"
        "str r1, [sp, #20]\n"
        "ldrd r1, r4, [sp]\n"
        "cmp r1, r4\n"
        "beq 3f\n"
        "2:\n" /* 64 inputs */
        LANES_INT16_8 LANES_INT16_8 LANES_INT16_8 LANES_INT16_8 LANES_INT16_8 LANES_INT16_8 LANES_INT16_8 LANES_INT16_8
        "ldr r4, [sp, #4]\n"
        "cmp r1, r4\n"
        "bne 2b\n"
        "3:\n" /* the remaining inputs, 8 at a time */
        "ldr r4, [sp, #8]\n"
        "cmp r1, r4\n"
        "beq 4f\n"
        LANES_INT16_8
        "b 3b\n"
        "4:\n"
        "ldr r1, [sp, #20]\n"
        "ldmia r1!, {r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "str r1, [sp, #20]\n"
        "ldr r1, [sp, #12]\n"
        LANES_INT16_SCALE("r2", "r4", "r5") LANES_INT16_SCALE("r3", "r6", "r7")
        LANES_INT16_SCALE("r12", "r8", "r9") LANES_INT16_SCALE("lr", "r10", "r11")
        "pkhbt r2, r2, r3, lsl #16\n"
        "pkhbt r3, r12, lr, lsl #16\n"
        "ldrd r1, r4, [sp, #24]\n"
        "stmia r1!, {r2, r3}\n"
        "str r1, [sp, #24]\n"
        "cmp r1, r4\n"
        "bne 1b\n"
        "add sp, #32\n"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n");
}

/* clang-format on */

static inline void convolve_int16(const decoder_layer_t *layer, const int16_t *input, int16_t *output) {
    const lanes_int16_t lanes = {
        .input = input,
        .unrolled_end = input + (layer->n_inputs & ~63u),
        .end = input + layer->n_inputs,
        .offset = layer->offset,
        .lowest = layer->is_rectified ? 0 : INT16_MIN,
        .channels = layer->channels,
        .output = output,
        .output_end = output + layer->n_outputs,
    };
    lanes_int16(layer->weights, &lanes);
}

#endif
