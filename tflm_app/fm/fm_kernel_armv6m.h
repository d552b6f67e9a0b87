/* The loops of the portable FM kernel in assembly, for Armv6-M; internal to fm_kernel_portable.h.
 *
 * An operator takes 14 instructions per sample, 2 less if its phase is loaded from a slot and 1 more if it is
 * stored in one, 3 more if it is modulated, and 2 more if it is added to a mix. The last takes 2 to 5 more. A
 * stack takes 2 or 3 less than its two operators, because the modulator's output stays in a register, and the
 * phase, too, if they share it. The flute takes 97 instructions per sample; with the C, 146 by gcc 12.
 */
#ifndef FM_KERNEL_ARMV6M_H
#define FM_KERNEL_ARMV6M_H

/* clang-format off */

/* The macros are the steps of sample k of eight. `at` points to the first of them. */
#define FM_ASM_MEMBER(k, offset) "[%[at], #16 * " #k " + %c[" #offset "]]\n"

/* Reads the phase of an operator, 2^24 per turn, from a slot, or computes it. */
#define FM_ASM_LOAD_TURNS(k, load, store)           \
    "ldr  %[turns], " FM_ASM_MEMBER(k, load)
#define FM_ASM_TURNS(k, load, store)                \
    ".if  %c[" #load "] >= 0\n"                     \
    FM_ASM_LOAD_TURNS(k, load, store)               \
    ".else\n"                                       \
    "add  %[phase], %[increment]\n"                 \
    "add  %[increment], %[increment_step]\n"        \
    "lsrs %[turns], %[phase], #8\n"                 \
    ".if  %c[" #store "] >= 0\n"                    \
    "str  %[turns], " FM_ASM_MEMBER(k, store)       \
    ".endif\n"                                      \
    ".endif\n"

/* Adds the modulation, less than a turn: the phase is then from -1 to 2 turns, and so is the table. */
#define FM_ASM_BEND(k)                              \
    ".if  %c[modulation] >= 0\n"                    \
    "ldr  %[line], " FM_ASM_MEMBER(k, modulation)   \
    "asrs %[line], %[line], #7\n"                   \
    "adds %[turns], %[line]\n"                      \
    ".endif\n"

/* Computes sine times level. The product is in TO, which is `turns`, or `slope` if the phase is needed again;
 * FROM is the other of the two. */
#define FM_ASM_OPERATOR(TO, FROM, LEVEL)            \
    "asrs %[line], %[turns], #15\n"                 \
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

#define FM_ASM_PASS(k, TURNS) TURNS(k, load, store) FM_ASM_BEND(k) FM_ASM_PRODUCT(k) FM_ASM_STORE(k)
#define FM_ASM_PLAY(k, TURNS) TURNS(k, load, store) FM_ASM_BEND(k) FM_ASM_PRODUCT(k) FM_ASM_PCM(k)

/* A modulator and its carrier, whose phase is that of the modulator if this is `kept` in `turns`. */
#define FM_ASM_STACK(k, TURNS)                      \
    TURNS(k, modulator_load, modulator_store)       \
    FM_ASM_BEND(k)                                  \
    FM_ASM_OPERATOR("slope", "turns", "modulator")  \
    FM_ASM_SUM(k, "slope", added)                   \
    "asrs %[slope], %[slope], #7\n"                 \
    ".if  %c[kept] == 0\n"                          \
    TURNS(k, load, store)                           \
    ".endif\n"                                      \
    "adds %[turns], %[slope]\n"                     \
    FM_ASM_PRODUCT(k)
#define FM_ASM_PASS_STACK(k, TURNS) FM_ASM_STACK(k, TURNS) FM_ASM_STORE(k)
#define FM_ASM_PLAY_STACK(k, TURNS) FM_ASM_STACK(k, TURNS) FM_ASM_PCM(k)

