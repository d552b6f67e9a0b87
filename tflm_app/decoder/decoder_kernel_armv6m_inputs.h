/* Copies the inputs of a layer to where the Armv6-M kernel reads them, makes them unsigned and sums them on
 * the way; internal to decoder_kernel_armv6m.h. */
#ifndef DECODER_KERNEL_ARMV6M_INPUTS_H
#define DECODER_KERNEL_ARMV6M_INPUTS_H

#include <string.h>

#include "decoder/decoder_aot.h"

#define DIGITS_FLIP_INT8 0x00800080u /* the signs of two inputs */
#define DIGITS_MASK_INT8 0x00ff00ffu
#define DIGITS_FLIP_INT16 0x80008000u

/* Copies two inputs; returns `sum` plus both, for int8 in two lanes. */
static inline uint32_t copy_digits(int16_t *to, const int16_t *from, uint32_t sum, int is_int8) {
    uint32_t pair;
    memcpy(&pair, __builtin_assume_aligned(from, 4), sizeof pair);
    pair = is_int8 ? (pair ^ DIGITS_FLIP_INT8) & DIGITS_MASK_INT8 : pair ^ DIGITS_FLIP_INT16;
    memcpy(__builtin_assume_aligned(to, 4), &pair, sizeof pair);
    return sum + (is_int8 ? pair : (pair & 0xffffu) + (pair >> 16));
}

/* clang-format off */

#define DIGITS_COPY_8(SUM_2)             \
    "1:\n"                               \
    "ldmia %[from]!, {r3, r4}\n"         \
    SUM_2("r3") SUM_2("r4")              \
    "stmia %[to]!, {r3, r4}\n"           \
    "ldmia %[from]!, {r3, r4}\n"         \
    SUM_2("r3") SUM_2("r4")              \
    "stmia %[to]!, {r3, r4}\n"           \
    "cmp %[to], %[end]\n"                \
    "bne 1b\n"
#define DIGITS_SUM_2_INT8(PAIR)          \
    "eors " PAIR ", %[flip]\n"           \
    "ands " PAIR ", %[mask]\n"           \
    "adds %[sum], %[sum], " PAIR "\n"
#define DIGITS_SUM_2_INT16(PAIR)         \
    "eors " PAIR ", %[flip]\n"           \
    "uxth %[half], " PAIR "\n"           \
    "adds %[sum], %[sum], %[half]\n"     \
    "lsrs %[half], " PAIR ", #16\n"      \
    "adds %[sum], %[sum], %[half]\n"

/* clang-format on */

/* Copies n inputs, n even; returns `sum` plus their sum. At most 514 inputs are summed, so that the lanes of
 * 257 bytes do not carry. */
DECODER_HOT static inline uint32_t copy_input(int16_t *to, const int16_t *from, uint32_t n, uint32_t sum,
                                              int is_int8) {
#if defined(__thumb__) && !defined(__thumb2__)
    int16_t *const end = to + n / 8 * 8; /* gcc 12 would take more instructions for this loop */
    if (to != end && is_int8) {
        __asm__ volatile(".syntax unified\n" DIGITS_COPY_8(DIGITS_SUM_2_INT8)
                         : [to] "+l"(to), [from] "+l"(from), [sum] "+l"(sum)
                         : [flip] "l"(DIGITS_FLIP_INT8), [mask] "l"(DIGITS_MASK_INT8), [end] "h"(end)
                         : "r3", "r4", "cc", "memory");
    } else if (to != end) {
        uint32_t half;
        __asm__ volatile(".syntax unified\n" DIGITS_COPY_8(DIGITS_SUM_2_INT16)
                         : [to] "+l"(to), [from] "+l"(from), [sum] "+l"(sum), [half] "=&l"(half)
                         : [flip] "l"(DIGITS_FLIP_INT16), [end] "h"(end)
                         : "r3", "r4", "cc", "memory");
    }
    n %= 8;
#endif
    for (; n > 0; n -= 2, to += 2, from += 2) {
        sum = copy_digits(to, from, sum, is_int8);
    }
    return sum;
}

/* Returns the `offset` for `convolve`, given the sum of all inputs of the layer. */
static inline uint32_t input_offset(uint32_t sum, int is_int8) {
    return 128 * (is_int8 ? (sum & 0xffffu) + (sum >> 16) : sum);
}

#endif
