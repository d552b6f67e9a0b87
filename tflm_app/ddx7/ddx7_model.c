#include "ddx7/ddx7_model.h"

#include <string.h>

#include "crc32/crc32.h"
#include "ddx7/ddx7_file.h"

#define MAGIC 0x37584444u /* "DDX7" */
#define VERSION 1u
#define N_NOISE_PAIRS (NOISE_TABLE_SAMPLES + NOISE_GRAIN_SAMPLES)

/* False for NaN, too. */
static bool is_float_within(float value, float lowest, float highest) {
    return value >= lowest && value <= highest;
}

/* --- the file ------------------------------------------------------------------------------------------ */

/* Checks all that can be checked before the values. */
static ddx7_load_t check_file(const file_header_t *header, size_t n_bytes) {
    if ((uintptr_t)header % DDX7_MODEL_ALIGNMENT != 0) {
        return DDX7_UNALIGNED;
    }
    if (n_bytes < sizeof *header) {
        return DDX7_TRUNCATED;
    }
    if (header->magic != MAGIC) {
        return DDX7_NOT_A_MODEL;
    }
    if (header->version != VERSION) {
        return DDX7_OTHER_VERSION;
    }
    if (header->n_bytes > n_bytes) {
        return DDX7_TRUNCATED;
    }
    if (header->n_bytes < sizeof *header) {
        return DDX7_DAMAGED;
    }
    const uint32_t crc = crc32(0, header, offsetof(file_header_t, crc));
    if (crc32(crc, header + 1, header->n_bytes - sizeof *header) != header->crc) {
        return DDX7_DAMAGED;
    }
    return header->order == DECODER_KERNEL_DSP ? DDX7_LOADED : DDX7_OTHER_CORE;
}

static const fm_patch_t *find_patch(uint32_t id) {
    for (size_t i = 0; i < instrument_n_patches; i++) {
        if (instrument_patches[i]->id == id) {
            return instrument_patches[i];
        }
    }
    return NULL;
}

/* Returns whether a text is printable and ends within its field. */
static bool is_text(const char *text, size_t n_bytes) {
    size_t n = 0;
    while (n < n_bytes && text[n] >= ' ' && text[n] <= '~') {
        n++;
    }
    return n > 0 && n < n_bytes && text[n] == 0;
}

static bool is_header_valid(const file_header_t *header) {
    const bool is_int8 = header->bits == 8;
    const float highest = is_int8 ? 127.0f : 32767.0f;
    const frame_scaling_t *const scaling = &header->scaling;
    return (is_int8 || header->bits == 16) && is_text(header->name, sizeof header->name) &&
           is_text(header->patch_name, sizeof header->patch_name) &&
           file_is_within(header->n_channels, 1, 512) && file_is_within(header->n_blocks, 2, 8) &&
           file_is_within(header->n_taps, 1, 4) &&
           file_is_within(header->n_curves, 2, SHARED_EXPRESSION_MAX_CURVES) &&
           file_is_within(header->logit_zero_point, is_int8 ? INT8_MIN : 0, is_int8 ? INT8_MAX : 0) &&
           is_float_within(header->logit_scale, 1e-9f, 1e9f) &&
           is_float_within(scaling->f0_gain, 0.0f, 1e9f) &&
           is_float_within(scaling->f0_offset, -1e9f, 1e9f) &&
           is_float_within(scaling->loudness_gain, 0.0f, 1e9f) &&
           is_float_within(scaling->loudness_offset, -1e9f, 1e9f) &&
           is_float_within(scaling->lowest, -highest - 1.0f, scaling->highest) &&
           is_float_within(scaling->highest, scaling->lowest, highest);
}

/* --- noise and expression ------------------------------------------------------------------------------ */

/* Returns whether the noise is below half of full scale, so that sums stay below 2^30 (noise/noise.c), and
 * its first samples follow its last ones. */
static bool is_noise_valid(const noise_pair_t *tables) {
    const int16_t half = 1 << 14, *const first = tables[0], *const last = tables[NOISE_TABLE_SAMPLES];
    for (int n = 0; n < NOISE_N_LAYERS * NOISE_GRAIN_SAMPLES; n++) {
        if (first[n] != last[n]) {
            return false;
        }
    }
    return file_are_within(first, NOISE_N_LAYERS * N_NOISE_PAIRS, -half, half);
}

static bool bind_noise(noise_preset_t *noise, const file_header_t *header, const uint8_t **place) {
    noise->tables = file_take(place, N_NOISE_PAIRS * sizeof *noise->tables);
    memcpy(noise->layers, header->noise, sizeof noise->layers);
    for (int i = 0; i < NOISE_N_LAYERS; i++) {
        const noise_layer_t *const layer = &noise->layers[i];
        bool is_valid = file_is_within(layer->gain_q12, -(1 << 24), 1 << 24) &&
                        file_is_within(layer->per_octave_q12, -4 * 4096, 4 * 4096) &&
                        file_is_within(layer->per_db_q16, -65536, 65536);
        for (int k = 0; k < NOISE_N_LEVELS; k++) {
            is_valid &= file_is_within(layer->per_level_q12[k], -4 * 4096, 4 * 4096);
        }
        if (!is_valid) {
            return false;
        }
    }
    return is_noise_valid(noise->tables);
}

