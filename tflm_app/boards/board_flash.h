/* Two sectors of flash for data that survives power-off, on every board.
 *
 * An erased byte is 0xFF. Bytes are programmed in groups of BOARD_FLASH_GROUP_BYTES, each once after an
 * erasure. A group that was being programmed, or a sector that was being erased, when the power failed reads
 * as anything. Flash that cannot be read, because its error correction reports too many wrong bits, reads as
 * zeros.
 *
 * Programming takes up to some milliseconds and an erasure up to some seconds, during which nothing else runs
 * on some boards (each port says what does), so call these functions only while the output is silent. The
 * watchdog does not bite meanwhile. Real boards keep the sectors behind the image, where neither the linker
 * nor a flasher puts anything (region SETTINGS of link.ld).
 */
#ifndef BOARD_FLASH_H
#define BOARD_FLASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BOARD_FLASH_SECTORS 2u
#define BOARD_FLASH_GROUP_BYTES 32u

/* Returns the size of a sector, a multiple of BOARD_FLASH_GROUP_BYTES. */
uint32_t board_flash_sector_bytes(void);

/* Reads `n_bytes` from an offset in sector 0 or 1; both are multiples of 4. */
void board_flash_read(uint32_t sector, uint32_t offset, void *bytes, size_t n_bytes);

/* Programs `n_bytes` at an offset, both multiples of BOARD_FLASH_GROUP_BYTES and within 256 aligned bytes;
 * `bytes` is aligned to 4 and not in flash. Returns false if the controller of the flash reports an error or
 * does not finish. */
bool board_flash_program(uint32_t sector, uint32_t offset, const void *bytes, size_t n_bytes);

/* Erases a sector. Returns false if the controller of the flash reports an error or does not finish. */
bool board_flash_erase(uint32_t sector);

#ifdef __cplusplus
}
#endif

#endif
