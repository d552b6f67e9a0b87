/* The settings of a pin. */
#ifndef PINS_H
#define PINS_H

#include "chip.h"

static inline void pin_set_mode(pin_t pin, uint32_t mode) {
    GPIO_MODER(pin.port) = (GPIO_MODER(pin.port) & ~(3u << 2 * pin.pin)) | mode << 2 * pin.pin;
}

/* Selects an alternate function, with a slew rate that is fast enough for I2S. */
static inline void pin_set_alternate(pin_t pin, uint32_t function) {
    const uint32_t shift = 4 * (pin.pin % 8);
    GPIO_AFR(pin.port, pin.pin) = (GPIO_AFR(pin.port, pin.pin) & ~(15u << shift)) | function << shift;
    GPIO_OSPEEDR(pin.port) = (GPIO_OSPEEDR(pin.port) & ~(3u << 2 * pin.pin)) | 1u << 2 * pin.pin;
    pin_set_mode(pin, PIN_ALTERNATE);
}

/* Keeps a pin high while nothing drives it, as an idle serial line is. */
static inline void pin_pull_up(pin_t pin) {
    GPIO_PUPDR(pin.port) = (GPIO_PUPDR(pin.port) & ~(3u << 2 * pin.pin)) | 1u << 2 * pin.pin;
}

static inline void pin_write(pin_t pin, bool is_high) {
    GPIO_BSRR(pin.port) = 1u << (pin.pin + (is_high ? 0 : 16));
}

static inline bool pin_read(pin_t pin) { return (GPIO_IDR(pin.port) >> pin.pin & 1u) != 0; }

#endif
