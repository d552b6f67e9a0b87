/* The pins of the Picos, which are the same on both boards. */
#ifndef PINS_H
#define PINS_H

#include <stdbool.h>
#include <stdint.h>

#include "registers.h"

#define PIN_CONSOLE_TX 0u /* UART0 */
#define PIN_CONSOLE_RX 1u
#define PIN_MIDI_RX 5u /* UART1 */
#define PIN_PWM 8u     /* slice 4, channel A */
#define PIN_I2S_DATA 9u
#define PIN_I2S_BCK 10u /* LRCK must be the next pin */
#define PIN_I2S_LRCK 11u
#define PIN_LED 25u
#define PIN_ADC0 26u /* potentiometers, and at the next two pins */

/* Connects a pin to a subsystem. */
static inline void pin_connect(uint32_t pin, uint32_t function, uint32_t pad) {
    REGISTER(PADS_BANK0_GPIO(pin)) = pad;
    REGISTER(IO_BANK0_CTRL(pin)) = function;
}

static inline void pin_set_led(bool is_lit) {
    REGISTER(SIO_BASE + (is_lit ? SIO_GPIO_OUT_SET : SIO_GPIO_OUT_CLEAR)) = 1u << PIN_LED;
}

#endif
