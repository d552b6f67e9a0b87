/* The tflm decoder engine: TensorFlow Lite Micro interprets the .tflite; this code keeps the rings.
 *
 * A step copies the frame and the past taps of each convolution to the inputs of the model, invokes the
 * interpreter and copies the new activations to the rings. TensorFlow Lite Micro comes from the tree that
 * TFLM_DIR names. Memory is allocated only in the arena of the decoder, and only by decoder_init.
 *
 * Cost on Cortex-M4F with CMSIS-NN, model of 3 blocks of 64 channels (51 200 MAC), by python -m
 * pipeline.bench: 138 000 instructions per frame with int8, 291 000 with 16x8, whose convolutions CMSIS-NN
 * supports only as CONV_2D, and 295 000 with an older int8 model, which uses CONV_2D, too. Code with int8:
 * 53 kB, and 5 kB for arithmetic of the C library. State, arena and rings: 10.5 kB with int8, 13.5 kB
 * with 16x8.
 */
#ifndef DECODER_TFLM_H
#define DECODER_TFLM_H

#include <stddef.h>
#include <stdint.h>

#include "decoder/decoder.h"
#include "decoder_config.h" /* generated: DECODER_N_RINGS, DECODER_TFLM_RING_BYTES, DECODER_TFLM_ARENA_BYTES */

#ifdef __cplusplus
extern "C" {
#endif

#define DECODER_TFLM_FRAME (-1)

/* The past inputs of one dilated convolution: a ring of n_past * dilation vectors of n_channels values. */
typedef struct {
    uint8_t taps_input; /* index of the model input, n_past * n_channels values, oldest tap first */
    int8_t new_tap;     /* index of the model output that enters the ring, or DECODER_TFLM_FRAME */
    uint16_t n_channels;
    uint8_t n_past;
    uint16_t dilation; /* frames between taps */
} decoder_tflm_ring_t;

struct decoder_model {
    const decoder_io_t *io;
    const uint8_t *tflite; /* the flatbuffer, aligned to 16 bytes */
    size_t tflite_bytes;
    const decoder_tflm_ring_t *rings;
    uint8_t n_rings;
    uint8_t frame_input;   /* index of the model input */
    uint8_t logits_output; /* index of the model output */
};

struct decoder {
    const decoder_model_t *model;
    void *engine;                     /* in the arena: the interpreter and its operations */
    size_t arena_used_bytes;          /* used bytes of the arena, including the engine */
    uint16_t oldest[DECODER_N_RINGS]; /* slot that the next vector overwrites */
    uint8_t rings[DECODER_TFLM_RING_BYTES];
    uint8_t arena[DECODER_TFLM_ARENA_BYTES] __attribute__((aligned(16)));
};

#ifdef __cplusplus
}
#endif

#endif
