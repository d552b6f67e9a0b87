/* What a board provides for the self-test (apps/selftest): five functions, besides board_init and
 * board_stack_used of board.h. None of them needs an operating system, a heap or a vendor's library.
 *
 *     selftest_board   describes the chip: identity, clocks, unused memory
 *     selftest_count   reads the counter that measures costs
 *     selftest_chill   empties the caches, so that the next measurement is cold
 *     selftest_write   prints text at the console
 *     selftest_begin   waits until somebody asks for a report
 *
 * boards/ports/stm32/selftest.c is an example for a chip, boards/ports/mps2/selftest.c for an emulator.
 */
#ifndef SELFTEST_BOARD_H
#define SELFTEST_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A register that identifies the chip. `section` names its manual and section. */
typedef struct {
    const char *name, *section;
    uint32_t value;
} selftest_register_t;

/* A clock that is compared with the counter. `start` makes it run. `count` returns its ticks modulo 2^32.
 * If all clocks are as they should be, `hz` ticks come per second, at least 100. */
typedef struct {
    const char *name, *section;
    uint32_t hz;
    void (*start)(void);
    uint32_t (*count)(void);
} selftest_clock_t;

/* Words of RAM that nothing uses, from `start` up to but not including `end`. */
typedef struct {
    const char *name;
    volatile uint32_t *start, *end;
} selftest_memory_t;

typedef struct {
    const char *chip;
    const char *counter, *counter_section; /* what selftest_count reads */
    bool counts_instructions;              /* otherwise it counts cycles of the core */
    uint32_t counter_hz;                   /* counts per second */
    uint32_t counts_per_block;             /* counts in 4 ms; 0 if the board does not play in time */
    const selftest_register_t *registers;
    size_t n_registers;
    const selftest_clock_t *clocks;
    size_t n_clocks;
    const selftest_memory_t *memories;
    size_t n_memories;
} selftest_board_t;

/* Returns what is constant while the test runs; called once, at its start. */
const selftest_board_t *selftest_board(void);

/* Returns the counts since an arbitrary moment, modulo 2^32. Differences over up to 50 ms must be right. */
uint32_t selftest_count(void);

/* Empties the caches through which the core reads code and constants, and returns true; returns false if
 * there are none. */
bool selftest_chill(void);

/* Prints text at the console, and waits until there is room for all of it. */
void selftest_write(const char *text);

/* Waits until a byte arrives at the console, and prints `greeting` about once a second meanwhile. Each report
 * begins from reset: the second call resets the board. Boards whose console cannot be read return true once,
 * and then false, which ends the program. */
bool selftest_begin(const char *greeting);

#ifdef __cplusplus
}
#endif

#endif
