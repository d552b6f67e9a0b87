/* Limits sums of samples, on any board.
 *
 *     limit SUMS SAMPLES
 *
 * SUMS: int32, 64 per block. SAMPLES receives int16. Prints the instructions of
 * the most expensive block that fits and of the most expensive one that is
 * limited.
 */
#include <stdbool.h>

#include "apps/report.h"
#include "board.h"
#include "board_files.h"
#include "player/limiter.h"

int main(int argc, char **argv) {
    static int32_t sums[FM_BLOCK_SAMPLES];
    static int16_t samples[FM_BLOCK_SAMPLES];
    limiter_t limiter;
    board_init();
    if (argc != 3) {
        return 2;
    }
    const int from = board_open_read(argv[1]), to = board_open_write(argv[2]);
    uint32_t most[2] = {0, 0};
    limiter_init(&limiter);
    while (board_read(from, sums, sizeof sums) == sizeof sums) {
        const uint32_t start = board_instruction_count();
        limiter_process(&limiter, sums, samples);
        const uint32_t taken = board_instruction_count() - start;
        const bool is_limited = limiter.gain_q24 < 1 << 24;
        most[is_limited] = taken > most[is_limited] ? taken : most[is_limited];
        board_write(to, samples, sizeof samples);
    }
    board_print("{");
    report_entry("fits", most[0], ", ");
    report_entry("is_limited", most[1], "}\n");
    return board_close(to);
}
