/* The clocks of the Picos: crystal (12 MHz) -> PLL -> core and peripherals, and a second PLL for USB and ADC.
 *
 * Every wait is bounded. If a clock does not start, the board continues with the previous one: too slowly to
 * play in time, but its console and its LED report the error.
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

/* Starts the clocks; takes 2 ms, and at most a quarter of a second. */
clocks_error_t clocks_start(void);

/* Start the 48 MHz of the USB controller, or of the ADC; return false if the crystal or its PLL does not run.
 */
bool clocks_start_usb(void);
bool clocks_start_adc(void);

/* Frequency of the core and the peripherals, and of the reference clock, in Hz. */
uint32_t clocks_core_hz(void);
uint32_t clocks_reference_hz(void);

/* Takes subsystems out of reset (RESET_ bits of chip.h) and waits until they are ready; returns false if one
 * does not become ready. */
bool clocks_release(uint32_t subsystems);

#endif
