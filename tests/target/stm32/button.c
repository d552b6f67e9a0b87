/* Runs the code of an STM32 board's user button on the host; its register is in memory.
 *
 *     button PRESSED
 *
 * PRESSED: one byte per block, 1 while the button is down, otherwise 0. Prints the block and the code of each
 * request.
 */
#include <stdio.h>

#include "board.h"
#include "board_files.h"
#include "chip.h"
#include "stm32.h"

volatile uint32_t *fake_register(uintptr_t address) {
    static uint32_t input;
    return address == (uintptr_t)(CHIP_GPIO + 0x400u * CHIP_BUTTON.port + 0x10u) ? &input : NULL;
}

int main(int argc, char **argv) {
    const int file = argc > 1 ? board_open_read(argv[1]) : -1;
    uint8_t is_pressed, control;
    for (unsigned block = 0; board_read(file, &is_pressed, 1) == 1; block++) {
        GPIO_IDR(CHIP_BUTTON.port) = (uint32_t)is_pressed << CHIP_BUTTON.pin;
        while (button_read(&control)) { /* like the application */
            printf("%u %u\n", block, control);
        }
    }
    return 0;
}
