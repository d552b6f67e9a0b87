/* The way into the boot loader of the chip, which takes an image over USB (DFU) or a USART, and out of it.
 *
 * The loader expects the chip as a reset leaves it, and no watchdog. So the request survives a reset in RAM
 * that nothing clears, and the loader starts before anything else. RAM without a request may hold anything,
 * so it only counts after a reset by software.
 *
 * The loader starts the new image without a reset, and leaves its clocks and interrupts on. A PLL cannot be
 * set while it is on (RM0090 section 7.3.2, RM0433 section 8.7). So an image that finds them on resets the
 * chip, as it does if a debugger has set the clocks; at most once, whatever the registers read then.
 *
 * Sources: AN2606 (addresses, what the loader expects); Armv7-M Architecture Reference Manual, sections
 * B1.5.5 (reset), B3.2.6 (AIRCR), B3.2.5 (VTOR) and B3.4 (NVIC_ISER).
 */
#include "chip.h"
#include "play_board.h"
#include "stm32.h"

#define REQUEST 0x4C4F4144u
#define RESTART 0x52535452u

static volatile uint32_t request[2] __attribute__((aligned(8), section(".kept"))); /* link.ld */

static bool is_requested(uint32_t word) { return request[0] == word && request[1] == ~word; }

static void reset_for(uint32_t word) {
    request[0] = word;
    request[1] = ~word;
    memory_barrier();
    AIRCR = AIRCR_RESET;
    memory_barrier();
#ifndef FAKE_REGISTERS
    for (;;) { /* until the reset */
    }
#endif
}

static bool is_as_after_reset(void) {
    uint32_t enabled = 0;
    for (uint32_t irq = 0; irq < CHIP_N_INTERRUPTS; irq += 32) {
        enabled |= NVIC_ISER(irq);
    }
    return enabled == 0 && CHIP_CLOCKS_ARE_RESET();
}

static void start_loader(void) {
    const uint32_t stack = REGISTER(CHIP_LOADER), entry = REGISTER(CHIP_LOADER + 4u);
    CHIP_MAP_LOADER();
    VTOR = CHIP_LOADER;
    memory_barrier();
    interrupts_unmask();
#ifdef FAKE_REGISTERS
    fake_start(stack, entry);
#else
    __asm__ volatile("msr msp, %0\n\tbx %1" ::"r"(stack), "r"(entry));
#endif
}

void loader_start_if_asked(void) {
    const bool is_to_start = is_requested(REQUEST) && CHIP_IS_SOFTWARE_RESET();
    const bool is_restarted = is_requested(RESTART);
    request[0] = request[1] = 0;
    if (is_to_start) {
        start_loader();
    } else if (!is_restarted && !is_as_after_reset()) {
        reset_for(RESTART);
    }
}

bool board_start_loader(void) {
    interrupts_mask();
    reset_for(REQUEST);
    return true;
}
