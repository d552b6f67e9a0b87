/* What the loops of the Armv6-M kernel share; internal to decoder_kernel_armv6m.h. */
#ifndef DECODER_KERNEL_ARMV6M_LOOP_H
#define DECODER_KERNEL_ARMV6M_LOOP_H

#include "decoder/decoder_aot.h"

/* Arguments of the loop over a layer, in the order in which the assembly expects them on the stack. */
typedef struct {
    const uint16_t *input; /* less the inputs that are skipped at first */
    const uint16_t *end;
    uint32_t skip; /* bytes of the unrolled loop to skip at first, so that the rest is whole rounds */
    uint32_t offset;
    int32_t output_offset;
    const decoder_channels_t *channels;
    int16_t *output;
    const int16_t *output_end;
    int32_t lowest;
    int32_t highest;
} digits_t;

/* `bytes` is the code for 8 of the 16 inputs of a round. */
static inline digits_t digits_arguments(const decoder_layer_t *layer, const uint16_t *input, uint32_t offset,
                                        uint32_t bytes, int16_t *output) {
    const uint32_t n_skipped = layer->n_inputs % 16;
    return (digits_t){
        .input = input - n_skipped,
        .end = input + layer->n_inputs,
        .skip = n_skipped / 8 * bytes,
        .offset = offset,
        .output_offset = layer->offset,
        .channels = layer->channels,
        .output = output,
        .output_end = output + layer->n_outputs,
        .lowest = layer->is_rectified ? 0 : INT16_MIN,
        .highest = INT16_MAX,
    };
}

/* clang-format off */

/* Sets the sums r6 to r11 to zero. */
#define DIGITS_CLEAR_SUMS \
    "movs r6, #0\n"       \
    "movs r7, #0\n"       \
    "mov r8, r6\n"        \
    "mov r9, r6\n"        \
    "mov r10, r6\n"       \
    "mov r11, r6\n"

/* Copies the arguments, at r1, to the stack, and replaces `skip` by the address at which the unrolled loop
 * (label 1) is entered. One more word on the stack is for the address of the weights. */
#define DIGITS_ENTER                     \
    ".syntax unified\n"                  \
    "push {r4, r5, r6, r7, lr}\n"        \
    "mov r4, r8\n"                       \
    "mov r5, r9\n"                       \
    "mov r6, r10\n"                      \
    "mov r7, r11\n"                      \
    "push {r4, r5, r6, r7}\n"            \
    "sub sp, #44\n"                      \
    "mov r2, sp\n"                       \
    "ldmia r1!, {r3, r4, r5, r6, r7}\n"  \
    "stmia r2!, {r3, r4, r5, r6, r7}\n"  \
    "ldmia r1!, {r3, r4, r5, r6, r7}\n"  \
    "stmia r2!, {r3, r4, r5, r6, r7}\n"  \
    "adr r2, 1f\n"                       \
    "ldr r3, [sp, #8]\n"                 \
    "adds r2, r2, r3\n"                  \
    "adds r2, #1\n"                      \
    "str r2, [sp, #8]\n"

/* After the sums of eight channels: stores the address of the weights, and loads those of channels and
 * outputs. */
#define DIGITS_FINISH                    \
    "str r0, [sp, #40]\n"                \
    "ldr r0, [sp, #20]\n"                \
    "ldr r2, [sp, #24]\n"
#define DIGITS_NEXT_4                    \
    "adds r0, #48\n"                     \
    "adds r2, #8\n"
#define DIGITS_REPEAT                    \
    "str r0, [sp, #20]\n"                \
    "str r2, [sp, #24]\n"                \
    "ldr r0, [sp, #40]\n"                \
    "ldr r3, [sp, #28]\n"                \
    "cmp r2, r3\n"                       \
    "beq 3f\n" /* the target is too far for a conditional branch */ \
    "b 0b\n"                             \
    "3:\n"                               \
    "add sp, #44\n"                      \
    "pop {r4, r5, r6, r7}\n"             \
    "mov r8, r4\n"                       \
    "mov r9, r5\n"                       \
    "mov r10, r6\n"                      \
    "mov r11, r7\n"                      \
    "pop {r4, r5, r6, r7, pc}\n"

#define DIGITS_16_INPUTS(INPUT)                                                                            \
    INPUT("0") INPUT("2") INPUT("4") INPUT("6") INPUT("8") INPUT("10") INPUT("12") INPUT("14")              \
    INPUT("16") INPUT("18") INPUT("20") INPUT("22") INPUT("24") INPUT("26") INPUT("28") INPUT("30")

/* clang-format on */

#endif
