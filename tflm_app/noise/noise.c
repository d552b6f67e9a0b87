#include "noise/noise.h"

#include <string.h>

#ifdef __ARM_FEATURE_SIMD32
#include <arm_acle.h>
#endif

#include "fm/fm_block.h"
#include "fm/fm_sine.h"
#include "instrument/frame.h"

#define NOISE_MAX_GAIN_Q12 SHARED_NOISE_MAX_GAIN_Q12 /* 1/2: the sum of both layers fits into 16 bits */

void noise_reset(noise_t *state, uint32_t seed) {
    state->random = seed;
    state->ending = 0;
    state->gain = NOISE_SILENCE;
}

/* Returns x * 2^bits, truncated. Zero and subnormal numbers become 0. */
static int32_t to_fixed(float x, int bits) {
#if defined(__thumb__) && \
    !defined(__thumb2__) /* without an FPU, adding to the exponent is a multiplication */
    int32_t words;
    memcpy(&words, &x, sizeof words);
    words += bits * (1 << 23);
    memcpy(&x, &words, sizeof x);
    return (int32_t)x;
#else
    return (int32_t)(x * (float)(1 << bits));
#endif
}

/* Returns log2(level / 0.32 + 0.001) in Q12, -40823 to 6, with an error below 0.009. */
static int32_t level_octaves_q12(int32_t level_q32) {
    const uint32_t value = (uint32_t)level_q32 + SHARED_LEVEL_FLOOR_Q32; /* above 2^20, below 2^31 */
    const int zeros = __builtin_clz(value);
    const int32_t t = (int32_t)(value << zeros >> 19) & 4095;
    const int32_t log2_of_mantissa = (t * (5515 - ((1419 * t) >> 12))) >> 12; /* of 1 + t / 4096 */
    return ((31 - zeros) * 4096) + log2_of_mantissa - SHARED_LOG2_MAX_LEVEL_Q12;
}

noise_gain_t noise_gain(const noise_preset_t *preset, float log2_f0, float loudness_db,
                        const int32_t levels_q32[NOISE_N_LEVELS]) {
    const int32_t octaves_q12 = to_fixed(log2_f0, 12);
    const int32_t db_q8 = to_fixed(loudness_db, 8);
    const int32_t below_q8 = NOISE_QUIET_DB * 256 - db_q8;
    const int32_t fade_q12 =
        below_q8 > 0 ? 16 * SHARED_NOISE_FADE_OCTAVES * below_q8 : 0; /* octaves per dB */
    int32_t gains_q12[NOISE_N_LAYERS];
    for (int n = 0; n < NOISE_N_LAYERS; n++) {
        const noise_layer_t *const layer = &preset->layers[n];
        gains_q12[n] = layer->gain_q12 + ((layer->per_octave_q12 * octaves_q12) >> 12) +
                       ((layer->per_db_q16 * db_q8) >> 12) - fade_q12;
    }
    for (int i = 0; i < NOISE_N_LEVELS; i++) {
        const int32_t level_q12 = level_octaves_q12(levels_q32[i]);
        for (int n = 0; n < NOISE_N_LAYERS; n++) {
            gains_q12[n] += (preset->layers[n].per_level_q12[i] * level_q12) >> 12;
        }
    }
    noise_gain_t gain = NOISE_SILENCE;
    for (int n = 0; n < NOISE_N_LAYERS; n++) {
        if (gains_q12[n] > 0) {
            const int32_t held = gains_q12[n] > NOISE_MAX_GAIN_Q12 ? NOISE_MAX_GAIN_Q12 : gains_q12[n];
            const int32_t t = held & 4095;
            gain.steps[n] = (int16_t)(256 + ((t * (10756 + ((5628 * t) >> 12))) >> 18)); /* 256 * 2^t */
            gain.exponents[n] = (int16_t)(held >> 12);
        }
    }
    if (below_q8 > 0) {
        const int32_t gate_q10 = frame_gate_q10(db_q8);
        for (int n = 0; n < NOISE_N_LAYERS; n++) {
            gain.steps[n] = (int16_t)((gain.steps[n] * gate_q10) >> FRAME_GATE_BITS);
        }
    }
    return gain;
}

/* Returns the weights of a grain in both layers as the halves of a word, relative to the largest exponent. */
static uint32_t weights(noise_gain_t gain, int32_t largest) {
    return (uint32_t)(gain.steps[0] >> (largest - gain.exponents[0])) |
           (uint32_t)(gain.steps[1] >> (largest - gain.exponents[1])) << 16;
}