static bool are_curves_valid(const expression_curves_t *curves, uint32_t n_curves) {
    const int16_t lowest = SHARED_EXPRESSION_LOWEST_DB_Q8, lowest_slope = SHARED_EXPRESSION_LOWEST_SLOPE_Q14;
    for (uint32_t i = 0; i < n_curves; i++) {
        if (!file_are_within(curves[i].envelope, EXPRESSION_N_KNOTS, lowest, 0) ||
            !file_are_within(curves[i].release, EXPRESSION_N_RELEASE_KNOTS, lowest, 0) ||
            !file_is_within(curves[i].envelope_slope, lowest_slope, 0) ||
            !file_is_within(curves[i].release_slope, lowest_slope,
                            SHARED_EXPRESSION_HIGHEST_RELEASE_SLOPE_Q14)) {
            return false;
        }
    }
    return true;
}

static bool bind_expression(expression_t *expression, const file_header_t *header, const uint8_t **place) {
    expression->curves = file_take(place, header->n_curves * sizeof *expression->curves);
    memcpy(expression->slur, header->slur, sizeof expression->slur);
    expression->n_curves = header->n_curves;
    expression->lowest_note = header->lowest_note;
    expression->slur_frames = header->slur_frames;
    expression->vibrato_delay = header->vibrato_delay;
    expression->vibrato_growth_q16 = header->vibrato_growth_q16;
    expression->vibrato_depth = header->vibrato_depth;
    expression->vibrato_rate = header->vibrato_rate;
    expression->pitch_drift = header->pitch_drift;
    expression->loudness_drift = header->loudness_drift;
    expression->loudest_db = header->loudest_db;
    const int16_t lowest = SHARED_EXPRESSION_LOWEST_DB_Q8;
    return header->lowest_note <= SHARED_EXPRESSION_MAX_LOWEST_NOTE &&
           header->slur_frames <= SHARED_EXPRESSION_MAX_SLUR_FRAMES &&
           header->vibrato_delay <= SHARED_EXPRESSION_MAX_VIBRATO_DELAY &&
           header->vibrato_growth_q16 >= SHARED_EXPRESSION_MIN_VIBRATO_GROWTH_Q16 &&
           header->vibrato_depth <= SHARED_EXPRESSION_MAX_VIBRATO_DEPTH &&
           header->vibrato_rate <= SHARED_EXPRESSION_MAX_VIBRATO_RATE &&
           header->pitch_drift <= SHARED_EXPRESSION_MAX_PITCH_DRIFT &&
           header->loudness_drift <= SHARED_EXPRESSION_MAX_LOUDNESS_DRIFT &&
           file_is_within(header->loudest_db, lowest * 256, 0) &&
           file_are_within(header->slur, EXPRESSION_N_RELEASE_KNOTS, lowest, 0) &&
           are_curves_valid(expression->curves, header->n_curves);
}

/* ------------------------------------------------------------------------------------------------------- */

/* Returns the size that the file must have, given the shapes of the layers. */
static size_t file_bytes(const ddx7_model_t *model, const file_header_t *header) {
    return sizeof *header + model_decoder_bytes(model) + file_padded(N_NOISE_PAIRS * sizeof(noise_pair_t)) +
           file_padded(header->n_curves * sizeof(expression_curves_t));
}

ddx7_load_t ddx7_load(ddx7_model_t *model, const void *file, size_t n_bytes) {
    const file_header_t *const header = file;
    memset(model, 0, sizeof *model);
    const ddx7_load_t result = check_file(header, n_bytes);
    if (result != DDX7_LOADED) {
        return result;
    }
    if (!is_header_valid(header)) {
        return DDX7_INVALID_VALUES;
    }
    const fm_patch_t *const patch = find_patch(header->patch);
    if (patch == NULL) {
        return DDX7_UNKNOWN_PATCH;
    }
    if (!model_shape_layers(model, header)) {
        return DDX7_TOO_LARGE;
    }
    const uint8_t *place = (const uint8_t *)(header + 1);
    if (header->n_bytes != file_bytes(model, header) || !model_bind_decoder(model, header, &place) ||
        !bind_noise(&model->noise, header, &place) || !bind_expression(&model->expression, header, &place)) {
        return DDX7_INVALID_VALUES;
    }
    model->instrument = (instrument_preset_t){
        .name = header->name,
        .model = &model->decoder,
        .patch = patch,
        .noise = &model->noise,
        .scaling = header->scaling,
    };
    model->preset = (ddx7_preset_t){&model->instrument, &model->expression};
    return DDX7_LOADED;
}
