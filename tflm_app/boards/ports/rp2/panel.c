/* Three potentiometers at the ADC, for loudness, vibrato and volume; those that are not there are ignored
 * (potentiometer.h).
 *
 * Each read of the panel takes the last result and starts the conversion of the next potentiometer, so each
 * one is read every 12 ms. The ADC needs 48 MHz, which the PLL of the USB makes, with or without USB; a
 * conversion takes 96 of its cycles. The pads take no digital input and have no pulls, so that an input leaks
 * no current (erratum RP2350-E9) and a potentiometer keeps its voltage.
 *
 * Source: RP2040 datasheet, sections 2.19.6 (pads) and 4.9 (ADC); RP2350 datasheet, sections 9.11.3 and 12.4.
 */
#include "clocks.h"
#include "pins.h"
#include "play_board.h"
#include "potentiometer.h"
#include "registers.h"
#include "rp2.h"

#define PULL_READS 5000u  /* of a register, while a pin is pulled: over 100 us */
#define READY_READS 1000u /* of a register, while the ADC starts or converts: over 20 us, 10 conversions */

static const uint8_t controllers[] = {11, 1, 7}; /* at PIN_ADC0 and the next pins */
#define N_POTENTIOMETERS (sizeof controllers / sizeof controllers[0])

static potentiometer_t potentiometers[N_POTENTIOMETERS];
static bool is_connected[N_POTENTIOMETERS];
static bool has_adc;
static uint32_t converting; /* index of the potentiometer */

static void convert(uint32_t number) {
    converting = number;
    REGISTER(ADC_CS) = number << ADC_CS_AINSEL | ADC_CS_START_ONCE | ADC_CS_EN;
}

static bool wait_for_adc(void) {
    for (uint32_t n = 0; n < READY_READS; n++) {
        if ((REGISTER(ADC_CS) & ADC_CS_READY) != 0) {
            return true;
        }
    }
    return false;
}

/* Returns the result, 12 bits, as 16. */
static uint32_t result(void) { return (REGISTER(ADC_RESULT) & 0xFFFu) << 4; }

/* Returns the voltage, 0 to 65535, that a pin keeps after it was pulled up or down. */
static uint32_t voltage_after(uint32_t number, uint32_t pull) {
    pin_connect(PIN_ADC0 + number, PIN_FUNCTION_NONE, PAD_ANALOG | pull);
    for (uint32_t n = 0; n < PULL_READS; n++) {
        (void)REGISTER(ADC_CS);
    }
    pin_connect(PIN_ADC0 + number, PIN_FUNCTION_NONE, PAD_ANALOG);
    convert(number);
    has_adc &= wait_for_adc();
    return result();
}

void rp2_start_panel(void) {
    if (!clocks_start_adc() || !clocks_release(RESET_ADC)) {
        return;
    }
    REGISTER(ADC_CS) = ADC_CS_EN;
    has_adc = wait_for_adc();
    for (uint32_t i = 0; i < N_POTENTIOMETERS; i++) {
        const uint32_t high = voltage_after(i, PAD_PULLED_UP);
        is_connected[i] = potentiometer_is_connected(high, voltage_after(i, PAD_PULLED_DOWN));
    }
    convert(0);
}

/* Called once per block, and again after it has returned true, when it reports no other. */
bool board_panel_read(uint8_t *control, uint8_t *value) {
    static bool has_reported;
    if (has_reported) {
        has_reported = false;
        return false;
    }
    if (!has_adc || (REGISTER(ADC_CS) & ADC_CS_READY) == 0) {
        return false;
    }
    const uint32_t number = converting, sample = result();
    convert((number + 1u) % N_POTENTIOMETERS);
    *control = controllers[number];
    has_reported = is_connected[number] && potentiometer_follow(&potentiometers[number], sample);
    *value = potentiometers[number].value;
    return has_reported;
}
