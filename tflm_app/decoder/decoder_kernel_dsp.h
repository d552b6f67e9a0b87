/* Convolution kernel of the aot engine for cores with the DSP extension, 1 byte per weight; internal to
 * decoder_aot.c. For int8 it takes 5 instructions per 8 MAC, and 8 per 16 MAC if it computes two voices; for
 * 16x8 it takes 4 per 4 MAC; each also loads what it multiplies.
 *
 * It computes four channels A B C D at a time. A word holds the weights of two channels for two inputs, each
 * pair of channels in a 16-bit lane, and SMLAD multiplies both lanes with a pair of inputs.
 *
 * For int8 the lanes of the two words are 256 B + (A + 128) and 256 D + C. SMLAD of the first word sums
 * SA + 256 SB, besides 128 times the sum of the inputs; that of the second sums SC + 256 SD. A third word
 * with the lanes 256 C + B, which AND and SXTAB16 make of the other two, sums SB + 256 SC. Modulo 2^32 these
 * three sums determine all four, if each of them is below 2^23; the code generator checks this. First they
 * give SA - 2^16 SC, whose lower half is that of SA, and whose upper half differs by SC from that of SA. The
 * lowest byte of SC is known from the second sum, which gives the third byte of SA. Then SB, SC and SD follow
 * one from the other. The biases are stored as the initial values of the three sums.
 *
 * 16-bit inputs would exceed that bound. For them the two bytes of a lane are A and B, and SXTB16 extracts
 * one, then the other.
 *
 * A pair of voices shares the loads of the weights and the third word. Its inputs are interleaved: two of the
 * first voice, two of the second, and so on.
 *
 * If the weights are in slow memory behind a data cache (the board defines DECODER_PREFETCH), a PLD per 32
 * weights requests the cache line that is needed two times 23 instructions later: Cortex-M7, lines of 32
 * bytes.
 *
 * Order of the weights: [n_outputs / 4][n_inputs / 2][AB, CD]; the inputs are the quantized values.
 */
#ifndef DECODER_KERNEL_DSP_H
#define DECODER_KERNEL_DSP_H

#ifdef __ARM_FEATURE_SIMD32
#include <arm_acle.h>
#endif

#include <string.h>

#include "decoder/decoder_aot.h"
#include "decoder/decoder_fixed.h"

/* Adds two words of two 16-bit lanes. */
static inline uint32_t add_lanes(uint32_t a, uint32_t b) {
#ifdef __ARM_FEATURE_SIMD32
    return (uint32_t)__sadd16((int16x2_t)a, (int16x2_t)b);
#else
    return (((a & 0xffffu) + b) & 0xffffu) | ((a & 0xffff0000u) + (b & 0xffff0000u));
#endif
}

static inline uint32_t load_lanes(const int16_t *values) {
    uint32_t lanes;
    memcpy(&lanes, __builtin_assume_aligned(values, 4), sizeof lanes);
    return lanes;
}

/* Returns what the 128 in the weights add to the first sum, given the sum of the inputs in two lanes. */
static inline uint32_t lanes_offset(uint32_t sum) {
    return (uint32_t)(128 * ((int16_t)(sum & 0xffffu) + ((int32_t)sum >> 16)));
}

/* Copies n inputs, n even; for int8 returns `sum` plus their sum, both in two lanes. At most 512 inputs are
 * summed, so that lanes do not overflow. */
static inline uint32_t copy_input(int16_t *to, const int16_t *from, uint32_t n, uint32_t sum, int is_int8) {
    if (!is_int8) {
        copy(to, from, n);
        return 0;
    }
    int16_t *target = __builtin_assume_aligned(to, 4);
#ifdef __ARM_FEATURE_DSP
    for (uint32_t rounds = n / 8; rounds > 0; --rounds) {
        __asm__ volatile(
            "ldmia %1!, {r3, r4, r5, r6}\n"
            "sadd16 %2, %2, r3\n"
            "sadd16 %2, %2, r4\n"
            "sadd16 %2, %2, r5\n"
            "sadd16 %2, %2, r6\n"
            "stmia %0!, {r3, r4, r5, r6}\n"
            : "+r"(target), "+r"(from), "+r"(sum)
            :
            : "r3", "r4", "r5", "r6", "memory");
    }
    n %= 8;
#endif
    for (; n > 0; n -= 2, target += 2, from += 2) {
        const uint32_t lanes = load_lanes(from);
        memcpy(target, &lanes, sizeof lanes);
        sum = add_lanes(sum, lanes);
    }
    return sum;
}

