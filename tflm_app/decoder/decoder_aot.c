#include "decoder/decoder_aot.h"

#include <string.h>

#include "decoder/decoder_fixed.h"
#if DECODER_KERNEL_DSP
#include "decoder/decoder_kernel_dsp.h"
#else
#include "decoder/decoder_kernel_armv6m.h"
#endif

static inline int32_t rescale(int32_t x, const decoder_scale_t *by) {
    const int32_t y = multiply_high(x, by->multiplier);
    return by->right_shift == 0 ? y : (twice_rounded(y, by->right_shift - 1) + 1) >> 1;
}

/* Adds n quantized residual values to `values`. */
static inline void add(const decoder_add_t *add, int16_t *values, const int16_t *residual, uint32_t n,
                       int is_int8) {
    const int32_t one = is_int8 ? 1 << 20 : 1 << 15;
    for (uint32_t i = 0; i < n; ++i) {
        const int32_t sum = rescale(values[i] * one - add->first.zero, &add->first) +
                            rescale(residual[i] * one - add->second.zero, &add->second);
        values[i] = (int16_t)saturate(rescale(sum, &add->sum) + add->sum.zero, is_int8);
    }
}

/* Copies an even number of values between word-aligned addresses; the blocks compile to LDM and STM. */
static inline void copy(int16_t *to, const int16_t *from, uint32_t n) {
    int16_t *target = __builtin_assume_aligned(to, 4);
    const int16_t *source = __builtin_assume_aligned(from, 4);
    for (; n >= 16; n -= 16, target += 16, source += 16) {
        memcpy(target, source, 16 * sizeof *target);
    }
    for (; n > 0; n -= 2, target += 2, source += 2) {
        memcpy(target, source, 2 * sizeof *target);
    }
}

/* Gathers the input of a layer and advances its ring; returns the number of values. */
DECODER_HOT static uint32_t gather(decoder_t *d, const decoder_layer_t *layer) {
    const uint32_t n = layer->slot_values, slots = layer->ring_slots;
    int16_t *const ring = d->rings + layer->ring_start;
    const uint32_t oldest = d->oldest[layer->ring];
    if (layer->n_past == 0) { /* a residual */
        const uint32_t newest = (oldest == 0 ? slots : oldest) - 1;
        copy(d->input, ring + newest * n, n);
        return n;
    }
    int16_t *input = d->input;
    uint32_t slot = oldest;
    for (uint32_t tap = 0; tap < layer->n_past; ++tap, input += n) {
        copy(input, ring + slot * n, n);
        slot += layer->dilation;
        slot = slot >= slots ? slot - slots : slot;
    }
    copy(input, d->output, n);
    copy(ring + oldest * n, d->output, n);
    d->oldest[layer->ring] = (uint16_t)(oldest + 1 == slots ? 0 : oldest + 1);
    return (layer->n_past + 1u) * n;
}

__attribute__((always_inline)) static inline void run_layer(decoder_t *d, const decoder_layer_t *layer,
                                                            int is_int8) {
    const uint32_t offset = prepare(d->input, gather(d, layer), is_int8);
    if (layer->add == NULL) {
        convolve(layer, d->input, offset, is_int8, d->output);
    } else {
        /* d->input has space for the output of a residual behind its input. */
        int16_t *const residual = d->input + layer->n_inputs;
        convolve(layer, d->input, offset, is_int8, residual);
        add(layer->add, d->output, residual, layer->n_outputs, is_int8);
    }
}

DECODER_HOT static void run_int8(decoder_t *d, const decoder_layer_t *layer) { run_layer(d, layer, 1); }

DECODER_HOT static void run_int16(decoder_t *d, const decoder_layer_t *layer) { run_layer(d, layer, 0); }

void decoder_init(decoder_t *decoder, const decoder_model_t *model) {
    memset(decoder, 0, sizeof *decoder);
    decoder->model = model;
    decoder_reset(decoder);
}

void decoder_reset(decoder_t *decoder) {
    const decoder_model_t *model = decoder->model;
    const int16_t *silence = model->io->silence;
    for (uint32_t i = 0; i < model->n_layers; ++i) {
        const decoder_layer_t *layer = &model->layers[i];
        if (layer->n_past == 0) { /* a residual has no ring of its own */
            continue;
        }
        int16_t *ring = decoder->rings + layer->ring_start;
        for (uint32_t slot = 0; slot < layer->ring_slots; ++slot, ring += layer->slot_values) {
            copy(ring, silence, layer->slot_values);
        }
        silence += layer->slot_values;
        decoder->oldest[layer->ring] = 0;
    }
}

/* Loads a frame as the input of the first layer; returns whether the model is int8. */
static int load_frame(decoder_t *d, const int16_t frame[DECODER_N_INPUTS]) {
    const int is_int8 = d->model->io->bits == 8;
    for (int i = 0; i < DECODER_N_INPUTS; ++i) {
        d->output[i] = (int16_t)saturate(frame[i], is_int8);
    }
    return is_int8;
}

void decoder_step(decoder_t *decoder, const int16_t frame[DECODER_N_INPUTS],
                  int16_t logits[DECODER_N_OUTPUTS]) {
    const decoder_model_t *model = decoder->model;
    const int is_int8 = load_frame(decoder, frame);
    for (uint32_t i = 0; i < model->n_layers; ++i) {
        (is_int8 ? run_int8 : run_int16)(decoder, &model->layers[i]);
    }
    memcpy(logits, decoder->output, DECODER_N_OUTPUTS * sizeof *logits);
}
