/* The interfaces between the parts of an STM32 board. */
#ifndef STM32_H
#define STM32_H

#include <stdbool.h>
#include <stdint.h>

#include "errors.h"
#include "uart.h"

/* --- implemented in the folder of the board ------------------------------------------------------------- */

typedef struct {
    uint32_t core_hz;
    uint32_t usart_hz; /* clock of USART2 and USART3 */
    uint32_t usart6_hz;
    uint32_t control_hz; /* clock of I2C */
    uint32_t timer_hz;   /* clock of TIM2 */
} clocks_t;

extern clocks_t clocks;

/* Prepares memories and caches, before anything else runs. */
void chip_start(void);

/* Writes back and empties the caches through which the core reads flash; for measurements. */
void chip_empty_caches(void);

/* Starts the clocks of the core and its buses at full speed. A clock that does not start is recorded as an
 * error, and the board runs without it. */
void clocks_start(void);

/* Starts the clock that I2S3 divides; returns whether it runs. */
bool clocks_start_sound(void);

/* Starts the clock of 48 MHz of the USB controller, and its supply; returns whether they run and come from
 * the crystal, without which the clock is not exact enough. */
bool clocks_start_usb(void);

/* Assigns the functions of all pins; the clocks must run. */
void pins_start(void);

/* Sets I2S3 up as master transmitter that requests 16-bit samples from the DMA, left and right in turns. */
void i2s_start(void);

/* Starts the transmission; the DMA must be ready. */
void i2s_run(void);

/* Sets up the codec behind I2S3, if it needs that; returns whether it responds. */
bool codec_start(void);

/* Prepares what board_panel_read reads. */
void panel_start(void);

/* Sets up the ADC of the sound input: one conversion at every update of TIM2, as 16 bits with 0 at the bottom
 * of the range, which the DMA reads from CHIP_INPUT_DATA. */
void adc_start_input(void);

/* Makes the ADC send DMA requests again after an overrun; the timer and the DMA must be stopped. */
void adc_resume_input(void);

#define AUDIO_PRIORITY 1 /* of the interrupts of output and input */

/* --- board.c -------------------------------------------------------------------------------------------- */

extern uart_t console_uart, midi_uart, sample_uart;

/* Number of SysTick periods of 4 ms since the start; its interrupt counts them. */
extern volatile uint32_t systick_periods;

/* Makes board_wait return; every interrupt calls it. */
void board_wake(void);

/* Updates the LEDs; called once per block, in the audio interrupt. */
void leds_step(void);

/* --- loader.c ------------------------------------------------------------------------------------------- */

/* Starts the boot loader of the chip if board_start_loader has asked for it before the reset; otherwise
 * resets the chip if the loader has started this image without a reset. Call it with interrupts masked,
 * before anything else; it needs no variable with a value. */
void loader_start_if_asked(void);

/* --- button.c ------------------------------------------------------------------------------------------- */

/* Reads the user button, as board_panel_read does: called once per block, and again after it has returned
 * true. A press requests the demo phrase when it ends; a press of one second requests live mode at once. */
bool button_read(uint8_t *control);

/* --- input.c -------------------------------------------------------------------------------------------- */

/* Prepares the sound input, which begins with the next half of the output. */
void input_start(void);

/* Starts a prepared input; called in the audio interrupt, when a half of the output begins. */
void input_step(void);

/* Handles the DMA interrupt of the input. */
void input_interrupt(void);

/* --- audio.c -------------------------------------------------------------------------------------------- */

/* Handles the DMA interrupt of the output. */
void audio_interrupt(void);

/* Fills both halves with silence; the fault handler calls it. */
void audio_mute(void);

/* Returns whether I2S plays the sound; otherwise SysTick paces the output to the sample USART. */
bool audio_is_i2s(void);

/* Plays the next half by the sample USART; called every 4 ms by SysTick if I2S does not run. */
void audio_play_half(void);

#endif
