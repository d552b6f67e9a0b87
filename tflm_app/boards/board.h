/* What an application may ask of the machine it runs on.
 *
 * Every board implements this header, and only boards touch registers. The emulated boards reach the
 * developer's files through semihosting; `host` is the POSIX twin, so that the same application runs
 * under a debugger or a sanitizer. A board calls main(argc, argv) once it is up, with the words of the
 * emulator's command line, and ends with the value that main returns.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* Starts the instruction counter. The board's start-up calls it before main; on the host main does. */
void board_init(void);

/* Instructions executed since some moment in the past, modulo 2^32.
 *
 * Emulated boards derive it from SysTick under `qemu -icount shift=0`, so it moves in steps of
 * 40 or 50 instructions; it must be called at least once in 600 million instructions. Always 0 on the
 * host. */
uint32_t board_instruction_count(void);

/* Bytes of stack that have been touched since reset; 0 where the board does not know (host). */
size_t board_stack_used(void);

/* Opens a file to be read, or one to be (over)written, in binary.
 * Returns a handle >= 0, or -1 where it cannot be opened or the board has no files. */
int board_open_read(const char *path);
int board_open_write(const char *path);

/* Reads up to `size` bytes and returns how many came: fewer at the end of the file, 0 after it. */
size_t board_read(int file, void *data, size_t size);

/* Writes `size` bytes and returns how many were taken: fewer when the disk is full. */
size_t board_write(int file, const void *data, size_t size);

/* Closes a file; returns 0, or -1 where what was written did not reach it. */
int board_close(int file);

/* Prints text on the console. */
void board_print(const char *text);

/* Ends the program with a status of 0 to 255. */
void board_exit(int status) __attribute__((noreturn));

#endif
