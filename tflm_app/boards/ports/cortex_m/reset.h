/* What the boards with a Cortex-M share of their way from reset to main.
 *
 * A board puts `board_reset` into its vector table. It enables the FPU, fills .data and clears .bss, paints
 * the stack (for board_stack_used), makes the objects of C++, and calls `board_run`, which is the board's
 * own: clocks, board_init, main.
 */
#ifndef RESET_H
#define RESET_H

#include <stdint.h>

/* Set by sections.ld; only its address means anything. */
extern uint32_t link_stack_end[];

void board_reset(void) __attribute__((noreturn));
void board_run(void) __attribute__((noreturn));

#endif
