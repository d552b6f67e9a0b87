/* The user button: it plays the demo phrase. */
#include "chip.h"
#include "pins.h"
#include "play_board.h"
#include "stm32.h"

#define BOUNCE_BLOCKS 5u /* 20 ms */

void panel_start(void) {}

/* Called once a block: a press counts when it has lasted. */
bool board_panel_read(uint8_t *control, uint8_t *value) {
    static uint32_t n_pressed;
    n_pressed = pin_read(PIN_BUTTON) ? n_pressed + (n_pressed <= BOUNCE_BLOCKS) : 0;
    *control = BOARD_PANEL_DEMO;
    *value = 0;
    return n_pressed == BOUNCE_BLOCKS;
}
