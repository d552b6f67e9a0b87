/* The clocks of the Picos: crystal (12 MHz) -> PLL -> core and peripherals.
 *
 * Every wait ends. Where a clock does not come, the board goes on with the last one that did: too slowly to
 * play in time, but its console and its LED can tell.
 */
#ifndef CLOCKS_H
#define CLOCKS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    CLOCKS_FULL_SPEED = 0,
    CLOCKS_NO_CRYSTAL = 1, /* runs from the ring oscillator, at about RING_OSCILLATOR_HZ */
    CLOCKS_NO_PLL = 2,     /* runs from the crystal, at 12 MHz */
} clocks_error_t;

/* Starts the clocks; takes 2 ms, at most a quarter of a second. */
clocks_error_t clocks_start(void);

/* Frequencies of core and peripherals, and of the reference, in Hz. */
uint32_t clocks_core_hz(void);
uint32_t clocks_reference_hz(void);

/* Takes subsystems out of reset (RESET_ bits of chip.h) and waits until they are; false if one does not come.
 */
bool clocks_release(uint32_t subsystems);

#endif
