/* Convolution kernel of the aot engine for cores with the DSP extension: 3 instructions per 4 MAC, 1 byte per
 * weight; internal to decoder_aot.c.
 *
 * It computes four channels A B C D at a time. A word holds the weights of two channels for two inputs, each
 * pair of channels in a 16-bit lane, and SMLAD multiplies both lanes with a pair of inputs. For int8 a lane
 * is 256 * B + A, so one SMLAD accumulates 256 * SB + SA. SXTB16 extracts A from each lane, and a second
 * SMLAD accumulates SA. Then SB = (first - second) / 256, which is exact modulo 2^32 while |SB| < 2^23; the
 * code generator checks this. 16-bit inputs would exceed that bound. For them the two bytes of a lane are A
 * and B, and SXTB16 extracts one, then the other: 4 instructions per 4 MAC.
 *
 * Two LDM load eight registers of weights for every eight inputs, 32 MAC. For int8 the biases are stored as
 * the initial values of these sums: A, 256 * B + A, C, 256 * D + C.
 *
 * If the weights are in slow memory behind a data cache (the board defines DECODER_PREFETCH), a PLD per 32
 * weights requests the cache line that is needed two times 27 instructions later: Cortex-M7, lines of 32
 * bytes.
 *
 * Order of the weights: [n_outputs / 4][n_inputs / 2][AB, CD]; the inputs are the quantized values.
 */
#ifndef DECODER_KERNEL_DSP_H
#define DECODER_KERNEL_DSP_H

#include "decoder/decoder_aot.h"
#include "decoder/decoder_fixed.h"

/* Prepares n gathered inputs for `convolve` and returns its `offset`; this kernel needs neither. */
static inline uint32_t prepare(int16_t *input, uint32_t n, int is_int8) {
    (void)input, (void)n, (void)is_int8;
    return 0;
}

#ifdef __ARM_FEATURE_DSP

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
} lanes_t;

/* clang-format off */

#ifdef DECODER_PREFETCH
#define LANES_PREFETCH "pld [r0, #64]\n"
#else
#define LANES_PREFETCH
#endif

/* Registers: r0 weights, r1 inputs; sums r2 (A), r3 (AB), r12 (C), lr (CD); pairs of inputs r4 to r7; weights
 * r8 to r11. */
#define LANES_INT8(W, SUM, LOW, X)            \
    "smlad " SUM ", " W ", " X ", " SUM "\n"  \
    "sxtb16 " W ", " W "\n"                   \
    "smlad " LOW ", " W ", " X ", " LOW "\n"
#define LANES_INT8_4(X0, X1)                  \
    "ldmia r0!, {r8, r9, r10, r11}\n"         \
    LANES_INT8("r8", "r3", "r2", X0)          \
    LANES_INT8("r9", "lr", "r12", X0)         \
    LANES_INT8("r10", "r3", "r2", X1)         \
    LANES_INT8("r11", "lr", "r12", X1)
#define LANES_INT8_8                          \
    LANES_PREFETCH                            \
    "ldmia r1!, {r4, r5, r6, r7}\n"           \
    LANES_INT8_4("r4", "r5")                  \
    LANES_INT8_4("r6", "r7")

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

/* SMMULR needs twice the sums. */
#define LANES_INT8_SUMS                       \
    "sub r3, r3, r2\n"                        \
    "sub lr, lr, r12\n"                       \
    "asr r3, r3, #7\n"                        \
    "asr lr, lr, #7\n"                        \
    "lsl r2, r2, #1\n"                        \
    "lsl r12, r12, #1\n"
#define LANES_INT8_SCALE(SUM, MULTIPLIER, SHIFT) \
    "smmulr " SUM ", " SUM ", " MULTIPLIER "\n"  \
    "add " SUM ", " SUM ", " SUM ", asr #31\n"   \
    "asr " SUM ", " SUM ", " SHIFT "\n"          \
    "add " SUM ", " SUM ", r1\n"                 \
    "ssat " SUM ", #8, " SUM ", asr #1\n"

#define LANES_INT16_SUMS
#define LANES_INT16_SCALE(SUM, MULTIPLIER, SHIFT) \
    "smulwb " SUM ", " SUM ", " MULTIPLIER "\n"   \
    "asr " SUM ", " SUM ", " SHIFT "\n"           \
    "add " SUM ", " SUM ", r1\n"                  \
    "ssat " SUM ", #16, " SUM ", asr #1\n"        \
    "ldr " SHIFT ", [sp, #16]\n"                  \
    "cmp " SUM ", " SHIFT "\n"                    \
    "it lt\n"                                     \
    "movlt " SUM ", " SHIFT "\n"

