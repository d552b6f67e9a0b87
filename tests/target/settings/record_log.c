/* Wear, corruption and foreign content of the log of records, with flash of 4 kB a sector. */
#include "settings/record_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_model.h"

#define N_PLACES (4096 / RECORD_BYTES)

static const flash_kind_t usual = {.sector_bytes = 4096, .unit_bytes = 32, .torn = TORN_STABLE};

static void check(bool is_true, const char *what) {
    if (!is_true) {
        printf("%s\n", what);
        exit(1);
    }
}

static bool save(uint32_t version, uint8_t value) {
    uint8_t data[RECORD_DATA_BYTES];
    memset(data, value, sizeof data);
    return record_log_append(version, data);
}

/* Returns the value that is read, or -1. */
static int saved(uint32_t version) {
    uint8_t data[RECORD_DATA_BYTES];
    return record_log_read(version, data) ? data[RECORD_DATA_BYTES - 1] : -1;
}

/* Prints the saves and the erasures of each sector that they took. */
static void measure_wear(void) {
    const int n_saves = 10 * 2 * (int)N_PLACES;
    flash_init(usual, 1);
    for (int n = 0; n < n_saves; n++) {
        check(save(1, (uint8_t)n) && saved(1) == (uint8_t)n, "a save is lost");
    }
    printf("%d %lu %lu\n", n_saves, (unsigned long)flash_n_erasures(0), (unsigned long)flash_n_erasures(1));
}

static void test_every_wrong_bit_is_noticed(void) {
    flash_init(usual, 1);
    check(save(1, 10) && save(1, 11) && saved(1) == 11, "two saves");
    for (uint32_t bit = 0; bit < 8 * RECORD_BYTES; bit++) {
        uint8_t *const byte = flash_bytes() + RECORD_BYTES + bit / 8;
        *byte = (uint8_t)(*byte ^ 1u << bit % 8);
        check(saved(1) == 10, "a wrong bit was not noticed");
        *byte = (uint8_t)(*byte ^ 1u << bit % 8);
    }
    check(saved(1) == 11, "the bits are right again");
}

static void test_other_versions_are_passed_over_and_continued(void) {
    flash_init(usual, 1);
    check(save(2, 20) && saved(1) == -1 && saved(2) == 20, "only another version");
    check(save(1, 10) && save(2, 21) && saved(1) == 10 && saved(2) == 21, "both versions");
    check(save(1, 11) && saved(1) == 11 && saved(2) == 21, "both versions again");
}

static void test_foreign_content_is_no_setting_and_does_not_stop_a_save(void) {
    for (int content = 0; content < 256; content++) {
        flash_init(usual, (uint32_t)content);
        for (uint32_t i = 0; i < 2 * 4096; i++) {
            flash_bytes()[i] = (uint8_t)(content < 255 ? content : (int)flash_random());
        }
        check(saved(1) == -1, "foreign content was read");
        check(save(1, 7) && saved(1) == 7 && save(1, 8) && saved(1) == 8, "a save after foreign content");
    }
}

static void test_flash_that_does_not_erase_keeps_what_was_saved(void) {
    flash_kind_t dead = usual;
    dead.has_dead_erase = true;
    flash_init(dead, 1);
    int n_saved = 0;
    while (n_saved < 1000 && save(1, (uint8_t)n_saved)) {
        n_saved++;
    }
    check(n_saved == 2 * (int)N_PLACES, "blank sectors are used once");
    check(saved(1) == (uint8_t)(n_saved - 1) && !save(1, 0) && saved(1) == (uint8_t)(n_saved - 1), "kept");
}

int main(void) {
    measure_wear();
    test_every_wrong_bit_is_noticed();
    test_other_versions_are_passed_over_and_continued();
    test_foreign_content_is_no_setting_and_does_not_stop_a_save();
    test_flash_that_does_not_erase_keeps_what_was_saved();
    printf("right\n");
    return 0;
}
