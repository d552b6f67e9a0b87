/* Live timbre transfer from a file to a file: an instrument follows the pitch and loudness of another sound.
 *
 *     transfer PCM_IN PCM_OUT FRAMES F0_MIN F0_MAX GAIN [PRESET]
 *
 * PCM_IN, PCM_OUT: int16 at 16 kHz; samples after the last whole block of 64 are ignored. Each output
 * block is rendered from the input block of the same number; a device plays it 8 ms later. FRAMES: the
 * measured frames, float32 f0_hz, loudness_db and the gain in dB per block. F0_MIN, F0_MAX: bounds of the
 * pitch in whole Hz. GAIN: input gain in hundredths of a dB, or auto (analysis/input_gain.h).
 * PRESET: number of an instrument of this firmware, 0 by default. All files are little-endian. If responses
 * were generated, the preset has its reverb. Prints one line of JSON with the instructions of the analysis
 * and of the synthesis.
 */
#include <string.h>

#include "analysis/input_gain.h"
#include "apps/arguments.h"
#include "apps/report.h"
#include "audio/pcm_writer.h"
#include "board.h"
#include "board_files.h"
#include "instrument/instrument.h"
#include "reverb/reverb.h"

static analysis_t analysis;
static input_gain_t gain;
static instrument_t instrument;
static reverb_t reverb;
static pcm_writer_t writer;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));

typedef struct {
    frame_t frame;
    float gain_db;
} record_t;

SHARED_ASSERT(sizeof(record_t) == 12, "a record must have no padding");

static void set_gain(const char *text) {
    if (strcmp(text, "auto") == 0) {
        input_gain_follow(&gain);
    } else {
        const bool is_negative = text[0] == '-';
        const float gain_db = 0.01f * (float)parse_number(text + is_negative);
        input_gain_set(&gain, is_negative ? -gain_db : gain_db);
    }
}

int main(int argc, char **argv) {
    board_init();
    if (argc < 7) {
        return report_failure("usage:", "transfer PCM_IN PCM_OUT FRAMES F0_MIN F0_MAX GAIN [PRESET]");
    }
    const size_t preset = argc > 7 ? parse_number(argv[7]) : 0;
    if (preset >= instrument_n_presets) {
        return report_failure("no such preset:", argv[7]);
    }
    const int input = board_open_read(argv[1]);
    if (input < 0) {
        return report_failure("cannot read", argv[1]);
    }
    if (!pcm_writer_open(&writer, argv[2])) {
        return report_failure("cannot write", argv[2]);
    }
    const int frames = board_open_write(argv[3]);
    if (frames < 0) {
        return report_failure("cannot write", argv[3]);
    }

    analysis_init(&analysis, (float)parse_number(argv[4]), (float)parse_number(argv[5]));
    set_gain(argv[6]);
    instrument_init(&instrument, &instrument_presets[preset], NOISE_SEED(0));
    reverb_init(&reverb, reverb_response(preset));
    uint64_t analysing = 0, playing = 0;
    uint32_t n_blocks = 0, worst = 0;
    bool is_lost = false;
    while (board_read(input, samples, sizeof samples) == sizeof samples) {
        const uint32_t start = board_instruction_count();
        const frame_t frame = input_gain_analyse(&gain, &analysis, samples);
        const uint32_t analysed = board_instruction_count();
        instrument_render(&instrument, &frame, samples);
        reverb_process(&reverb, samples);
        const uint32_t end = board_instruction_count();
        analysing += analysed - start;
        playing += end - analysed;
        worst = end - start > worst ? end - start : worst;
        n_blocks++;
        pcm_writer_write(&writer, samples, FM_BLOCK_SAMPLES);
        const record_t record = {frame, gain.gain_db};
        is_lost |= board_write(frames, &record, sizeof record) != sizeof record;
    }
    board_close(input);
    if (!pcm_writer_close(&writer)) {
        return report_failure("cannot write all of", argv[2]);
    }
    if (board_close(frames) != 0 || is_lost) {
        return report_failure("cannot write all of", argv[3]);
    }
    board_print("{");
    report_entry("n_blocks", n_blocks, ", ");
    report_entry("analysis_instructions", analysing, ", ");
    report_entry("sound_instructions", playing, ", ");
    report_entry("worst_block_instructions", worst, ", ");
    report_entry("stack_bytes", board_stack_used(), "}\n");
    return 0;
}
