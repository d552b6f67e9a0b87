/* Errors after which a board continues to play. The red LED blinks the number of the first one. The console
 * prints all errors at the start, and later ones when they occur. */
#ifndef ERRORS_H
#define ERRORS_H

#include <stdint.h>

typedef enum {
    ERROR_NO_CRYSTAL = 1,     /* the clock comes from the internal oscillator: pitch is off by up to 1 % */
    ERROR_NO_PLL = 2,         /* the core runs slowly, directly from the oscillator: few voices fit */
    ERROR_NO_SOUND_CLOCK = 3, /* I2S does not run: samples leave by the sample USART instead */
    ERROR_NO_CODEC = 4,       /* the codec does not respond; a DAC on the I2S pins still plays */
    ERROR_WATCHDOG = 5,       /* the watchdog reset the board: it did not render for 100 ms */
    ERROR_NO_INPUT = 6,       /* the ADC does not run: live mode receives silence */
    N_ERRORS = 6,
} error_t;

/* Records an error; errors_first returns the lowest one that was recorded, or 0. */
void errors_record(error_t error);
uint32_t errors_first(void);

/* Prints all recorded errors on the console. */
void errors_print(void);

/* Records an error after the start and prints it. */
void errors_report(error_t error);

#endif
