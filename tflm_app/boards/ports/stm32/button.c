/* The user button: a press plays the demo phrase; holding it switches live mode. */
#include "pins.h"
#include "play_board.h"
#include "stm32.h"

#define BOUNCE_BLOCKS 5u /* 20 ms */
#define LONG_BLOCKS 250u /* 1 s */

bool button_read(uint8_t *control) {
    static uint32_t n_pressed; /* blocks; stays at LONG_BLOCKS + 1 until the button is released */
    if (pin_read(CHIP_BUTTON)) {
        n_pressed += n_pressed <= LONG_BLOCKS ? 1u : 0u;
        *control = BOARD_PANEL_LIVE;
        return n_pressed == LONG_BLOCKS;
    }
    const bool was_pressed = n_pressed >= BOUNCE_BLOCKS && n_pressed < LONG_BLOCKS;
    n_pressed = 0;
    *control = BOARD_PANEL_DEMO;
    return was_pressed;
}
