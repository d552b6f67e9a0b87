/* The interrupt handler of audio.c, for the vector table. */
#ifndef AUDIO_H
#define AUDIO_H

/* The handler of the DMA interrupt: a half has been played. */
void audio_interrupt(void);

#endif
