#include "decoder/decoder_aot.h"

#include <string.h>

#include "decoder/decoder_fixed.h"
#if DECODER_KERNEL_DSP
#include "decoder/decoder_kernel_dsp.h"
#else
#include "decoder/decoder_kernel_armv6m.h"
#endif

/* Adds n quantized residual values to `values`. Of the operands, the one with the larger scale is only
 * halved; its multiplier is 2^30 and its shift 0. Constants are added before a shift to save additions after
 * it. */
static inline void add(const decoder_add_t *add, int16_t *values, const int16_t *residual, uint32_t n,
                       int is_int8) {
    const int32_t one = is_int8 ? 1 << 20 : 1 << 15;
    const int is_first_larger = add->first.multiplier == 1 << 30 && add->first.right_shift == 0;
    const decoder_scale_t smaller = is_first_larger ? add->second : add->first, sum = add->sum;
    const int16_t *const small = is_first_larger ? residual : values;
    const int16_t *const large = is_first_larger ? values : residual;
    const int32_t large_zero = is_first_larger ? add->first.zero : add->second.zero;
    const int32_t small_zero = 2 * smaller.zero;
    const int32_t away = smaller.right_shift > 0 ? -1 : 0; /* halves are rounded away from zero by a shift */
    const int32_t half = smaller.right_shift > 0 ? 1 << (smaller.right_shift - 1) : 0;
    const int32_t sum_offset = (1 << (sum.right_shift - 1)) + sum.zero * (1 << sum.right_shift);
    for (uint32_t i = 0; i < n; ++i) {
        const int32_t x = small[i] * (2 * one) - small_zero;
        const int32_t y =
            (multiply_high_add(x, smaller.multiplier, half) + ((x >> 31) & away)) >> smaller.right_shift;
        const int32_t z = large[i] * one - large_zero + 2 * y; /* twice the sum */
        values[i] = (int16_t)saturate(
            (multiply_high_add(z, sum.multiplier, sum_offset) + (z >> 31)) >> sum.right_shift, is_int8);
    }
}

/* Returns the vector that is `age` slots newer than the oldest one of the ring of a layer. */
static inline const int16_t *ring_vector(const decoder_t *d, const decoder_layer_t *layer, uint32_t age) {
    const uint32_t slots = layer->ring_slots;
    uint32_t slot = d->oldest[layer->ring] + age;
    slot = slot >= slots ? slot - slots : slot;
    return d->rings + layer->ring_start + slot * layer->slot_values;
}

/* Replaces the oldest vector of the ring of a layer by the output of the last layer. */
static inline void advance_ring(decoder_t *d, const decoder_layer_t *layer) {
    const uint32_t oldest = d->oldest[layer->ring];
    copy(d->rings + layer->ring_start + oldest * layer->slot_values, d->output, layer->slot_values);
    d->oldest[layer->ring] = (uint16_t)(oldest + 1 == layer->ring_slots ? 0 : oldest + 1);
}

/* Gathers the input of a layer and advances its ring; returns the sum of copy_input. */
DECODER_HOT __attribute__((noinline)) static uint32_t gather(decoder_t *d, const decoder_layer_t *layer,
                                                             int is_int8) {
    const uint32_t n = layer->slot_values;
    int16_t *input = d->input;
    uint32_t sum = 0;
    for (uint32_t tap = 0; tap < layer->n_past; ++tap, input += n) {
        sum = copy_input(input, ring_vector(d, layer, tap * layer->dilation), n, sum, is_int8);
    }
    if (layer->add != NULL) { /* a residual has no ring of its own, and reads the newest vector */
        return copy_input(input, ring_vector(d, layer, layer->ring_slots - 1u), n, sum, is_int8);
    }
    sum = copy_input(input, d->output, n, sum, is_int8);
    advance_ring(d, layer);
    return sum;
}

__attribute__((always_inline)) static inline void run_layer(decoder_t *d, const decoder_layer_t *layer,
                                                            int is_int8) {
    const uint32_t offset = input_offset(gather(d, layer, is_int8), is_int8);
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
        if (layer->add != NULL) { /* a residual has no ring of its own */
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

#if DECODER_KERNEL_DSP

/* Gathers the inputs of a layer for two voices into `inputs`, and advances their rings. */
DECODER_HOT static void gather_pair(decoder_t *const d[2], const decoder_layer_t *layer, int16_t *inputs,
                                    uint32_t sums[2]) {
    const uint32_t n = layer->slot_values;
    int16_t *input = inputs;
    sums[0] = sums[1] = 0;
    for (uint32_t tap = 0; tap < layer->n_past; ++tap, input += 2 * n) {
        const uint32_t age = tap * layer->dilation;
        interleave(input, ring_vector(d[0], layer, age), ring_vector(d[1], layer, age), n, sums);
    }
    if (layer->add != NULL) {
        const uint32_t age = layer->ring_slots - 1u;
        interleave(input, ring_vector(d[0], layer, age), ring_vector(d[1], layer, age), n, sums);
    } else {
        interleave(input, d[0]->output, d[1]->output, n, sums);
        advance_ring(d[0], layer);
        advance_ring(d[1], layer);
    }
    int16_t *const end = inputs + 2 * layer->n_inputs;
    for (input += 2 * n; input < end; ++input) {
        *input = 0; /* padding, whose weights are 0 */
    }
}

DECODER_HOT static void run_pair(decoder_t *const d[2], const decoder_layer_t *layer) {
    int16_t inputs[2 * DECODER_INPUT_VALUES] __attribute__((aligned(4)));
    uint32_t sums[2];
    gather_pair(d, layer, inputs, sums);
    const int is_residual = layer->add != NULL; /* its output goes to where a single voice has its input */
    const lanes_pair_t pair = {
        .input = inputs,
        .offsets = {(int32_t)lanes_offset(sums[0]), (int32_t)lanes_offset(sums[1])},
        .outputs = {is_residual ? d[0]->input : d[0]->output, is_residual ? d[1]->input : d[1]->output},
    };
    convolve_pair(layer, &pair);
    for (int voice = 0; is_residual && voice < 2; ++voice) {
        add(layer->add, d[voice]->output, d[voice]->input, layer->n_outputs, 1);
    }
}

#endif

void decoder_step_pair(decoder_t *const decoders[2], const int16_t *const frames[2],
                       int16_t *const logits[2]) {
#if DECODER_KERNEL_DSP
    const decoder_model_t *model = decoders[0]->model;
    if (model->io->bits == 8) {
        for (int voice = 0; voice < 2; ++voice) {
            load_frame(decoders[voice], frames[voice]);
        }
        for (uint32_t i = 0; i < model->n_layers; ++i) {
            run_pair(decoders, &model->layers[i]);
        }
        for (int voice = 0; voice < 2; ++voice) {
            memcpy(logits[voice], decoders[voice]->output, DECODER_N_OUTPUTS * sizeof *logits[voice]);
        }
        return;
    }
#endif
    for (int voice = 0; voice < 2; ++voice) {
        decoder_step(decoders[voice], frames[voice], logits[voice]);
    }
}
