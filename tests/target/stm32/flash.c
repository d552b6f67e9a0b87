/* Runs the flash driver of an STM32 board on the host, with a model of its flash controller, and the log of
 * records with it. H743 selects the controller of the STM32H743, otherwise it is that of the STM32F407.
 *
 * Sources: RM0090 sections 3.6 and 3.9; RM0433 sections 4.3.9, 4.3.10 and 4.9. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board_flash.h"
#include "chip.h"
#include "play_board.h"
#include "settings/record_log.h"
#include "stm32.h"

#define SECTOR_WORDS (128u * 1024u / 4u)

#ifdef H743
#define KEYR 0x52002104u
#define CR 0x5200210Cu
#define SR 0x52002110u
#define CLEAR 0x52002114u /* CCR2 */
#define LOCK 1u
#define PROGRAM 0x32u
#define ERASE(number) (0x34u | (number) << 8)
#define START (1u << 7)
#define BUSY (1u << 2)
#define WRITE_ERROR (1u << 17)
#define UNREADABLE (1u << 26)
#define GROUP_WORDS 8u
#define FIRST_SECTOR 6u
#else
#define KEYR 0x40023C04u
#define CR 0x40023C10u
#define SR 0x40023C0Cu
#define CLEAR SR
#define LOCK (1u << 31)
#define PROGRAM 0x201u
#define ERASE(number) (0x202u | (number) << 3)
#define START (1u << 16)
#define BUSY (1u << 16)
#define WRITE_ERROR (1u << 4)
#define UNREADABLE 0u
#define GROUP_WORDS 1u
#define FIRST_SECTOR 10u
#endif

uint32_t link_settings[2 * SECTOR_WORDS] __attribute__((aligned(32)));

static uint32_t cr = LOCK, sr, scratch, before;
static uintptr_t accessed;
static int n_keys, n_written, n_busy, n_feeds, n_emptied;
static int erases; /* sector, or -1 */
static bool is_stuck, has_error, is_unreadable;

static void check(bool is_true, const char *what) {
    if (!is_true) {
        printf("%s\n", what);
        exit(1);
    }
}

static uint32_t *flash_word(uintptr_t address) {
    const uintptr_t offset = address - (uintptr_t)link_settings;
    return offset < sizeof link_settings ? &link_settings[offset / 4] : NULL;
}

static void finish_erasure(void) {
    if (erases >= 0) {
        memset(&link_settings[(uint32_t)erases * SECTOR_WORDS], 0xFF, 4 * SECTOR_WORDS);
    }
    erases = -1;
}

static void begin(void) {
    n_busy = 5; /* reads of the status */
    sr |= BUSY | (has_error ? WRITE_ERROR : 0u);
}

static void write_control(uint32_t value) {
    if ((before & LOCK) != 0) {
        cr = before; /* ignored */
        return;
    }
    if ((value & START) != 0) {
        const uint32_t command = value & ~START;
        erases = command == ERASE(FIRST_SECTOR) ? 0 : command == ERASE(FIRST_SECTOR + 1u) ? 1 : -1;
        check(erases >= 0, "only the two sectors are erased");
        check(before == command, "START is set after the sector");
        begin();
    }
}

static void write_flash(uint32_t *word) {
    check(cr == PROGRAM && (sr & BUSY) == 0, "a write needs PG, and no other under way");
    check(before == 0xFFFFFFFFu, "a word is programmed once");
    if (++n_written % (int)GROUP_WORDS == 0) {
        begin();
    }
    *word = has_error ? before : *word;
}

/* Handles the last access. A write of the present value looks like a read. */
static void settle(void) {
    uint32_t *const word = flash_word(accessed);
    if (accessed == KEYR && scratch != 0) {
        const uint32_t keys[] = {0x45670123u, 0xCDEF89ABu};
        check(n_keys < 2 && scratch == keys[n_keys], "a wrong key locks the controller for ever");
        n_keys++;
        cr &= n_keys == 2 ? ~LOCK : ~0u;
    } else if (accessed == CR && cr != before) {
        write_control(cr);
        n_keys = (cr & LOCK) != 0 ? 0 : n_keys;
    } else if (accessed == SR && accessed != CLEAR) {
        check(sr == before, "the status is read only");
    } else if (accessed == CLEAR && accessed == SR && sr != before) {
        sr = before & ~sr;
    } else if (accessed == CLEAR && accessed != SR) {
        sr &= ~scratch;
    } else if (accessed == CHIP_IWDG && scratch == 0xAAAAu) {
        n_feeds++;
    } else if (word != NULL && *word != before) {
        write_flash(word);
    }
    accessed = 0;
}

