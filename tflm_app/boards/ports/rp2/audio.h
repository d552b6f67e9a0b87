/* What audio.c offers the vector table, besides play_board.h. */
#ifndef AUDIO_H
#define AUDIO_H

/* The handler of the DMA interrupt: a half has been played. */
void audio_interrupt(void);

#endif