/* add_grains adds (i * fade_in * beginning[i - 1] + (64 - i) * fade_out * ending[i - 1]) >> shift, summed
 * over both layers and rounded, for i = 1 .. 64. Weights stay below 2^15, so their halves never carry; sums
 * stay below 2^30. */
#ifdef __ARM_FEATURE_SIMD32

static inline uint32_t load_pair(const int16_t *samples) {
    uint32_t pair;
    memcpy(&pair, __builtin_assume_aligned(samples, 4), sizeof pair);
    return pair;
}

/* Loads two successive samples of both layers: two words, aligned. */
static inline uint64_t load_pairs(const noise_pair_t *pairs) {
    uint64_t words;
    memcpy(&words, __builtin_assume_aligned(pairs, 8), sizeof words);
    return words;
}

/* Packs the lower halves of two words; gcc 12 would take two instructions instead of one. */
static inline uint32_t lower_halves(uint32_t a, uint32_t b) {
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(a) : "r"(a), "r"(b));
    return a;
}

/* Without the barrier gcc 12 derives each weight from the last but one, for which there are not enough
 * registers. */
#define STEP(weight, operation, by) \
    weight operation by;            \
    __asm__("" : "+r"(weight))

/* One instruction loads a pair, and another adds both of its products: 10.2 instructions per sample. The loop
 * needs all registers, so it is not inlined. */
FM_HOT __attribute__((noinline)) static void add_grains(const noise_pair_t *beginning,
                                                        const noise_pair_t *ending, uint32_t fade_in,
                                                        uint32_t fade_out, int32_t shift, int16_t *pcm) {
    const int32_t half = 1 << (shift - 1);
    const int16_t *const end = pcm + FM_BLOCK_SAMPLES;
    uint32_t in = 0, out = fade_out << 6;
    do {
#pragma GCC unroll 4
        for (int n = 0; n < 8; n += 2) {
            const uint64_t begins = load_pairs(beginning + n);
            STEP(in, +=, fade_in);
            int32_t a = __smlad((int16x2_t)(uint32_t)begins, (int16x2_t)in, half);
            STEP(in, +=, fade_in);
            int32_t b = __smlad((int16x2_t)(uint32_t)(begins >> 32), (int16x2_t)in, half);
            const uint64_t ends = load_pairs(ending + n);
            STEP(out, -=, fade_out);
            a = __smlad((int16x2_t)(uint32_t)ends, (int16x2_t)out, a);
            STEP(out, -=, fade_out);
            b = __smlad((int16x2_t)(uint32_t)(ends >> 32), (int16x2_t)out, b);
            const uint32_t noise = lower_halves((uint32_t)(a >> shift), (uint32_t)(b >> shift));
            const uint32_t sum = (uint32_t)__qadd16((int16x2_t)load_pair(pcm + n), (int16x2_t)noise);
            memcpy(__builtin_assume_aligned(pcm + n, 4), &sum, sizeof sum);
        }
        beginning += 8;
        ending += 8;
        pcm += 8;
    } while (pcm != end);
}

#elif defined(__thumb__) && !defined(__thumb2__)

/* clang-format off */

/* Registers: r0 beginning, r1 ending, r2 pcm - 2 bytes, r3 twice i; r8 and r9 the steps of the weights that fade
 * in, r10 and r11 of those that fade out; r12 shift, lr half a step. With x and y the sums of both layers of each
 * grain, times their steps, the sum is i * (x - y) + 64 * y. */
#define GRAIN_SAMPLE(SLOW, BACK)   \
    "ldmia r0!, {r6}\n"            \
    "sxth r4, r6\n"                \
    "asrs r6, r6, #16\n"           \
    "mov r7, r8\n"                 \
    "muls r4, r7, r4\n"            \
    "mov r7, r9\n"                 \
    "muls r6, r7, r6\n"            \
    "adds r4, r4, r6\n"            \
    "ldmia r1!, {r6}\n"            \
    "sxth r5, r6\n"                \
    "asrs r6, r6, #16\n"           \
    "mov r7, r10\n"                \
    "muls r5, r7, r5\n"            \
    "mov r7, r11\n"                \
    "muls r6, r7, r6\n"            \
    "adds r5, r5, r6\n"            \
    "subs r4, r4, r5\n"            \
    "lsrs r7, r3, #1\n"            \
    "muls r4, r7, r4\n"            \
    "lsls r5, r5, #6\n"            \
    "adds r4, r4, r5\n"            \
    "add r4, lr\n"                 \
    "mov r7, r12\n"                \
    "asrs r4, r7\n"                \
    "ldrsh r6, [r2, r3]\n"         \
    "adds r4, r4, r6\n"            \
    "sxth r6, r4\n"                \
    "cmp r6, r4\n"                 \
    "bne " SLOW "f\n"              \
    BACK ":\n"                     \
    "strh r6, [r2, r3]\n"          \
    "adds r3, #2\n"

