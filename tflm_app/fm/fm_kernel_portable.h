/* Portable FM kernel, also used on cores with few registers: one operator at a time over the whole block.
 *
 * On Armv6-M an operator takes 15 instructions per sample, 3 more if its phase is modulated and 2 more if it
 * is added to a mix. The mixes take 512 bytes of stack.
 */
#ifndef FM_KERNEL_PORTABLE_H
#define FM_KERNEL_PORTABLE_H

#include "fm/fm_sine.h"

typedef struct {
    uint32_t phase, increment, increment_step; /* 2^32 per turn */
} fm_turns_t;

typedef struct {
    int32_t mix[FM_N_MIXES]; /* 2^31 per turn */
} fm_sample_t;

typedef struct {
    const fm_block_t *block;
    int16_t *pcm;
    fm_sample_t samples[FM_BLOCK_SAMPLES];
} fm_run_t;

FM_INLINE void fm_start(fm_run_t *run, const fm_block_t *block, int16_t *pcm) {
    run->block = block;
    run->pcm = pcm;
}

FM_INLINE void fm_advance(fm_run_t *run) { (void)run; }

FM_INLINE int fm_continue(const fm_run_t *run) {
    (void)run;
    return 0;
}

FM_INLINE fm_turns_t fm_turns(const fm_run_t *run, uint32_t multiple) {
    const fm_block_t *block = run->block;
    return (fm_turns_t){block->phase * multiple, block->increment * multiple,
                        block->increment_step * multiple};
}

