/* board_flash.h for the STM32H743: the last two sectors of its second bank, of 128 kB each.
 *
 * Code is in the first bank, which the core goes on reading while the second one is programmed (0.3 ms per
 * record) or erased (1 to 4 s), so interrupts continue, and only the caller waits. It feeds the watchdog. The
 * FIFO of MIDI holds 80 ms; more bytes during an erasure are lost, which ends all notes.
 *
 * The flash has a code that corrects errors for each 32 bytes. If the power fails while they are programmed,
 * a read of them may report two wrong bits and end in a bus fault, which is therefore ignored here.
 *
 * Source: RM0433 sections 4.3.9 and 4.3.10 (program, erase), 4.7.5 to 4.7.9 (errors), 4.9 (registers);
 * DS12110 section 6.3.12 (times, 10 000 erasures); Armv7-M Architecture Reference Manual, sections B1.5.14
 * (faults that are ignored), B3.2.8 (CCR) and B3.2.15 (CFSR).
 */
#include "board_flash.h"

#include "chip.h"
#include "play_board.h"
#include "stm32.h"

#define SECTOR_BYTES (128u << 10)
#define FIRST_SECTOR 6u

#define FLASH_KEYR2 REGISTER(0x52002104u)
#define FLASH_KEYS \
    { 0x45670123u, 0xCDEF89ABu }
#define FLASH_CR2 REGISTER(0x5200210Cu)
#define FLASH_CR_LOCK 1u
#define FLASH_CR_PROGRAM (1u << 1)
#define FLASH_CR_64_BITS (3u << 4)
#define FLASH_CR_ERASE_SECTOR(number) (1u << 2 | (number) << 8)
#define FLASH_CR_START (1u << 7)
#define FLASH_SR2 REGISTER(0x52002110u)
#define FLASH_SR_BUSY (7u << 0)             /* BSY, WBNE, QW */
#define FLASH_SR_WRITE_ERRORS (0x37u << 17) /* WRPERR, PGSERR, STRBERR, INCERR, OPERR */
#define FLASH_SR_TWO_WRONG_BITS (1u << 26)  /* DBECCERR */
#define FLASH_CCR2 REGISTER(0x52002114u)    /* clears bits of SR2 */

#define CCR REGISTER(0xE000ED14u)
#define CCR_IGNORE_BUS_FAULTS (1u << 8) /* BFHFNMIGN, where FAULTMASK is set */
#define CFSR REGISTER(0xE000ED28u)
#define CFSR_BUS_FAULTS 0xFF00u

extern uint32_t link_settings[]; /* only its address is meaningful */

static uintptr_t flash_address(uint32_t sector, uint32_t offset) {
    return (uintptr_t)link_settings + sector * SECTOR_BYTES + offset;
}

/* Returns whether the controller accepts commands. */
static bool unlock(void) {
    if ((FLASH_CR2 & FLASH_CR_LOCK) != 0) { /* a key that is written to an open lock closes it for ever */
        static const uint32_t keys[] = FLASH_KEYS;
        FLASH_KEYR2 = keys[0];
        FLASH_KEYR2 = keys[1];
    }
    FLASH_CCR2 = FLASH_SR_WRITE_ERRORS;
    return (FLASH_CR2 & FLASH_CR_LOCK) == 0 && (FLASH_SR2 & FLASH_SR_BUSY) == 0;
}

/* Waits for the controller; returns whether it has finished without an error. */
static bool finish(void) {
    for (uint32_t polls = ERASE_POLLS; polls > 0 && (FLASH_SR2 & FLASH_SR_BUSY) != 0; polls--) {
        IWDG_KR = IWDG_FEED;
    }
    const bool is_done = (FLASH_SR2 & (FLASH_SR_BUSY | FLASH_SR_WRITE_ERRORS)) == 0;
    FLASH_CR2 = FLASH_CR_LOCK;
    chip_empty_caches(); /* the data cache holds what was in the flash before */
    return is_done;
}

uint32_t board_flash_sector_bytes(void) { return SECTOR_BYTES; }

void board_flash_read(uint32_t sector, uint32_t offset, void *bytes, size_t n_bytes) {
    FLASH_CCR2 = FLASH_SR_TWO_WRONG_BITS;
    faults_mask();
    CCR |= CCR_IGNORE_BUS_FAULTS;
    memory_barrier();
    for (uint32_t i = 0; i < n_bytes; i += 4) {
        *(uint32_t *)((uint8_t *)bytes + i) = REGISTER(flash_address(sector, offset + i));
    }
    memory_barrier();
    const bool is_wrong = (CFSR & CFSR_BUS_FAULTS) != 0 || (FLASH_SR2 & FLASH_SR_TWO_WRONG_BITS) != 0;
    CFSR = CFSR_BUS_FAULTS; /* clears them */
    CCR &= ~CCR_IGNORE_BUS_FAULTS;
    faults_unmask();
    FLASH_CCR2 = FLASH_SR_TWO_WRONG_BITS;
    for (uint32_t i = 0; i < n_bytes && is_wrong; i++) {
        ((uint8_t *)bytes)[i] = 0;
    }
}

bool board_flash_program(uint32_t sector, uint32_t offset, const void *bytes, size_t n_bytes) {
    bool is_done = true;
    for (uint32_t at = 0; at < n_bytes && is_done; at += BOARD_FLASH_GROUP_BYTES) {
        if (!unlock()) {
            return false;
        }
        FLASH_CR2 = FLASH_CR_PROGRAM | FLASH_CR_64_BITS;
        memory_barrier();
        for (uint32_t i = at; i < at + BOARD_FLASH_GROUP_BYTES; i += 4) {
            REGISTER(flash_address(sector, offset + i)) = *(const uint32_t *)((const uint8_t *)bytes + i);
        }
        memory_barrier();
        is_done = finish();
    }
    return is_done;
}

bool board_flash_erase(uint32_t sector) {
    if (!unlock()) {
        return false;
    }
    const uint32_t command = FLASH_CR_ERASE_SECTOR(FIRST_SECTOR + sector) | FLASH_CR_64_BITS;
    FLASH_CR2 = command;
    FLASH_CR2 = command | FLASH_CR_START;
    memory_barrier();
    return finish();
}
