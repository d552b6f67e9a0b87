/* The ADCs of the board: ADC1 reads the potentiometers (panel.c), ADC3 the sound input (adc.c). */
#ifndef ADC_H
#define ADC_H

#include <stdbool.h>
#include <stdint.h>

enum { /* ADC_CR */
       ADC_ENABLE = 1u << 0,
       ADC_START = 1u << 2,
       ADC_BOOST = 1u << 8,
       ADC_REGULATOR = 1u << 28,
};
enum { /* ADC_ISR */
       ADC_READY = 1u << 0,
       ADC_CONVERTED = 1u << 2,
       ADC_REGULATOR_READY = 1u << 12,
};

/* Starts an ADC and calibrates its offset; `boost` is ADC_BOOST or 0. Returns whether it is ready. The
 * linearity is not calibrated: that takes over 100 000 ADC clocks, longer than any wait here, and nothing
 * here needs it. */
bool adc_start(uintptr_t adc, uint32_t clock_divider, uint32_t boost);

#endif
