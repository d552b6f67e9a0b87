/* Counts stalls on an emulated board, whose timer stands in for the counters of the DWT: the one of cycles
 * has its ticks, and those of stalls have 1/8 to 5/8 of them. SysTick and its interrupt are the emulator's.
 *
 * Prints for each of four runs of the same work its ticks, cycles, stretches, long stretches, counts, and the
 * result: twice as it is, once with interrupts masked now and then, and once without counting. */
#include <stdint.h>

#include "board.h"
#include "stalls.h"

#define TIMER_CTRL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004u)
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008u)
#define DWT 0xE0001000u
#define ROUNDS 100000u
#define MASKED_ROUNDS 10000u

static uint32_t ticks(void) { return ~TIMER_VALUE; }

volatile uint32_t *fake_register(uintptr_t address) {
    static volatile uint32_t control, value;
    if (address <= DWT || address > DWT + 0x18u) {
        return &control;
    }
    const uint32_t eighths = address == DWT + 4u ? 8u : (uint32_t)(address - DWT - 4u) / 4u;
    value = (uint32_t)((uint64_t)ticks() * eighths / 8u);
    if (eighths < 8u) {
        value &= 255u;
    }
    return &value;
}

static uint32_t work(uint32_t n_masked) {
    uint32_t x = 1;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (n_masked > 0 && i % MASKED_ROUNDS == 0) {
            __asm__ volatile("cpsid i");
        } else if (i % MASKED_ROUNDS == n_masked) {
            __asm__ volatile("cpsie i");
        }
        x = x * 1664525u + 1013904223u;
        x ^= x & 64u ? x >> 7 : 0;
    }
    return x;
}

static void print(uint32_t number) {
    char text[12];
    char *digit = text + sizeof text - 1;
    *digit = '\0';
    *--digit = ' ';
    do {
        *--digit = (char)('0' + number % 10u);
        number /= 10u;
    } while (number != 0);
    board_print(digit);
}

static void run(const selftest_stall_counters_t *counters, uint32_t n_masked) {
    selftest_stalls_t sums = {0};
    const uint32_t start = ticks();
    if (counters != NULL) {
        counters->begin();
    }
    const uint32_t result = work(n_masked);
    if (counters != NULL) {
        counters->end(&sums);
    }
    print(ticks() - start);
    print(sums.cycles);
    print(sums.n_stretches);
    print(sums.n_long);
    for (int i = 0; i < N_STALLS; i++) {
        print(sums.counts[i]);
    }
    print(result);
    board_print("\n");
}

int main(void) {
    TIMER_RELOAD = 0xFFFFFFFFu;
    TIMER_VALUE = 0xFFFFFFFFu;
    TIMER_CTRL = 1;
    const selftest_stall_counters_t *const counters = stalls_counters();
    run(counters, 0);
    run(counters, 0);
    run(counters, 3000);
    run(NULL, 0);
    return counters->is_present ? 0 : 1;
}
