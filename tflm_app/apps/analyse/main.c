/* Measures pitch and loudness of a file of samples with the live analysis, for tests, evaluation and
 * benchmarks.
 *
 *     analyse PCM FRAMES F0_MIN F0_MAX
 *
 * PCM: int16 at 16 kHz; samples after the last whole block of 64 are ignored. FRAMES: four float32 per
 * block: f0_hz, loudness_db, aperiodicity, power. All files are little-endian. F0_MIN, F0_MAX: bounds of the
 * pitch in whole Hz. Prints one line of JSON with the number of executed instructions.
 */
#include "analysis/analysis.h"
#include "apps/arguments.h"
#include "apps/report.h"
#include "board.h"
#include "board_files.h"

typedef struct {
    frame_t frame;
    float aperiodicity;
    float power;
} record_t;

SHARED_ASSERT(sizeof(record_t) == 16, "a record must have no padding");

static analysis_t analysis;
static int16_t samples[ANALYSIS_BLOCK_SAMPLES];

int main(int argc, char **argv) {
    board_init();
    if (argc != 5) {
        return report_failure("usage:", "analyse PCM FRAMES F0_MIN F0_MAX");
    }
    const int input = board_open_read(argv[1]);
    if (input < 0) {
        return report_failure("cannot read", argv[1]);
    }
    const int output = board_open_write(argv[2]);
    if (output < 0) {
        return report_failure("cannot write", argv[2]);
    }
    uint64_t instructions = 0;
    uint32_t n_blocks = 0, worst = 0;
    analysis_init(&analysis, (float)parse_number(argv[3]), (float)parse_number(argv[4]));
    while (board_read(input, samples, sizeof samples) == sizeof samples) {
        const uint32_t start = board_instruction_count();
        const frame_t frame = analysis_step(&analysis, samples);
        const uint32_t taken = board_instruction_count() - start;
        instructions += taken;
        worst = taken > worst ? taken : worst;
        n_blocks++;
        const record_t record = {frame, analysis.aperiodicity, analysis.power};
        if (board_write(output, &record, sizeof record) != sizeof record) {
            return report_failure("cannot write all of", argv[2]);
        }
    }
    board_close(input);
    if (board_close(output) != 0) {
        return report_failure("cannot write all of", argv[2]);
    }
    board_print("{");
    report_entry("n_blocks", n_blocks, ", ");
    report_entry("instructions", instructions, ", ");
    report_entry("worst_block_instructions", worst, ", ");
    report_entry("state_bytes", sizeof analysis, ", ");
    report_entry("stack_bytes", board_stack_used(), "}\n");
    return 0;
}