/* A conditional branch does not reach back over a loop that is_long. */
#define FM_ASM_LOOP(SAMPLE, TURNS, ADVANCE)         \
    ".syntax unified\n"                             \
    "1:\n"                                          \
    SAMPLE(0, TURNS) SAMPLE(1, TURNS) SAMPLE(2, TURNS) SAMPLE(3, TURNS)             \
    SAMPLE(4, TURNS) SAMPLE(5, TURNS) SAMPLE(6, TURNS) SAMPLE(7, TURNS)             \
    ADVANCE                                         \
    "adds %[at], #16 * 8\n"                         \
    "cmp  %[at], %[end]\n"                          \
    ".if  %c[is_long]\n"                            \
    "beq  3f\n"                                     \
    "b    1b\n"                                     \
    "3:\n"                                          \
    ".else\n"                                       \
    "bne  1b\n"                                     \
    ".endif\n"

#define FM_ASM_PHASE(turns) [phase] "+l"(turns.phase), [increment] "+h"(turns.increment)
#define FM_ASM_STATE                                                                                \
    [level] "+l"(level), [at] "+l"(at), [turns] "=&l"(sine), [line] "=&l"(line), [slope] "=&l"(slope)
#define FM_ASM_CONSTANTS                                                                            \
    [level_step] "h"(ramp.step), [table] "l"(fm_sine_table + FM_SINE_ORIGIN),                        \
    [end] "h"(run->samples + FM_BLOCK_SAMPLES), [modulation] "n"(FM_MIX_OFFSET(modulation)),         \
    [load] "n"(FM_LOAD_OFFSET(turns)), [store] "n"(FM_STORE_OFFSET(turns)), [sum] "n"(FM_MIX_OFFSET(sum))
#define FM_ASM_MODULATOR                                                                            \
    [modulator_step] "h"(modulator_ramp.step), [added] "n"(is_added ? FM_MIX_OFFSET(mix) : -1),      \
    [modulator_load] "n"(FM_LOAD_OFFSET(modulator_turns)),                                           \
    [modulator_store] "n"(FM_STORE_OFFSET(modulator_turns)), [kept] "n"(kept)
/* clang-format on */

/* Offsets of the members of a sample, negative if they are not used. */
#define FM_MIX_OFFSET(mix) ((mix) == FM_NONE ? -1 : (int)sizeof(int32_t) * (mix))
#define FM_TURNS_OFFSET(slot) ((int)sizeof(int32_t) * (FM_N_MIXES + (slot)))
#define FM_LOAD_OFFSET(turns) ((turns).use == FM_LOAD ? FM_TURNS_OFFSET((turns).slot) : -1)
#define FM_STORE_OFFSET(turns) ((turns).use == FM_STORE ? FM_TURNS_OFFSET((turns).slot) : -1)

FM_INLINE void fm_pass(fm_run_t *run, int number, fm_turns_t turns, int modulation, int sum, int mix) {
    const fm_ramp_t ramp = run->block->levels[number - 1];
    int32_t level = fm_before_first(ramp);
    fm_sample_t *at = run->samples;
    int32_t sine, line, slope;
    const int length = (turns.use == FM_LOAD    ? 12
                        : turns.use == FM_STORE ? 15
                                                : 14) +
                       (modulation == FM_NONE ? 0 : 3) + (sum == FM_NONE ? 0 : 2);
    const int is_long = length > 15;
    if (turns.use == FM_LOAD) {
        __asm__ volatile(FM_ASM_LOOP(FM_ASM_PASS, FM_ASM_LOAD_TURNS, "")
                         : FM_ASM_STATE
                         : FM_ASM_CONSTANTS, [mix] "n"(FM_MIX_OFFSET(mix)), [is_long] "n"(is_long)
                         : "cc", "memory");
    } else {
        __asm__ volatile(FM_ASM_LOOP(FM_ASM_PASS, FM_ASM_TURNS, "")
                         : FM_ASM_PHASE(turns), FM_ASM_STATE
                         : FM_ASM_CONSTANTS, [increment_step] "h"(turns.increment_step),
                           [mix] "n"(FM_MIX_OFFSET(mix)), [is_long] "n"(is_long)
                         : "cc", "memory");
    }
}

