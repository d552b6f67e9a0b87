/* Calls of the boot ROM, and the way back into it.
 *
 * Source: RP2040 datasheet, sections 2.8.3 and 2.8.3.1.5 (reset_to_usb_boot); RP2350 datasheet,
 * sections 5.4.1 and 5.4.8.24 (reboot).
 */
#include "rom.h"

#include <stdbool.h>

#include "play_board.h"
#include "registers.h"

#ifdef CHIP_ROM_ARM_SECURE
#define REBOOT_TO_BOOTSEL 0x0102u /* REBOOT2_FLAG_REBOOT_TYPE_BOOTSEL, NO_RETURN_ON_SUCCESS */
#define REBOOT_DELAY_MS 10u
#endif

uint32_t rom_function(char first, char second) {
    const uint32_t code = (uint32_t)first | (uint32_t)second << 8;
    uint32_t pointers = CHIP_ROM_POINTERS;
    __asm__("" : "+r"(pointers)); /* otherwise the compiler warns that nothing is at this low address */
    const volatile uint16_t *const rom = (const volatile uint16_t *)pointers;
#ifdef CHIP_ROM_ARM_SECURE
    return ((uint32_t(*)(uint32_t, uint32_t))(uint32_t)rom[0])(code, CHIP_ROM_ARM_SECURE);
#else
    return ((uint32_t(*)(uint32_t, uint32_t))(uint32_t)rom[2])(rom[0], code); /* rom[1]: the table of data */
#endif
}

bool board_start_loader(void) {
    __asm__ volatile("cpsid i" ::: "memory");
#ifdef CHIP_ROM_ARM_SECURE
    typedef int (*rom_reboot_t)(uint32_t flags, uint32_t delay_ms, uint32_t pins, uint32_t interfaces);
    ((rom_reboot_t)rom_function('R', 'B'))(REBOOT_TO_BOOTSEL, REBOOT_DELAY_MS, 0, 0);
#else
    typedef void (*rom_boot_t)(uint32_t led_pins, uint32_t disabled_interfaces);
    ((rom_boot_t)rom_function('U', 'B'))(0, 0);
#endif
    for (;;) { /* until the reset */
    }
}
