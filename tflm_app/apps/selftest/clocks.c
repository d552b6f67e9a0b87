#include "apps/selftest/checks.h"
#include "apps/selftest/report.h"

/* A clock is measured for 10 ms, or for 10 ticks if they take longer. */
#define PER_SECOND 100u
#define LEAST_TICKS 10u
#define TOLERANCE_INVERSE 500u /* 0.2 % */

/* Waits until the clock has advanced by `n_ticks`; returns false if it has not within `limit` counts. */
static bool wait_for(const selftest_clock_t *clock, uint32_t from, uint32_t n_ticks, uint32_t limit) {
    const uint32_t start = selftest_count();
    while (clock->count() - from < n_ticks) {
        if (selftest_count() - start > limit) {
            return false;
        }
    }
    return true;
}

/* Returns the counts that `n_ticks` of the clock take, from edge to edge; 0 if it is too slow. */
static uint32_t measure(const selftest_board_t *board, const selftest_clock_t *clock, uint32_t n_ticks) {
    const uint32_t limit = board->counter_hz / 2u;
    if (!wait_for(clock, clock->count(), 1, limit)) {
        return 0;
    }
    const uint32_t from = clock->count(), start = selftest_count();
    return wait_for(clock, from, n_ticks, limit) ? selftest_count() - start : 0;
}

void check_clock(const selftest_board_t *board, const selftest_clock_t *clock) {
    const uint32_t in_time = clock->hz / PER_SECOND;
    const uint32_t n_ticks = in_time > LEAST_TICKS ? in_time : LEAST_TICKS;
    clock->start();
    const uint32_t counts = measure(board, clock, n_ticks);
    const uint32_t expected = (uint32_t)((uint64_t)n_ticks * board->counter_hz / clock->hz);
    const uint32_t difference = counts > expected ? counts - expected : expected - counts;
    report_begin("clock");
    report_text("name", clock->name);
    report_text("section", clock->section);
    report_number("hz", clock->hz);
    report_number("expected", expected); /* counts */
    report_number("found", counts);
    report_check(difference <= expected / TOLERANCE_INVERSE);
    report_end();
}
