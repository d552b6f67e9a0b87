/* The console of the self-test for boards that implement play_board.h. */
#include <string.h>

#include "apps/selftest/selftest_board.h"
#include "play_board.h"

void selftest_write(const char *text) {
    size_t n_bytes = strlen(text);
    while (n_bytes > 0) {
        const size_t n = board_console_write(text, n_bytes);
        text += n;
        n_bytes -= n;
    }
}

/* Resets the board by the watchdog, which resets the peripherals, too. An STM32 reports that as error 5. */
static void reset(void) {
    board_watchdog_start();
    for (;;) {
    }
}

bool selftest_begin(const char *greeting) {
    static bool has_run;
    const uint32_t counts_per_second = 250u * board_cycles_per_block();
    uint32_t greeted = board_cycles() - counts_per_second;
    char typed;
    while (board_console_read(&typed, 1) == 0) {
        if (!has_run && board_cycles() - greeted >= counts_per_second) {
            greeted = board_cycles();
            selftest_write(greeting);
        }
    }
    if (has_run) {
        reset();
    }
    has_run = true;
    return true;
}
