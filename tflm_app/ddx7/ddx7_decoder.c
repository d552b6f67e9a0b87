#include "ddx7/ddx7_file.h"

#define N_LEVELS 257u
#define MAX_INT8_INPUTS 512u /* see copy_input in the kernels */

/* The first and the last block end with a residual. */
static bool is_residual(const ddx7_model_t *model, uint32_t layer) {
    return layer == 2 || layer + 1u == model->decoder.n_layers;
}

static uint16_t round_up(uint32_t n, uint32_t multiple) {
    return (uint16_t)((n + multiple - 1u) / multiple * multiple);
}

bool model_shape_layers(ddx7_model_t *model, const file_header_t *header) {
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

size_t model_decoder_bytes(const ddx7_model_t *model) {
    size_t n = file_padded(N_LEVELS * sizeof(int32_t)) + file_padded(silence_values(model) * sizeof(int16_t));
    for (uint32_t i = 0; i < model->decoder.n_layers; i++) {
        n += file_padded(channel_bytes(&model->layers[i])) + file_padded(weight_bytes(&model->layers[i])) +
             (is_residual(model, i) ? file_padded(sizeof(decoder_add_t)) : 0u);
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
        if (!file_is_within(group->bias[k], has_plain_biases ? -max_bias : INT32_MIN, max_bias) ||
            !file_is_within(group->scale[k].multiplier, 0, is_int8 ? INT32_MAX : INT16_MAX) ||
            !file_is_within(group->scale[k].shift, 0, is_int8 ? 22 : 30)) {
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
        if (operand->zero % one != 0 || !file_is_within(operand->zero / one, lowest, highest) ||
            operand->multiplier < 0 || !file_is_within(operand->right_shift, is_halved ? 0 : 1, 31)) {
            return false;
        }
    }
    return is_one_halved && file_is_within(add->sum.zero, lowest, highest) && add->sum.multiplier >= 0 &&
           file_is_within(add->sum.right_shift, 1, 23);
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
        layer->channels = file_take(place, channel_bytes(layer));
        layer->weights = file_take(place, weight_bytes(layer));
        const uint32_t n_used = (layer->n_past + 1u) * layer->slot_values;
        if (!are_channels_valid(layer->channels, layer->n_outputs / 4u, is_int8) ||
            (is_int8 && n_used > MAX_INT8_INPUTS)) {
            return false;
        }
        if (!is_residual(model, i)) {
            continue;
        }
        decoder_layer_t *const addend = layer - 1;
        layer->add = file_take(place, sizeof *layer->add);
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

bool model_bind_decoder(ddx7_model_t *model, const file_header_t *header, const uint8_t **place) {
    const bool is_int8 = header->bits == 8;
    model->decoder.io = &model->io;
    model->decoder.layers = model->layers;
    if (!bind_layers(model, is_int8, place)) {
        return false;
    }
    const size_t n_silence = silence_values(model);
    const int32_t *const levels_q32 = file_take(place, N_LEVELS * sizeof *levels_q32);
    const int16_t *const silence = file_take(place, n_silence * sizeof *silence);
    for (size_t i = 0; i < N_LEVELS; i++) { /* they ascend, or the interpolation would fall below 0 */
        if (!file_is_within(levels_q32[i], i == 0 ? 0 : levels_q32[i - 1], SHARED_MAX_LEVEL_Q32)) {
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
    return !is_int8 || file_are_within(silence, n_silence, INT8_MIN, INT8_MAX);
}
