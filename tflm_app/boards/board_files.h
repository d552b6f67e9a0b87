/* Files of the developer's machine, for the host and the emulated boards (which reach them by semihosting).
 *
 * Boards that are flashed have no files and do not implement this header.
 */
#ifndef BOARD_FILES_H
#define BOARD_FILES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opens a binary file for reading, or for writing from its beginning.
 * Returns a handle >= 0, or -1 if the file cannot be opened. */
int board_open_read(const char *path);
int board_open_write(const char *path);

/* Reads up to `size` bytes; returns the number of bytes read: fewer at the end of the file, 0 after it. */
size_t board_read(int file, void *data, size_t size);

/* Writes `size` bytes; returns the number of bytes written: fewer if the disk is full. */
size_t board_write(int file, const void *data, size_t size);

/* Closes a file; returns 0, or -1 if written data did not reach it. */
int board_close(int file);

#ifdef __cplusplus
}
#endif

#endif
