/* The loops of the portable FM kernel in assembly, for Armv6-M; internal to fm_kernel_portable.h.
 *
 * An operator takes 14 instructions per sample, 2 less if its phase is loaded from a slot and 1 more if it is
 * stored in one, 4 more if it is modulated, and 2 more if it is added to a mix. The last takes 2 to 5 more. A
 * stack takes 2 less than its two operators, because the modulator's output and the phase stay in registers.
 * For the C, gcc 12 takes 150 instructions per sample of the flute instead of 104.
 */
#ifndef FM_KERNEL_ARMV6M_H
#define FM_KERNEL_ARMV6M_H

/* clang-format off */

/* The macros are the steps of sample k of eight. `at` points to the first of them. */
#define FM_ASM_MEMBER(k, offset) "[%[at], #16 * " #k " + %c[" #offset "]]\n"

/* Computes the phase of the operator, 2^24 per turn, or reads it from a slot. */
#define FM_ASM_COMPUTE_TURNS(k)                     \
    "add  %[phase], %[increment]\n"                 \
    "add  %[increment], %[increment_step]\n"        \
    "lsrs %[turns], %[phase], #8\n"                 \
    ".if  %c[slot] >= 0\n"                          \
    "str  %[turns], " FM_ASM_MEMBER(k, slot)        \
    ".endif\n"
#define FM_ASM_LOAD_TURNS(k)                        \
    "ldr  %[turns], " FM_ASM_MEMBER(k, slot)

/* Adds the modulation, and clears the bits above the turn, with a mask or without. */
#define FM_ASM_BEND(k, CLEAR)                       \
    ".if  %c[modulation] >= 0\n"                    \
    "ldr  %[line], " FM_ASM_MEMBER(k, modulation)   \
    "asrs %[line], %[line], #7\n"                   \
    "adds %[turns], %[line]\n"                      \
    CLEAR                                           \
    ".endif\n"
#define FM_ASM_MASK "ands %[turns], %[mask]\n"
#define FM_ASM_SHIFT                                \
    "lsls %[turns], %[turns], #8\n"                 \
    "lsrs %[turns], %[turns], #8\n"

/* Computes sine times level. The product is in TO, which is `turns`, or `slope` if the phase is needed again;
 * FROM is the other of the two. */
#define FM_ASM_OPERATOR(TO, FROM, LEVEL)            \
    "lsrs %[line], %[turns], #15\n"                 \
    "lsls %[line], %[line], #2\n"                   \
    "ldr  %[line], [%[table], %[line]]\n"           \
    "sxth %[slope], %[line]\n"                      \
    "muls %[" TO "], %[" FROM "]\n"                 \
    "adds %[" TO "], %[line]\n"                     \
    "add  %[" LEVEL "], %[" LEVEL "_step]\n"        \
    "asrs %[" TO "], %[" TO "], #16\n"              \
    "asrs %[line], %[" LEVEL "], #16\n"             \
    "muls %[" TO "], %[line]\n"
#define FM_ASM_SUM(k, TO, mix)                      \
    ".if  %c[" #mix "] >= 0\n"                      \
    "ldr  %[line], " FM_ASM_MEMBER(k, mix)          \
    "adds %[" TO "], %[line]\n"                     \
    ".endif\n"
#define FM_ASM_PRODUCT(k) FM_ASM_OPERATOR("turns", "slope", "level") FM_ASM_SUM(k, "turns", sum)

/* Rounds to a sample; saturation gives 0x7FFF or its complement. */
#define FM_ASM_PCM(k)                               \
    "add  %[turns], %[half]\n"                      \
    "asrs %[turns], %[turns], #%c[bits]\n"          \
    ".if  %c[bits] < 15\n"                          \
    "sxth %[line], %[turns]\n"                      \
    "cmp  %[line], %[turns]\n"                      \
    "beq  2f\n"                                     \
    "asrs %[turns], %[turns], #31\n"                \
    "movs %[line], #1\n"                            \
    "lsls %[line], %[line], #15\n"                  \
    "subs %[line], #1\n"                            \
    "eors %[turns], %[line]\n"                      \
    "2:\n"                                          \
    ".endif\n"                                      \
    "strh %[turns], [%[pcm], #2 * " #k "]\n"

