/* Registers in memory, for programs that run the code of a board on the host. */
#ifndef FAKE_REGISTERS_H
#define FAKE_REGISTERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define N_REGISTERS 256

static uintptr_t addresses[N_REGISTERS]; /* of the registers that were accessed, and 0 from there on */
static uint32_t values[N_REGISTERS];

/* Returns the content of a register, which is 0 at first. */
static uint32_t *content(uintptr_t address) {
    size_t i = 0;
    while (addresses[i] != 0 && addresses[i] != address) {
        if (++i == N_REGISTERS) {
            abort();
        }
    }
    addresses[i] = address;
    return &values[i];
}

#endif