FM_INLINE fm_turns_t fm_ratio_turns(const fm_ratio_t *ratio) {
    return (fm_turns_t){ratio->phase, ratio->increment, ratio->increment_step};
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

#if defined(__thumb__) && !defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) && \
    !defined(FM_PORTABLE)

/* The assembly uses all eight low registers, so it cannot be built with a frame pointer; FM_PORTABLE selects
 * the C below instead, for which gcc takes 150 instructions per sample of the flute instead of 117. The
 * macros are the steps of sample k of four. */
/* clang-format off */
#define FM_ASM_MIX(k, offset) "[%[at], #8 * " #k " + %c[" #offset "]]\n"

#define FM_ASM_PHASE(k)                           \
    "add  %[phase], %[increment]\n"               \
    "add  %[increment], %[increment_step]\n"      \
    "lsrs %[sine], %[phase], #8\n"                \
    ".if  %c[bend] >= 0\n"                        \
    "ldr  %[line], " FM_ASM_MIX(k, bend)          \
    "asrs %[line], %[line], #7\n"                 \
    "adds %[sine], %[line]\n"                     \
    ".endif\n"

#define FM_ASM_SINE_AND_LEVEL(k)                  \
    "ldr  %[line], [%[table], %[line]]\n"         \
    "sxth %[sine], %[sine]\n"                     \
    "sxth %[slope], %[line]\n"                    \
    "muls %[sine], %[slope]\n"                    \
    "adds %[sine], %[line]\n"                     \
    "add  %[level], %[level_step]\n"              \
    "asrs %[sine], %[sine], #16\n"                \
    "asrs %[line], %[level], #16\n"               \
    "muls %[sine], %[line]\n"                     \
    ".if  %c[sum] >= 0\n"                         \
    "ldr  %[line], " FM_ASM_MIX(k, sum)           \
    "adds %[sine], %[line]\n"                     \
    ".endif\n"

#define FM_ASM_PASS(k)                            \
    FM_ASM_PHASE(k)                               \
    "lsrs %[line], %[sine], #13\n"                \
    "ands %[line], %[mask]\n"                     \
    FM_ASM_SINE_AND_LEVEL(k)                      \
    "str  %[sine], " FM_ASM_MIX(k, mix)

/* `pcm` takes the register of the mask here. Saturation gives 0x7FFF or its complement. */
#define FM_ASM_PLAY(k)                            \
    FM_ASM_PHASE(k)                               \
    "lsls %[line], %[sine], #8\n"                 \
    "lsrs %[line], %[line], #23\n"                \
    "lsls %[line], %[line], #2\n"                 \
    FM_ASM_SINE_AND_LEVEL(k)                      \
    "add  %[sine], %[half]\n"                     \
    "asrs %[sine], %[sine], #%c[bits]\n"          \
    ".if  %c[bits] < 15\n"                        \
    "sxth %[line], %[sine]\n"                     \
    "cmp  %[line], %[sine]\n"                     \
    "beq  2f\n"                                   \
    "asrs %[sine], %[sine], #31\n"                \
    "movs %[line], #1\n"                          \
    "lsls %[line], %[line], #15\n"                \
    "subs %[line], #1\n"                          \
    "eors %[sine], %[line]\n"                     \
    "2:\n"                                        \
    ".endif\n"                                    \
    "strh %[sine], [%[pcm], #2 * " #k "]\n"

#define FM_ASM_STATE                                                                              \
    [phase] "+l"(turns.phase), [increment] "+h"(turns.increment), [level] "+l"(level),            \
    [at] "+l"(at), [sine] "=&l"(sine), [line] "=&l"(line), [slope] "=&l"(slope)
/* clang-format on */

/* Offset of a mix within a sample, or negative for FM_NONE. */
#define FM_OFFSET(mix) ((mix) == FM_NONE ? -1 : (int)sizeof(int32_t) * (mix))

FM_INLINE void fm_pass(fm_run_t *run, int number, fm_turns_t turns, int modulation, int sum, int mix) {
    const fm_ramp_t ramp = run->block->levels[number - 1];
    int32_t level = fm_before_first(ramp);
    fm_sample_t *at = run->samples;
    int32_t sine, line, slope;
    __asm__ volatile(
        ".syntax unified\n"
        "1:\n"
        FM_ASM_PASS(0) FM_ASM_PASS(1) FM_ASM_PASS(2) FM_ASM_PASS(3)
        "adds %[at], #8 * 4\n"
        "cmp  %[at], %[end]\n"
        "bne  1b\n"
        : FM_ASM_STATE
        : [increment_step] "h"(turns.increment_step), [level_step] "h"(ramp.step), [mask] "l"(511 << 2),
          [table] "l"(fm_sine_table), [end] "h"(run->samples + FM_BLOCK_SAMPLES),
          [bend] "n"(FM_OFFSET(modulation)), [sum] "n"(FM_OFFSET(sum)), [mix] "n"(FM_OFFSET(mix))
        : "cc", "memory");
}

FM_INLINE void fm_play(fm_run_t *run, int number, fm_turns_t turns, int modulation, int sum, int n_carriers) {
    const fm_ramp_t ramp = run->block->levels[number - 1];
    int32_t level = fm_before_first(ramp);
    fm_sample_t *at = run->samples;
    int16_t *pcm = run->pcm;
    int32_t sine, line, slope;
    __asm__ volatile(
        ".syntax unified\n"
        "1:\n"
        FM_ASM_PLAY(0) FM_ASM_PLAY(1) FM_ASM_PLAY(2) FM_ASM_PLAY(3)
        "adds %[pcm], #2 * 4\n"
        "adds %[at], #8 * 4\n"
        "cmp  %[at], %[end]\n"
        ".if  %c[bits] < 15\n" /* the target is too far for a conditional branch */
        "beq  3f\n"
        "b    1b\n"
        "3:\n"
        ".else\n"
        "bne  1b\n"
        ".endif\n"
        : FM_ASM_STATE, [pcm] "+l"(pcm)
        : [increment_step] "h"(turns.increment_step), [level_step] "h"(ramp.step),
          [table] "l"(fm_sine_table), [end] "h"(run->samples + FM_BLOCK_SAMPLES),
          [half] "h"(1 << (FM_CARRIER_BITS(n_carriers) - 1)), [bits] "n"(FM_CARRIER_BITS(n_carriers)),
          [bend] "n"(FM_OFFSET(modulation)), [sum] "n"(FM_OFFSET(sum))
        : "cc", "memory");
}

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

FM_INLINE int32_t fm_next(fm_operator_t *op, const fm_sample_t *sample, int modulation, int sum) {
    op->turns.phase += op->turns.increment;
    op->turns.increment += op->turns.increment_step;
    op->level += op->level_step;
    uint32_t turns = op->turns.phase >> 8;
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

#endif

FM_INLINE void fm_set(fm_run_t *run, int mix, int number, fm_turns_t turns, int modulation) {
    fm_pass(run, number, turns, modulation, FM_NONE, mix);
}

FM_INLINE void fm_add(fm_run_t *run, int mix, int number, fm_turns_t turns, int modulation) {
    fm_pass(run, number, turns, modulation, mix, mix);
}

#endif
