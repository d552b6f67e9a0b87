/* Copies the inputs of a layer to where the DSP kernel reads them, and sums them on the way; internal to
 * decoder_kernel_dsp.h. Pairs of inputs are the two 16-bit lanes of a word. The inputs of a pair of voices
 * are interleaved: two of the first voice, two of the second, and so on. */
#ifndef DECODER_KERNEL_DSP_INPUTS_H
#define DECODER_KERNEL_DSP_INPUTS_H

#ifdef __ARM_FEATURE_SIMD32
#include <arm_acle.h>
#endif

#include <string.h>

#include "decoder/decoder_fixed.h"

/* Two voices of a layer: the interleaved inputs, their offsets, and where the outputs go. */
typedef struct {
    const int16_t *input;
    int32_t offsets[2];
    int16_t *outputs[2];
} lanes_pair_t;

/* Adds two words of two 16-bit lanes. */
static inline uint32_t add_lanes(uint32_t a, uint32_t b) {
#ifdef __ARM_FEATURE_SIMD32
    return (uint32_t)__sadd16((int16x2_t)a, (int16x2_t)b);
#else
    return (((a & 0xffffu) + b) & 0xffffu) | ((a & 0xffff0000u) + (b & 0xffff0000u));
#endif
}

/* Returns what the 128 in the int8 weights adds to a sum, given the sum of the inputs in two lanes. */
static inline uint32_t lanes_offset(uint32_t sum) {
    return (uint32_t)(128 * ((int16_t)(sum & 0xffffu) + ((int32_t)sum >> 16)));
}

/* Copies two inputs and returns `sum` plus both, in two lanes. */
static inline uint32_t copy_lanes(int16_t *to, const int16_t *from, uint32_t sum) {
    uint32_t lanes;
    memcpy(&lanes, __builtin_assume_aligned(from, 4), sizeof lanes);
    memcpy(__builtin_assume_aligned(to, 4), &lanes, sizeof lanes);
    return add_lanes(sum, lanes);
}

/* clang-format off */

/* Adds four loaded words to two sums in turn, and stores them. */
#define LANES_SUM_AND_STORE(EVEN, ODD)         \
    "sadd16 " EVEN ", " EVEN ", r3\n"          \
    "sadd16 " ODD ", " ODD ", r4\n"            \
    "sadd16 " EVEN ", " EVEN ", r5\n"          \
    "sadd16 " ODD ", " ODD ", r6\n"            \
    "stmia %[to]!, {r3, r4, r5, r6}\n"
#define LANES_COPY_8                           \
    "ldmia %[from]!, {r3, r4, r5, r6}\n"       \
    LANES_SUM_AND_STORE("%[sum]", "%[sum]")
#define LANES_INTERLEAVE_4                     \
    "ldmia %[first]!, {r3, r5}\n"              \
    "ldmia %[second]!, {r4, r6}\n"             \
    LANES_SUM_AND_STORE("%[a]", "%[b]")

/* clang-format on */

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
        __asm__ volatile(LANES_COPY_8
                         : [to] "+r"(target), [from] "+r"(from), [sum] "+r"(sum)
                         :
                         : "r3", "r4", "r5", "r6", "memory");
    }
    n %= 8;
#endif
    for (; n > 0; n -= 2, target += 2, from += 2) {
        sum = copy_lanes(target, from, sum);
    }
    return sum;
}

/* As copy_input for int8, for two voices, whose inputs are interleaved. */
static inline void interleave(int16_t *to, const int16_t *first, const int16_t *second, uint32_t n,
                              uint32_t sums[2]) {
    uint32_t a = sums[0], b = sums[1];
#if defined(__ARM_FEATURE_DSP) && defined(__OPTIMIZE__) /* at -O0 there are not enough registers */
    for (uint32_t rounds = n / 8; rounds > 0; --rounds) {
        __asm__ volatile(LANES_INTERLEAVE_4 LANES_INTERLEAVE_4
                         : [to] "+r"(to), [first] "+r"(first), [second] "+r"(second), [a] "+r"(a), [b] "+r"(b)
                         :
                         : "r3", "r4", "r5", "r6", "memory");
    }
    n %= 8;
#endif
    for (; n > 0; n -= 2, first += 2, second += 2, to += 4) {
        a = copy_lanes(to, first, a);
        b = copy_lanes(to + 2, second, b);
    }
    sums[0] = a;
    sums[1] = b;
}

#endif
