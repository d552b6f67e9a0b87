/* The pins of the board. Source: UM1472 (pins and what the board connects to them), DS8626 table 9. */
#include "pins.h"

#include "chip.h"
#include "stm32.h"

void chip_start(void) {}

void pins_start(void) {
    pin_pull_up((pin_t){0, 3});
    pin_pull_up((pin_t){3, 9});
    pin_set_alternate((pin_t){0, 2}, 7);  /* PA2: console, TX (USART2) */
    pin_set_alternate((pin_t){0, 3}, 7);  /* PA3: console, RX */
    pin_set_alternate((pin_t){3, 9}, 7);  /* PD9: MIDI (USART3) */
    pin_set_alternate((pin_t){2, 6}, 8);  /* PC6: samples, if I2S does not run (USART6) */
    pin_set_alternate((pin_t){0, 4}, 6);  /* PA4: I2S3 word select */
    pin_set_alternate((pin_t){2, 7}, 6);  /* PC7: I2S3 master clock */
    pin_set_alternate((pin_t){2, 10}, 6); /* PC10: I2S3 bit clock */
    pin_set_alternate((pin_t){2, 12}, 6); /* PC12: I2S3 data */
    pin_set_alternate((pin_t){1, 6}, 4);  /* PB6, PB9: I2C1; the board has the pull-ups */
    pin_set_alternate((pin_t){1, 9}, 4);
    GPIO_OTYPER(1) |= 1u << 6 | 1u << 9;
    pin_set_mode(CHIP_LED_RUNNING, PIN_OUTPUT);
    pin_set_mode(CHIP_LED_MIDI, PIN_OUTPUT);
    pin_set_mode(CHIP_LED_ERROR, PIN_OUTPUT);
    pin_set_mode(PIN_CODEC_RESET, PIN_OUTPUT);
    pin_set_mode(CHIP_BUTTON, PIN_INPUT);
    pin_set_mode(PIN_SOUND, PIN_ANALOG);
}
