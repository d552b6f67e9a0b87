#include "settings/record_log.h"

#include <string.h>

#include "board_flash.h"
#include "crc32/crc32.h"
#include "shared_constants.h"

#define MAGIC 0x4C4D464Eu /* "NFML" */
#define ANY_VERSION 0xFFFFFFFFu
#define ERASED 0xFFFFFFFFu
#define TRIES 4u /* places that may fail one after the other before the sector is given up */

typedef struct {
    uint32_t magic;
    uint32_t sequence;
    uint32_t version;
    uint8_t data[RECORD_DATA_BYTES];
    uint32_t checksum;
} record_t;
SHARED_ASSERT(sizeof(record_t) == RECORD_BYTES, "a record has no padding");

/* Returns the checksum of all before it. */
static uint32_t checksum(const record_t *record) { return crc32(0, record, offsetof(record_t, checksum)); }

static uint32_t n_places(void) { return board_flash_sector_bytes() / RECORD_BYTES; }

static bool is_blank(uint32_t sector, uint32_t place) {
    uint32_t words[RECORD_BYTES / 4];
    board_flash_read(sector, place * RECORD_BYTES, words, sizeof words);
    uint32_t all = ERASED;
    for (size_t i = 0; i < RECORD_BYTES / 4; i++) {
        all &= words[i];
    }
    return all == ERASED;
}

/* Returns the number of places up to the last one that is not blank. */
static uint32_t count_used(uint32_t sector) {
    uint32_t n = n_places();
    while (n > 0 && is_blank(sector, n - 1)) {
        n--;
    }
    return n;
}

/* An intact record, and where it is. */
typedef struct {
    record_t record;
    uint32_t sector;
    uint32_t place;
} found_t;

/* Finds the last intact record of a version in a sector; returns false if there is none. */
static bool find_last(uint32_t sector, uint32_t version, found_t *found) {
    record_t *const record = &found->record;
    found->sector = sector;
    for (found->place = count_used(sector); found->place-- > 0;) {
        board_flash_read(sector, found->place * RECORD_BYTES, record, sizeof *record);
        if (record->magic == MAGIC && (version == ANY_VERSION || record->version == version) &&
            record->checksum == checksum(record)) {
            return true;
        }
    }
    return false;
}

/* Finds the newest intact record of a version; returns false if there is none. */
static bool find_newest(uint32_t version, found_t *newest) {
    found_t other;
    const bool has_first = find_last(0, version, newest);
    const bool has_second = find_last(1, version, &other);
    if (has_second && (!has_first || (int32_t)(other.record.sequence - newest->record.sequence) > 0)) {
        *newest = other;
    }
    return has_first || has_second;
}

/* Writes a record to a place and reads it back; returns whether it is there. */
static bool write(uint32_t sector, uint32_t place, record_t *record) {
    record_t kept;
    record->checksum = checksum(record);
    if (!board_flash_program(sector, place * RECORD_BYTES, record, sizeof *record)) {
        return false;
    }
    board_flash_read(sector, place * RECORD_BYTES, &kept, sizeof kept);
    return memcmp(&kept, record, sizeof kept) == 0;
}

bool record_log_read(uint32_t version, uint8_t data[RECORD_DATA_BYTES]) {
    found_t newest;
    const bool has_found = find_newest(version, &newest);
    if (has_found) {
        memcpy(data, newest.record.data, RECORD_DATA_BYTES);
    }
    return has_found;
}

/* Each place of a sector has a number in the sequence, also where nothing intact is: a damaged record that
 * reads as intact only at times is then never newer than one that was written after it. */
bool record_log_append(uint32_t version, const uint8_t data[RECORD_DATA_BYTES]) {
    found_t newest;
    if (!find_newest(ANY_VERSION, &newest)) {
        newest = (found_t){.sector = 0};
    }
    record_t record = {.magic = MAGIC, .version = version};
    memcpy(record.data, data, RECORD_DATA_BYTES);
    const uint32_t first_number = newest.record.sequence - newest.place; /* of this sector */
    const uint32_t n_used = count_used(newest.sector);
    for (uint32_t place = n_used; place < n_places() && place - n_used < TRIES; place++) {
        record.sequence = first_number + place;
        if (write(newest.sector, place, &record)) {
            return true;
        }
    }
    record.sequence = first_number + n_places();
    const uint32_t other = 1 - newest.sector;
    return board_flash_erase(other) && is_blank(other, 0) && write(other, 0, &record);
}
