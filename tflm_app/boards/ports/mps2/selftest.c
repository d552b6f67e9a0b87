/* apps/selftest/selftest_board.h for the MPS2 machines of QEMU: instructions are counted, and the report is
 * printed once.
 *
 * Sources: Armv7-M Architecture Reference Manual, section B3.2.3 (CPUID); Arm DDI 0479, section 4.3 (the
 * timer); application notes AN386 and AN505, section 3 (its address).
 */
#include "apps/selftest/selftest_board.h"

#include "board.h"
#include "reset.h"
#include "stalls.h"

#if defined(__ARM_ARCH_8M_MAIN__)
#define TIMER0 0x50000000u /* seen by secure code */
#else
#define TIMER0 0x40000000u
#endif
#define TIMER_CTRL CORTEX_M_REGISTER(TIMER0 + 0x0u)
#define TIMER_VALUE CORTEX_M_REGISTER(TIMER0 + 0x4u)
#define TIMER_RELOAD CORTEX_M_REGISTER(TIMER0 + 0x8u)
#define CPUID CORTEX_M_REGISTER(0xE000ED00u)

static void start_timer(void) {
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CTRL = 1;
}

static uint32_t count_timer(void) { return ~TIMER_VALUE; } /* it counts down */

const selftest_board_t *selftest_board(void) {
    static selftest_register_t registers[] = {{"CPUID", "Armv7-M ARM B3.2.3", 0}};
    static const selftest_clock_t clocks[] = {
        {"timer 0", "Arm DDI 0479 4.3", BOARD_SYSTICK_HZ, start_timer, count_timer},
    };
    static selftest_memory_t memories[] = {{"RAM", NULL, NULL}};
    static selftest_board_t board = {
        .chip = "QEMU MPS2",
        .counter = "instructions by SysTick",
        .counter_section = "Armv7-M ARM B3.3",
        .counts_instructions = true,
        .counter_hz = 1000000000u, /* qemu -icount shift=0 */
        .registers = registers,
        .n_registers = 1,
        .clocks = clocks,
        .n_clocks = 1,
        .memories = memories,
        .n_memories = 1,
    };
    registers[0].value = CPUID;
    memories[0].start = link_stack_end;
    memories[0].end = link_ram_end;
    board.stalls = stalls_counters();
    return &board;
}

uint32_t selftest_count(void) { return board_instruction_count(); }

bool selftest_chill(void) { return false; }

void selftest_write(const char *text) { board_print(text); }

bool selftest_begin(const char *greeting) {
    static bool is_done;
    const bool is_first = !is_done;
    (void)greeting;
    is_done = true;
    return is_first;
}
