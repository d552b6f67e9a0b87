/* The panel is the user button. */
#include "play_board.h"
#include "stm32.h"

void panel_start(void) {}

bool board_panel_read(uint8_t *control, uint8_t *value) {
    *value = 0;
    return button_read(control);
}
