/* Start-up of the Picos, from the loader to main: vector table, clocks, pins.
 *
 * Source: Armv6-M Architecture Reference Manual, section B1.5.3 (vector table); RP2040 datasheet,
 * section 2.3.2, and RP2350 datasheet, section 3.2 (interrupts).
 */
#include "audio.h"
#include "board.h"
#include "pins.h"
#include "reset.h"
#include "rp2.h"
#include "usb.h"
#include "usb_e5.h"

int main(void);

void board_run(void) {
    rp2_start();
    main();
    board_exit(0);
}

/* Mutes the output and lights the LED until the watchdog resets the board. */
void board_fault(void) {
    audio_mute();
    pin_set_led(true);
    for (;;) {
    }
}

/* The loader points VTOR here: initial stack pointer, exceptions 1 to 15, interrupts. */
__attribute__((section(".vectors"), used)) const uintptr_t rp2_vectors[16 + IRQ_UART1 + 1] = {
    [0] = (uintptr_t)link_stack_end,
    [1] = (uintptr_t)board_reset,
    [2 ... 15] = (uintptr_t)cortex_m_fault,
    [16 + IRQ_DMA_0] = (uintptr_t)audio_interrupt,
#ifdef BOARD_USB
#ifdef CHIP_REVISION_B2
    [16 + IRQ_TIMER_0] = (uintptr_t)usb_e5_interrupt,
#endif
    [16 + IRQ_USBCTRL] = (uintptr_t)usb_interrupt,
#endif
    [16 + IRQ_UART0] = (uintptr_t)rp2_console_interrupt,
    [16 + IRQ_UART1] = (uintptr_t)rp2_midi_interrupt,
};
