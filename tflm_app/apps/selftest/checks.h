/* The checks and measurements of the self-test. Each prints its own lines. */
#ifndef SELFTEST_CHECKS_H
#define SELFTEST_CHECKS_H

#include "apps/selftest/selftest_board.h"

/* Compares the flash with the checksum that pipeline/target/selftest.py has put into the image. */
void check_flash(void);

/* Tests RAM that nothing uses with March C-, which finds cells that are stuck, do not change, or change with
 * their neighbours (van de Goor, Testing Semiconductor Memories, section 4.3), on two backgrounds. */
void check_memory(const selftest_memory_t *memory);

/* Compares every stage of every model with the reference, frame by frame, and measures what each takes: with
 * warm caches and, where there are caches, with cold ones; then counts stalls, where there are counters. */
void check_models(const selftest_board_t *board);

/* Plays a score of expensive blocks with all voices for SELFTEST_BLOCKS blocks, and reports the worst. */
void check_worst_block(const selftest_board_t *board);

/* Measures the time from a byte of MIDI to its sound with notes at all phases of a block: from the moment at
 * which the last byte of a note-on is handed on as the interrupt of the UART does, until the half of the
 * output whose samples are the first that are not 0 begins to play. Transmission and DAC come on top. */
void check_latency(const selftest_board_t *board);

/* Compares a clock with the counter; they must agree to 0.2 %. */
void check_clock(const selftest_board_t *board, const selftest_clock_t *clock);

#endif
