/* The pins of the board. Source: UM2407 (LEDs, button, ST-LINK, Zio), DS12110 tables 9 to 15. */
#include "pins.h"

#include "chip.h"
#include "stm32.h"

void pins_start(void) {
    pin_pull_up((pin_t){3, 9});
    pin_pull_up((pin_t){3, 6});
    pin_set_alternate((pin_t){3, 8}, 7);     /* PD8: console, TX (USART3, the port of the ST-LINK) */
    pin_set_alternate((pin_t){3, 9}, 7);     /* PD9: console, RX */
    pin_set_alternate((pin_t){3, 6}, 7);     /* PD6: MIDI (USART2) */
    pin_set_alternate((pin_t){2, 6}, 7);     /* PC6: samples, if I2S does not run (USART6) */
    pin_set_alternate((pin_t){0, 4}, 6);     /* PA4: I2S3 word select */
    pin_set_alternate((pin_t){2, 10}, 6);    /* PC10: I2S3 bit clock */
    pin_set_alternate((pin_t){2, 12}, 6);    /* PC12: I2S3 data */
    pin_set_mode((pin_t){0, 3}, PIN_ANALOG); /* PA3, PC0: potentiometers */
    pin_set_mode((pin_t){2, 0}, PIN_ANALOG);
    pin_set_mode(CHIP_LED_RUNNING, PIN_OUTPUT);
    pin_set_mode(CHIP_LED_MIDI, PIN_OUTPUT);
    pin_set_mode(CHIP_LED_ERROR, PIN_OUTPUT);
    pin_set_mode(CHIP_BUTTON, PIN_INPUT);
    pin_set_mode(PIN_SOUND, PIN_ANALOG);
}
