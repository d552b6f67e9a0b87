/* Two potentiometers at ADC1, for loudness and vibrato, and the user button, which plays the demo phrase or
 * switches live mode.
 *
 * Conversions alternate: each read of the panel takes the last result and starts the conversion of the
 * other potentiometer, so each one is read every 8 ms. Its value is smoothed, and reported when it moves by
 * more than half a step.
 *
 * Source: RM0433 sections 25.4 and 25.6 (ADC).
 */
#include "adc.h"
#include "chip.h"
#include "play_board.h"
#include "stm32.h"

#define ADC_CLOCK_BY_12 (6u << 18)
#define ADC_LONGEST_SAMPLES(channel) (7u << 3 * ((channel)-10u)) /* in SMPR2 */

typedef struct {
    uint8_t channel;    /* channel of ADC1 */
    uint8_t controller; /* MIDI controller */
    bool is_known;
    uint8_t value;     /* last reported, 0 to 127 */
    uint32_t smoothed; /* 0 to 65535 */
} potentiometer_t;

static potentiometer_t potentiometers[] = {
    {.channel = 15, .controller = 11}, /* A0, PA3: expression */
    {.channel = 10, .controller = 1},  /* A1, PC0: modulation */
};
#define N_POTENTIOMETERS (sizeof potentiometers / sizeof potentiometers[0])

static bool has_adc;
static uint32_t converting; /* index of the potentiometer */

static void convert(uint32_t number) {
    converting = number;
    ADC_SQR1(ADC1_BASE) = (uint32_t)potentiometers[number].channel << 6;
    REGISTER(ADC_CR(ADC1_BASE)) |= ADC_START;
}

void panel_start(void) {
    has_adc = adc_start(ADC1_BASE, ADC_CLOCK_BY_12, 0);
    for (uint32_t i = 0; i < N_POTENTIOMETERS; i++) {
        ADC_PCSEL(ADC1_BASE) |= 1u << potentiometers[i].channel;
        ADC_SMPR2(ADC1_BASE) |= ADC_LONGEST_SAMPLES(potentiometers[i].channel);
    }
    if (has_adc) {
        convert(0);
    }
}

/* Returns whether the value must be reported. A step is 512; the hysteresis suppresses noise at its edges. */
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

/* Called once per block, and again while it returns true. */
bool board_panel_read(uint8_t *control, uint8_t *value) {
    if (has_adc && (REGISTER(ADC_ISR(ADC1_BASE)) & ADC_CONVERTED) != 0) {
        potentiometer_t *const potentiometer = &potentiometers[converting];
        const bool is_moved =
            follow(potentiometer, REGISTER(ADC_DR(ADC1_BASE)) & 0xFFFFu); /* the read clears the flag */
        convert((converting + 1) % N_POTENTIOMETERS);
        if (is_moved) {
            *control = potentiometer->controller;
            *value = potentiometer->value;
            return true;
        }
    }
    *value = 0;
    return button_read(control);
}