#define FM_ASM_STORE(k) "str  %[turns], " FM_ASM_MEMBER(k, mix)

#define FM_ASM_PASS_COMPUTED(k)  FM_ASM_COMPUTE_TURNS(k)  FM_ASM_BEND(k, FM_ASM_MASK)  FM_ASM_PRODUCT(k) FM_ASM_STORE(k)
#define FM_ASM_PASS_LOADED(k) FM_ASM_LOAD_TURNS(k) FM_ASM_BEND(k, FM_ASM_MASK)  FM_ASM_PRODUCT(k) FM_ASM_STORE(k)
#define FM_ASM_PLAY_COMPUTED(k)  FM_ASM_COMPUTE_TURNS(k)  FM_ASM_BEND(k, FM_ASM_SHIFT) FM_ASM_PRODUCT(k) FM_ASM_PCM(k)
#define FM_ASM_PLAY_LOADED(k) FM_ASM_LOAD_TURNS(k) FM_ASM_BEND(k, FM_ASM_MASK)  FM_ASM_PRODUCT(k) FM_ASM_PCM(k)

/* A modulator, without modulation of its own, and its carrier, which has the same phase. */
#define FM_ASM_STACK(k)                             \
    FM_ASM_LOAD_TURNS(k)                            \
    FM_ASM_OPERATOR("slope", "turns", "modulator")  \
    FM_ASM_SUM(k, "slope", added)                   \
    "asrs %[slope], %[slope], #7\n"                 \
    "adds %[turns], %[slope]\n"                     \
    FM_ASM_SHIFT                                    \
    FM_ASM_PRODUCT(k)                               \
    FM_ASM_PCM(k)

/* A conditional branch reaches back over 15 instructions per sample. */
#define FM_ASM_LOOP(SAMPLE, ADVANCE)                \
    ".syntax unified\n"                             \
    "1:\n"                                          \
    SAMPLE(0) SAMPLE(1) SAMPLE(2) SAMPLE(3) SAMPLE(4) SAMPLE(5) SAMPLE(6) SAMPLE(7) \
    ADVANCE                                         \
    "adds %[at], #16 * 8\n"                         \
    "cmp  %[at], %[end]\n"                          \
    ".if  %c[length] <= 15\n"                       \
    "bne  1b\n"                                     \
    ".else\n"                                       \
    "beq  3f\n"                                     \
    "b    1b\n"                                     \
    "3:\n"                                          \
    ".endif\n"

#define FM_ASM_PHASE [phase] "+l"(turns.phase), [increment] "+h"(turns.increment)
#define FM_ASM_STATE                                                                                \
    [level] "+l"(level), [at] "+l"(at), [turns] "=&l"(sine), [line] "=&l"(line), [slope] "=&l"(slope)
#define FM_ASM_CONSTANTS                                                                            \
    [level_step] "h"(ramp.step), [table] "l"(fm_sine_table), [end] "h"(run->samples + FM_BLOCK_SAMPLES), \
    [slot] "n"(turns.use == FM_COMPUTE ? -1 : FM_TURNS_OFFSET(turns.slot)),                             \
    [modulation] "n"(FM_MIX_OFFSET(modulation)), [sum] "n"(FM_MIX_OFFSET(sum))
/* clang-format on */

/* Offsets of the members of a sample, negative for FM_NONE. */
#define FM_MIX_OFFSET(mix) ((mix) == FM_NONE ? -1 : (int)sizeof(int32_t) * (mix))
#define FM_TURNS_OFFSET(slot) ((int)sizeof(int32_t) * (FM_N_MIXES + (slot)))

#define FM_TURN_MASK 0xFFFFFF

