/* board_flash.h for the STM32F407: its last two sectors, of 128 kB each.
 *
 * While the only bank of the flash is programmed (16 us per word) or erased (1 to 2 s), a read of it waits,
 * and so does the core, with all interrupts, because their code is there. Programming costs less than a
 * sample. MIDI bytes that arrive during an erasure are lost, which ends all notes; the DMA goes on with what
 * is in RAM, and the watchdog is set to 4 s (2.7 to 7.5 with the tolerance of its oscillator).
 *
 * Source: RM0090 sections 3.5 (reads), 3.6 (erase and program) and 3.9 (registers); DS8626 section 5.3.12
 * (times, 10 000 erasures).
 */
#include "board_flash.h"

#include "chip.h"
#include "play_board.h"
#include "stm32.h"

#define SECTOR_BYTES (128u << 10)
#define FIRST_SECTOR 10u

#define FLASH_KEYR REGISTER(0x40023C04u)
#define FLASH_KEYS \
    { 0x45670123u, 0xCDEF89ABu }
#define FLASH_SR_ADDRESS 0x40023C0Cu
#define FLASH_SR REGISTER(FLASH_SR_ADDRESS)
#define FLASH_SR_ERRORS 0xF2u /* PGSERR, PGPERR, PGAERR, WRPERR, OPERR */
#define FLASH_SR_BUSY (1u << 16)
#define FLASH_CR REGISTER(0x40023C10u)
#define FLASH_CR_PROGRAM 1u
#define FLASH_CR_ERASE_SECTOR(number) (1u << 1 | (number) << 3)
#define FLASH_CR_32_BITS (2u << 8) /* from 2.7 V on */
#define FLASH_CR_START (1u << 16)
#define FLASH_CR_LOCK (1u << 31)

#define WATCHDOG_DIVIDER_256 6u
#define WATCHDOG_COUNTS 500u /* of 8 ms */

extern uint32_t link_settings[]; /* only its address is meaningful */

static uintptr_t flash_address(uint32_t sector, uint32_t offset) {
    return (uintptr_t)link_settings + sector * SECTOR_BYTES + offset;
}

/* Returns whether the controller accepts commands. */
static bool unlock(void) {
    if ((FLASH_CR & FLASH_CR_LOCK) != 0) { /* a key that is written to an open lock closes it for ever */
        static const uint32_t keys[] = FLASH_KEYS;
        FLASH_KEYR = keys[0];
        FLASH_KEYR = keys[1];
    }
    FLASH_SR = FLASH_SR_ERRORS; /* clears them */
    return (FLASH_CR & FLASH_CR_LOCK) == 0 && wait_until(FLASH_SR_ADDRESS, FLASH_SR_BUSY, 0);
}

/* Returns whether the controller has finished without an error. */
static bool lock(void) {
    const bool is_done = (FLASH_SR & (FLASH_SR_BUSY | FLASH_SR_ERRORS)) == 0;
    FLASH_CR = FLASH_CR_LOCK;
    chip_empty_caches(); /* they hold what was in the flash before */
    return is_done;
}

uint32_t board_flash_sector_bytes(void) { return SECTOR_BYTES; }

void board_flash_read(uint32_t sector, uint32_t offset, void *bytes, size_t n_bytes) {
    for (uint32_t i = 0; i < n_bytes; i += 4) {
        *(uint32_t *)((uint8_t *)bytes + i) = REGISTER(flash_address(sector, offset + i));
    }
}

bool board_flash_program(uint32_t sector, uint32_t offset, const void *bytes, size_t n_bytes) {
    if (!unlock()) {
        return false;
    }
    FLASH_CR = FLASH_CR_PROGRAM | FLASH_CR_32_BITS;
    bool is_done = true;
    for (uint32_t i = 0; i < n_bytes && is_done; i += 4) {
        REGISTER(flash_address(sector, offset + i)) = *(const uint32_t *)((const uint8_t *)bytes + i);
        memory_barrier();
        is_done = wait_until(FLASH_SR_ADDRESS, FLASH_SR_BUSY, 0);
    }
    return lock() && is_done;
}

static void make_watchdog_wait(void) {
    IWDG_KR = IWDG_UNLOCK;
    IWDG_PR = WATCHDOG_DIVIDER_256;
    IWDG_RLR = WATCHDOG_COUNTS;
    (void)wait_until(IWDG_SR_ADDRESS, IWDG_SR_UPDATING, 0);
    IWDG_KR = IWDG_FEED;
}

bool board_flash_erase(uint32_t sector) {
    if (!unlock()) {
        return false;
    }
    const uint32_t command = FLASH_CR_ERASE_SECTOR(FIRST_SECTOR + sector) | FLASH_CR_32_BITS;
    FLASH_CR = command;
    make_watchdog_wait();
    FLASH_CR = command | FLASH_CR_START;
    memory_barrier();
    for (uint32_t polls = ERASE_POLLS; polls > 0 && (FLASH_SR & FLASH_SR_BUSY) != 0; polls--) {
        IWDG_KR = IWDG_FEED; /* while the loop runs from the instruction cache */
    }
    board_watchdog_start(); /* with its usual time */
    return lock();
}
