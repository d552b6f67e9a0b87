/* The functions of board.c and second_core.c that the other files of this folder call. */
#ifndef RP2_H
#define RP2_H

#include <stdbool.h>
#include <stdint.h>

/* Starts clocks, pins and UARTs; prints an error on the console if a clock did not start. */
void rp2_start(void);

void rp2_console_interrupt(void);
void rp2_midi_interrupt(void);

/* Hands a byte of MIDI on as the interrupt does; for the self-test. */
void rp2_midi_inject(uint8_t byte);

/* Prepares what board_panel_read reads; the clocks must run. */
void rp2_start_panel(void);

/* Updates the LED; called once per block (4 ms). */
void rp2_show_state(void);

/* Starts the second core, which then waits for work; returns false if it does not answer within a fifth of a
 * second. The first core then does all of the work. */
bool rp2_start_second_core(void);

/* Counts the block that begins to play if the first core waits for the second. */
void rp2_check_second_core(void);

/* The vector table of startup.c, which both cores use. */
extern const uintptr_t rp2_vectors[];

#endif
