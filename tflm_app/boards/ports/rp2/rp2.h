/* What startup.c and audio.c need of board.c. */
#ifndef RP2_H
#define RP2_H

/* Starts clocks, pins and UARTs; tells of a clock that did not come on the console. */
void rp2_start(void);

void rp2_console_interrupt(void);
void rp2_midi_interrupt(void);

/* Lights the LED or not; called once a block, 4 ms. */
void rp2_show_state(void);

#endif
