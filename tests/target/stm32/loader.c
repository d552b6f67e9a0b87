/* The way of an STM32 board into the boot loader of its chip, run on the host; its registers are in memory.
 * The program is started once per case, and prints what happens after a reset. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fake_start(uint32_t stack, uint32_t entry);

#include "boards/ports/stm32/loader.c"

#define N_REGISTERS 16

static uintptr_t addresses[N_REGISTERS];
static uint32_t values[N_REGISTERS];
static const char *cause;

volatile uint32_t *fake_register(uintptr_t address) {
    size_t i = 0;
    while (addresses[i] != 0 && addresses[i] != address) {
        if (++i == N_REGISTERS) {
            abort();
        }
    }
    addresses[i] = address;
    return &values[i];
}

static void fake_start(uint32_t stack, uint32_t entry) {
    printf("loader %lx %lx\n", (unsigned long)stack, (unsigned long)entry);
    printf("mpu %lu\n", (unsigned long)MPU_CTRL);
    printf("vectors %lx\n", (unsigned long)VTOR);
#ifdef SYSCFG_MEMRMP
    printf("map %lu\n", (unsigned long)SYSCFG_MEMRMP);
    printf("syscfg %lu\n", (unsigned long)(RCC_APB2ENR >> 14 & 1u));
#endif
}

/* Resets: by software, or another cause. */
static void reset(uint32_t software_flag) {
    memset(values, 0, sizeof values);
    REGISTER(CHIP_LOADER) = 0x20003000u;
    REGISTER(CHIP_LOADER + 4u) = 0x1FFF4321u;
    MPU_CTRL = 5;
#ifdef SYSCFG_MEMRMP
    RCC_CSR = software_flag != 0 ? 1u << 28 : 1u << 29;
#else
    RCC_RSR = software_flag != 0 ? 1u << 24 : 1u << 26;
#endif
    loader_start_if_asked();
}

int main(int argc, char **argv) {
    cause = argc > 1 ? argv[1] : "";
    if (strcmp(cause, "asked") == 0) {
        board_start_loader();
        printf("reset %lx\n", (unsigned long)AIRCR);
        reset(1);
        puts("again");
        reset(1); /* by the loader, into the new image */
    } else if (strcmp(cause, "watchdog") == 0) {
        board_start_loader();
        reset(0); /* by another cause */
        reset(1);
    } else {
        request[0] = REQUEST; /* what power-on may leave in the RAM */
        request[1] = REQUEST;
        reset(1);
    }
    return 0;
}
