/* What the parts of an STM32 board ask of each other. */
#ifndef STM32_H
#define STM32_H

#include <stdbool.h>
#include <stdint.h>

#include "errors.h"
#include "uart.h"

/* --- of the board's own folder ------------------------------------------------------------------------ */

typedef struct {
    uint32_t core_hz;
    uint32_t usart_hz; /* of USART2 and USART3 */
    uint32_t usart6_hz;
    uint32_t control_hz; /* of I2C */
    uint32_t timer_hz;   /* of TIM2 */
} clocks_t;

extern clocks_t clocks;

/* Prepares memories that want it, before anything else. */
void chip_start(void);

/* Takes the core and its buses to their usual speed; what does not come is kept as an error, and done
 * without. */
void clocks_start(void);

/* Starts the clock that I2S3 divides; returns whether it runs. */
bool clocks_start_sound(void);

/* Gives every pin its function, once the clocks run. */
void pins_start(void);

/* Prepares I2S3 as master transmitter that asks the DMA for 16-bit samples, left and right in turns. */
void i2s_start(void);

/* Lets it run, once the DMA is ready. */
void i2s_run(void);

/* Prepares what is behind I2S3, if it wants to be; returns whether it answers. */
bool codec_start(void);

/* Prepares what board_panel_read reads. */
void panel_start(void);

/* Prepares the ADC of the sound input: at every update of TIM2 a conversion, 16 bits with 0 at the bottom of
 * its range, which it asks the DMA to take from CHIP_INPUT_DATA. */
void adc_start_input(void);

/* Lets it ask the DMA again, where an overrun has ended that; the timer and the DMA stand still. */
void adc_resume_input(void);

#define AUDIO_PRIORITY 1 /* of output and input */

/* --- shared ------------------------------------------------------------------------------------------- */

extern uart_t console_uart, midi_uart, sample_uart;

/* Called in every interrupt: board_wait has something to return for. */
void board_wake(void);

/* Looks at the user button, once a block, and again after it has told something: a press plays the demo
 * phrase when it ends, one of a second switches live mode at once. As board_panel_read. */
bool button_read(uint8_t *control);

/* Called in the audio interrupt, every 4 ms: the LEDs, and the input's start. */
void leds_step(void);
void input_step(void);

/* Prepares the sound input, which begins with the next half of the output. */
void input_start(void);

/* Handlers of the vector table. */
void audio_interrupt(void);
void input_interrupt(void);
void systick_interrupt(void);

/* Whether sound leaves by I2S; otherwise SysTick asks for blocks, and they leave by the sample USART. */
bool audio_is_i2s(void);

/* Called every 4 ms by SysTick where I2S does not run. */
void audio_play_half(void);

#endif
