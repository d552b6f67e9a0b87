/* What every board offers an application: start, counters, a console, an end.
 *
 * Only boards touch registers. The start-up code of a board calls main(argc, argv), with the words of the
 * emulator's command line where there is one, and ends with the value that main returns. Files are in
 * board_files.h, the inputs and outputs of the player in play_board.h.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts the counters. The start-up code of a board calls it before main; on the host main calls it. */
void board_init(void);

/* Instructions executed since some moment in the past, modulo 2^32; always 0 where the board cannot count
 * them (the host, and the boards that are flashed).
 *
 * Emulated boards derive the count from SysTick under `qemu -icount shift=0`, so it advances in steps of 40
 * or 50 instructions and must be read at least once in 600 million instructions. */
uint32_t board_instruction_count(void);

/* Bytes of stack that were touched since reset; 0 where the board does not know (host). */
size_t board_stack_used(void);

/* Prints text on the console. */
void board_print(const char *text);

/* Ends the program with a status of 0 to 255; a board that has nowhere to return to sleeps. */
void board_exit(int status) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
