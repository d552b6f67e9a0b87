/* Two samples at a time, all operators: the schedule for cores with the DSP extension.
 *
 * An operator takes 11 instructions a pair: LDRD and MLA for the level of the first sample, ADD for that of
 * the second, and for each UBFX, LDR, SMLABB (sine) and SMLATT or SMULTT (product); a bent phase takes an
 * ADD with a shift more. Two samples share loads and still fit the 14 registers, four do not. A sample of
 * the flute takes 45.5 instructions here.
 */
#ifndef FM_KERNEL_DSP_H
#define FM_KERNEL_DSP_H

#include <string.h>

#include "fm/fm_sine.h"

typedef struct {
    uint32_t a, b; /* phases of the pair, 2^24 a turn; the bits above are undefined */
} fm_turns_t;

typedef struct {
    int32_t a, b; /* 2^31 a turn */
} fm_pair_t;

/* The compiler takes this struct apart into registers. */
typedef struct {
    const fm_block_t *block;
    uint32_t increment;
    uint32_t increment_step;
    fm_turns_t base; /* 2^32 a turn */
    int32_t n;       /* of the pair's first sample: -63, -61 .. -1 */
    int16_t *pcm;
    fm_pair_t mix[FM_N_MIXES];
} fm_run_t;

/* Hides from the compiler where a value comes from, lest it compute the value a second time or in a way
 * that takes more instructions. FM_PIN also keeps it from being computed later. */
#define FM_KEEP(value) __asm__("" : "+r"(value))
#define FM_PIN(value) __asm__ volatile("" : "+r"(value))

/* What gcc 12 does not find by itself. */
#if defined(__ARM_FEATURE_DSP) && defined(__OPTIMIZE__)

/* volatile, or it is moved out of the loop and from there to the stack. */
#define FM_LOAD_RAMP(end, step, ramp) __asm__ volatile("ldrd %0, %1, %2" : "=r"(end), "=r"(step) : "m"(ramp))
#define FM_LOAD_CONSTANT(value, constant) __asm__ volatile("movw %0, %1" : "=r"(value) : "n"(constant))

/* Samples out of bits 15 to 30. */
FM_INLINE uint32_t fm_pack(fm_pair_t y) {
    uint32_t packed;
    __asm__("pkhbt %0, %1, %2, lsl #1" : "=r"(packed) : "r"(y.a >> 15), "r"(y.b));
    return packed;
}

/* Samples out of bits 14 and up, saturated. */
FM_INLINE uint32_t fm_pack_saturated(fm_pair_t y) {
    int32_t a, b;
    uint32_t packed;
    __asm__("ssat %0, #16, %1, asr #14" : "=r"(a) : "r"(y.a));
    __asm__("ssat %0, #16, %1, asr #14" : "=r"(b) : "r"(y.b));
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(packed) : "r"(a), "r"(b));
    return packed;
}

#else

#define FM_LOAD_RAMP(end_, step_, ramp) (end_ = (ramp).end, step_ = (ramp).step)
#define FM_LOAD_CONSTANT(value, constant) (value = (constant))

FM_INLINE uint32_t fm_pack(fm_pair_t y) {
    return ((uint32_t)(y.a >> 15) & 0xFFFFu) | (((uint32_t)y.b << 1) & 0xFFFF0000u);
}

FM_INLINE uint32_t fm_pack_saturated(fm_pair_t y) {
    return ((uint32_t)fm_saturate(y.a >> 14) & 0xFFFFu) | (uint32_t)fm_saturate(y.b >> 14) << 16;
}

#endif

FM_INLINE void fm_start(fm_run_t *run, const fm_block_t *block, int16_t *pcm) {
    run->block = block;
    run->increment = block->increment;
    run->increment_step = block->increment_step;
    run->base.b = block->phase;
    run->n = 1 - FM_BLOCK_SAMPLES;
    run->pcm = pcm;
}

FM_INLINE void fm_advance(fm_run_t *run) {
    run->base.a = run->base.b + run->increment;
    run->increment += run->increment_step;
    run->base.b = run->base.a + run->increment;
    run->increment += run->increment_step;
    FM_PIN(run->increment); /* here, where its step is in a register */
}

FM_INLINE int fm_continue(fm_run_t *run) {
    FM_KEEP(run->n); /* or the sign of n becomes a comparison with 1 */
    run->n += 2;
    return run->n < 0;
}

FM_INLINE fm_turns_t fm_turns(const fm_run_t *run, uint32_t multiple) {
    const int zeros = __builtin_ctz(multiple);
    uint32_t odd = multiple >> zeros;
    if ((odd & (odd + 1)) != 0 && ((odd - 1) & (odd - 2)) != 0) {
        FM_KEEP(odd); /* neither 2^k - 1 nor 2^k + 1: MUL is shorter than additions */
    }
    fm_turns_t turns = {(run->base.a * odd) >> (8 - zeros), (run->base.b * odd) >> (8 - zeros)};
    FM_KEEP(turns.a);
    FM_KEEP(turns.b);
    return turns;
}

/* sum + operator. */
FM_INLINE fm_pair_t fm_operator(const fm_run_t *run, int number, fm_turns_t turns, int modulation,
                                fm_pair_t sum) {
    int32_t end, step;
    FM_LOAD_RAMP(end, step, run->block->levels[number - 1]);
    int32_t level_a = (int32_t)((uint32_t)end + (uint32_t)run->n * (uint32_t)step);
    FM_KEEP(level_a);
    const int32_t level_b = level_a + step;
    if (modulation != FM_NONE) {
        turns.a += (uint32_t)(run->mix[modulation].a >> 7);
        turns.b += (uint32_t)(run->mix[modulation].b >> 7);
    }
    sum.a = fm_scale(sum.a, fm_sine(turns.a), level_a);
    sum.b = fm_scale(sum.b, fm_sine(turns.b), level_b);
    FM_KEEP(sum.a);
    FM_KEEP(sum.b);
    return sum;
}

FM_INLINE void fm_set(fm_run_t *run, int mix, int number, fm_turns_t turns, int modulation) {
    run->mix[mix] = fm_operator(run, number, turns, modulation, (fm_pair_t){0, 0});
}

FM_INLINE void fm_add(fm_run_t *run, int mix, int number, fm_turns_t turns, int modulation) {
    run->mix[mix] = fm_operator(run, number, turns, modulation, run->mix[mix]);
}

FM_INLINE void fm_play(fm_run_t *run, int number, fm_turns_t turns, int modulation, int carriers,
                       int n_carriers) {
    int32_t half;
    uint32_t packed;
    FM_LOAD_CONSTANT(half, 1 << (FM_CARRIER_BITS(n_carriers) - 1));
    if (n_carriers == 1) { /* a product keeps within 2^30, so the sample needs no saturation */
        packed = fm_pack(fm_operator(run, number, turns, modulation, (fm_pair_t){half, half}));
    } else {
        const fm_pair_t sum = {run->mix[carriers].a + half, run->mix[carriers].b + half};
        packed = fm_pack_saturated(fm_operator(run, number, turns, modulation, sum));
    }
    memcpy(run->pcm, &packed, sizeof packed);
    run->pcm += 2;
}

#endif
