#include "ddx7/ddx7_model.h"

#include <string.h>

#include "crc32/crc32.h"

#define MAGIC 0x37584444u /* "DDX7" */
#define VERSION 1u
#define N_LEVELS 257u
#define N_NOISE_PAIRS (NOISE_TABLE_SAMPLES + NOISE_GRAIN_SAMPLES)
#define MAX_INT8_INPUTS 512u /* see copy_input in the kernels */

typedef struct {
    uint32_t magic;
    uint16_t version;
    uint8_t bits, order;
    uint32_t n_bytes;
    uint32_t patch;
    char name[48], patch_name[32];
    uint16_t n_channels;
    uint8_t n_blocks, n_taps;
    int16_t logit_zero_point;
    uint8_t n_curves, lowest_note;
    float logit_scale;
    frame_scaling_t scaling;
    noise_layer_t noise[NOISE_N_LAYERS];
    int16_t slur[EXPRESSION_N_RELEASE_KNOTS];
    uint8_t slur_frames, vibrato_delay;
    uint16_t vibrato_growth_q16, vibrato_depth;
    uint32_t vibrato_rate;
    uint16_t pitch_drift, loudness_drift;
    int32_t loudest_db;
    uint32_t crc;
} header_t;

SHARED_ASSERT(sizeof(header_t) == 248 && sizeof(decoder_channels_t) == 48 && sizeof(decoder_add_t) == 36 &&
                  sizeof(noise_pair_t) == 4 && sizeof(expression_curves_t) == 62,
              "the format has no padding");

static bool is_within(int32_t value, int32_t lowest, int32_t highest) {
    return value >= lowest && value <= highest;
}

/* False for NaN, too. */
static bool is_float_within(float value, float lowest, float highest) {
    return value >= lowest && value <= highest;
}

static bool are_within(const int16_t *values, size_t n, int16_t lowest, int16_t highest) {
    for (size_t i = 0; i < n; i++) {
        if (!is_within(values[i], lowest, highest)) {
            return false;
        }
    }
    return true;
}

/* --- the file ------------------------------------------------------------------------------------------ */