/* As copy_input, for two voices, whose inputs are interleaved two by two. */
static inline void interleave(int16_t *to, const int16_t *first, const int16_t *second, uint32_t n,
                              uint32_t sums[2]) {
    int16_t *target = __builtin_assume_aligned(to, 4);
    uint32_t a = sums[0], b = sums[1];
#ifdef __ARM_FEATURE_DSP
    for (uint32_t rounds = n / 8; rounds > 0; --rounds) {
        __asm__ volatile(
            "ldmia %1!, {r3, r5}\n"
            "ldmia %2!, {r4, r6}\n"
            "sadd16 %3, %3, r3\n"
            "sadd16 %4, %4, r4\n"
            "sadd16 %3, %3, r5\n"
            "sadd16 %4, %4, r6\n"
            "stmia %0!, {r3, r4, r5, r6}\n"
            "ldmia %1!, {r3, r5}\n"
            "ldmia %2!, {r4, r6}\n"
            "sadd16 %3, %3, r3\n"
            "sadd16 %4, %4, r4\n"
            "sadd16 %3, %3, r5\n"
            "sadd16 %4, %4, r6\n"
            "stmia %0!, {r3, r4, r5, r6}\n"
            : "+r"(target), "+r"(first), "+r"(second), "+r"(a), "+r"(b)
            :
            : "r3", "r4", "r5", "r6", "memory");
    }
    n %= 8;
#endif
    for (; n > 0; n -= 2, first += 2, second += 2, target += 4) {
        const uint32_t pair[2] = {load_lanes(first), load_lanes(second)};
        memcpy(target, pair, sizeof pair);
        a = add_lanes(a, pair[0]);
        b = add_lanes(b, pair[1]);
    }
    sums[0] = a;
    sums[1] = b;
}

/* Returns the `offset` for `convolve`, given what copy_input returned for the inputs from `input` to `end`.
 */
static inline uint32_t prepare(int16_t *input, const int16_t *end, uint32_t sum, int is_int8) {
    (void)input, (void)end;
    return is_int8 ? lanes_offset(sum) : 0;
}

/* Two voices of a layer: the interleaved inputs, their offsets, and where the outputs go. */
typedef struct {
    const int16_t *input;
    int32_t offsets[2];
    int16_t *outputs[2];
} lanes_pair_t;

#ifdef __ARM_FEATURE_DSP

/* Arguments of the loop over a layer, in the order in which the assembly expects them on the stack. */
typedef struct {
    const int16_t *input;
    const int16_t *end;
    uint32_t skip; /* bytes of the unrolled loop to skip at first, so that the rest is whole rounds */
    int32_t offset;
    int32_t input_offsets[2];
    const decoder_channels_t *channels;
    int16_t *outputs[2];
    const int16_t *output_end;
    uint32_t is_rectified;
    uint32_t unused; /* the assembly copies the arguments six words at a time */
} lanes_t;

/* clang-format off */

#ifdef DECODER_PREFETCH
#define LANES_PREFETCH "pld [r0, #64]\n"
#define LANES_PREFETCH_BYTES 4
#else
#define LANES_PREFETCH
#define LANES_PREFETCH_BYTES 0
#endif

/* Registers of a single voice: r0 weights, r1 inputs; sums r2 (AB), r3 (CD), r4 (BC); pairs of inputs r5 to r7
 * and lr; weights r8 to r11; mask r12. Products alternate with other instructions, because a Cortex-M7 issues
 * two at a time, but only one product. */
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

