/* Cuts the power at every step of every save of a sequence that fills both sectors more than once, with all
 * kinds of flash. After each cut, either the old or the new data is read, never anything else, and the saves
 * that follow are kept; the first of them is cut off, too. Prints the number of cuts by kind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board_flash.h"
#include "flash_model.h"
#include "settings/record_log.h"

#define VERSION 1u
#define N_SAVES 11 /* of four records a sector */
#define N_READS 4

static const flash_kind_t kinds[] = {
    {.sector_bytes = 256, .unit_bytes = 1, .torn = TORN_STABLE},
    {.sector_bytes = 256, .unit_bytes = 4, .torn = TORN_STABLE},
    {.sector_bytes = 256, .unit_bytes = 4, .torn = TORN_UNSTABLE},
    {.sector_bytes = 256, .unit_bytes = 32, .torn = TORN_CODED},
    {.sector_bytes = 256, .unit_bytes = 32, .torn = TORN_STABLE, .has_bad_places = true},
};

static void make_data(int number, uint8_t data[RECORD_DATA_BYTES]) {
    for (uint32_t i = 0; i < RECORD_DATA_BYTES; i++) {
        data[i] = (uint8_t)(number * 37 + (int)(i * i));
    }
}

static bool save(int number) {
    uint8_t data[RECORD_DATA_BYTES];
    make_data(number, data);
    return record_log_append(VERSION, data);
}

/* Checks that save `either` or `or` is read; 0 stands for nothing saved. */
static void expect(int either, int or, const char *when) {
    for (int n = 0; n < N_READS; n++) {
        uint8_t data[RECORD_DATA_BYTES], wanted[RECORD_DATA_BYTES];
        const bool has_data = record_log_read(VERSION, data);
        bool is_right = !has_data && (either == 0 || or == 0);
        for (int i = 0; i < 2 && has_data; i++) {
            const int number = i == 0 ? either : or ;
            make_data(number, wanted);
            is_right = is_right || (number > 0 && memcmp(data, wanted, sizeof data) == 0);
        }
        if (!is_right) {
            printf("%s: neither %d nor %d is read\n", when, either, or);
            exit(1);
        }
    }
}

/* Cuts save `number` at a step, and then the next one; returns false if it has fewer steps. */
static bool cut(flash_kind_t kind, uint32_t seed, int number, uint32_t at) {
    flash_init(kind, seed);
    for (int n = 1; n < number; n++) {
        if (!save(n)) {
            printf("save %d failed\n", n);
            exit(1);
        }
    }
    flash_cut_at(at);
    save(number);
    const bool was_cut = flash_is_cut();
    flash_cut_at(NEVER);
    expect(was_cut ? number - 1 : number, number, "after the cut");
    flash_cut_at(flash_random() % 20);
    save(number + 1);
    flash_cut_at(NEVER);
    for (int n = number + 2; n < number + 8; n++) {
        if (!save(n)) {
            printf("save %d after a cut failed\n", n);
            exit(1);
        }
        expect(n, n, "after a save");
    }
    return was_cut;
}

int main(void) {
    for (uint32_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const uint32_t n_seeds = kinds[i].unit_bytes == 1 ? 4 : 25;
        uint32_t n_cuts = 0;
        for (uint32_t seed = 0; seed < n_seeds; seed++) {
            for (int number = 1; number <= N_SAVES; number++) {
                uint32_t at = 0;
                while (cut(kinds[i], seed, number, at)) {
                    at++;
                    n_cuts++;
                }
            }
        }
        printf("%lu\n", (unsigned long)n_cuts);
    }
    return 0;
}
