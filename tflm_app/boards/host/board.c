/* board.h and board_files.h for a POSIX machine: no instruction counter, ordinary files. */
#include "board.h"
#include "board_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void board_init(void) {}

uint32_t board_instruction_count(void) { return 0; }

size_t board_stack_used(void) { return 0; }

int board_open_read(const char *path) { return open(path, O_RDONLY); }

int board_open_write(const char *path) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644); }

/* A pipe or a full disk may transfer less than requested, so both functions repeat until nothing more is
 * transferred. */
size_t board_read(int file, void *data, size_t size) {
    size_t done = 0;
    while (done < size) {
        const ssize_t n = read(file, (char *)data + done, size - done);
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    return done;
}

size_t board_write(int file, const void *data, size_t size) {
    size_t done = 0;
    while (done < size) {
        const ssize_t n = write(file, (const char *)data + done, size - done);
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    return done;
}

int board_close(int file) { return close(file); }

void board_print(const char *text) { board_write(STDOUT_FILENO, text, strlen(text)); }

void board_exit(int status) { exit(status); }