/* Registers of a pair: r0 weights, r1 inputs, r12 their end; sums r2 to r4 and r5 to r7, in the same order;
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
#define LANES_INT8_SCALE(SUM, MULTIPLIER, SHIFT, AWAY) \
    "smmulr " SUM ", " SUM ", " MULTIPLIER "\n"        \
    AWAY                                               \
    "asr " SUM ", " SUM ", " SHIFT "\n"                \
    "add " SUM ", " SUM ", r1\n"                       \
    "ssat " SUM ", #8, " SUM ", asr #1\n"

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
        "pkhbt r5, r5, r6, lsl #16\n"
        "pkhbt r6, r4, r3, lsl #16\n"
        "ldr r1, [sp, #28]\n"
        "ldr r2, [sp, #36]\n"
        "stmia r1!, {r5, r6}\n"
        "str r1, [sp, #28]\n"
        "cmp r1, r2\n"
        "bne 1b\n"
        "add sp, #48\n"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "5:\n" /* no ReLU */
        LANES_INT8_SCALE("r5", "r2", "r7", LANES_INT8_AWAY("r5"))
        LANES_INT8_SCALE("r6", "r8", "r9", LANES_INT8_AWAY("r6"))
        LANES_INT8_SCALE("r4", "r10", "r11", LANES_INT8_AWAY("r4"))
        LANES_INT8_SCALE("r3", "r12", "lr", LANES_INT8_AWAY("r3"))
        "b 3b\n");
}

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
        "ldrd r1, r2, [sp, #28]\n"
        "ldr r5, [sp, #36]\n"
        "stmia r1!, {r8, r9}\n"
        "stmia r2!, {r10, r11}\n"
        "strd r1, r2, [sp, #28]\n"
        "cmp r1, r5\n"
        "bne 1b\n"
        "add sp, #48\n"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n"
        "5:\n" /* no ReLU */
        LANES_PAIR_SCALE_AWAY("r8", "r10") LANES_PAIR_SCALE_AWAY("r9", "r11")
        LANES_PAIR_SCALE_AWAY("r4", "r7") LANES_PAIR_SCALE_AWAY("r3", "r6")
        "b 3b\n");
}

/* Arguments of the loop for 16-bit inputs, in the order in which the assembly expects them on the stack. */
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

/* Computes the outputs of a layer for two voices, int8 only. */
static inline void convolve_pair(const decoder_layer_t *layer, const lanes_pair_t *pair) {
    const lanes_t lanes = {
        .input = pair->input,
        .end = pair->input + 2 * layer->n_inputs,
        .skip = (32u - layer->n_inputs) % 32 / 8 * LANES_PAIR_8_BYTES,
        .offset = layer->offset,
        .input_offsets = {pair->offsets[0], pair->offsets[1]},
        .channels = layer->channels,
        .outputs = {pair->outputs[0], pair->outputs[1]},
        .output_end = pair->outputs[0] + layer->n_outputs,
        .is_rectified = layer->is_rectified,
    };
    lanes_int8_pair(layer->weights, &lanes);
}

