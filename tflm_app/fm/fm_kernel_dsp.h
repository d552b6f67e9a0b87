/* FM kernel for cores with the DSP extension: all operators of two samples at a time.
 *
 * An operator takes 11 instructions per pair: LDRD and MLA for the level of the first sample, ADD for that of
 * the second, and for each sample UBFX, LDR, SMLABB (sine) and SMLATT or SMULTT (product). Phase modulation
 * takes one more ADD with a shift per sample. Two samples share loads and still fit into the 14 registers;
 * four do not. The flute takes 45.5 instructions per sample here.
 */
#ifndef FM_KERNEL_DSP_H
#define FM_KERNEL_DSP_H

#include <string.h>

#include "fm/fm_sine.h"

typedef struct {
    uint32_t a, b; /* phases of the pair, 2^24 per turn; higher bits are undefined */
} fm_turns_t;

typedef struct {
    int32_t a, b; /* signals of the pair, 2^31 per turn */
} fm_pair_t;

/* The state of the loop; the compiler keeps its members in registers. */
typedef struct {
    const fm_block_t *block;
    uint32_t increment;
    uint32_t increment_step;
    fm_turns_t base; /* phases of the base oscillator, 2^32 per turn */
    int32_t n;       /* index of the first sample of the pair: -63, -61 .. -1 */
    int16_t *pcm;
    fm_pair_t mix[FM_N_MIXES];
} fm_run_t;

/* FM_KEEP hides the origin of a value from the compiler, which would otherwise compute it a second time,
 * or in a way that takes more instructions. FM_PIN also prevents the computation from moving to a later
 * place. */
#define FM_KEEP(value) __asm__("" : "+r"(value))
#define FM_PIN(value) __asm__ volatile("" : "+r"(value))

/* Instructions that gcc 12 does not select by itself. */
#if defined(__ARM_FEATURE_DSP) && defined(__OPTIMIZE__)

/* volatile, because the compiler would otherwise move the load out of the loop and spill the values to the
 * stack. */
#define FM_LOAD_RAMP(end, step, ramp) __asm__ volatile("ldrd %0, %1, %2" : "=r"(end), "=r"(step) : "m"(ramp))
#define FM_LOAD_CONSTANT(value, constant) __asm__ volatile("movw %0, %1" : "=r"(value) : "n"(constant))

/* Packs two samples from bits 15 to 30. */
FM_INLINE uint32_t fm_pack(fm_pair_t y) {
    uint32_t packed;
    __asm__("pkhbt %0, %1, %2, lsl #1" : "=r"(packed) : "r"(y.a >> 15), "r"(y.b));
    return packed;
}

/* Packs two samples from bits `bits` and up, saturated. */
FM_INLINE uint32_t fm_pack_saturated(fm_pair_t y, int bits) {
    int32_t a, b;
    uint32_t packed;
    __asm__("ssat %0, #16, %1, asr %2" : "=r"(a) : "r"(y.a), "n"(bits));
    __asm__("ssat %0, #16, %1, asr %2" : "=r"(b) : "r"(y.b), "n"(bits));
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(packed) : "r"(a), "r"(b));
    return packed;
}

#else

#define FM_LOAD_RAMP(end_, step_, ramp) (end_ = (ramp).end, step_ = (ramp).step)
#define FM_LOAD_CONSTANT(value, constant) (value = (constant))

FM_INLINE uint32_t fm_pack(fm_pair_t y) {
    return ((uint32_t)(y.a >> 15) & 0xFFFFu) | (((uint32_t)y.b << 1) & 0xFFFF0000u);
}

FM_INLINE uint32_t fm_pack_saturated(fm_pair_t y, int bits) {
    return ((uint32_t)fm_saturate(y.a >> bits) & 0xFFFFu) | (uint32_t)fm_saturate(y.b >> bits) << 16;
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
    FM_PIN(run->increment); /* computed here, while its step is in a register */
}

