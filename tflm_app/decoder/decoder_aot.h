/* The ahead-of-time decoder engine: one generic kernel over a constant table of layers.
 *
 * pipeline.codegen makes the table from the quantized .tflite step model. A layer is a 1x1 convolution of a
 * vector: the past taps, oldest first, and the current input, gathered from ring buffers kept here. Residuals
 * are layers whose result is added to the previous one's. Every byte equals that of TensorFlow Lite Micro's
 * reference kernels.
 *
 * Cost of the reduced model (3 blocks of 64 channels, 51 200 MAC), by python -m pipeline.bench:
 *
 *     instructions a frame    Cortex-M4F, M7F, M33    Cortex-M0+
 *     int8                                  54 000       156 000
 *     16x8                                  69 000       196 000
 *
 * Code 4 kB, both formats included; model 1 byte a weight and 12 bytes a channel; state 3.9 kB with its
 * rings.
 */
#ifndef DECODER_AOT_H
#define DECODER_AOT_H

#include <stddef.h>
#include <stdint.h>

#include "decoder/decoder.h"
#include "decoder_config.h" /* generated: DECODER_N_RINGS and the DECODER_*_VALUES below */

/* Weights lie in the order in which the inner loop of the core reads them: decoder_kernel_dsp.h or
 * decoder_kernel_armv6m.h. A generated model holds both orders and compiles one. */
#ifndef DECODER_KERNEL_DSP
#ifdef __ARM_FEATURE_DSP
#define DECODER_KERNEL_DSP 1
#else
#define DECODER_KERNEL_DSP 0
#endif
#endif

/* A board may define section attributes for code and weights that it wants in RAM, its flash being slow. */
#ifndef DECODER_HOT
#define DECODER_HOT
#endif
#ifndef DECODER_WEIGHTS
#define DECODER_WEIGHTS
#endif

/* Requantization of four output channels.
 * int8: y = round(round(sum * multiplier / 2^31) / 2^(shift + 1)), halves up, then away from zero.
 * 16x8: y = round(sum * multiplier / 2^(shift + 17)), halves up. */
typedef struct {
    int32_t bias[4]; /* what sums start from, with the input's zero point folded in; int8 lanes: see there */
    struct {
        int32_t multiplier; /* Q31; 16x8: Q15 */
        int32_t shift;      /* 0..30 */
    } scale[4];
} decoder_channels_t;

/* One of the three rescalings of an addition. */
typedef struct {
    int32_t zero;        /* zero point; of an input, times 2^20 (int8) or 2^15 (16x8) */
    int32_t multiplier;  /* Q31 */
    int32_t right_shift; /* rounding, 0..31 */
} decoder_scale_t;

/* Addition of two quantized vectors: both are brought to a common scale, and their sum to the output's. */
typedef struct {
    decoder_scale_t first;
    decoder_scale_t second;
    decoder_scale_t sum;
} decoder_add_t;

typedef struct {
    const uint32_t *weights;
    const decoder_channels_t *channels; /* [n_outputs / 4] */
    const decoder_add_t *add; /* a residual: how it is added to the previous layer's output; else NULL */
    uint16_t n_inputs;        /* weights a channel, a multiple of 8; zero beyond the taps */
    uint16_t n_outputs;       /* a multiple of 8 */
    int16_t offset;           /* 1 + 2 * zero point of the output */
    int16_t lowest;           /* of the output: 16x8 after a ReLU 0, else of the type */
    uint16_t n_past;          /* past taps; 0: a residual, which reads what the ring took in last */
    uint16_t ring;            /* index */
    uint16_t ring_start;      /* in decoder_t.rings */
    uint16_t ring_slots;      /* n_past * dilation */
    uint16_t slot_values;     /* channels of the input, made even */
    uint16_t dilation;        /* slots between taps */
} decoder_layer_t;

struct decoder_model {
    const decoder_io_t *io;
    const decoder_layer_t *layers;
    const int16_t *ring_zero_points; /* [n_rings] */
    const uint16_t *ring_ends;       /* [n_rings] in decoder_t.rings */
    uint16_t n_layers;
    uint16_t n_rings;
};

/* Caller-owned state; to be read, at most. Aligned to words, because values move in pairs. */
struct decoder {
    int16_t rings[DECODER_RING_VALUES] __attribute__((aligned(4)));
    int16_t input[DECODER_INPUT_VALUES] __attribute__((aligned(4)));   /* what a layer reads, gathered */
    int16_t output[DECODER_OUTPUT_VALUES] __attribute__((aligned(4))); /* what the last layer gave */
    uint16_t oldest[DECODER_N_RINGS]; /* slot that the next vector replaces */
    const decoder_model_t *model;
};

#endif