#define GRAIN_SATURATE(SLOW, BACK) \
    SLOW ":\n"                     \
    "asrs r6, r4, #31\n"           \
    "movs r7, #1\n"                \
    "lsls r7, r7, #15\n"           \
    "subs r7, #1\n"                \
    "eors r6, r7\n"                \
    "b " BACK "b\n"

/* 32 instructions per sample; the C below takes 53. */
FM_HOT __attribute__((naked, noipa)) static void add_grains(const noise_pair_t *beginning,
                                                            const noise_pair_t *ending, uint32_t fade_in,
                                                            uint32_t fade_out, int32_t shift, int16_t *pcm) {
    (void)beginning, (void)ending, (void)fade_in, (void)fade_out, (void)shift, (void)pcm;
    __asm__ volatile(
        ".syntax unified\n"
        "push {r4, r5, r6, r7, lr}\n"
        "mov r4, r8\n"
        "mov r5, r9\n"
        "mov r6, r10\n"
        "mov r7, r11\n"
        "push {r4, r5, r6, r7}\n"
        "uxth r4, r2\n"
        "lsrs r5, r2, #16\n"
        "uxth r6, r3\n"
        "lsrs r7, r3, #16\n"
        "mov r8, r4\n"
        "mov r9, r5\n"
        "mov r10, r6\n"
        "mov r11, r7\n"
        "ldr r4, [sp, #36]\n"
        "ldr r2, [sp, #40]\n"
        "subs r2, #2\n"
        "mov r12, r4\n"
        "movs r5, #1\n"
        "subs r4, #1\n"
        "lsls r5, r4\n"
        "mov lr, r5\n"
        "movs r3, #2\n"
        "1:\n"
        GRAIN_SAMPLE("2", "3") GRAIN_SAMPLE("4", "5")
        "cmp r3, #130\n"
        "bne 1b\n"
        "pop {r4, r5, r6, r7}\n"
        "mov r8, r4\n"
        "mov r9, r5\n"
        "mov r10, r6\n"
        "mov r11, r7\n"
        "pop {r4, r5, r6, r7, pc}\n"
        GRAIN_SATURATE("2", "3") GRAIN_SATURATE("4", "5"));
}

/* clang-format on */

#else

FM_HOT static void add_grains(const noise_pair_t *beginning, const noise_pair_t *ending, uint32_t fade_in,
                              uint32_t fade_out, int32_t shift, int16_t *pcm) {
    const int32_t half = 1 << (shift - 1);
    const int32_t in_0 = (int32_t)(fade_in & 0xffffu), in_1 = (int32_t)(fade_in >> 16);
    const int32_t out_0 = (int32_t)(fade_out & 0xffffu), out_1 = (int32_t)(fade_out >> 16);
    int32_t i_0 = 0, i_1 = 0, o_0 = 64 * out_0, o_1 = 64 * out_1;
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        i_0 += in_0;
        i_1 += in_1;
        o_0 -= out_0;
        o_1 -= out_1;
        const int32_t sum =
            beginning[n][0] * i_0 + beginning[n][1] * i_1 + ending[n][0] * o_0 + ending[n][1] * o_1;
        pcm[n] = (int16_t)fm_saturate(pcm[n] + ((sum + half) >> shift));
    }
}

#endif

void noise_add(noise_t *state, const noise_preset_t *preset, noise_gain_t gain,
               int16_t pcm[FM_BLOCK_SAMPLES]) {
    state->random = state->random * SHARED_RANDOM_MULTIPLIER + SHARED_RANDOM_INCREMENT;
    const noise_pair_t *const grain = preset->tables + 2 * (state->random >> 23);
    const noise_gain_t last = state->gain;
    int32_t largest = 0;
    for (int n = 0; n < NOISE_N_LAYERS; n++) {
        largest = gain.exponents[n] > largest ? gain.exponents[n] : largest;
        largest = last.exponents[n] > largest ? last.exponents[n] : largest;
    }
    add_grains(grain, state->ending != 0 ? state->ending : grain, weights(gain, largest),
               weights(last, largest), 29 - largest, pcm);
    state->ending = grain + FM_BLOCK_SAMPLES;
    state->gain = gain;
}
