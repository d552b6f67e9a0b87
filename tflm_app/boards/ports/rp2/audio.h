/* The functions of audio.c that startup.c calls. */
#ifndef AUDIO_H
#define AUDIO_H

/* The handler of the DMA interrupt: a half has been played. */
void audio_interrupt(void);

/* Fills both halves with silence. */
void audio_mute(void);

#endif
