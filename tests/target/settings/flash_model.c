#include "flash_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board_flash.h"

#define MAX_BYTES (2u * 4096u)

static flash_kind_t kind;
static uint8_t content[MAX_BYTES];
static uint8_t goal[MAX_BYTES]; /* of torn bytes: what they should have become */
static bool is_torn[MAX_BYTES]; /* the power failed while they were programmed or erased */
static bool is_programmed[MAX_BYTES];
static bool is_half_erased[BOARD_FLASH_SECTORS];
static uint32_t n_erasures[BOARD_FLASH_SECTORS];
static uint32_t steps_left;
static bool is_cut;
static uint32_t random_state;

static void require(bool is_true, const char *what) {
    if (!is_true) {
        printf("flash: %s\n", what);
        exit(1);
    }
}

uint32_t flash_random(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

void flash_init(flash_kind_t flash_kind, uint32_t seed) {
    kind = flash_kind;
    require(2 * kind.sector_bytes <= MAX_BYTES, "too large");
    random_state = seed;
    memset(content, 0xFF, sizeof content);
    memset(is_torn, 0, sizeof is_torn);
    memset(is_programmed, 0, sizeof is_programmed);
    memset(is_half_erased, 0, sizeof is_half_erased);
    memset(n_erasures, 0, sizeof n_erasures);
    flash_cut_at(NEVER);
}

void flash_cut_at(uint32_t step) {
    steps_left = step;
    is_cut = false;
}

bool flash_is_cut(void) { return is_cut; }

uint32_t flash_n_erasures(uint32_t sector) { return n_erasures[sector]; }

uint8_t *flash_bytes(void) { return content; }

/* Returns whether the power is on during this step. It fails if it returns false for the first time. */
static bool step(bool *fails) {
    *fails = !is_cut && steps_left == 0;
    is_cut = is_cut || *fails;
    steps_left -= steps_left > 0 && steps_left != NEVER;
    return !is_cut;
}

/* Returns a byte of which some bits have become those of another one. The share of them is random, too. */
static uint8_t mixture(uint8_t from, uint8_t to) {
    const uint32_t share = flash_random() % 5;
    uint8_t mask = 0;
    for (int bit = 0; bit < 8; bit++) {
        mask = (uint8_t)(mask << 1 | (flash_random() % 4 < share));
    }
    return (uint8_t)((from & ~mask) | (to & mask));
}

uint32_t board_flash_sector_bytes(void) { return kind.sector_bytes; }

void board_flash_read(uint32_t sector, uint32_t offset, void *bytes, size_t n_bytes) {
    require(sector < 2 && offset % 4 == 0 && n_bytes % 4 == 0, "a read is not aligned");
    require(offset + n_bytes <= kind.sector_bytes, "a read beyond the sector");
    const uint32_t start = sector * kind.sector_bytes + offset;
    for (uint32_t i = 0; i < n_bytes; i++) {
        const uint32_t at = start + i;
        const bool is_unstable = is_torn[at] && kind.torn == TORN_UNSTABLE;
        ((uint8_t *)bytes)[i] = is_unstable ? mixture(content[at], goal[at]) : content[at];
    }
}

static void tear_program(uint32_t at, const uint8_t *bytes) {
    const uint32_t outcome = flash_random() % 3;
    for (uint32_t i = 0; i < kind.unit_bytes; i++) {
        is_torn[at + i] = true;
        goal[at + i] = bytes[i];
        if (kind.torn == TORN_STABLE) {
            content[at + i] = mixture(content[at + i], bytes[i]);
        } else if (kind.torn == TORN_CODED) {
            content[at + i] = outcome == 0 ? 0 : outcome == 1 ? bytes[i] : content[at + i];
        }
    }
}

bool board_flash_program(uint32_t sector, uint32_t offset, const void *bytes, size_t n_bytes) {
    require(sector < 2 && offset % BOARD_FLASH_GROUP_BYTES == 0 && n_bytes % BOARD_FLASH_GROUP_BYTES == 0,
            "whole groups are programmed");
    require(offset / 256 == (offset + n_bytes - 1) / 256, "within a page");
    require(offset + n_bytes <= kind.sector_bytes, "within the sector");
    require(!is_half_erased[sector] || is_cut, "a sector whose erasure was cut off is erased again first");
    const bool is_bad = kind.has_bad_places && offset / n_bytes % 3 == 2;
    for (uint32_t i = 0; i < n_bytes; i += kind.unit_bytes) {
        const uint32_t at = sector * kind.sector_bytes + offset + i;
        const uint8_t *const from = (const uint8_t *)bytes + i;
        bool fails;
        if (!step(&fails)) {
            if (fails) {
                tear_program(at, from);
            }
            continue;
        }
        for (uint32_t k = 0; k < kind.unit_bytes; k++) {
            require(!is_programmed[at + k], "a byte is programmed once");
            is_programmed[at + k] = true;
            content[at + k] &= is_torn[at + k] && kind.torn == TORN_CODED ? 0 : is_bad ? 0x5A : from[k];
        }
    }
    return true;
}

bool board_flash_erase(uint32_t sector) {
    bool fails;
    const bool is_done = step(&fails);
    const uint32_t start = sector * kind.sector_bytes;
    if (is_done) {
        n_erasures[sector]++;
    }
    for (uint32_t at = start; at < start + kind.sector_bytes && !kind.has_dead_erase; at++) {
        if (is_done) {
            content[at] = 0xFF;
            is_torn[at] = false;
            is_programmed[at] = false;
        } else if (fails) {
            content[at] = mixture(content[at], 0xFF);
            goal[at] = 0xFF;
            is_torn[at] = true;
        }
    }
    is_half_erased[sector] = fails || (is_half_erased[sector] && !is_done);
    return true;
}