FM_INLINE void fm_pass(fm_run_t *run, int number, fm_turns_t turns, int modulation, int sum, int mix) {
    const fm_ramp_t ramp = run->block->levels[number - 1];
    int32_t level = fm_before_first(ramp);
    fm_sample_t *at = run->samples;
    int32_t sine, line, slope;
    const int length = (modulation == FM_NONE ? 0 : 4) + (sum == FM_NONE ? 0 : 2);
    if (turns.use == FM_LOAD) {
        __asm__ volatile(FM_ASM_LOOP(FM_ASM_PASS_LOADED, "")
                         : FM_ASM_STATE
                         : FM_ASM_CONSTANTS, [mask] "l"(FM_TURN_MASK), [mix] "n"(FM_MIX_OFFSET(mix)),
                           [length] "n"(12 + length)
                         : "cc", "memory");
    } else {
        __asm__ volatile(
            FM_ASM_LOOP(FM_ASM_PASS_COMPUTED, "")
            : FM_ASM_PHASE, FM_ASM_STATE
            : FM_ASM_CONSTANTS, [increment_step] "h"(turns.increment_step), [mask] "l"(FM_TURN_MASK),
              [mix] "n"(FM_MIX_OFFSET(mix)), [length] "n"(14 + (turns.use == FM_STORE) + length)
            : "cc", "memory");
    }
}

FM_INLINE void fm_play(fm_run_t *run, int number, fm_turns_t turns, int modulation, int sum, int n_carriers) {
    const fm_ramp_t ramp = run->block->levels[number - 1];
    int32_t level = fm_before_first(ramp);
    fm_sample_t *at = run->samples;
    int16_t *pcm = run->pcm;
    int32_t sine, line, slope;
    const int bits = FM_CARRIER_BITS(n_carriers), length = 16;
    if (turns.use == FM_LOAD) {
        __asm__ volatile(FM_ASM_LOOP(FM_ASM_PLAY_LOADED, "adds %[pcm], #2 * 8\n")
                         : FM_ASM_STATE, [pcm] "+l"(pcm)
                         : FM_ASM_CONSTANTS, [mask] "l"(FM_TURN_MASK), [half] "h"(1 << (bits - 1)),
                           [bits] "n"(FM_CARRIER_BITS(n_carriers)), [length] "n"(length)
                         : "cc", "memory");
    } else {
        __asm__ volatile(
            FM_ASM_LOOP(FM_ASM_PLAY_COMPUTED, "adds %[pcm], #2 * 8\n")
            : FM_ASM_PHASE, FM_ASM_STATE, [pcm] "+l"(pcm)
            : FM_ASM_CONSTANTS, [increment_step] "h"(turns.increment_step), [half] "h"(1 << (bits - 1)),
              [bits] "n"(FM_CARRIER_BITS(n_carriers)), [length] "n"(length)
            : "cc", "memory");
    }
}

FM_INLINE void fm_play_stack(fm_run_t *run, int mix, int modulator_number, int is_added, int number,
                             fm_turns_t turns, int sum, int n_carriers) {
    const fm_ramp_t ramp = run->block->levels[number - 1];
    const fm_ramp_t modulator_ramp = run->block->levels[modulator_number - 1];
    int32_t level = fm_before_first(ramp), modulator = fm_before_first(modulator_ramp);
    fm_sample_t *at = run->samples;
    int16_t *pcm = run->pcm;
    int32_t sine, line, slope;
    const int bits = FM_CARRIER_BITS(n_carriers), modulation = FM_NONE, length = 30;
    __asm__ volatile(FM_ASM_LOOP(FM_ASM_STACK, "adds %[pcm], #2 * 8\n")
                     : FM_ASM_STATE, [pcm] "+l"(pcm), [modulator] "+l"(modulator)
                     : FM_ASM_CONSTANTS, [modulator_step] "h"(modulator_ramp.step),
                       [added] "n"(is_added ? FM_MIX_OFFSET(mix) : -1), [half] "h"(1 << (bits - 1)),
                       [bits] "n"(FM_CARRIER_BITS(n_carriers)), [length] "n"(length)
                     : "cc", "memory");
}

#endif
