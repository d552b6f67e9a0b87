/* boards/board_flash.h for boards that have files: the content of the sectors is kept in flash.bin. */
#include "board_flash.h"

#include <string.h>

#include "board_files.h"

#define SECTOR_BYTES 256u /* small, so that tests fill it soon */

static uint8_t content[BOARD_FLASH_SECTORS][SECTOR_BYTES];
static bool is_read;

static uint8_t *sector_bytes(uint32_t sector) {
    if (!is_read) {
        is_read = true;
        memset(content, 0xFF, sizeof content);
        const int file = board_open_read("flash.bin");
        if (file >= 0) {
            board_read(file, content, sizeof content);
            board_close(file);
        }
    }
    return content[sector];
}

static bool keep(void) {
    const int file = board_open_write("flash.bin");
    if (file < 0) {
        return false;
    }
    const size_t n_written = board_write(file, content, sizeof content);
    return board_close(file) == 0 && n_written == sizeof content;
}

uint32_t board_flash_sector_bytes(void) { return SECTOR_BYTES; }

void board_flash_read(uint32_t sector, uint32_t offset, void *bytes, size_t n_bytes) {
    memcpy(bytes, sector_bytes(sector) + offset, n_bytes);
}

bool board_flash_program(uint32_t sector, uint32_t offset, const void *bytes, size_t n_bytes) {
    uint8_t *const at = sector_bytes(sector) + offset;
    for (size_t i = 0; i < n_bytes; i++) {
        at[i] &= ((const uint8_t *)bytes)[i];
    }
    return keep();
}

bool board_flash_erase(uint32_t sector) {
    memset(sector_bytes(sector), 0xFF, SECTOR_BYTES);
    return keep();
}
