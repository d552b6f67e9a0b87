/* What the loops of the DSP kernel share; internal to decoder_kernel_dsp.h. */
#ifndef DECODER_KERNEL_DSP_LOOP_H
#define DECODER_KERNEL_DSP_LOOP_H

#include "decoder/decoder_aot.h"

/* If the weights are in slow memory behind a data cache (the board defines DECODER_PREFETCH), a PLD per 32
 * weights requests the cache line that is needed two times 23 instructions later: Cortex-M7, lines of 32
 * bytes. */
#ifdef DECODER_PREFETCH
#define LANES_PREFETCH "pld [r0, #64]\n"
#define LANES_PREFETCH_BYTES 4
#else
#define LANES_PREFETCH
#define LANES_PREFETCH_BYTES 0
#endif

/* Arguments of the loops over an int8 layer, in the order in which the assembly expects them on the stack. */
typedef struct {
    const int16_t *input;
    const int16_t *end;
    uint32_t skip; /* bytes of the unrolled loop to skip at first, so that the rest is whole rounds */
    int32_t offset;
    int32_t input_offsets[2];
    const decoder_channels_t *channels;
    const int16_t *output_end; /* of outputs[0]; before it, so that one LDRD loads both */
    int16_t *outputs[2];
    uint32_t is_rectified;
    uint32_t unused; /* the assembly copies the arguments six words at a time */
} lanes_t;

/* clang-format off */

/* Copies the arguments to the stack, and replaces two of them by the addresses at which the unrolled loop
 * (label 2) and the scaling (4 after a ReLU, otherwise 5) are entered. */
#define LANES_ENTER                                    \
    "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"    \
    "sub sp, #48\n"                                    \
    "mov r12, sp\n"                                    \
    "ldmia r1!, {r2, r3, r4, r5, r6, r7}\n"            \
    "stmia r12!, {r2, r3, r4, r5, r6, r7}\n"           \
    "ldmia r1!, {r2, r3, r4, r5, r6, r7}\n"            \
    "stmia r12!, {r2, r3, r4, r5, r6, r7}\n"           \
    "adr.w r2, 2f\n"                                   \
    "ldr r3, [sp, #8]\n"                               \
    "add r2, r3\n"                                     \
    "orr r2, #1\n"                                     \
    "str r2, [sp, #8]\n"                               \
    "adr.w r2, 4f\n"                                   \
    "cbnz r6, 0f\n"                                    \
    "adr.w r2, 5f\n"                                   \
    "0:\n"                                             \
    "orr r2, #1\n"                                     \
    "str r2, [sp, #40]\n"
#define LANES_LEAVE                                    \
    "add sp, #48\n"                                    \
    "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"

/* Turns the sums AB, CD and BC into twice the sums of A, B, C and D, because SMMULR needs twice the sums: A in
 * the first temporary register and B in the second, C in the register of BC and D in that of CD. */
#define LANES_INT8_SOLVE(AB, CD, BC, T0, T1)        \
    "sub " T0 ", " AB ", " BC ", lsl #8\n"          \
    "add " T1 ", " CD ", " T0 ", lsr #16\n"         \
    "pkhbt " T0 ", " T0 ", " T1 ", lsl #16\n"       \
    "lsl " T0 ", " T0 ", #8\n"                      \
    "asr " T0 ", " T0 ", #7\n"                      \
    "sub " T1 ", " AB ", " T0 ", asr #1\n"          \
    "asr " T1 ", " T1 ", #7\n"                      \
    "sub " BC ", " BC ", " T1 ", asr #1\n"          \
    "asr " BC ", " BC ", #7\n"                      \
    "sub " CD ", " CD ", " BC ", asr #1\n"          \
    "asr " CD ", " CD ", #7\n"

/* A negative sum becomes the zero point after a ReLU, however it is rounded. */
#define LANES_INT8_AWAY(SUM) "add " SUM ", " SUM ", " SUM ", asr #31\n"

/* clang-format on */

#endif
