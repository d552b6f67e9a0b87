/* Checks a board and the instruments in its image, measures what they take, and reports lines of JSON at the
 * console. python -m pipeline.board_report reads them.
 *
 * Costs are measured first, while nothing else runs. The clocks are compared later, because that starts the
 * output on some boards, whose interrupts take time; the time from MIDI to sound needs it.
 */
#include "apps/selftest/checks.h"
#include "apps/selftest/report.h"
#include "apps/selftest/vectors.h"
#include "board.h"
#include "instrument/instrument.h"
#include "player/player.h"

#define FORMAT 2 /* of the report; pipeline/evaluation/selftest_report.py reads this one */

static void begin_report(const selftest_board_t *board) {
    report_begin("begin");
    report_number("format", FORMAT);
    report_text("board", BOARD_NAME);
    report_text("chip", board->chip);
    report_text("counter", board->counter);
    report_text("section", board->counter_section);
    report_text("unit", board->counts_instructions ? "instructions" : "cycles");
    report_number("counter_hz", board->counter_hz);
    report_number("counts_per_block", board->counts_per_block);
    report_number("models", (uint32_t)instrument_n_presets);
    report_number("voices", PLAYER_N_VOICES);
    report_number("cores", PLAYER_N_CORES);
    report_end();
    for (size_t i = 0; i < board->n_registers; i++) {
        report_begin("register");
        report_text("name", board->registers[i].name);
        report_text("section", board->registers[i].section);
        report_hex("value", board->registers[i].value);
        report_end();
    }
}

static uint32_t run(void) {
    const selftest_board_t *const board = selftest_board();
    begin_report(board);
    check_flash();
    for (size_t i = 0; i < board->n_memories; i++) {
        if (board->memories[i].start < board->memories[i].end) { /* the image may leave nothing */
            check_memory(&board->memories[i]);
        }
    }
    check_models(board);
    check_worst_block(board);
    report_begin("stack");
    report_number("bytes", (uint32_t)board_stack_used());
    report_end();
    for (size_t i = 0; i < board->n_clocks; i++) {
        check_clock(board, &board->clocks[i]);
    }
    check_latency(board);
    return report_finish();
}

int main(void) {
    board_init();
    uint32_t n_failed = 0;
    while (selftest_begin("{\"part\": \"ready\"}\n")) {
        n_failed = run();
    }
    return n_failed > 0;
}
