/* Fixed-point arithmetic of the aot engine, bit for bit that of the reference kernels of TensorFlow Lite;
 * internal. */
#ifndef DECODER_FIXED_H
#define DECODER_FIXED_H

#include <stdint.h>

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
