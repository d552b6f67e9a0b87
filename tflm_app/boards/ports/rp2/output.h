/* The two outputs: I2S to a DAC (i2s.c), or PWM on a pin (pwm.c). PICO_AUDIO selects the one that is built.
 *
 * audio.c owns the two halves of the buffer, the DMA channel that plays them and the one that restarts it. An
 * output defines how a sample becomes words of 32 bits, and where and when the DMA writes them.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdint.h>

#ifdef AUDIO_PWM
#define OUTPUT_WORDS 1 /* per sample */
#else
#define OUTPUT_WORDS 2
#endif

/* Returns the word that plays a sample when it is written OUTPUT_WORDS times. */
uint32_t output_word(int16_t sample);

typedef struct {
    uint32_t address; /* where the DMA writes */
    uint32_t request; /* DREQ or TREQ number that paces the DMA */
} output_port_t;

/* Sets the output up, stopped or playing silence. */
output_port_t output_prepare(uint32_t sample_rate);

/* Starts the output; the DMA must be running. */
void output_start(void);

#endif
