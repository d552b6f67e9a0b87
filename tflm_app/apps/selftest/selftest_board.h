/* What a board provides for the self-test (apps/selftest): five functions, besides board_init and
 * board_stack_used of board.h. None of them needs an operating system, a heap or a vendor's library. What a
 * board lacks of the rest, `sound` and `stalls`, is left out of the report.
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

/* The way of MIDI to the sound, on boards that implement play_board.h. The output must be running after the
 * last of the clocks was compared. */
typedef struct {
    void (*receive)(uint8_t byte);                   /* hands a byte on as the interrupt of the UART does */
    size_t (*read)(uint8_t *bytes, size_t capacity); /* board_midi_read */
    void (*put)(const int16_t *samples, const int16_t *end); /* board_audio_put */
    uint32_t (*count)(void);                                 /* the halves that have begun to play */
} selftest_sound_t;

/* The counters of the DWT that say what takes cycles besides the instructions. Each has 8 bits. */
enum { STALLS_CPI, STALLS_EXC, STALLS_SLEEP, STALLS_LSU, STALLS_FOLD, N_STALLS };

typedef struct {
    uint32_t cycles;
    uint32_t n_stretches; /* from a reading of the counters to the next one */
    uint32_t n_long;      /* those of over 255 cycles, in which a counter may have wrapped unseen */
    uint32_t counts[N_STALLS];
} selftest_stalls_t;

typedef struct {
    const char *sections[N_STALLS]; /* manual and section of each counter, or where it is missing */
    bool is_present;
    void (*begin)(void);                  /* begins to count */
    void (*end)(selftest_stalls_t *sums); /* ends it, and adds what was counted */
} selftest_stall_counters_t;

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
    const selftest_sound_t *sound;           /* NULL if there is none */
    const selftest_stall_counters_t *stalls; /* NULL if there are none */
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
