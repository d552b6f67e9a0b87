/* The way of an STM32 board into the boot loader of its chip, run on the host; its registers are in memory.
 * The program is started once per case, and prints what happens after a reset. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void fake_start(uint32_t stack, uint32_t entry);

#include "../fake_registers.h"
#include "boards/ports/stm32/loader.c"

#ifdef SYSCFG_MEMRMP /* the F407 */
#define CHIP_SWS 2
#define CHIP_USB_OSCILLATOR (1u << 16) /* the crystal */
#else
#define CHIP_SWS 3
#define CHIP_USB_OSCILLATOR (1u << 12) /* HSI48 */
#endif

static const char *cause;

volatile uint32_t *fake_register(uintptr_t address) { return content(address); }

static void fake_start(uint32_t stack, uint32_t entry) {
    printf("loader %lx %lx\n", (unsigned long)stack, (unsigned long)entry);
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
#ifdef SYSCFG_MEMRMP
    RCC_CSR = software_flag != 0 ? 1u << 28 : 1u << 29;
#else
    RCC_RSR = software_flag != 0 ? 1u << 24 : 1u << 26;
#endif
    loader_start_if_asked();
}

/* The loader of the chip leaves a trace and starts the new image without a reset. */
static void leave(const char *trace) {
    AIRCR = 0;
    if (strcmp(trace, "pll") == 0) {
        RCC_CR |= 1u << 24;
    } else if (strcmp(trace, "clock") == 0) {
        RCC_CFGR |= 2u << CHIP_SWS;
    } else if (strcmp(trace, "oscillator") == 0) {
        RCC_CR |= CHIP_USB_OSCILLATOR;
    } else if (strcmp(trace, "interrupt") == 0) {
        NVIC_ISER(CHIP_OTG_IRQ) = 1u << CHIP_OTG_IRQ % 32u;
    }
    loader_start_if_asked();
    printf("image %lx\n", (unsigned long)AIRCR);
}

int main(int argc, char **argv) {
    cause = argc > 1 ? argv[1] : "";
    if (strcmp(cause, "asked") == 0) {
        board_start_loader();
        printf("reset %lx\n", (unsigned long)AIRCR);
        reset(1);
        puts("again");
        reset(1); /* by the loader, into the new image */
    } else if (strcmp(cause, "leave") == 0) {
        board_start_loader();
        reset(1);
        leave(argv[2]);
        reset(1); /* which turns all of it off */
        printf("reset %lx\n", (unsigned long)AIRCR);
        leave(argv[2]);
        leave(argv[2]); /* as if the reset had turned nothing off */
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
