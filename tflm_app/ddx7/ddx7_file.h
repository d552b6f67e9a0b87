/* The file of a model, as its parts are read; internal to ddx7/. */
#ifndef DDX7_FILE_H
#define DDX7_FILE_H

#include "ddx7/ddx7_model.h"

/* The table in ddx7_model.h. */
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
} file_header_t;

SHARED_ASSERT(sizeof(file_header_t) == 248 && sizeof(decoder_channels_t) == 48 &&
                  sizeof(decoder_add_t) == 36 && sizeof(noise_pair_t) == 4 &&
                  sizeof(expression_curves_t) == 62,
              "the format has no padding");

static inline bool file_is_within(int32_t value, int32_t lowest, int32_t highest) {
    return value >= lowest && value <= highest;
}

static inline bool file_are_within(const int16_t *values, size_t n, int16_t lowest, int16_t highest) {
    for (size_t i = 0; i < n; i++) {
        if (!file_is_within(values[i], lowest, highest)) {
            return false;
        }
    }
    return true;
}

static inline size_t file_padded(size_t n_bytes) {
    return (n_bytes + DDX7_MODEL_ALIGNMENT - 1u) / DDX7_MODEL_ALIGNMENT * DDX7_MODEL_ALIGNMENT;
}

/* Returns the next part of the file, and moves `place` behind it. */
static inline const void *file_take(const uint8_t **place, size_t n_bytes) {
    const void *const part = *place;
    *place += file_padded(n_bytes);
    return part;
}

/* Fills in the shapes of the layers, which follow from the header (pipeline/model/topology.py). Returns false
 * if the decoder has not enough state for them. */
bool model_shape_layers(ddx7_model_t *model, const file_header_t *header);

/* Returns the size of the decoder's parts, given the shapes of its layers. */
size_t model_decoder_bytes(const ddx7_model_t *model);

/* Lets the decoder use its parts; returns whether their values are valid. */
bool model_bind_decoder(ddx7_model_t *model, const file_header_t *header, const uint8_t **place);

#endif
