/* How an ADC is woken up, and ADC3, channel 6, as the sound input: 16 conversions after the other for a
 * sample, of which it tells the mean, 16 bits.
 *
 * Its clock is 64 MHz / 4, which the chip halves again from revision V on: 8 MHz. There a conversion
 * takes 16.5 + 8.5 of its clocks, so that the 16 take 50 of the 62.5 us of a sample: nearly all of it, which
 * is a filter against what cannot be told at 16 kHz. Source: RM0433 sections 8.7.19 (kernel clock), 25.4
 * and 25.6.
 */
#include "adc.h"

#include "chip.h"
#include "stm32.h"

#define KERNEL_CLOCK (2u << 16) /* the 64 MHz oscillator, whether the core uses it or not */
#define CALIBRATE (1u << 31)

/* Turns one on. For four of its clocks after a calibration it forgets that it was asked to, so it is asked
 * again until it is ready. */
static bool turn_on(uintptr_t adc) {
    REGISTER(ADC_ISR(adc)) = ADC_READY;
    uint32_t polls = WAIT_POLLS;
    do {
        if ((REGISTER(ADC_CR(adc)) & ADC_ENABLE) == 0) {
            REGISTER(ADC_CR(adc)) |= ADC_ENABLE;
        }
    } while ((REGISTER(ADC_ISR(adc)) & ADC_READY) == 0 && --polls > 0);
    return polls > 0;
}

bool adc_start(uintptr_t adc, uint32_t clock_divider, uint32_t boost) {
    RCC_D3CCIPR = (RCC_D3CCIPR & ~(3u << 16)) | KERNEL_CLOCK;
    ADC_CCR(adc) = clock_divider;
    REGISTER(ADC_CR(adc)) = 0; /* out of deep power-down */
    REGISTER(ADC_CR(adc)) = ADC_REGULATOR | boost;
    (void)wait_until(ADC_ISR(adc), ADC_REGULATOR_READY, ADC_REGULATOR_READY); /* or 10 us have passed */
    REGISTER(ADC_CR(adc)) |= CALIBRATE;
    return wait_until(ADC_CR(adc), CALIBRATE, 0) && turn_on(adc);
}

/* --- the sound input -------------------------------------------------------------------------------- */

#define CLOCK_BY_4 (2u << 18)
#define CHANNEL 6u
#define SAMPLES_FOR_16 (3u << 3 * CHANNEL)          /* and a half: in SMPR1 */
#define MEAN_OF_16 (1u | 4u << 5 | (16u - 1) << 16) /* CFGR2: oversampling, four places to the right */

enum { /* ADC_CFGR */
       ADC_DMA_FOR_EVER = 3u << 0,
       ADC_TRIGGER_TIM2 = 11u << 5,
       ADC_TRIGGER_RISES = 1u << 10,
       ADC_OVERWRITES = 1u << 12,
};
#define ADC_NO_INJECTED_QUEUE (1u << 31)

void adc_start_input(void) {
    if (adc_start(ADC3_BASE, CLOCK_BY_4, ADC_BOOST)) {
        ADC_PCSEL(ADC3_BASE) = 1u << CHANNEL;
        ADC_SMPR1(ADC3_BASE) = SAMPLES_FOR_16;
        ADC_SQR1(ADC3_BASE) = CHANNEL << 6; /* one conversion */
        ADC_CFGR2(ADC3_BASE) = MEAN_OF_16;
        ADC_CFGR(ADC3_BASE) =
            ADC_NO_INJECTED_QUEUE | ADC_OVERWRITES | ADC_TRIGGER_RISES | ADC_TRIGGER_TIM2 | ADC_DMA_FOR_EVER;
        REGISTER(ADC_CR(ADC3_BASE)) |= ADC_START; /* at every trigger */
    }
}

/* It overwrites what was not taken, and goes on asking. */
void adc_resume_input(void) {}
