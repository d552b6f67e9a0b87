/* The counters of stalls of a Cortex-M, for the self-test: those of its DWT (CPICNT and its neighbours).
 *
 * They have 8 bits and wrap, and only a trace port would see that. So SysTick interrupts what is measured
 * about every 128 cycles, and the handler adds what they have counted since its last reading, in a stretch
 * too short to wrap: none advances by more than one per cycle. Stretches that were longer all the same,
 * because an interrupt or a slow memory delayed the handler, are counted. Each stretch includes an
 * exception's entry and return, and the reading of the counters.
 *
 * SysTick starts anew at the end, and a cycle counter that is derived from it leaps. Uses 1 kB of RAM for a
 * vector table of its own.
 */
#ifndef STALLS_H
#define STALLS_H

#include "apps/selftest/selftest_board.h"

/* Returns the counters of the core that calls it. */
const selftest_stall_counters_t *stalls_counters(void);

#endif
