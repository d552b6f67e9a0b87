/* board_flash.h for the Picos: the last two sectors of the flash, 4 kB each, written by the boot ROM.
 *
 * Code and data are in RAM, so the interrupts, the second core and the DMA go on while the flash is busy:
 * only the caller waits, 0.4 to 3 ms for a record and 45 to 400 ms for an erasure (W25Q16JV, section 9.6),
 * for which the watchdog is set to a second.
 *
 * The loader has left the flash in a mode that may be too fast for the present clock, so the boot ROM sets
 * its own, slow one before the first read.
 *
 * Source: RP2040 datasheet, sections 2.8.2.1 and 2.8.3; RP2350 datasheet, sections 5.4.1 to 5.4.3 and 5.4.8.
 */
#include "board_flash.h"

#include <string.h>

#include "play_board.h"
#include "registers.h"
#include "rom.h"

#define SECTOR_BYTES 4096u
#define PAGE_BYTES 256u
#define BLOCK_BYTES 65536u /* these and the next are for larger erasures than ours */
#define BLOCK_ERASE 0xD8u
#define WRITE_US 1000000u

extern const uint8_t link_flash[], link_settings[]; /* only their addresses are meaningful */

typedef void (*rom_function_t)(void);
typedef void (*rom_erase_t)(uint32_t offset, size_t n_bytes, uint32_t block_bytes, uint8_t command);
typedef void (*rom_program_t)(uint32_t offset, const uint8_t *bytes, size_t n_bytes);

static void rom_call(char first, char second) { ((rom_function_t)rom_function(first, second))(); }

static void leave_reading(void) {
    REGISTER(WATCHDOG_LOAD) = WRITE_US * WATCHDOG_COUNTS_PER_TICK;
    rom_call('I', 'F'); /* connect_internal_flash */
    rom_call('E', 'X'); /* flash_exit_xip */
}

static void return_to_reading(void) {
    rom_call('F', 'C'); /* flash_flush_cache */
    rom_call('C', 'X'); /* flash_enter_cmd_xip: command 03h, slowly */
    board_watchdog_feed();
}

static uint32_t flash_offset(uint32_t sector, uint32_t offset) {
    return (uint32_t)(link_settings - link_flash) + sector * SECTOR_BYTES + offset;
}

uint32_t board_flash_sector_bytes(void) { return SECTOR_BYTES; }

void board_flash_read(uint32_t sector, uint32_t offset, void *bytes, size_t n_bytes) {
    static bool is_slow;
    if (!is_slow) {
        leave_reading();
        return_to_reading();
        is_slow = true;
    }
    const volatile uint32_t *const words =
        (const volatile uint32_t *)(CHIP_FLASH_UNCACHED + flash_offset(sector, offset));
    for (size_t i = 0; i < n_bytes / sizeof *words; i++) {
        ((uint32_t *)bytes)[i] = words[i];
    }
}

/* Programs the whole page, which the boot ROM requires: 0xFF leaves a byte as it is. */
bool board_flash_program(uint32_t sector, uint32_t offset, const void *bytes, size_t n_bytes) {
    uint8_t page[PAGE_BYTES];
    const uint32_t in_page = offset % PAGE_BYTES;
    memset(page, 0xFF, sizeof page);
    memcpy(page + in_page, bytes, n_bytes);
    const rom_program_t program = (rom_program_t)rom_function('R', 'P');
    leave_reading();
    program(flash_offset(sector, offset - in_page), page, sizeof page);
    return_to_reading();
    return true; /* the boot ROM waits for the flash without a limit, and reports nothing */
}

bool board_flash_erase(uint32_t sector) {
    const rom_erase_t erase = (rom_erase_t)rom_function('R', 'E');
    leave_reading();
    erase(flash_offset(sector, 0), SECTOR_BYTES, BLOCK_BYTES, BLOCK_ERASE);
    return_to_reading();
    return true;
}
