/* How samples leave: by I2S to a DAC (i2s.c), or by PWM on a pin (pwm.c); one of them is built.
 *
 * audio.c keeps the two halves of the buffer and the two DMA channels that play them in turns. An output says
 * how a sample becomes words of 32 bits, and where and when the DMA writes them.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdint.h>

#ifdef AUDIO_PWM
#define OUTPUT_WORDS 1 /* a sample */
#else
#define OUTPUT_WORDS 2
#endif

/* The word, OUTPUT_WORDS of them, that plays a sample. */
uint32_t output_word(int16_t sample);

typedef struct {
    uint32_t address; /* where the DMA writes */
    uint32_t request; /* that paces it: a DREQ or TREQ number */
} output_port_t;

/* Sets the output up; it stands still, or plays silence. */
output_port_t output_prepare(uint32_t sample_rate);

/* Starts it, after the DMA. */
void output_start(void);

#endif
