/* What every source of the library includes first: what its results need of the compiler, and where its inner
 * loops are stored. */
#ifndef DDX7_COMPILER_H
#define DDX7_COMPILER_H

/* A fused multiply-add would round otherwise, and change samples. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#else
#error "the library needs GCC or clang"
#endif
#ifdef __FAST_MATH__
#error "compile the library without -ffast-math and -Ofast: it tests for NaN, and rounds in a fixed order"
#endif

/* The flash of the Raspberry Pi Pico and Pico 2 is slow; the linker scripts of their SDK place these sections
 * in RAM. Define DDX7_WEIGHTS_IN_FLASH if the weights of all models do not fit there. */
#if defined(PICO_RP2040) || defined(PICO_RP2350) || defined(ARDUINO_ARCH_RP2040)
#define DDX7_FM_HOT __attribute__((section(".time_critical.ddx7_fm")))
#define DDX7_FM_HOT_TABLE __attribute__((section(".time_critical.ddx7_table")))
#define DDX7_DECODER_HOT __attribute__((section(".time_critical.ddx7_decoder")))
#ifndef DDX7_WEIGHTS_IN_FLASH
#define DDX7_DECODER_WEIGHTS __attribute__((section(".time_critical.ddx7_weights")))
#endif
#endif

#endif