/* Computes the outputs of a layer. */
static inline void convolve(const decoder_layer_t *layer, const int16_t *input, uint32_t offset, int is_int8,
                            int16_t *output) {
    if (is_int8) {
        const lanes_t lanes = {
            .input = input,
            .end = input + layer->n_inputs,
            .skip = (64u - layer->n_inputs) % 64 / 8 * LANES_INT8_8_BYTES,
            .offset = layer->offset,
            .input_offsets = {(int32_t)offset},
            .channels = layer->channels,
            .outputs = {output},
            .output_end = output + layer->n_outputs,
            .is_rectified = layer->is_rectified,
        };
        lanes_int8(layer->weights, &lanes);
    } else {
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
}

#else /* without the DSP extension: the same in C */

/* Returns the sum of the products of two 16-bit lanes with a pair of inputs. */
static inline uint32_t lanes_multiply(uint32_t lanes, const int16_t *input) {
    return (uint32_t)((int16_t)(lanes & 0xffffu) * input[0] + (int16_t)(lanes >> 16) * input[1]);
}

static inline uint32_t lanes_low_bytes(uint32_t word) {
    return (uint16_t)(int8_t)(word & 0xffu) | (uint32_t)(uint16_t)(int8_t)(word >> 16 & 0xffu) << 16;
}

/* Computes the sums of four int8 channels; the pairs of inputs are `stride` values apart. */
static inline void lanes_sum_int8(const uint32_t *weights, const decoder_channels_t *channels,
                                  const int16_t *input, uint32_t n_inputs, uint32_t stride, uint32_t offset,
                                  int32_t sums[4]) {
    uint32_t ab = (uint32_t)channels->bias[0] - offset, cd = (uint32_t)channels->bias[1],
             bc = (uint32_t)channels->bias[2];
    for (uint32_t i = 0; i < n_inputs; i += 2, input += stride, weights += 2) {
        const uint32_t third = add_lanes((weights[1] << 8) & 0xff00ff00u, lanes_low_bytes(weights[0] >> 8));
        ab += lanes_multiply(weights[0], input);
        cd += lanes_multiply(weights[1], input);
        bc += lanes_multiply(third, input);
    }
    const uint32_t a_less_c = ab - (bc << 8);
    sums[0] = (int32_t)((a_less_c & 0xffffu) | (cd + (a_less_c >> 16)) << 16);
    sums[0] = (int32_t)((uint32_t)sums[0] << 8) >> 8;
    sums[1] = (int32_t)(ab - (uint32_t)sums[0]) >> 8;
    sums[2] = (int32_t)(bc - (uint32_t)sums[1]) >> 8;
    sums[3] = (int32_t)(cd - (uint32_t)sums[2]) >> 8;
}

static inline void lanes_sum_int16(const uint32_t *weights, const decoder_channels_t *channels,
                                   const int16_t *input, uint32_t n_inputs, int32_t sums[4]) {
    for (int channel = 0; channel < 4; ++channel) {
        sums[channel] = channels->bias[channel];
    }
    for (uint32_t i = 0; i < n_inputs; i += 2) {
        for (int channel = 0; channel < 4; channel += 2, ++weights) {
            const uint32_t low = lanes_multiply(lanes_low_bytes(*weights), input + i),
                           high = lanes_multiply(lanes_low_bytes(*weights >> 8), input + i);
            sums[channel] = (int32_t)((uint32_t)sums[channel] + low);
            sums[channel + 1] = (int32_t)((uint32_t)sums[channel + 1] + high);
        }
    }
}

static inline void lanes_scale(const decoder_layer_t *layer, const decoder_channels_t *channels,
                               const int32_t sums[4], int is_int8, int16_t *output) {
    const int32_t lowest = is_int8 ? INT8_MIN : layer->is_rectified ? 0 : INT16_MIN;
    for (int channel = 0; channel < 4; ++channel) {
        const int32_t multiplier = channels->scale[channel].multiplier,
                      shift = channels->scale[channel].shift;
        int32_t y = is_int8 ? twice_rounded(multiply_high(sums[channel], multiplier), shift)
                            : multiply_16(sums[channel], multiplier) >> shift;
        y = saturate((y + layer->offset) >> 1, is_int8);
        output[channel] = (int16_t)(y < lowest ? lowest : y);
    }
}

static inline void convolve_pair(const decoder_layer_t *layer, const lanes_pair_t *pair) {
    for (uint32_t voice = 0; voice < 2; ++voice) {
        for (uint32_t first = 0; first < layer->n_outputs; first += 4) {
            const decoder_channels_t *channels = &layer->channels[first / 4];
            int32_t sums[4];
            lanes_sum_int8(layer->weights + first / 4 * layer->n_inputs, channels, pair->input + 2 * voice,
                           layer->n_inputs, 4, (uint32_t)pair->offsets[voice], sums);
            lanes_scale(layer, channels, sums, 1, pair->outputs[voice] + first);
        }
    }
}

static inline void convolve(const decoder_layer_t *layer, const int16_t *input, uint32_t offset, int is_int8,
                            int16_t *output) {
    for (uint32_t first = 0; first < layer->n_outputs; first += 4) {
        const uint32_t *weights = layer->weights + first / 4 * layer->n_inputs;
        const decoder_channels_t *channels = &layer->channels[first / 4];
        int32_t sums[4];
        if (is_int8) {
            lanes_sum_int8(weights, channels, input, layer->n_inputs, 2, offset, sums);
        } else {
            lanes_sum_int16(weights, channels, input, layer->n_inputs, sums);
        }
        lanes_scale(layer, channels, sums, is_int8, output + first);
    }
}

#endif

#endif
