/* Renders a file of frames to a file of samples and reports the cost of each stage, for tests and benchmarks.
 *
 *     render FRAMES PCM [TRACE [PRESET]]
 *
 * FRAMES: float32 pairs (f0_hz, loudness_db). PCM: int16, 64 samples per frame. TRACE: six int16 logits and
 * six int32 levels (turns, Q32) per frame; "-" for no trace. PRESET: number of an instrument of this
 * firmware, 0 by default. All files are little-endian. Prints one line of JSON: instructions per stage,
 * summed over all frames and without the cost of counting, and bytes of state and stack. If responses were
 * generated, each preset has its reverb, which is one more stage, and the report also contains the cost of
 * its worst block.
 */
#include <string.h>

#include "apps/report.h"
#include "audio/pcm_writer.h"
#include "board.h"
#include "board_files.h"
#include "instrument/instrument.h"
#include "reverb/reverb.h"

enum {
    STAGE_FRAME,
    STAGE_DECODER,
    STAGE_LEVELS,
    STAGE_FM,
    STAGE_NOISE,
    STAGE_REVERB, /* last, because it may be absent */
    N_STAGES = STAGE_REVERB + REVERB_IS_PRESENT
};
static const char *const stage_names[N_STAGES] = {"frame", "decoder", "levels",
                                                  "fm",    "noise",   REVERB_ONLY("reverb")};

static instrument_t instrument;
static reverb_t reverb;
static pcm_writer_t writer;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));

/* Returns 4096 times the difference between two successive readings of the counter. The counter advances in
 * steps of 40 or 50 instructions, so the difference can only be measured over many readings. */
static uint32_t measure_reading_cost(void) {
    const uint32_t start = board_instruction_count();
    for (int i = 0; i < 4095; i++) {
        (void)board_instruction_count();
    }
    return board_instruction_count() - start;
}

typedef struct {
    uint64_t total[N_STAGES];
    uint32_t before;
} meter_t;

static uint32_t meter_lap(meter_t *meter, int stage) {
    const uint32_t now = board_instruction_count(), lap = now - meter->before;
    meter->total[stage] += lap;
    meter->before = now;
    return lap;
}

int main(int argc, char **argv) {
    board_init();
    if (argc < 3) {
        return report_failure("usage:", "render FRAMES PCM [TRACE [PRESET]]");
    }
    const size_t preset = argc > 4 ? (size_t)(argv[4][0] - '0') : 0;
    if (preset >= instrument_n_presets) {
        return report_failure("no such preset:", argv[4]);
    }
    const int frames = board_open_read(argv[1]);
    if (frames < 0) {
        return report_failure("cannot read", argv[1]);
    }
    if (!pcm_writer_open(&writer, argv[2])) {
        return report_failure("cannot write", argv[2]);
    }
    const bool traced = argc > 3 && strcmp(argv[3], "-") != 0;
    const int trace = traced ? board_open_write(argv[3]) : -1;
    if (traced && trace < 0) {
        return report_failure("cannot write", argv[3]);
    }
    bool trace_lost = false;

    const uint64_t reading_cost = measure_reading_cost();
    meter_t meter = {.total = {0}, .before = 0};
    uint64_t n_frames = 0;
    frame_t frame;
    instrument_init(&instrument, &instrument_presets[preset], NOISE_SEED(0));
    uint32_t worst_reverb = 0;
    reverb_init(&reverb, reverb_response(preset));
    while (board_read(frames, &frame, sizeof frame) == sizeof frame) {
        /* Waits of varying length spread the readings evenly over the steps of the counter. */
        for (uint32_t wait = (uint32_t)n_frames % 16u; wait > 0; wait--) {
            __asm__ volatile("");
        }
        meter.before = board_instruction_count();
        instrument_set_frame(&instrument, &frame);
        meter_lap(&meter, STAGE_FRAME);
        instrument_decode(&instrument);
        meter_lap(&meter, STAGE_DECODER);
        instrument_set_levels(&instrument);
        meter_lap(&meter, STAGE_LEVELS);
        instrument_play(&instrument, samples);
        meter_lap(&meter, STAGE_FM);
        instrument_add_noise(&instrument, samples);
        meter_lap(&meter, STAGE_NOISE);
        if (REVERB_IS_PRESENT) {
            reverb_process(&reverb, samples);
            const uint32_t lap = meter_lap(&meter, STAGE_REVERB);
            worst_reverb = lap > worst_reverb ? lap : worst_reverb;
        }
        n_frames++;
        pcm_writer_write(&writer, samples, FM_BLOCK_SAMPLES);
        if (traced) {
            trace_lost |=
                board_write(trace, instrument.logits, sizeof instrument.logits) != sizeof instrument.logits;
            trace_lost |= board_write(trace, instrument.levels_q32, sizeof instrument.levels_q32) !=
                          sizeof instrument.levels_q32;
        }
    }
    board_close(frames);
    if (!pcm_writer_close(&writer)) {
        return report_failure("cannot write all of", argv[2]);
    }
    if (traced && (board_close(trace) != 0 || trace_lost)) {
        return report_failure("cannot write all of", argv[3]);
    }

    board_print("{\"instrument\": \"");
    board_print(instrument.preset->name);
    board_print("\", \"instructions\": {");
    for (int stage = 0; stage < N_STAGES; stage++) {
        const uint64_t counting = reading_cost * n_frames / 4096u;
        const uint64_t total = meter.total[stage] > counting ? meter.total[stage] - counting : 0;
        report_entry(stage_names[stage], total, stage + 1 < N_STAGES ? ", " : "}, ");
    }
    report_entry("n_frames", n_frames, ", ");
    report_entry("decoder_state_bytes", sizeof instrument.decoder, ", ");
    report_entry("voice_state_bytes", sizeof instrument.voice, ", ");
    if (REVERB_IS_PRESENT) {
        report_entry("worst_reverb", worst_reverb, ", ");
        report_entry("reverb_state_bytes", sizeof reverb, ", ");
    }
    report_entry("stack_bytes", board_stack_used(), "}\n");
    return 0;
}
