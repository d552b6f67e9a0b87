/* apps/selftest/selftest_board.h for STM32, besides the console.
 *
 * Sources: Armv7-M Architecture Reference Manual, sections B2.2.7 (caches), B3.2.3 (CPUID), B3.3 (SysTick)
 * and C1.8 (DWT); RM0090 sections 3.9.1 (caches of the flash) and 38.6.1, RM0433 section 60.5.8 (identity).
 */
#include "apps/selftest/selftest_board.h"

#include "chip.h"
#include "play_board.h"
#include "reset.h"
#include "stalls.h"
#include "stm32.h"

#define CPUID REGISTER(0xE000ED00u)

static volatile uint32_t n_blocks;

/* The DWT counts cycles, unless the processor has none, as in QEMU; SysTick counts then. */
static bool has_dwt(void) {
    const uint32_t before = DWT_CYCCNT;
    __asm__ volatile("nop\n\tnop\n\tnop\n\tnop");
    return DWT_CYCCNT != before;
}

static void start_timer(void) {
    TIM2_ARR = 0xFFFFFFFFu;
    TIM2_CR1 = TIM_ENABLE;
}

static uint32_t count_timer(void) { return TIM2_CNT; }

static void tick(void) { n_blocks++; }

/* Silence plays. The PLL of I2S sets the pace, or SysTick if there is none. */
static void start_audio(void) {
    TIM2_CR1 = 0;
    board_audio_start(tick);
}

static uint32_t count_blocks(void) { return n_blocks; }

static void receive(uint8_t byte) { uart_inject(&midi_uart, byte); }

const selftest_board_t *selftest_board(void) {
    static selftest_register_t registers[] = {
        {"CPUID", "Armv7-M ARM B3.2.3", 0},
        {"DBGMCU_IDCODE", CHIP_IDCODE_SECTION, 0},
    };
    static selftest_clock_t clocks_to_check[] = {
        {"TIM2", CHIP_TIM2_SECTION, 0, start_timer, count_timer},
        {"blocks of sound", CHIP_I2S_SECTION, 250, start_audio, count_blocks},
    };
    static const selftest_sound_t sound = {receive, board_midi_read, board_audio_put, count_blocks};
    static selftest_memory_t memories[] = {{"RAM", NULL, NULL}};
    static selftest_board_t board = {
        .chip = CHIP_NAME,
        .registers = registers,
        .n_registers = 2,
        .clocks = clocks_to_check,
        .n_clocks = 2,
        .memories = memories,
        .n_memories = 1,
        .sound = &sound,
    };
    registers[0].value = CPUID;
    registers[1].value = DBGMCU_IDCODE;
    clocks_to_check[0].hz = clocks.timer_hz;
    memories[0].start = link_unused_ram;
    memories[0].end = link_ram_end;
    board.stalls = stalls_counters();
    board.counter = has_dwt() ? "DWT_CYCCNT" : "SysTick";
    board.counter_section = has_dwt() ? "Armv7-M ARM C1.8" : "Armv7-M ARM B3.3";
    board.counter_hz = clocks.core_hz;
    board.counts_per_block = board_cycles_per_block();
    return &board;
}

uint32_t selftest_count(void) { return board_cycles(); }

bool selftest_chill(void) {
    chip_empty_caches();
    return true;
}
