/* Fixed-point arithmetic of the aot engine, bit for bit that of the reference kernels of TensorFlow Lite;
 * internal. */
#ifndef DECODER_FIXED_H
#define DECODER_FIXED_H

#include <stdint.h>
#include <string.h>

/* Returns round(x * multiplier / 2^31), halves up. |x| <= 2^30, 0 <= multiplier < 2^31. */
static inline int32_t multiply_high(int32_t x, int32_t multiplier) {
#if defined(__ARM_FEATURE_DSP)
    int32_t product;
    __asm__("smmulr %0, %1, %2" : "=r"(product) : "r"(x * 2), "r"(multiplier));
    return product;
#elif defined(__thumb__) && !defined(__thumb2__)
    /* Same result as the C below; the last rounding uses the carry of the last shift. */
    int32_t low, high, result;
    /* clang-format off */
    __asm__(
        ".syntax unified\n"
        "uxth %[low], %[m]\n"
        "lsrs %[m], %[m], #16\n"
        "asrs %[high], %[x], #15\n"
        "lsls %[x], %[x], #17\n"
        "lsrs %[x], %[x], #17\n"
        "movs %[y], %[x]\n"
        "muls %[y], %[low], %[y]\n"
        "lsrs %[y], %[y], #15\n"
        "muls %[low], %[high], %[low]\n"
        "adds %[y], %[y], %[low]\n"
        "asrs %[y], %[y], #1\n"
        "muls %[x], %[m], %[x]\n"
        "adds %[y], %[y], %[x]\n"
        "muls %[high], %[m], %[high]\n"
        "asrs %[y], %[y], #15\n"
        "adcs %[y], %[high]\n"
        : [x] "+l"(x), [m] "+l"(multiplier), [low] "=&l"(low), [high] "=&l"(high), [y] "=&l"(result)
        :
        : "cc");
    /* clang-format on */
    return result;
#else
    /* x = 2^15 * xh + xl, multiplier = 2^16 * mh + ml: four products that fit into 32 bits. */
    const int32_t xh = x >> 15, xl = x & 0x7fff, mh = multiplier >> 16, ml = multiplier & 0xffff;
    const int32_t middle = (xh * ml + (int32_t)((uint32_t)xl * (uint32_t)ml >> 15)) >> 1;
    return xh * mh + ((middle + xl * mh + 0x4000) >> 15);
#endif
}

/* Returns round(twice_x / 2 * multiplier / 2^31) + offset. |twice_x| <= 2^31, 0 <= multiplier < 2^31. */
static inline int32_t multiply_high_add(int32_t twice_x, int32_t multiplier, int32_t offset) {
#if defined(__ARM_FEATURE_DSP)
    int32_t sum;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(sum) : "r"(twice_x), "r"(multiplier), "r"(offset));
    return sum;
#else
    return multiply_high(twice_x >> 1, multiplier) + offset;
#endif
}

/* Copies an even number of values between word-aligned addresses. */
static inline void copy(int16_t *to, const int16_t *from, uint32_t n) {
    int16_t *target = __builtin_assume_aligned(to, 4);
    const int16_t *source = __builtin_assume_aligned(from, 4);
    for (uint32_t rounds = n / 16; rounds > 0; --rounds) {
#ifdef __ARM_FEATURE_DSP /* gcc 12 would copy the addresses for each LDM and STM */
        __asm__ volatile(
            "ldmia %1!, {r3, r4, r5, r6}\n"
            "stmia %0!, {r3, r4, r5, r6}\n"
            "ldmia %1!, {r3, r4, r5, r6}\n"
            "stmia %0!, {r3, r4, r5, r6}\n"
            : "+r"(target), "+r"(source)
            :
            : "r3", "r4", "r5", "r6", "memory");
#else
        memcpy(target, source, 16 * sizeof *target);
        target += 16;
        source += 16;
#endif
    }
    for (n %= 16; n > 0; n -= 2, target += 2, source += 2) {
        memcpy(target, source, 2 * sizeof *target);
    }
}

/* Returns floor(x * multiplier / 2^16). 0 <= multiplier < 2^15. */
static inline int32_t multiply_16(int32_t x, int32_t multiplier) {
#ifdef __ARM_FEATURE_DSP
    int32_t product;
    __asm__("smulwb %0, %1, %2" : "=r"(product) : "r"(x), "r"(multiplier));
    return product;
#else
    return (x >> 16) * multiplier + (int32_t)(((uint32_t)x & 0xffffu) * (uint32_t)multiplier >> 16);
#endif
}

/* Returns the value from which adding 1 and shifting right by 1 gives round(x / 2^(shift + 1)), halves away
 * from zero. */
static inline int32_t twice_rounded(int32_t x, int32_t shift) { return (x + (x >> 31)) >> shift; }

/* Saturates a value to 8 or 16 bits. */
static inline int32_t saturate(int32_t x, int is_int8) {
#ifdef __ARM_FEATURE_DSP
    if (is_int8) {
        __asm__("ssat %0, #8, %0" : "+r"(x));
    } else {
        __asm__("ssat %0, #16, %0" : "+r"(x));
    }
    return x;
#else
    const int32_t lowest = is_int8 ? INT8_MIN : INT16_MIN, highest = is_int8 ? INT8_MAX : INT16_MAX;
    return x > highest ? highest : x < lowest ? lowest : x;
#endif
}

#endif