volatile uint32_t *fake_register(uintptr_t address) {
    settle();
    accessed = address;
    scratch = 0;
    if (address == SR && n_busy > 0 && !is_stuck && --n_busy == 0) {
        finish_erasure();
        sr &= ~BUSY;
        cr &= ~START;
    }
    uint32_t *const word = flash_word(address);
    if (word != NULL && is_unreadable && cr == LOCK) {
        sr |= UNREADABLE;
    }
    uint32_t *const found = word != NULL ? word : address == CR ? &cr : address == SR ? &sr : &scratch;
    before = *found;
    return found;
}

void chip_empty_caches(void) { n_emptied++; }

void board_watchdog_feed(void) {}

void board_watchdog_start(void) {}

/* Puts something into the flash without the controller. */
static void fill(uint32_t *words, int value, size_t n_bytes) {
    settle();
    memset(words, value, n_bytes);
}

static void test_erasure(void) {
    for (uint32_t sector = 0; sector < 2; sector++) {
        fill(link_settings, 0, sizeof link_settings);
        n_feeds = n_emptied = 0;
        check(board_flash_erase(sector), "the erasure succeeds");
        settle();
        const uint32_t *const erased = &link_settings[sector * SECTOR_WORDS];
        const uint32_t *const other = &link_settings[(1 - sector) * SECTOR_WORDS];
        check(erased[0] == 0xFFFFFFFFu && erased[SECTOR_WORDS - 1] == 0xFFFFFFFFu, "it is erased");
        check(other[0] == 0 && other[SECTOR_WORDS - 1] == 0, "the other one is not");
        check(cr == LOCK && n_feeds > 0 && n_emptied == 1, "locked, watchdog fed, caches empty");
    }
}

static void test_errors(void) {
    const uint32_t words[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint32_t kept[8];
    fill(link_settings, 0xFF, sizeof link_settings);
    has_error = true;
    check(!board_flash_program(0, 0, words, sizeof words) && !board_flash_erase(0), "errors are reported");
    has_error = false;
    check(board_flash_program(1, 64, words, sizeof words), "they do not stay");
    board_flash_read(1, 64, kept, sizeof kept);
    check(memcmp(kept, words, sizeof kept) == 0, "what was written is read");
    settle();
    check(cr == LOCK, "locked");
    if (UNREADABLE != 0) {
        is_unreadable = true;
        board_flash_read(1, 64, kept, sizeof kept);
        check(kept[0] == 0 && kept[7] == 0, "what cannot be read is zeros");
        is_unreadable = false;
        board_flash_read(1, 64, kept, sizeof kept);
        check(memcmp(kept, words, sizeof kept) == 0, "only while it cannot");
    }
    is_stuck = true;
    check(!board_flash_erase(1) && !board_flash_program(0, 0, words, sizeof words), "no wait is endless");
}

/* Saves five times in each sector, two times at the end of it and three in the next one. */
static void test_log(void) {
    uint8_t data[RECORD_DATA_BYTES] = {0}, kept[RECORD_DATA_BYTES];
    fill(link_settings, 0xFF, sizeof link_settings);
    for (int n = 0; n < 20; n++) {
        data[0] = (uint8_t)n;
        check(record_log_append(1, data) && record_log_read(1, kept), "a save succeeds");
        check(memcmp(data, kept, sizeof data) == 0, "and is read");
        if (n % 5 == 2) { /* damaged records up to the last two places */
            uint32_t *const sector = &link_settings[n / 5 % 2 == 0 ? 0 : SECTOR_WORDS];
            fill(sector + 3 * RECORD_BYTES / 4, 0, 4 * SECTOR_WORDS - 5 * RECORD_BYTES);
        }
    }
}

int main(void) {
    erases = -1;
    test_erasure();
    test_log();
    test_errors();
    printf("right\n");
    return 0;
}
