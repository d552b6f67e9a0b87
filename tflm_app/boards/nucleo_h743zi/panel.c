/* Two potentiometers at ADC1, for loudness and vibrato, which are ignored if they are not there
 * (potentiometer.h), and the user button, which plays the demo phrase or switches live mode.
 *
 * Conversions alternate: each read of the panel takes the last result and starts the conversion of the
 * other potentiometer, so each one is read every 8 ms.
 *
 * Source: RM0433 sections 11.3 (pulls are off in analog mode), 25.4 and 25.6 (ADC).
 */
#include "adc.h"
#include "chip.h"
#include "pins.h"
#include "play_board.h"
#include "potentiometer.h"
#include "stm32.h"

#define ADC_CLOCK_BY_12 (6u << 18)
#define ADC_LONGEST_SAMPLES(channel) (7u << 3 * ((channel)-10u)) /* in SMPR2 */

#define PULL_READS 10000u /* of a register, while a pin is pulled: over 100 us */

enum { PULL_UP = 1, PULL_DOWN = 2 }; /* GPIO_PUPDR */

typedef struct {
    pin_t pin;
    uint8_t channel;    /* channel of ADC1 */
    uint8_t controller; /* MIDI controller */
    bool is_connected;
    potentiometer_t state;
} input_t;

static input_t potentiometers[] = {
    {.pin = {0, 3}, .channel = 15, .controller = 11}, /* A0, PA3: expression */
    {.pin = {2, 0}, .channel = 10, .controller = 1},  /* A1, PC0: modulation */
};
#define N_POTENTIOMETERS (sizeof potentiometers / sizeof potentiometers[0])

static bool has_adc;
static uint32_t converting; /* index of the potentiometer */

static void convert(uint32_t number) {
    converting = number;
    ADC_SQR1(ADC1_BASE) = (uint32_t)potentiometers[number].channel << 6;
    REGISTER(ADC_CR(ADC1_BASE)) |= ADC_START;
}

/* Returns the voltage, 0 to 65535, that a pin keeps after it was pulled up or down. */
static uint32_t voltage_after(const input_t *potentiometer, uint32_t number, uint32_t pull) {
    const pin_t pin = potentiometer->pin;
    GPIO_PUPDR(pin.port) = (GPIO_PUPDR(pin.port) & ~(3u << 2 * pin.pin)) | pull << 2 * pin.pin;
    pin_set_mode(pin, PIN_INPUT);
    for (uint32_t n = 0; n < PULL_READS; n++) {
        (void)GPIO_IDR(pin.port);
    }
    pin_set_mode(pin, PIN_ANALOG);
    convert(number);
    (void)wait_until(ADC_ISR(ADC1_BASE), ADC_CONVERTED, ADC_CONVERTED);
    return REGISTER(ADC_DR(ADC1_BASE)) & 0xFFFFu;
}

void panel_start(void) {
    has_adc = adc_start(ADC1_BASE, ADC_CLOCK_BY_12, 0);
    for (uint32_t i = 0; i < N_POTENTIOMETERS; i++) {
        ADC_PCSEL(ADC1_BASE) |= 1u << potentiometers[i].channel;
        ADC_SMPR2(ADC1_BASE) |= ADC_LONGEST_SAMPLES(potentiometers[i].channel);
    }
    if (has_adc) {
        for (uint32_t i = 0; i < N_POTENTIOMETERS; i++) {
            input_t *const one = &potentiometers[i];
            const uint32_t high = voltage_after(one, i, PULL_UP);
            one->is_connected = potentiometer_is_connected(high, voltage_after(one, i, PULL_DOWN));
        }
        convert(0);
    }
}

/* Called once per block, and again while it returns true. */
bool board_panel_read(uint8_t *control, uint8_t *value) {
    if (has_adc && (REGISTER(ADC_ISR(ADC1_BASE)) & ADC_CONVERTED) != 0) {
        input_t *const potentiometer = &potentiometers[converting];
        const uint32_t sample = REGISTER(ADC_DR(ADC1_BASE)) & 0xFFFFu; /* the read clears the flag */
        const bool is_moved =
            potentiometer->is_connected && potentiometer_follow(&potentiometer->state, sample);
        convert((converting + 1) % N_POTENTIOMETERS);
        if (is_moved) {
            *control = potentiometer->controller;
            *value = potentiometer->state.value;
            return true;
        }
    }
    *value = 0;
    return button_read(control);
}
