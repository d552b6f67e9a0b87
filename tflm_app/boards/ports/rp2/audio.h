/* What the DMA's interrupt and the board need of audio.c besides play_board.h. */
#ifndef AUDIO_H
#define AUDIO_H

/* In the DMA's interrupt: a half has been played. */
void audio_interrupt(void);

#endif
