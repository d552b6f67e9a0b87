/* The ahead-of-time decoder engine: a generic kernel that executes a constant table of layers.
 *
 * pipeline.codegen generates the table from the quantized .tflite step model. A layer is a 1x1 convolution of
 * a vector that is gathered from ring buffers: the past taps, oldest first, and the current input. A residual
 * is a layer whose result is added to that of the previous layer. Every output byte equals that of the
 * reference kernels of TensorFlow Lite Micro.
 *
 * Cost of the reduced model (3 blocks of 64 channels, 51 200 MAC), by python -m pipeline.bench:
 *
 *     instructions per frame    Cortex-M4F, M7F, M33    Cortex-M0+
 *     int8                                  47 100       148 100
 *     16x8                                  68 000       182 300
 *
 * decoder_step_pair saves time only where it reads the weights once: int8 on cores with the DSP extension.
 * Two voices then take 1.74 times as long as one, FM and noise included (data/models/voice_costs.json). It
 * takes 2 * DECODER_INPUT_VALUES values of stack, 800 bytes here. Code: 6 kB for both formats. Model: 1 byte
 * per weight and 12 bytes per channel. State: 3.9 kB including the rings.
 */
#ifndef DECODER_AOT_H
#define DECODER_AOT_H

#include <stddef.h>
#include <stdint.h>

#include "decoder/decoder.h"
#include "decoder_config.h" /* generated: DECODER_N_RINGS and DECODER_*_VALUES */

#ifdef __cplusplus
extern "C" {
#endif

/* Weights are stored in the order in which the inner loop of decoder_kernel_dsp.h or
 * decoder_kernel_armv6m.h reads them. A generated model contains both orders, of which one is compiled. */
#ifndef DECODER_KERNEL_DSP
#ifdef __ARM_FEATURE_DSP
#define DECODER_KERNEL_DSP 1
#else
#define DECODER_KERNEL_DSP 0
#endif
#endif

/* A board with slow flash may define section attributes that place this code, and the weights with their
 * channels, in RAM. */
#ifndef DECODER_HOT
#define DECODER_HOT
#endif
#ifndef DECODER_WEIGHTS
#define DECODER_WEIGHTS
#endif

/* Requantization of four output channels:
 *     int8: y = round(round(sum * multiplier / 2^31) / 2^(shift + 1)), halves up, then away from zero
 *     16x8: y = round(sum * multiplier / 2^(shift + 17)), halves up */
typedef struct {
    int32_t bias[4]; /* initial values of the sums, with the zero point of the input: see the kernels */
    struct {
        int32_t multiplier; /* Q31; 16x8: Q15 */
        int32_t shift;      /* 0..30; int8: 0..22 */
    } scale[4];
} decoder_channels_t;

/* One of the three rescalings of an addition. */
typedef struct {
    int32_t zero;        /* zero point; for an input times 2^20 (int8) or 2^15 (16x8) */
    int32_t multiplier;  /* Q31 */
    int32_t right_shift; /* rounding shift, 0..31 */
} decoder_scale_t;

/* Addition of two quantized vectors: both are rescaled to a common scale, and their sum to that of the
 * output. */
typedef struct {
    decoder_scale_t first;
    decoder_scale_t second;
    decoder_scale_t sum;
} decoder_add_t;

typedef struct {
    const uint32_t *weights;
    const decoder_channels_t *channels; /* [n_outputs / 4] */
    const decoder_add_t *add; /* residual: its addition to the output of the previous layer; otherwise NULL */
    uint16_t n_inputs;        /* weights per channel, a multiple of 8; padded with zeros */
    uint16_t n_outputs;       /* a multiple of 8 */
    int16_t offset;           /* 1 + 2 * zero point of the output */
    uint16_t is_rectified;    /* 1: a ReLU ends the layer; int8: its zero point is -128 */
    uint16_t n_past;          /* past taps; a residual reads the newest vector of the ring instead */
    uint16_t ring;            /* index of its ring */
    uint16_t ring_start;      /* index in decoder_t.rings */
    uint16_t ring_slots;      /* n_past * dilation, at least 1 */
    uint16_t slot_values;     /* channels of the input, rounded up to an even number */
    uint16_t dilation;        /* slots between taps */
} decoder_layer_t;

struct decoder_model {
    const decoder_io_t *io;
    const decoder_layer_t *layers;
    uint16_t n_layers;
};

SHARED_ASSERT(DECODER_RING_VALUES <= UINT16_MAX, "ring_start has 16 bits");

/* Caller-owned, read-only state. Arrays are word-aligned because values are copied in pairs. */
struct decoder {
    int16_t rings[DECODER_RING_VALUES] __attribute__((aligned(4)));
    int16_t input[DECODER_INPUT_VALUES] __attribute__((aligned(4)));   /* gathered input of a layer */
    int16_t output[DECODER_OUTPUT_VALUES] __attribute__((aligned(4))); /* output of the last layer */
    uint16_t oldest[DECODER_N_RINGS]; /* slot that the next vector overwrites */
    const decoder_model_t *model;
};

#ifdef __cplusplus
}
#endif

#endif
