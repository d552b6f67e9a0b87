/* The start of an ADC, and ADC3, channel 6, as the sound input: each sample is the mean of four successive
 * conversions, with 16 bits.
 *
 * The ADC clock is 64 MHz / 4; from revision V on, the chip halves it again to 8 MHz. A conversion then
 * takes 16.5 + 8.5 clocks, so the four conversions take 12.5 of the 20.8 us of a sample. Source: RM0433
 * sections 8.7.19 (kernel clock), 25.4 and 25.6.
 */
#include "adc.h"

#include "chip.h"
#include "stm32.h"

#define KERNEL_CLOCK (2u << 16) /* the 64 MHz oscillator, whether the core uses it or not */
#define CALIBRATE (1u << 31)

/* Turns an ADC on. After a calibration it ignores the request for four ADC clocks, so the request is repeated
 * until the ADC is ready. */
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
    REGISTER(ADC_CR(adc)) = 0; /* leave deep power-down */
    REGISTER(ADC_CR(adc)) = ADC_REGULATOR | boost;
    (void)wait_until(ADC_ISR(adc), ADC_REGULATOR_READY, ADC_REGULATOR_READY); /* or over 10 us */
    REGISTER(ADC_CR(adc)) |= CALIBRATE;
    return wait_until(ADC_CR(adc), CALIBRATE, 0) && turn_on(adc);
}

/* --- the sound input -------------------------------------------------------------------------------- */

#define CLOCK_BY_4 (2u << 18)
#define CHANNEL 6u
#define SAMPLES_FOR_16 (3u << 3 * CHANNEL)        /* in SMPR1: 16.5 clocks */
#define MEAN_OF_4 (1u | 2u << 5 | (4u - 1) << 16) /* CFGR2: oversampling by 4, shifted right by 2 */

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
        ADC_CFGR2(ADC3_BASE) = MEAN_OF_4;
        ADC_CFGR(ADC3_BASE) =
            ADC_NO_INJECTED_QUEUE | ADC_OVERWRITES | ADC_TRIGGER_RISES | ADC_TRIGGER_TIM2 | ADC_DMA_FOR_EVER;
        REGISTER(ADC_CR(ADC3_BASE)) |= ADC_START; /* at every trigger */
    }
}

/* This ADC overwrites a sample that was not read and continues to send requests. */
void adc_resume_input(void) {}
