/* What can be wrong with a board and leave it playing; the red LED blinks the number of the first one, and
 * the console tells them: all at the start, and what is found later. */
#ifndef ERRORS_H
#define ERRORS_H

#include <stdint.h>

typedef enum {
    ERROR_NO_CRYSTAL = 1,     /* the clock comes from the internal oscillator: pitch is off by up to 1 % */
    ERROR_NO_PLL = 2,         /* the core runs slowly, from the oscillator itself: few voices fit */
    ERROR_NO_SOUND_CLOCK = 3, /* I2S does not run: samples leave by the sample USART instead */
    ERROR_NO_CODEC = 4,       /* it does not answer; a DAC on the I2S pins is heard */
    ERROR_WATCHDOG = 5,       /* the board was reset by its watchdog: it did not render for 100 ms */
    ERROR_NO_INPUT = 6,       /* the ADC does not run: live mode hears silence */
    N_ERRORS = 6,
} error_t;

/* Keeps one; errors_first returns the lowest that was kept, or 0. */
void errors_keep(error_t error);
uint32_t errors_first(void);

/* Prints all of them on the console. */
void errors_print(void);

/* Keeps one that is found later, and prints it. */
void errors_tell(error_t error);

#endif
