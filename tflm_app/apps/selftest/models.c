#include <string.h>

#include "apps/selftest/checks.h"
#include "apps/selftest/report.h"
#include "apps/selftest/vectors.h"
#include "crc32/crc32.h"
#include "instrument/instrument.h"

enum { DECODER, LEVELS, FM, NOISE, N_CHECKED, BLOCK = N_CHECKED, N_MEASURED };
static const char *const names[N_MEASURED] = {"decoder", "levels", "fm", "noise", "block"};

typedef enum {
    WARM,        /* nothing is done to the caches */
    COLD_STAGES, /* they are emptied before each stage */
    COLD_BLOCKS, /* they are emptied before each block */
} state_t;

static instrument_t instrument;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
static uint32_t counts[N_MEASURED][SELFTEST_N_FRAMES];
static int32_t first_wrong[N_CHECKED]; /* frame, or -1 */

static uint32_t begin_stage(state_t state) {
    if (state == COLD_STAGES) {
        (void)selftest_chill();
    }
    return selftest_count();
}

static void compare(int stage, uint32_t frame, const void *found, size_t n_bytes, uint32_t expected) {
    if (first_wrong[stage] < 0 && crc32(0, found, n_bytes) != expected) {
        first_wrong[stage] = (int32_t)frame;
    }
}

/* Plays a frame, stage by stage, as instrument_render does. */
static void play_frame(uint32_t n, state_t state, const selftest_expected_t *expected) {
    frame_t frame;
    memcpy(&frame, selftest_frames[n], sizeof frame);
    if (state == COLD_BLOCKS) {
        (void)selftest_chill();
    }
    const uint32_t start = selftest_count();
    instrument_set_frame(&instrument, &frame);
    uint32_t block = selftest_count() - start;

    uint32_t from = begin_stage(state);
    instrument_decode(&instrument);
    block += counts[DECODER][n] = selftest_count() - from;
    from = begin_stage(state);
    instrument_set_levels(&instrument);
    block += counts[LEVELS][n] = selftest_count() - from;
    from = begin_stage(state);
    instrument_play(&instrument, samples);
    block += counts[FM][n] = selftest_count() - from;
    compare(FM, n, samples, sizeof samples, expected->fm); /* outside of what is measured */
    from = begin_stage(state);
    instrument_add_noise(&instrument, samples);
    block += counts[NOISE][n] = selftest_count() - from;
    counts[BLOCK][n] = block;

    compare(DECODER, n, instrument.logits, sizeof instrument.logits, expected->decoder);
    compare(LEVELS, n, instrument.levels_q32, sizeof instrument.levels_q32, expected->levels);
    compare(NOISE, n, samples, sizeof samples, expected->noise);
}

static void sort(uint32_t values[SELFTEST_N_FRAMES]) {
    for (int i = 1; i < SELFTEST_N_FRAMES; i++) {
        const uint32_t value = values[i];
        int at = i;
        for (; at > 0 && values[at - 1] > value; at--) {
            values[at] = values[at - 1];
        }
        values[at] = value;
    }
}

static void report_cost(const char *model, int stage, const char *state) {
    sort(counts[stage]);
    report_begin("cost");
    report_text("model", model);
    report_text("stage", names[stage]);
    report_text("caches", state);
    report_number("min", counts[stage][0]);
    report_number("median", counts[stage][SELFTEST_N_FRAMES / 2]);
    report_number("max", counts[stage][SELFTEST_N_FRAMES - 1]);
    report_end();
}

static void play(const instrument_preset_t *preset, const selftest_vectors_t *vectors, state_t state) {
    instrument_init(&instrument, preset, NOISE_SEED(0));
    for (uint32_t n = 0; n < SELFTEST_N_FRAMES; n++) {
        play_frame(n, state, &vectors->expected[n]);
    }
    for (int stage = 0; stage < N_MEASURED; stage++) {
        if (state == WARM || (state == COLD_BLOCKS) == (stage == BLOCK)) {
            report_cost(preset->name, stage, state == WARM ? "warm" : "cold");
        }
    }
}

static void check_model(const instrument_preset_t *preset, const selftest_vectors_t *vectors) {
    for (int stage = 0; stage < N_CHECKED; stage++) {
        first_wrong[stage] = -1;
    }
    play(preset, vectors, WARM);
    if (selftest_chill()) {
        play(preset, vectors, COLD_STAGES);
        play(preset, vectors, COLD_BLOCKS);
    }
    for (int stage = 0; stage < N_CHECKED; stage++) {
        report_begin("model");
        report_text("model", preset->name);
        report_hex("tflite", vectors->model_checksum);
        report_text("stage", names[stage]);
        report_number("frames", SELFTEST_N_FRAMES);
        if (first_wrong[stage] >= 0) {
            report_number("first_wrong_frame", (uint32_t)first_wrong[stage]);
        }
        report_check(first_wrong[stage] < 0);
        report_end();
    }
}

void check_models(void) {
    for (size_t i = 0; i < instrument_n_presets; i++) {
        check_model(&instrument_presets[i], &selftest_vectors[i]);
    }
}