FM_INLINE int fm_continue(fm_run_t *run) {
    FM_KEEP(run->n); /* otherwise the test of the sign becomes a comparison with 1 */
    run->n += 2;
    return run->n < 0;
}

FM_INLINE fm_turns_t fm_turns(const fm_run_t *run, uint32_t multiple) {
    const int zeros = (multiple & 255) != 0 ? __builtin_ctz(multiple) : 8;
    uint32_t odd = multiple >> zeros;
    if ((odd & (odd + 1)) != 0 && ((odd - 1) & (odd - 2)) != 0) {
        FM_KEEP(odd); /* neither 2^k - 1 nor 2^k + 1, so MUL is shorter than shifts and additions */
    }
    fm_turns_t turns = {(run->base.a * odd) >> (8 - zeros), (run->base.b * odd) >> (8 - zeros)};
    FM_KEEP(turns.a);
    FM_KEEP(turns.b);
    return turns;
}

/* As fm_turns, with a stretch added. */
FM_INLINE fm_turns_t fm_stretched_turns(const fm_run_t *run, uint32_t multiple, const fm_ramp_t *stretch) {
    int32_t end, step;
    FM_LOAD_RAMP(end, step, *stretch);
    const uint32_t added = (uint32_t)end + (uint32_t)run->n * (uint32_t)step;
    fm_turns_t turns = {(run->base.a * multiple + added) >> 8,
                        (run->base.b * multiple + added + (uint32_t)step) >> 8};
    FM_KEEP(turns.a);
    FM_KEEP(turns.b);
    return turns;
}

/* Advances a ratio by the pair; called once per pair. */
FM_INLINE fm_turns_t fm_ratio_turns(fm_ratio_t *ratio) {
    const uint32_t a = ratio->phase + ratio->increment;
    const uint32_t increment = ratio->increment + ratio->increment_step;
    ratio->phase = a + increment;
    ratio->increment = increment + ratio->increment_step;
    return (fm_turns_t){a >> 8, ratio->phase >> 8};
}

/* All operators of a pair of samples have the phase in registers. */
FM_INLINE fm_turns_t fm_stored(fm_turns_t turns, int slot) {
    (void)slot;
    return turns;
}

FM_INLINE fm_turns_t fm_loaded(fm_turns_t turns, int slot) {
    (void)slot;
    return turns;
}

/* Returns sum + operator. */
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
    if (n_carriers == 1) { /* the product stays within 2^30, so the sample needs no saturation */
        packed = fm_pack(fm_operator(run, number, turns, modulation, (fm_pair_t){half, half}));
    } else {
        const fm_pair_t sum = {run->mix[carriers].a + half, run->mix[carriers].b + half};
        const fm_pair_t audio = fm_operator(run, number, turns, modulation, sum);
        packed = fm_pack_saturated(audio, FM_CARRIER_BITS(n_carriers));
    }
    memcpy(run->pcm, &packed, sizeof packed);
    run->pcm += 2;
}

FM_INLINE void fm_stack(fm_run_t *run, int mix, int modulator, fm_turns_t modulator_turns, int modulation,
                        int is_added, int number, fm_turns_t turns, int sum, int target) {
    const fm_pair_t zero = {0, 0};
    run->mix[mix] = fm_operator(run, modulator, modulator_turns, modulation, is_added ? run->mix[mix] : zero);
    run->mix[target] = fm_operator(run, number, turns, mix, sum == FM_NONE ? zero : run->mix[sum]);
}

FM_INLINE void fm_play_stack(fm_run_t *run, int mix, int modulator, int is_added, int number,
                             fm_turns_t turns, int carriers, int n_carriers) {
    if (is_added) {
        fm_add(run, mix, modulator, turns, FM_NONE);
    } else {
        fm_set(run, mix, modulator, turns, FM_NONE);
    }
    fm_play(run, number, turns, mix, carriers, n_carriers);
}

#endif
