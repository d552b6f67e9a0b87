/* ADC1, channel 1, as the sound input: 12 bits, left-aligned in a word of 16.
 *
 * A conversion takes 56 + 12 ADC clocks, 3.2 us at 21 MHz; without the PLL it takes 17 us at 4 MHz, still
 * less than a sample. Source: RM0090 sections 13.3 to 13.8 and 13.13.
 */
#include "chip.h"
#include "stm32.h"

#define CLOCK_BY_4 (1u << 16)
#define CHANNEL 1u
#define SAMPLES_FOR_56 (3u << 3 * CHANNEL) /* in SMPR2 */

enum { /* ADC_CR2 */
       ADC_ENABLE = 1u << 0,
       ADC_DMA_FOR_EVER = 1u << 8 | 1u << 9,
       ADC_TO_THE_LEFT = 1u << 11,
       ADC_TRIGGER_TIM2 = 6u << 24,
       ADC_TRIGGER_RISES = 1u << 28,
};

void adc_start_input(void) {
    ADC_CCR = CLOCK_BY_4;
    ADC1_SMPR2 = SAMPLES_FOR_56;
    ADC1_SQR1 = 0; /* one conversion */
    ADC1_SQR3 = CHANNEL;
    adc_resume_input();
}

/* After an overrun the ADC sends no request until the flag is cleared and the DMA restarts (section 13.8.1).
 */
void adc_resume_input(void) {
    ADC1_CR2 = 0;
    ADC1_SR = 0;
    ADC1_CR2 = ADC_ENABLE | ADC_DMA_FOR_EVER | ADC_TO_THE_LEFT | ADC_TRIGGER_TIM2 | ADC_TRIGGER_RISES;
}
