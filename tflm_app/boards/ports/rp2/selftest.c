/* apps/selftest/selftest_board.h for the Picos, besides the console. Nothing is cached, because everything
 * runs from RAM.
 *
 * Source: RP2040 datasheet, sections 2.20 and 4.6 to 4.7; RP2350 datasheet, sections 8.5, 12.8 and 12.15.
 */
#include "apps/selftest/selftest_board.h"

#include "clocks.h"
#include "play_board.h"
#include "registers.h"
#include "reset.h"
#include "rp2.h"
#include "stalls.h"

#define CPUID 0xE000ED00u

extern uint32_t link_rodata_end[], link_image_start[]; /* only their addresses are meaningful */

static volatile uint32_t n_blocks;

/* Makes the timer count microseconds of the crystal; the core runs from the PLL. */
static void start_timer(void) {
    const uint32_t cycles_per_us = clocks_reference_hz() / 1000000u;
    clocks_release(RESET_TIMER);
#ifdef TIMER_TICK_CTRL
    REGISTER(TIMER_TICK) = cycles_per_us;
    REGISTER(TIMER_TICK_CTRL) = 1;
#else
    REGISTER(TIMER_TICK) = WATCHDOG_TICK_ENABLE | cycles_per_us;
#endif
}

static uint32_t count_timer(void) { return REGISTER(TIMER_RAW_LOW); }

static void tick(void) { n_blocks++; }

static void start_audio(void) { board_audio_start(tick); }

static uint32_t count_blocks(void) { return n_blocks; }

const selftest_board_t *selftest_board(void) {
    static selftest_register_t registers[] = {
        {"CPUID", CHIP_CPUID_SECTION, 0},
        {"CHIP_ID", CHIP_ID_SECTION, 0},
    };
    static const selftest_clock_t clocks[] = {
        {"TIMER", CHIP_TIMER_SECTION, 1000000u, start_timer, count_timer},
        {"blocks of sound", CHIP_SOUND_SECTION, 250, start_audio, count_blocks},
    };
    static const selftest_sound_t sound = {rp2_midi_inject, board_midi_read, board_audio_put, count_blocks};
    static selftest_memory_t memories[] = {{"SRAM", NULL, NULL}, {"SRAM before the code", NULL, NULL}};
    static selftest_board_t board = {
        .chip = CHIP_NAME,
        .counter = "SysTick",
        .counter_section = CHIP_SYSTICK_SECTION,
        .registers = registers,
        .n_registers = 2,
        .clocks = clocks,
        .n_clocks = 2,
        .memories = memories,
        .sound = &sound,
    };
    clocks_release(RESET_SYSINFO);
    registers[0].value = REGISTER(CPUID);
    registers[1].value = REGISTER(SYSINFO_CHIP_ID);
    memories[0].start = link_unused_ram;
    memories[0].end = link_ram_end;
    memories[1].start = link_rodata_end;
    memories[1].end = link_image_start;
    /* Otherwise only the alignment of the vectors is between them. */
    board.n_memories = memories[1].end - memories[1].start > 128 ? 2 : 1;
    board.stalls = stalls_counters();
    board.counter_hz = clocks_core_hz();
    board.counts_per_block = board_cycles_per_block();
    return &board;
}

uint32_t selftest_count(void) { return board_cycles(); }

bool selftest_chill(void) { return false; }
