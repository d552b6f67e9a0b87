#include <string.h>

#include "apps/selftest/checks.h"
#include "apps/selftest/report.h"
#include "apps/selftest/vectors.h"
#include "crc32/crc32.h"
#include "instrument/instrument.h"

enum { DECODER, LEVELS, FM, NOISE, N_CHECKED, BLOCK = N_CHECKED, N_MEASURED };
#define IDLE_ROUNDS 10000u
static const char *const names[N_MEASURED] = {"decoder", "levels", "fm", "noise", "block"};

typedef enum {
    WARM,        /* nothing is done to the caches */
    COLD_STAGES, /* they are emptied before each stage */
    COLD_BLOCKS, /* they are emptied before each block */
    STALLING,    /* stalls are counted instead of time */
} state_t;

static instrument_t instrument;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
static uint32_t counts[N_MEASURED][SELFTEST_N_FRAMES];
static int32_t first_wrong[N_CHECKED]; /* frame, or -1 */

static const selftest_stall_counters_t *stall_counters;
static selftest_stalls_t stalls[N_CHECKED];

static uint32_t begin_stage(state_t state) {
    if (state == COLD_STAGES) {
        (void)selftest_chill();
    } else if (state == STALLING) {
        stall_counters->begin();
        return 0;
    }
    return selftest_count();
}

/* Returns what the stage took. */
static uint32_t end_stage(state_t state, int stage, uint32_t frame, uint32_t from) {
    if (state == STALLING) {
        stall_counters->end(&stalls[stage]);
        return 0;
    }
    return counts[stage][frame] = selftest_count() - from;
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
    block += end_stage(state, DECODER, n, from);
    from = begin_stage(state);
    instrument_set_levels(&instrument);
    block += end_stage(state, LEVELS, n, from);
    from = begin_stage(state);
    instrument_play(&instrument, samples);
    block += end_stage(state, FM, n, from);
    compare(FM, n, samples, sizeof samples, expected->fm); /* outside of what is measured */
    from = begin_stage(state);
    instrument_add_noise(&instrument, samples);
    block += end_stage(state, NOISE, n, from);
    counts[BLOCK][n] = block;

    compare(DECODER, n, instrument.logits, sizeof instrument.logits, expected->decoder);
    compare(LEVELS, n, instrument.levels_q32, sizeof instrument.levels_q32, expected->levels);
    compare(NOISE, n, samples, sizeof samples, expected->noise);
}

static void report_cost(const char *model, int stage, const char *state) {
    report_begin("cost");
    report_text("model", model);
    report_text("stage", names[stage]);
    report_text("caches", state);
    report_spread(counts[stage], SELFTEST_N_FRAMES);
    report_end();
}

static void report_stalls(const char *model, const char *stage, const selftest_stalls_t *counted) {
    static const char *const keys[N_STALLS] = {"cpi", "exc", "sleep", "lsu", "fold"};
    report_begin("stalls");
    report_text("model", model);
    report_text("stage", stage);
    report_number("cycles", counted->cycles);
    report_number("stretches", counted->n_stretches);
    report_number("long", counted->n_long);
    for (int i = 0; i < N_STALLS; i++) {
        report_number(keys[i], counted->counts[i]);
    }
    report_end();
}

static void play(const instrument_preset_t *preset, const selftest_vectors_t *vectors, state_t state) {
    memset(stalls, 0, sizeof stalls);
    instrument_init(&instrument, preset, NOISE_SEED(0));
    for (uint32_t n = 0; n < SELFTEST_N_FRAMES; n++) {
        play_frame(n, state, &vectors->expected[n]);
    }
    for (int stage = 0; stage < N_MEASURED; stage++) {
        if (state == STALLING && stage < N_CHECKED) {
            report_stalls(preset->name, names[stage], &stalls[stage]);
        } else if (state == WARM || (state != STALLING && (state == COLD_BLOCKS) == (stage == BLOCK))) {
            report_cost(preset->name, stage, state == WARM ? "warm" : "cold");
        }
    }
}

/* Reports which counters of stalls there are, and what they count while nothing stalls: what each stretch
 * takes besides the stage, for an exception and for reading them. */
static void check_stall_counters(const selftest_stall_counters_t *counters) {
    static const char *const counter_names[N_STALLS] = {"DWT_CPICNT", "DWT_EXCCNT", "DWT_SLEEPCNT",
                                                        "DWT_LSUCNT", "DWT_FOLDCNT"};
    for (int i = 0; i < N_STALLS; i++) {
        report_begin("counter");
        report_text("name", counter_names[i]);
        report_text("section", counters->sections[i]);
        report_flag("present", counters->is_present);
        report_end();
    }
    if (counters->is_present) {
        selftest_stalls_t idle = {0};
        counters->begin();
        for (uint32_t i = 0; i < IDLE_ROUNDS; i++) {
            __asm__ volatile("nop\n\tnop\n\tnop\n\tnop");
        }
        counters->end(&idle);
        report_stalls("none", "nop", &idle);
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
    if (stall_counters != NULL && stall_counters->is_present) {
        play(preset, vectors, STALLING);
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

void check_models(const selftest_board_t *board) {
    stall_counters = board->stalls;
    if (stall_counters != NULL) {
        check_stall_counters(stall_counters);
    }
    for (size_t i = 0; i < instrument_n_presets; i++) {
        check_model(&instrument_presets[i], &selftest_vectors[i]);
    }
}
