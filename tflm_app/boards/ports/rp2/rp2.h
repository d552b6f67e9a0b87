/* The functions of board.c for startup.c and audio.c. */
#ifndef RP2_H
#define RP2_H

/* Starts clocks, pins and UARTs; prints an error on the console if a clock did not start. */
void rp2_start(void);

void rp2_console_interrupt(void);
void rp2_midi_interrupt(void);

/* Updates the LED; called once per block (4 ms). */
void rp2_show_state(void);

#endif