FM_INLINE void fm_play(fm_run_t *run, int number, fm_turns_t turns, int modulation, int sum, int n_carriers) {
    const fm_ramp_t ramp = run->block->levels[number - 1];
    int32_t level = fm_before_first(ramp);
    fm_sample_t *at = run->samples;
    int16_t *pcm = run->pcm;
    int32_t sine, line, slope;
    const int bits = FM_CARRIER_BITS(n_carriers), is_long = 1;
    if (turns.use == FM_LOAD) {
        __asm__ volatile(FM_ASM_LOOP(FM_ASM_PLAY, FM_ASM_LOAD_TURNS, "adds %[pcm], #2 * 8\n")
                         : FM_ASM_STATE, [pcm] "+l"(pcm)
                         : FM_ASM_CONSTANTS, [half] "h"(1 << (bits - 1)),
                           [bits] "n"(FM_CARRIER_BITS(n_carriers)), [is_long] "n"(is_long)
                         : "cc", "memory");
    } else {
        __asm__ volatile(
            FM_ASM_LOOP(FM_ASM_PLAY, FM_ASM_TURNS, "adds %[pcm], #2 * 8\n")
            : FM_ASM_PHASE(turns), FM_ASM_STATE, [pcm] "+l"(pcm)
            : FM_ASM_CONSTANTS, [increment_step] "h"(turns.increment_step), [half] "h"(1 << (bits - 1)),
              [bits] "n"(FM_CARRIER_BITS(n_carriers)), [is_long] "n"(is_long)
            : "cc", "memory");
    }
}

/* At most one of the two phases can be computed: there are no registers for more. */
FM_INLINE void fm_stack(fm_run_t *run, int mix, int modulator_number, fm_turns_t modulator_turns,
                        int modulation, int is_added, int number, fm_turns_t turns, int sum, int target) {
    const fm_ramp_t ramp = run->block->levels[number - 1];
    const fm_ramp_t modulator_ramp = run->block->levels[modulator_number - 1];
    int32_t level = fm_before_first(ramp), modulator = fm_before_first(modulator_ramp);
    fm_sample_t *at = run->samples;
    int32_t sine, line, slope;
    const int is_shared =
        modulator_turns.use != FM_COMPUTE && turns.use == FM_LOAD && modulator_turns.slot == turns.slot;
    const int kept = is_shared && modulation == FM_NONE, is_long = 1;
    fm_turns_t computed = turns.use == FM_LOAD ? modulator_turns : turns;
    if (computed.use == FM_LOAD) {
        __asm__ volatile(FM_ASM_LOOP(FM_ASM_PASS_STACK, FM_ASM_LOAD_TURNS, "")
                         : FM_ASM_STATE, [modulator] "+l"(modulator)
                         : FM_ASM_CONSTANTS,
                           FM_ASM_MODULATOR, [mix] "n"(FM_MIX_OFFSET(target)), [is_long] "n"(is_long)
                         : "cc", "memory");
    } else {
        __asm__ volatile(FM_ASM_LOOP(FM_ASM_PASS_STACK, FM_ASM_TURNS, "")
                         : FM_ASM_PHASE(computed), FM_ASM_STATE, [modulator] "+l"(modulator)
                         : FM_ASM_CONSTANTS, FM_ASM_MODULATOR, [mix] "n"(FM_MIX_OFFSET(target)),
                           [increment_step] "h"(computed.increment_step), [is_long] "n"(is_long)
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
    const fm_turns_t modulator_turns = turns;
    const int bits = FM_CARRIER_BITS(n_carriers), modulation = FM_NONE, kept = 1, is_long = 1;
    __asm__ volatile(FM_ASM_LOOP(FM_ASM_PLAY_STACK, FM_ASM_LOAD_TURNS, "adds %[pcm], #2 * 8\n")
                     : FM_ASM_STATE, [pcm] "+l"(pcm), [modulator] "+l"(modulator)
                     : FM_ASM_CONSTANTS, FM_ASM_MODULATOR, [half] "h"(1 << (bits - 1)),
                       [bits] "n"(FM_CARRIER_BITS(n_carriers)), [is_long] "n"(is_long)
                     : "cc", "memory");
}

#endif
