/* Tests memory on the host: first 64 kB as they are, then the same with an address line that does nothing, so
 * that both halves are one. Prints the lines of the report. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apps/selftest/checks.h"

#define BYTES 65536

void selftest_write(const char *text) { fputs(text, stdout); }

static void check(const char *name, char *start) {
    const selftest_memory_t memory = {name, (uint32_t *)start, (uint32_t *)(start + BYTES)};
    check_memory(&memory);
}

int main(void) {
    const int protection = PROT_READ | PROT_WRITE;
    const int file = memfd_create("memory", 0);
    if (file < 0 || ftruncate(file, BYTES) != 0) {
        return 1;
    }
    char *const sound = mmap(NULL, BYTES, protection, MAP_SHARED, file, 0);
    char *const faulty = mmap(NULL, BYTES, protection, MAP_SHARED, file, 0);
    char *const second = mmap(faulty + BYTES / 2, BYTES / 2, protection, MAP_SHARED | MAP_FIXED, file, 0);
    if (sound == MAP_FAILED || faulty == MAP_FAILED || second == MAP_FAILED) {
        return 1;
    }
    check("sound", sound);
    check("faulty", faulty);
    return 0;
}
