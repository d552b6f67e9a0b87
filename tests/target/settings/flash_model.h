/* A model of flash for tests of settings/record_log.c: it implements board_flash.h, and the power may fail at
 * any step: while a unit is programmed, or while a sector is erased. */
#ifndef FLASH_MODEL_H
#define FLASH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* What a read of a unit gives after the power has failed while it was programmed. */
typedef enum {
    TORN_STABLE,   /* some of its bits are programmed */
    TORN_UNSTABLE, /* another mixture at each read */
    TORN_CODED, /* zeros, because its error correction fails, or all of it or nothing; it cannot be programmed
                   again */
} torn_t;

typedef struct {
    uint32_t sector_bytes;
    uint32_t unit_bytes; /* programmed at a time, by one step */
    torn_t torn;
    bool has_bad_places; /* every third record in a sector is not kept */
    bool has_dead_erase; /* an erasure changes nothing */
} flash_kind_t;

#define NEVER 0xFFFFFFFFu

/* Begins with blank flash. */
void flash_init(flash_kind_t kind, uint32_t seed);

/* Makes the power fail in the step of this number from now on; the steps after it have no effect. NEVER: not
 * at all. */
void flash_cut_at(uint32_t step);

/* Returns whether the power has failed since flash_cut_at. */
bool flash_is_cut(void);

uint32_t flash_n_erasures(uint32_t sector);

/* The content, of both sectors one after the other. */
uint8_t *flash_bytes(void);

uint32_t flash_random(void);

#endif
