/* The functions that every board provides: initialization, counters, console and exit.
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

/* Starts the counters. The start-up code of a board calls this before main; on the host, main calls it. */
void board_init(void);

/* Returns the number of instructions executed since an arbitrary moment, modulo 2^32; always 0 on boards that
 * cannot count them (the host, and the boards that are flashed).
 *
 * Emulated boards derive the count from SysTick under `qemu -icount shift=0`, so it advances in steps of 40
 * or 50 instructions and must be read at least once in 600 million instructions. */
uint32_t board_instruction_count(void);

/* Returns the bytes of stack that were used since reset; 0 if the board cannot measure them (host). */
size_t board_stack_used(void);

/* Prints text on the console. */
void board_print(const char *text);

/* Ends the program with a status of 0 to 255; a board without an operating system sleeps for ever. */
void board_exit(int status) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
