/* board.h and board_files.h for the MPS2 machines of QEMU: SysTick counts instructions, semihosting opens
 * files. */
#include "board.h"
#include "board_files.h"

#include <string.h>

#include "semihosting.h"

/* SysTick, the same on every Cortex-M (Armv7-M Architecture Reference Manual, section B3.3). */
#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define SYST_CSR_ENABLE 1u
#define SYST_CSR_PROCESSOR_CLOCK 4u
#define SYST_MASK 0xFFFFFFu /* the counter has 24 bits and counts down */

/* With -icount shift=0 every instruction takes one nanosecond of the virtual time that drives SysTick. */
#define INSTRUCTIONS_PER_TICK (1000000000u / BOARD_SYSTICK_HZ)

static uint32_t last_tick;
static uint32_t elapsed_ticks;

void board_init(void) {
    SYST_CSR = 0;
    SYST_RVR = SYST_MASK;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_ENABLE | SYST_CSR_PROCESSOR_CLOCK;
    last_tick = SYST_CVR;
    elapsed_ticks = 0;
}

uint32_t board_instruction_count(void) {
    const uint32_t now = SYST_CVR;
    elapsed_ticks += (last_tick - now) & SYST_MASK;
    last_tick = now;
    return elapsed_ticks * INSTRUCTIONS_PER_TICK;
}

static int open_file(const char *path, uintptr_t mode) {
    const uintptr_t parameters[] = {(uintptr_t)path, mode, strlen(path)};
    return (int)semihosting_call(SEMIHOSTING_OPEN, parameters);
}

int board_open_read(const char *path) { return open_file(path, SEMIHOSTING_MODE_RB); }

int board_open_write(const char *path) { return open_file(path, SEMIHOSTING_MODE_WB); }

static size_t transfer(uintptr_t operation, int file, const void *data, size_t size) {
    const uintptr_t parameters[] = {(uintptr_t)file, (uintptr_t)data, size};
    const size_t remaining = semihosting_call(operation, parameters);
    return remaining <= size ? size - remaining : 0;
}

size_t board_read(int file, void *data, size_t size) { return transfer(SEMIHOSTING_READ, file, data, size); }

size_t board_write(int file, const void *data, size_t size) {
    return transfer(SEMIHOSTING_WRITE, file, data, size);
}

int board_close(int file) {
    const uintptr_t parameters[] = {(uintptr_t)file};
    return (int)semihosting_call(SEMIHOSTING_CLOSE, parameters);
}

void board_print(const char *text) { semihosting_call(SEMIHOSTING_WRITE0, text); }

void board_exit(int status) {
    const uintptr_t parameters[] = {SEMIHOSTING_APPLICATION_EXIT, (uintptr_t)status};
    for (;;) {
        semihosting_call(SEMIHOSTING_EXIT_EXTENDED, parameters);
    }
}
