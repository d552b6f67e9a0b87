/* A potentiometer at the ADC of a board, read every few ms. Its value is smoothed, and reported when it moves
 * by more than half a step; for the first time when it has moved by four steps, so that a potentiometer that
 * nobody touches has no effect.
 *
 * A pin without a potentiometer floats: it keeps the voltage to which it was last pulled, while a
 * potentiometer of 10 kOhm restores its own at once. State: 12 bytes. Cost: 20 instructions.
 */
#ifndef POTENTIOMETER_H
#define POTENTIOMETER_H

#include <stdbool.h>
#include <stdint.h>

/* All zero is the initial state. */
typedef struct {
    bool is_known;     /* its position at the start has been read */
    bool is_used;      /* it has moved */
    uint8_t value;     /* last reported, 0 to 127 */
    uint32_t smoothed; /* 0 to 65535 */
} potentiometer_t;

#define POTENTIOMETER_STEP 512 /* of `value`, in samples */

/* Takes a sample, 0 to 65535; returns whether `value` must be reported. The hysteresis suppresses noise at
 * the edges of the steps. */
static inline bool potentiometer_follow(potentiometer_t *one, uint32_t sample) {
    const int32_t error = (int32_t)sample - (int32_t)one->smoothed;
    one->smoothed = one->is_known ? one->smoothed + (uint32_t)(error / 8) : sample;
    const int32_t middle = POTENTIOMETER_STEP * one->value + POTENTIOMETER_STEP / 2;
    const int32_t from_middle = (int32_t)one->smoothed - middle;
    const int32_t least = one->is_used ? POTENTIOMETER_STEP : 4 * POTENTIOMETER_STEP;
    if (one->is_known && from_middle > -least && from_middle < least) {
        return false;
    }
    one->is_used = one->is_known;
    one->is_known = true;
    one->value = (uint8_t)(one->smoothed / POTENTIOMETER_STEP);
    return one->is_used;
}

/* Returns whether a pin is connected, by its voltages, 0 to 65535, after it was pulled up and down: they
 * differ by less than an eighth of the range. */
static inline bool potentiometer_is_connected(uint32_t after_pull_up, uint32_t after_pull_down) {
    return (int32_t)after_pull_up - (int32_t)after_pull_down < 8192;
}

#endif
