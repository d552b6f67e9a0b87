/* Two potentiometers at ADC1, loudness and vibrato, and the user button, which plays the demo phrase.
 *
 * One conversion after the other; a look at the panel takes the one that has ended and starts the next, so a
 * potentiometer is read every 8 ms. What it says is smoothed, and told when it moves by more than half a
 * step.
 *
 * Source: RM0433 sections 8.7.19 (kernel clock), 25.4 and 25.6 (ADC).
 */
#include "chip.h"
#include "play_board.h"
#include "stm32.h"

enum { /* ADC_CR */
       ADC_ENABLE = 1u << 0,
       ADC_START = 1u << 2,
       ADC_LINEARITY = 1u << 16,
       ADC_REGULATOR = 1u << 28,
};
#define ADC_CALIBRATE (1u << 31)
enum { /* ADC_ISR */
       ADC_READY = 1u << 0,
       ADC_CONVERTED = 1u << 2,
};
#define ADC_CLOCK_BY_12 (6u << 18)
#define ADC_KERNEL_CLOCK (2u << 16) /* the 64 MHz oscillator, whether the core uses it or not */
#define ADC_LONGEST_SAMPLES(channel) (7u << 3 * ((channel)-10u)) /* in SMPR2 */

typedef struct {
    uint8_t channel;    /* of ADC1 */
    uint8_t controller; /* of MIDI */
    bool is_known;
    uint8_t value;     /* last told, 0 to 127 */
    uint32_t smoothed; /* 0 to 65535 */
} potentiometer_t;

static potentiometer_t potentiometers[] = {
    {.channel = 15, .controller = 11}, /* A0, PA3: expression */
    {.channel = 10, .controller = 1},  /* A1, PC0: modulation */
};
#define N_POTENTIOMETERS (sizeof potentiometers / sizeof potentiometers[0])

static bool has_adc;
static uint32_t converting; /* number of the potentiometer */

static void convert(uint32_t number) {
    converting = number;
    ADC1_SQR1 = (uint32_t)potentiometers[number].channel << 6;
    ADC1_CR |= ADC_START;
}

void panel_start(void) {
    RCC_D3CCIPR = (RCC_D3CCIPR & ~(3u << 16)) | ADC_KERNEL_CLOCK;
    ADC12_CCR = ADC_CLOCK_BY_12;
    ADC1_CR = 0; /* out of deep power-down */
    ADC1_CR = ADC_REGULATOR;
    (void)wait_until(ADC1_ISR_ADDRESS, 1u << 12, 1u << 12); /* the regulator is ready; or 10 us have passed */
    ADC1_CR |= ADC_CALIBRATE | ADC_LINEARITY;
    has_adc = wait_until(ADC1_CR_ADDRESS, ADC_CALIBRATE, 0);
    ADC1_ISR = ADC_READY;
    ADC1_CR |= ADC_ENABLE;
    has_adc = has_adc && wait_until(ADC1_ISR_ADDRESS, ADC_READY, ADC_READY);
    for (uint32_t i = 0; i < N_POTENTIOMETERS; i++) {
        ADC1_PCSEL |= 1u << potentiometers[i].channel;
        ADC1_SMPR2 |= ADC_LONGEST_SAMPLES(potentiometers[i].channel);
    }
    if (has_adc) {
        convert(0);
    }
}

/* Returns whether it is to be told. A step is 512; one that trembles at its edge stays where it is. */
static bool follow(potentiometer_t *potentiometer, uint32_t sample) {
    const int32_t error = (int32_t)sample - (int32_t)potentiometer->smoothed;
    potentiometer->smoothed =
        potentiometer->is_known ? potentiometer->smoothed + (uint32_t)(error / 8) : sample;
    const int32_t from_middle = (int32_t)potentiometer->smoothed - (512 * potentiometer->value + 256);
    if (potentiometer->is_known && from_middle > -512 && from_middle < 512) {
        return false;
    }
    potentiometer->is_known = true;
    potentiometer->value = (uint8_t)(potentiometer->smoothed >> 9);
    return true;
}

/* Called once a block, and again while it tells something. */
bool board_panel_read(uint8_t *control, uint8_t *value) {
    if (has_adc && (ADC1_ISR & ADC_CONVERTED) != 0) {
        potentiometer_t *const potentiometer = &potentiometers[converting];
        const bool is_moved = follow(potentiometer, ADC1_DR & 0xFFFFu); /* reading clears the flag */
        convert((converting + 1) % N_POTENTIOMETERS);
        if (is_moved) {
            *control = potentiometer->controller;
            *value = potentiometer->value;
            return true;
        }
    }
    *control = BOARD_PANEL_DEMO;
    *value = 0;
    return button_is_pressed();
}
