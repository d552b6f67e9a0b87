/* The way into the boot loader of the chip, which takes an image over USB (DFU) or a USART.
 *
 * The loader expects the chip as a reset leaves it, and no watchdog. So the request survives a reset in RAM
 * that nothing clears, and the loader starts before anything else. RAM without a request may hold anything,
 * so it only counts after a reset by software.
 *
 * Sources: AN2606 (addresses, what the loader expects); Armv7-M Architecture Reference Manual, sections
 * B1.5.5 (reset), B3.2.6 (AIRCR), B3.2.5 (VTOR) and B3.5.5 (MPU_CTRL).
 */
#include "chip.h"
#include "play_board.h"
#include "stm32.h"

#define REQUEST 0x4C4F4144u

static volatile uint32_t request[2] __attribute__((aligned(8), section(".kept"))); /* link.ld */

static bool is_asked(void) {
    const bool is_request = request[0] == REQUEST && request[1] == ~REQUEST;
    return is_request && CHIP_IS_SOFTWARE_RESET();
}

static void start_loader(void) {
    const uint32_t stack = REGISTER(CHIP_LOADER), entry = REGISTER(CHIP_LOADER + 4u);
    MPU_CTRL = 0; /* reset.h guards the end of the stack, which is not its own */
    CHIP_MAP_LOADER();
    VTOR = CHIP_LOADER;
    memory_barrier();
#ifdef FAKE_REGISTERS
    fake_start(stack, entry);
#else
    __asm__ volatile("msr msp, %0\n\tbx %1" ::"r"(stack), "r"(entry));
#endif
}

void loader_start_if_asked(void) {
    const bool is_to_start = is_asked();
    request[0] = request[1] = 0;
    if (is_to_start) {
        start_loader();
    }
}

bool board_start_loader(void) {
    interrupts_mask();
    request[0] = REQUEST;
    request[1] = ~REQUEST;
    memory_barrier();
    AIRCR = AIRCR_RESET;
    memory_barrier();
#ifndef FAKE_REGISTERS
    for (;;) { /* until the reset */
    }
#endif
    return true;
}