/* Checks all that can be checked before the values. */
static ddx7_load_t check_file(const header_t *header, size_t n_bytes) {
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
    const uint32_t crc = crc32(0, header, offsetof(header_t, crc));
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

static bool is_header_valid(const header_t *header) {
    const bool is_int8 = header->bits == 8;
    const float highest = is_int8 ? 127.0f : 32767.0f;
    const frame_scaling_t *const scaling = &header->scaling;
    return (is_int8 || header->bits == 16) && is_text(header->name, sizeof header->name) &&
           is_text(header->patch_name, sizeof header->patch_name) && is_within(header->n_channels, 1, 512) &&
           is_within(header->n_blocks, 2, 8) && is_within(header->n_taps, 1, 4) &&
           is_within(header->n_curves, 2, SHARED_EXPRESSION_MAX_CURVES) &&
           is_within(header->logit_zero_point, is_int8 ? INT8_MIN : 0, is_int8 ? INT8_MAX : 0) &&
           is_float_within(header->logit_scale, 1e-9f, 1e9f) &&
           is_float_within(scaling->f0_gain, 0.0f, 1e9f) &&
           is_float_within(scaling->f0_offset, -1e9f, 1e9f) &&
           is_float_within(scaling->loudness_gain, 0.0f, 1e9f) &&
           is_float_within(scaling->loudness_offset, -1e9f, 1e9f) &&
           is_float_within(scaling->lowest, -highest - 1.0f, scaling->highest) &&
           is_float_within(scaling->highest, scaling->lowest, highest);
}

static size_t padded(size_t n_bytes) {
    return (n_bytes + DDX7_MODEL_ALIGNMENT - 1u) / DDX7_MODEL_ALIGNMENT * DDX7_MODEL_ALIGNMENT;
}

/* Returns the next part of the file, and moves `place` behind it. */
static const void *take(const uint8_t **place, size_t n_bytes) {
    const void *const part = *place;
    *place += padded(n_bytes);
    return part;
}

/* --- the decoder --------------------------------------------------------------------------------------- */

/* The first and the last block end with a residual. */
static bool is_residual(const ddx7_model_t *model, uint32_t layer) {
    return layer == 2 || layer + 1u == model->decoder.n_layers;
}

static uint16_t round_up(uint32_t n, uint32_t multiple) {
    return (uint16_t)((n + multiple - 1u) / multiple * multiple);
}

/* Fills in the shapes of the layers, which follow from the header (pipeline/model/topology.py). Returns false
 * if the decoder has not enough state for them. */
static bool shape_layers(ddx7_model_t *model, const header_t *header) {
    const uint32_t n_convolutions = 2u * header->n_blocks;
    if (n_convolutions > DECODER_N_RINGS) {
        return false;
    }
    model->decoder.n_layers = (uint16_t)(n_convolutions + 2u);
    uint32_t ring = 0, ring_end = 0;
    for (uint32_t i = 0; i < model->decoder.n_layers; i++) {
        decoder_layer_t *const layer = &model->layers[i];
        const bool is_in_last_sum = i + 2u >= model->decoder.n_layers;
        layer->n_outputs = round_up(is_in_last_sum ? DECODER_N_OUTPUTS : header->n_channels, 8);
        if (is_residual(model, i)) { /* it reads the input of the block's first convolution */
            const decoder_layer_t *const first = layer - 2;
            layer->ring = first->ring;
            layer->ring_start = first->ring_start;
            layer->ring_slots = first->ring_slots;
            layer->slot_values = first->slot_values;
            layer->dilation = first->dilation;
        } else {
            layer->is_rectified = !is_in_last_sum;
            layer->n_past = (uint16_t)(header->n_taps - 1u);
            layer->dilation = (uint16_t)(1u << (ring / 2u));
            layer->ring = (uint16_t)ring++;
            layer->ring_start = (uint16_t)ring_end;
            layer->ring_slots = layer->n_past > 0 ? (uint16_t)(layer->n_past * layer->dilation) : 1;
            layer->slot_values = round_up(i == 0 ? DECODER_N_INPUTS : header->n_channels, 2);
            ring_end += (uint32_t)layer->ring_slots * layer->slot_values;
        }
        layer->n_inputs = round_up((layer->n_past + 1u) * layer->slot_values, 8);
        const uint32_t n_input_values = layer->n_inputs + (is_residual(model, i) ? layer->n_outputs : 0u);
        if (ring_end > DECODER_RING_VALUES || n_input_values > DECODER_INPUT_VALUES ||
            layer->n_outputs > DECODER_OUTPUT_VALUES) {
            return false;
        }
    }
    return true;
}

/* Returns the size of the vectors that are in `silence`. */
static size_t silence_values(const ddx7_model_t *model) {
    size_t n = 0;
    for (uint32_t i = 0; i < model->decoder.n_layers; i++) {
        n += is_residual(model, i) ? 0u : model->layers[i].slot_values;
    }
    return n;
}

static size_t channel_bytes(const decoder_layer_t *layer) {
    return layer->n_outputs / 4u * sizeof(decoder_channels_t);
}

static size_t weight_bytes(const decoder_layer_t *layer) {
    return (size_t)layer->n_outputs * layer->n_inputs;
}

/* Returns the size that the file of a model has, given the shapes of its layers. */
static size_t file_bytes(const ddx7_model_t *model, const header_t *header) {
    size_t n = sizeof *header + padded(N_LEVELS * sizeof(int32_t)) +
               padded(silence_values(model) * sizeof(int16_t)) +
               padded(N_NOISE_PAIRS * sizeof(noise_pair_t)) +
               padded(header->n_curves * sizeof(expression_curves_t));
    for (uint32_t i = 0; i < model->decoder.n_layers; i++) {
        n += padded(channel_bytes(&model->layers[i])) + padded(weight_bytes(&model->layers[i])) +
             (is_residual(model, i) ? padded(sizeof(decoder_add_t)) : 0u);
    }
    return n;
}

/* Returns whether a layer can be requantized without overflow (decoder/decoder_fixed.h). */
static bool are_channels_valid(const decoder_channels_t *channels, uint32_t n_groups, bool is_int8) {
    const bool has_plain_biases = is_int8 && !DECODER_KERNEL_DSP; /* otherwise sums are taken modulo 2^32 */
    const int32_t max_bias = has_plain_biases ? 1 << 24 : INT32_MAX;
    for (uint32_t i = 0; i < 4u * n_groups; i++) {
        const decoder_channels_t *const group = &channels[i / 4u];
        const uint32_t k = i % 4u;
        if (!is_within(group->bias[k], has_plain_biases ? -max_bias : INT32_MIN, max_bias) ||
            !is_within(group->scale[k].multiplier, 0, is_int8 ? INT32_MAX : INT16_MAX) ||
            !is_within(group->scale[k].shift, 0, is_int8 ? 22 : 30)) {
            return false;
        }
    }
    return true;
}

/* Returns whether an addition is as decoder_aot.h says. One operand is only halved. */
static bool is_addition_valid(const decoder_add_t *add, bool is_int8) {
    const int32_t one = is_int8 ? 1 << 20 : 1 << 15;
    const int32_t lowest = is_int8 ? INT8_MIN : 0, highest = is_int8 ? INT8_MAX : 0; /* zero points */
    const decoder_scale_t *const operands[2] = {&add->first, &add->second};
    bool is_one_halved = false;
    for (int i = 0; i < 2; i++) {
        const decoder_scale_t *const operand = operands[i];
        const bool is_halved = operand->multiplier == 1 << 30 && operand->right_shift == 0;
        is_one_halved |= is_halved;
        if (operand->zero % one != 0 || !is_within(operand->zero / one, lowest, highest) ||
            operand->multiplier < 0 || !is_within(operand->right_shift, is_halved ? 0 : 1, 31)) {
            return false;
        }
    }
    return is_one_halved && is_within(add->sum.zero, lowest, highest) && add->sum.multiplier >= 0 &&
           is_within(add->sum.right_shift, 1, 23);
}

/* Returns twice a zero point plus 1, given as an operand of an addition. */
static int16_t offset_of(const decoder_scale_t *operand, bool is_int8) {
    return (int16_t)(2 * (operand->zero / (is_int8 ? 1 << 20 : 1 << 15)) + 1);
}

/* Lets the layers use their parts of the file; returns whether these are valid. */
static bool bind_layers(ddx7_model_t *model, bool is_int8, const uint8_t **place) {
    const int16_t rectified_offset = is_int8 ? 1 + 2 * INT8_MIN : 1;
    for (uint32_t i = 0; i < model->decoder.n_layers; i++) {
        decoder_layer_t *const layer = &model->layers[i];
        layer->offset = rectified_offset;
        layer->channels = take(place, channel_bytes(layer));
        layer->weights = take(place, weight_bytes(layer));
        const uint32_t n_used = (layer->n_past + 1u) * layer->slot_values;
        if (!are_channels_valid(layer->channels, layer->n_outputs / 4u, is_int8) ||
            (is_int8 && n_used > MAX_INT8_INPUTS)) {
            return false;
        }
        if (!is_residual(model, i)) {
            continue;
        }
        decoder_layer_t *const addend = layer - 1;
        layer->add = take(place, sizeof *layer->add);
        if (!is_addition_valid(layer->add, is_int8)) {
            return false;
        }
        layer->offset = offset_of(&layer->add->second, is_int8);
        addend->offset = offset_of(&layer->add->first, is_int8);
        if (addend->is_rectified && addend->offset != rectified_offset) {
            return false;
        }
    }
    return true;
}

/* Fills in the decoder; returns whether its values are valid. */
static bool bind_decoder(ddx7_model_t *model, const header_t *header, const uint8_t **place) {
    const bool is_int8 = header->bits == 8;
    model->decoder.io = &model->io;
    model->decoder.layers = model->layers;
    if (!bind_layers(model, is_int8, place)) {
        return false;
    }
    const size_t n_silence = silence_values(model);
    const int32_t *const levels_q32 = take(place, N_LEVELS * sizeof *levels_q32);
    const int16_t *const silence = take(place, n_silence * sizeof *silence);
    for (size_t i = 0; i < N_LEVELS; i++) {
        if (!is_within(levels_q32[i], 0, SHARED_MAX_LEVEL_Q32)) {
            return false;
        }
    }
    model->io = (decoder_io_t){
        .bits = header->bits,
        .logit_scale = header->logit_scale,
        .logit_zero_point = header->logit_zero_point,
        .levels_q32 = levels_q32,
        .silence = silence,
    };
    return !is_int8 || are_within(silence, n_silence, INT8_MIN, INT8_MAX);
}

/* --- noise and expression ------------------------------------------------------------------------------ */

static bool bind_noise(noise_preset_t *noise, const header_t *header, const uint8_t **place) {
    const int16_t half = 1 << 14; /* of full scale, so that sums stay below 2^30 (noise/noise.c) */
    noise->tables = take(place, N_NOISE_PAIRS * sizeof *noise->tables);
    memcpy(noise->layers, header->noise, sizeof noise->layers);
    for (int i = 0; i < NOISE_N_LAYERS; i++) {
        const noise_layer_t *const layer = &noise->layers[i];
        bool is_valid = is_within(layer->gain_q12, -(1 << 24), 1 << 24) &&
                        is_within(layer->per_octave_q12, -4 * 4096, 4 * 4096) &&
                        is_within(layer->per_db_q16, -65536, 65536);
        for (int k = 0; k < NOISE_N_LEVELS; k++) {
            is_valid &= is_within(layer->per_level_q12[k], -4 * 4096, 4 * 4096);
        }
        if (!is_valid) {
            return false;
        }
    }
    return are_within(noise->tables[0], NOISE_N_LAYERS * N_NOISE_PAIRS, -half, half) &&
           memcmp(noise->tables, noise->tables[NOISE_TABLE_SAMPLES],
                  NOISE_GRAIN_SAMPLES * sizeof *noise->tables) == 0;
}

static bool are_curves_valid(const expression_curves_t *curves, uint32_t n_curves) {
    const int16_t lowest = SHARED_EXPRESSION_LOWEST_DB_Q8, lowest_slope = SHARED_EXPRESSION_LOWEST_SLOPE_Q14;
    for (uint32_t i = 0; i < n_curves; i++) {
        if (!are_within(curves[i].envelope, EXPRESSION_N_KNOTS, lowest, 0) ||
            !are_within(curves[i].release, EXPRESSION_N_RELEASE_KNOTS, lowest, 0) ||
            !is_within(curves[i].envelope_slope, lowest_slope, 0) ||
            !is_within(curves[i].release_slope, lowest_slope, SHARED_EXPRESSION_HIGHEST_RELEASE_SLOPE_Q14)) {
            return false;
        }
    }
    return true;
}

static bool bind_expression(expression_t *expression, const header_t *header, const uint8_t **place) {
    expression->curves = take(place, header->n_curves * sizeof *expression->curves);
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
           is_within(header->loudest_db, lowest * 256, 0) &&
           are_within(header->slur, EXPRESSION_N_RELEASE_KNOTS, lowest, 0) &&
           are_curves_valid(expression->curves, header->n_curves);
}

/* ------------------------------------------------------------------------------------------------------- */

ddx7_load_t ddx7_load(ddx7_model_t *model, const void *file, size_t n_bytes) {
    const header_t *const header = file;
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
    if (!shape_layers(model, header)) {
        return DDX7_TOO_LARGE;
    }
    const uint8_t *place = (const uint8_t *)(header + 1);
    if (header->n_bytes != file_bytes(model, header) || !bind_decoder(model, header, &place) ||
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
