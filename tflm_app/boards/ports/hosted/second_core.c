/* player/second_core.h for boards that have one core: it does the work at once. The time in which two cores
 * would have worked side by side is taken off board_cycles, so that the load of a block is that of two cores.
 */
#include "player/second_core.h"

#include "board.h"
#include "second_core_time.h"

static uint32_t second_time, started, shared_time;

void second_core_start(void (*run)(void *argument), void *argument) {
    const uint32_t start = board_instruction_count();
    run(argument);
    started = board_instruction_count();
    second_time = started - start;
}

void second_core_wait(void) {
    const uint32_t first_time = board_instruction_count() - started;
    shared_time += first_time < second_time ? first_time : second_time;
}

uint32_t second_core_n_late(void) { return 0; }

uint32_t second_core_shared_time(void) { return shared_time; }
