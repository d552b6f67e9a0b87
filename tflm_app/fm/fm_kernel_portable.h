/* Portable FM kernel, also used on cores with few registers: one operator at a time over the whole block.
 * The mixes and slots take 1 kB of stack. */
#ifndef FM_KERNEL_PORTABLE_H
#define FM_KERNEL_PORTABLE_H

#include "fm/fm_sine.h"

/* The assembly uses all eight low registers, so it cannot be built with a frame pointer; FM_PORTABLE selects
 * the C below instead. */
#if defined(__thumb__) && !defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) && \
    !defined(FM_PORTABLE)
#define FM_KERNEL_ARMV6M 1
#else
#define FM_KERNEL_ARMV6M 0
#endif

/* What fm_stored and fm_loaded do with the phases of an operator. */
typedef enum { FM_COMPUTE, FM_STORE, FM_LOAD } fm_use_t;

typedef struct {
    uint32_t phase, increment, increment_step; /* 2^32 per turn */
    fm_use_t use;
    int slot;
} fm_turns_t;

typedef struct {
    int32_t mix[FM_N_MIXES];    /* 2^31 per turn */
    uint32_t turns[FM_N_SLOTS]; /* 2^24 per turn */
} fm_sample_t;

typedef struct {
    const fm_block_t *block;
    int16_t *pcm;
    fm_sample_t samples[FM_BLOCK_SAMPLES];
} fm_run_t;

FM_INLINE void fm_start(fm_run_t *run, const fm_block_t *block, int16_t *pcm) {
    run->block = block;
    run->pcm = pcm;
    if (FM_KERNEL_ARMV6M) { /* gcc 12 would keep the block in the few registers that there are */
        __asm__ volatile("" : : : "memory");
    }
}

FM_INLINE void fm_advance(fm_run_t *run) { (void)run; }

FM_INLINE int fm_continue(const fm_run_t *run) {
    (void)run;
    return 0;
}

FM_INLINE fm_turns_t fm_turns(const fm_run_t *run, uint32_t multiple) {
    const fm_block_t *block = run->block;
    return (fm_turns_t){block->phase * multiple, block->increment * multiple,
                        block->increment_step * multiple, FM_COMPUTE, FM_NONE};
}

FM_INLINE fm_turns_t fm_ratio_turns(const fm_ratio_t *ratio) {
    return (fm_turns_t){ratio->phase, ratio->increment, ratio->increment_step, FM_COMPUTE, FM_NONE};
}

/* Returns the value of a ramp before the first sample. */
FM_INLINE int32_t fm_before_first(fm_ramp_t ramp) {
    return (int32_t)((uint32_t)ramp.end - FM_BLOCK_SAMPLES * (uint32_t)ramp.step);
}

FM_INLINE fm_turns_t fm_stretched_turns(const fm_run_t *run, uint32_t multiple, const fm_ramp_t *stretch) {
    fm_turns_t turns = fm_turns(run, multiple);
    turns.phase += (uint32_t)fm_before_first(*stretch);
    turns.increment += (uint32_t)stretch->step;
    return turns;
}

FM_INLINE fm_turns_t fm_stored(fm_turns_t turns, int slot) {
    turns.use = FM_STORE;
    turns.slot = slot;
    return turns;
}

FM_INLINE fm_turns_t fm_loaded(fm_turns_t turns, int slot) {
    turns.use = FM_LOAD;
    turns.slot = slot;
    return turns;
}

#if FM_KERNEL_ARMV6M

#include "fm/fm_kernel_armv6m.h"

#else

/* The state of an operator within the block; fm_next returns its product for the next sample. */
typedef struct {
    fm_turns_t turns;
    int32_t level, level_step;
} fm_operator_t;

FM_INLINE fm_operator_t fm_operator(const fm_run_t *run, int number, fm_turns_t turns) {
    const fm_ramp_t ramp = run->block->levels[number - 1];
    return (fm_operator_t){turns, fm_before_first(ramp), ramp.step};
}

/* Returns the phase of the next sample. */
FM_INLINE uint32_t fm_next_turns(fm_turns_t *turns, fm_sample_t *sample) {
    if (turns->use == FM_LOAD) {
        return sample->turns[turns->slot];
    }
    turns->phase += turns->increment;
    turns->increment += turns->increment_step;
    if (turns->use == FM_STORE) {
        sample->turns[turns->slot] = turns->phase >> 8;
    }
    return turns->phase >> 8;
}

FM_INLINE int32_t fm_next(fm_operator_t *op, fm_sample_t *sample, int modulation, int sum) {
    uint32_t turns = fm_next_turns(&op->turns, sample);
    op->level += op->level_step;
    if (modulation != FM_NONE) {
        turns += (uint32_t)(sample->mix[modulation] >> 7);
    }
    return fm_scale(sum == FM_NONE ? 0 : sample->mix[sum], fm_sine(turns), op->level);
}

FM_INLINE void fm_pass(fm_run_t *run, int number, fm_turns_t turns, int modulation, int sum, int mix) {
    fm_operator_t op = fm_operator(run, number, turns);
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        run->samples[n].mix[mix] = fm_next(&op, &run->samples[n], modulation, sum);
    }
}

FM_INLINE void fm_play(fm_run_t *run, int number, fm_turns_t turns, int modulation, int sum, int n_carriers) {
    const int bits = FM_CARRIER_BITS(n_carriers);
    fm_operator_t op = fm_operator(run, number, turns);
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        const int32_t product = fm_next(&op, &run->samples[n], modulation, sum);
        run->pcm[n] = (int16_t)fm_saturate((product + (1 << (bits - 1))) >> bits);
    }
}

FM_INLINE void fm_stack(fm_run_t *run, int mix, int modulator, fm_turns_t modulator_turns, int modulation,
                        int is_added, int number, fm_turns_t turns, int sum, int target) {
    fm_pass(run, modulator, modulator_turns, modulation, is_added ? mix : FM_NONE, mix);
    fm_pass(run, number, turns, mix, sum, target);
}

FM_INLINE void fm_play_stack(fm_run_t *run, int mix, int modulator, int is_added, int number,
                             fm_turns_t turns, int sum, int n_carriers) {
    fm_pass(run, modulator, turns, FM_NONE, is_added ? mix : FM_NONE, mix);
    fm_play(run, number, turns, mix, sum, n_carriers);
}

#endif

FM_INLINE void fm_set(fm_run_t *run, int mix, int number, fm_turns_t turns, int modulation) {
    fm_pass(run, number, turns, modulation, FM_NONE, mix);
}

FM_INLINE void fm_add(fm_run_t *run, int mix, int number, fm_turns_t turns, int modulation) {
    fm_pass(run, number, turns, modulation, mix, mix);
}

#endif