/* Computes a layer: for each four channels the sums over the inputs, then their requantization. */
#define LANES_LAYER(INPUTS_8, SUMS, SCALE)                                        \
    "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"                               \
    "ldmia r1, {r4, r5, r6, r7, r8, r9, r10, r11}\n"                              \
    "push {r4, r5, r6, r7, r8, r9, r10, r11}\n"                                   \
    "1:\n" /* four channels */                                                    \
    "ldr r1, [sp, #20]\n"                                                         \
    "ldmia r1!, {r2, r3, r12, lr}\n"                                              \
    "str r1, [sp, #20]\n"                                                         \
    "ldrd r1, r4, [sp]\n"                                                         \
    "cmp r1, r4\n"                                                                \
    "beq 3f\n"                                                                    \
    "2:\n" /* 64 inputs */                                                        \
    INPUTS_8 INPUTS_8 INPUTS_8 INPUTS_8 INPUTS_8 INPUTS_8 INPUTS_8 INPUTS_8       \
    "ldr r4, [sp, #4]\n"                                                          \
    "cmp r1, r4\n"                                                                \
    "bne 2b\n"                                                                    \
    "3:\n" /* the remaining inputs, 8 at a time */                                            \
    "ldr r4, [sp, #8]\n"                                                          \
    "cmp r1, r4\n"                                                                \
    "beq 4f\n"                                                                    \
    INPUTS_8                                                                      \
    "b 3b\n"                                                                      \
    "4:\n"                                                                        \
    SUMS                                                                          \
    "ldr r1, [sp, #20]\n"                                                         \
    "ldmia r1!, {r4, r5, r6, r7, r8, r9, r10, r11}\n"                             \
    "str r1, [sp, #20]\n"                                                         \
    "ldr r1, [sp, #12]\n"                                                         \
    SCALE("r2", "r4", "r5") SCALE("r3", "r6", "r7")                               \
    SCALE("r12", "r8", "r9") SCALE("lr", "r10", "r11")                            \
    "pkhbt r2, r2, r3, lsl #16\n"                                                 \
    "pkhbt r3, r12, lr, lsl #16\n"                                                \
    "ldrd r1, r4, [sp, #24]\n"                                                    \
    "stmia r1!, {r2, r3}\n"                                                       \
    "str r1, [sp, #24]\n"                                                         \
    "cmp r1, r4\n"                                                                \
    "bne 1b\n"                                                                    \
    "add sp, #32\n"                                                               \
    "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"

/* clang-format on */

DECODER_HOT __attribute__((naked, noipa)) static void lanes_int8(const uint32_t *weights,
                                                                 const lanes_t *layer) {
    (void)weights, (void)layer;
    __asm__ volatile(LANES_LAYER(LANES_INT8_8, LANES_INT8_SUMS, LANES_INT8_SCALE));
}

DECODER_HOT __attribute__((naked, noipa)) static void lanes_int16(const uint32_t *weights,
                                                                  const lanes_t *layer) {
    (void)weights, (void)layer;
    __asm__ volatile(LANES_LAYER(LANES_INT16_8, LANES_INT16_SUMS, LANES_INT16_SCALE));
}

/* Computes the outputs of a layer from its prepared inputs. */
static inline void convolve(const decoder_layer_t *layer, const int16_t *input, uint32_t offset, int is_int8,
                            int16_t *output) {
    (void)offset;
    const lanes_t lanes = {
        .input = input,
        .unrolled_end = input + (layer->n_inputs & ~63u),
        .end = input + layer->n_inputs,
        .offset = layer->offset,
        .lowest = layer->lowest,
        .channels = layer->channels,
        .output = output,
        .output_end = output + layer->n_outputs,
    };
    (is_int8 ? lanes_int8 : lanes_int16)(layer->weights, &lanes);
}

#else /* without the DSP extension: the same in C */

/* Returns the sum of the products of two 16-bit lanes with a pair of inputs. */
static inline uint32_t lanes_multiply(uint32_t lanes, const int16_t *input) {
    return (uint32_t)((int16_t)(lanes & 0xffffu) * input[0] + (int16_t)(lanes >> 16) * input[1]);
}

static inline uint32_t lanes_low_bytes(uint32_t word) {
    return (uint16_t)(int8_t)(word & 0xffu) | (uint32_t)(uint16_t)(int8_t)(word >> 16 & 0xffu) << 16;
}

static inline void convolve(const decoder_layer_t *layer, const int16_t *input, uint32_t offset, int is_int8,
                            int16_t *output) {
    const uint32_t *weights = layer->weights;
    (void)offset;
    for (uint32_t first = 0; first < layer->n_outputs; first += 4) {
        const decoder_channels_t *channels = &layer->channels[first / 4];
        uint32_t sums[4];
        for (int channel = 0; channel < 4; ++channel) {
            sums[channel] = (uint32_t)channels->bias[channel];
        }
        for (uint32_t i = 0; i < layer->n_inputs; i += 2) {
            for (int pair = 0; pair < 4; pair += 2) {
                sums[pair] += lanes_multiply(lanes_low_bytes(*weights), input + i);
                sums[pair + 1] +=
                    lanes_multiply(is_int8 ? *weights : lanes_low_bytes(*weights >> 8), input + i);
                ++weights;
            }
        }
        for (int channel = 0; channel < 4; ++channel) {
            const int32_t multiplier = channels->scale[channel].multiplier,
                          shift = channels->scale[channel].shift;
            int32_t sum = (int32_t)sums[channel];
            if (is_int8 && channel % 2) {
                sum = (int32_t)(sums[channel] - sums[channel - 1]) >> 8;
            }
            int32_t y = is_int8 ? twice_rounded(multiply_high(sum, multiplier), shift)
                                : multiply_16(sum, multiplier) >> shift;
            y = saturate((y + layer->offset) >> 1, is_int8);
            *output++ = (int16_t)(y < layer->lowest ? layer->lowest : y);
        }
    }
}

#endif

#endif
