/* Int8 layers of two voices, which share the loads of the weights and the third word; internal to
 * decoder_kernel_dsp.h. */
#ifndef DECODER_KERNEL_DSP_PAIR_H
#define DECODER_KERNEL_DSP_PAIR_H

#include "decoder/decoder_kernel_dsp_inputs.h"
#include "decoder/decoder_kernel_dsp_loop.h"

/* clang-format off */

/* Registers: r0 weights, r1 inputs, r12 their end; sums r2 and r5 (AB), r3 and r6 (CD), r4 and r7 (BC);
 * weights r8 and r9; pairs of inputs r10 and r11; mask lr. */
#define LANES_PAIR_2                           \
    "ldmia.w r0!, {r8, r9}\n"                  \
    "ldmia.w r1!, {r10, r11}\n"                \
    "smlad r3, r9, r10, r3\n"                  \
    "smlad r6, r9, r11, r6\n"                  \
    "and.w r9, lr, r9, lsl #8\n"               \
    "smlad r2, r8, r10, r2\n"                  \
    "sxtab16 r9, r9, r8, ror #8\n"             \
    "smlad r5, r8, r11, r5\n"                  \
    "smlad r4, r9, r10, r4\n"                  \
    "smlad r7, r9, r11, r7\n"
#define LANES_PAIR_8 LANES_PREFETCH LANES_PAIR_2 LANES_PAIR_2 LANES_PAIR_2 LANES_PAIR_2
#define LANES_PAIR_8_BYTES (4 * 40 + LANES_PREFETCH_BYTES)

/* Scales one channel of a pair; r12 is the offset. */
#define LANES_PAIR_SCALE(FIRST, SECOND)        \
    "ldmia r1!, {r2, r5}\n"                    \
    "lsl lr, r12, r5\n"                        \
    "smmlar " FIRST ", " FIRST ", r2, lr\n"    \
    "smmlar " SECOND ", " SECOND ", r2, lr\n"  \
    "asr " FIRST ", " FIRST ", r5\n"           \
    "asr " SECOND ", " SECOND ", r5\n"         \
    "ssat " FIRST ", #8, " FIRST ", asr #1\n"  \
    "ssat " SECOND ", #8, " SECOND ", asr #1\n"
#define LANES_PAIR_SCALE_AWAY(FIRST, SECOND)   \
    "ldmia r1!, {r2, r5}\n"                    \
    "smmulr " FIRST ", " FIRST ", r2\n"        \
    "smmulr " SECOND ", " SECOND ", r2\n"      \
    LANES_INT8_AWAY(FIRST)                     \
    LANES_INT8_AWAY(SECOND)                    \
    "asr " FIRST ", " FIRST ", r5\n"           \
    "asr " SECOND ", " SECOND ", r5\n"         \
    "add " FIRST ", " FIRST ", r12\n"          \
    "add " SECOND ", " SECOND ", r12\n"        \
    "ssat " FIRST ", #8, " FIRST ", asr #1\n"  \
    "ssat " SECOND ", #8, " SECOND ", asr #1\n"
DECODER_HOT __attribute__((naked, noipa)) static void lanes_int8_pair(const uint32_t *weights,
                                                                      const lanes_t *layer) {
    (void)weights, (void)layer;
    __asm__ volatile(
        LANES_ENTER
        "1:\n" /* four channels */
        "mov lr, #0xff00ff00\n"
        "ldr r1, [sp, #24]\n"
        "ldmia r1!, {r2, r3, r4, r5}\n"
        "str r1, [sp, #24]\n"
        "ldrd r8, r9, [sp, #16]\n"
        "sub r5, r2, r9\n"
        "sub r2, r2, r8\n"
        "mov r6, r3\n"
        "mov r7, r4\n"
        "ldrd r1, r12, [sp]\n"
        "ldr pc, [sp, #8]\n"
        ".balign 4\n"
        "2:\n" /* 32 inputs */
        LANES_PAIR_8 LANES_PAIR_8 LANES_PAIR_8 LANES_PAIR_8
        "cmp r1, r12\n"
        "bne 2b\n"
        LANES_INT8_SOLVE("r2", "r3", "r4", "r8", "r9")
        LANES_INT8_SOLVE("r5", "r6", "r7", "r10", "r11")
        "ldr r1, [sp, #24]\n"
        "ldr r12, [sp, #12]\n"
        "ldr pc, [sp, #40]\n"
        "4:\n" /* ReLU */
        LANES_PAIR_SCALE("r8", "r10") LANES_PAIR_SCALE("r9", "r11")
        LANES_PAIR_SCALE("r4", "r7") LANES_PAIR_SCALE("r3", "r6")
        "3:\n"
        "str r1, [sp, #24]\n"
        "pkhbt r8, r8, r9, lsl #16\n"
        "pkhbt r9, r4, r3, lsl #16\n"
        "pkhbt r10, r10, r11, lsl #16\n"
        "pkhbt r11, r7, r6, lsl #16\n"
        "ldrd r1, r2, [sp, #32]\n"
        "ldr r5, [sp, #28]\n"
        "stmia r1!, {r8, r9}\n"
        "stmia r2!, {r10, r11}\n"
        "strd r1, r2, [sp, #32]\n"
        "cmp r1, r5\n"
        "bne 1b\n"
        LANES_LEAVE
        "5:\n" /* no ReLU */
        LANES_PAIR_SCALE_AWAY("r8", "r10") LANES_PAIR_SCALE_AWAY("r9", "r11")
        LANES_PAIR_SCALE_AWAY("r4", "r7") LANES_PAIR_SCALE_AWAY("r3", "r6")
        "b 3b\n");
}

/* clang-format on */

/* Computes the outputs of a layer for two voices, int8 only. */
static inline void convolve_pair(const decoder_layer_t *layer, const lanes_pair_t *pair) {
    const lanes_t lanes = {
        .input = pair->input,
        .end = pair->input + 2 * layer->n_inputs,
        .skip = (32u - layer->n_inputs) % 32 / 8 * LANES_PAIR_8_BYTES,
        .offset = layer->offset,
        .input_offsets = {pair->offsets[0], pair->offsets[1]},
        .channels = layer->channels,
        .output_end = pair->outputs[0] + layer->n_outputs,
        .outputs = {pair->outputs[0], pair->outputs[1]},
        .is_rectified = layer->is_rectified,
    };
    lanes_int8_pair(layer->weights, &lanes);
}

#endif
