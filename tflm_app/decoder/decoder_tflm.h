// The tflm engine: TensorFlow Lite Micro interprets the .tflite, rings and tensor map are ours.
//
// A step copies the frame and every convolution's past taps into the model's inputs, invokes the interpreter
// and copies the new activations into the rings. TensorFlow Lite Micro comes from the tree that TFLM_DIR names
// (tflm.cmake); nothing is allocated outside the decoder's own arena, and nothing at all after decoder_init.
//
// Cost on a Cortex-M4F with CMSIS-NN, model of 3 blocks of 64 channels (51 200 MAC), by `python -m pipeline.bench`:
//   295 000 instructions a frame with int8, 291 000 with 16x8; code 53 kB and 4 kB of the C library's arithmetic;
//   state 9.8 kB and 12.8 kB, arena and rings.
#ifndef DECODER_TFLM_H_
#define DECODER_TFLM_H_

#include <stddef.h>
#include <stdint.h>

#include "decoder/decoder.h"
#include "decoder_config.h"  // generated: DECODER_N_RINGS, DECODER_TFLM_RING_BYTES, DECODER_TFLM_ARENA_BYTES

#ifdef __cplusplus
extern "C" {
#endif

#define DECODER_TFLM_FRAME (-1)

// The past of one dilated convolution: a ring of n_past * dilation vectors of n_channels values.
typedef struct {
  uint8_t taps_input;   // index among the model's inputs of [1, 1, 1, n_past * n_channels], oldest tap first
  int8_t new_tap;       // index among the model's outputs of what the ring takes in, or DECODER_TFLM_FRAME
  uint16_t n_channels;
  uint8_t n_past;
  uint16_t dilation;    // frames between taps
  int16_t zero_point;
} decoder_tflm_ring_t;

struct decoder_model {
  const decoder_io_t *io;
  const uint8_t *tflite;  // the flatbuffer, aligned to 16 bytes
  size_t tflite_bytes;
  const decoder_tflm_ring_t *rings;
  uint8_t n_rings;
  uint8_t frame_input;    // index among the model's inputs
  uint8_t logits_output;  // index among the model's outputs
};

struct decoder {
  const decoder_model_t *model;
  void *engine;             // in the arena: the interpreter and its operations
  size_t arena_used_bytes;  // of the arena, engine and interpreter included
  uint16_t oldest[DECODER_N_RINGS];  // slot that the next vector will replace
  uint8_t rings[DECODER_TFLM_RING_BYTES];
  uint8_t arena[DECODER_TFLM_ARENA_BYTES] __attribute__((aligned(16)));
};

#ifdef __cplusplus
}
#endif

#endif  // DECODER_TFLM_H_
