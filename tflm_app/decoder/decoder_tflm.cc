// The tflm engine of decoder.h.
#include <algorithm>
#include <cstdarg>
#include <cstring>
#include <limits>
#include <new>

#include "decoder/decoder.h"
#include "tensorflow/lite/micro/debug_log.h"
#include "tensorflow/lite/micro/kernels/add.h"
#include "tensorflow/lite/micro/kernels/conv.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

// What TensorFlow Lite Micro needs from the C library, without the stdio and malloc behind the library's own. What it
// would print goes nowhere; a failed assertion is a processor fault.
extern "C" {
void DebugLog(const char *, va_list) {}
int DebugVsnprintf(char *, size_t, const char *, va_list) { return 0; }
void abort() { __builtin_trap(); }
void __assert_func(const char *, int, const char *, const char *) { __builtin_trap(); }
}

namespace {

// All that the interpreter needs lives at the arena's end and is never destroyed: it owns nothing else.
struct Engine {
  Engine(const tflite::Model *model, tflite::MicroAllocator *allocator)
      : interpreter(model, operations, allocator) {}

  tflite::MicroMutableOpResolver<3> operations;
  tflite::MicroInterpreter interpreter;
};

Engine *make_engine(decoder_t *decoder) {
  auto *allocator = tflite::MicroAllocator::Create(decoder->arena, sizeof decoder->arena);
  void *memory = allocator->AllocatePersistentBuffer(sizeof(Engine));
  auto *engine = new (memory) Engine(tflite::GetModel(decoder->model->tflite), allocator);
  // Registrations for one type alone keep the code for float and int4 out of the firmware.
  const bool is_int8 = decoder->model->io->bits == 8;
  engine->operations.AddConv2D(is_int8 ? tflite::Register_CONV_2D_INT8() : tflite::Register_CONV_2D_INT16());
  engine->operations.AddAdd(is_int8 ? tflite::Register_ADD_INT8() : tflite::Register_ADD_INT16());
  engine->operations.AddConcatenation();
  if (engine->interpreter.AllocateTensors() != kTfLiteOk) {
    __builtin_trap();  // this TensorFlow Lite Micro needs a larger DECODER_TFLM_ARENA_BYTES (pipeline.decoder_codegen)
  }
  decoder->arena_used_bytes = engine->interpreter.arena_used_bytes();
  return engine;
}

size_t value_bytes(const decoder_model_t *model) { return static_cast<size_t>(model->io->bits) / 8; }

size_t slot_bytes(const decoder_model_t *model, const decoder_tflm_ring_t &ring) {
  return ring.n_channels * value_bytes(model);
}

size_t ring_n_slots(const decoder_tflm_ring_t &ring) { return static_cast<size_t>(ring.n_past) * ring.dilation; }

// Calls visit(i, ring, its bytes) for every ring.
template <typename Visit>
void for_each_ring(decoder_t *decoder, Visit visit) {
  const decoder_model_t *model = decoder->model;
  uint8_t *bytes = decoder->rings;
  for (size_t i = 0; i < model->n_rings; ++i) {
    const decoder_tflm_ring_t &ring = model->rings[i];
    visit(i, ring, bytes);
    bytes += ring_n_slots(ring) * slot_bytes(model, ring);
  }
}

template <typename T>
void store(const int16_t *values, size_t n_values, void *bytes) {
  for (size_t i = 0; i < n_values; ++i) {
    const int value = std::clamp<int>(values[i], std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
    static_cast<T *>(bytes)[i] = static_cast<T>(value);
  }
}

template <typename T>
void load(const void *bytes, size_t n_values, int16_t *values) {
  std::copy_n(static_cast<const T *>(bytes), n_values, values);
}

}  // namespace

void decoder_init(decoder_t *decoder, const decoder_model_t *model) {
  decoder->model = model;
  decoder->engine = make_engine(decoder);
  decoder_reset(decoder);
}

void decoder_reset(decoder_t *decoder) {
  for_each_ring(decoder, [&](size_t i, const decoder_tflm_ring_t &ring, uint8_t *bytes) {
    // With int8 a byte is a value; with 16 bits the zero point is 0.
    std::memset(bytes, ring.zero_point, ring_n_slots(ring) * slot_bytes(decoder->model, ring));
    decoder->oldest[i] = 0;
  });
}

void decoder_prime(decoder_t *decoder, const int16_t frame[DECODER_N_INPUTS]) {
  // A step makes the rings of one layer more as they shall be, so there are as many as rings.
  int16_t logits[DECODER_N_OUTPUTS];
  for (size_t round = 0; round < decoder->model->n_rings; ++round) {
    decoder_step(decoder, frame, logits);
    for_each_ring(decoder, [&](size_t i, const decoder_tflm_ring_t &ring, uint8_t *bytes) {
      const size_t n_bytes = slot_bytes(decoder->model, ring), n_slots = ring_n_slots(ring);
      const uint8_t *newest = bytes + (decoder->oldest[i] + n_slots - 1) % n_slots * n_bytes;
      for (size_t slot = 0; slot < n_slots; ++slot) {
        std::memmove(bytes + slot * n_bytes, newest, n_bytes);
      }
    });
  }
}

void decoder_step(decoder_t *decoder, const int16_t frame[DECODER_N_INPUTS],
                  int16_t logits[DECODER_N_OUTPUTS]) {
  const decoder_model_t *model = decoder->model;
  const bool is_int8 = model->io->bits == 8;
  auto *engine = static_cast<Engine *>(decoder->engine);
  tflite::MicroInterpreter &interpreter = engine->interpreter;

  int16_t frame_values[DECODER_N_INPUTS];
  (is_int8 ? store<int8_t> : store<int16_t>)(frame, DECODER_N_INPUTS, frame_values);
  std::memcpy(interpreter.input(model->frame_input)->data.raw, frame_values,
              DECODER_N_INPUTS * value_bytes(model));
  for_each_ring(decoder, [&](size_t i, const decoder_tflm_ring_t &ring, const uint8_t *bytes) {
    char *taps = interpreter.input(ring.taps_input)->data.raw;
    const size_t n_bytes = slot_bytes(model, ring);
    const size_t n_slots = ring_n_slots(ring);
    size_t slot = decoder->oldest[i];
    for (int tap = 0; tap < ring.n_past; ++tap) {
      std::memcpy(taps, bytes + slot * n_bytes, n_bytes);
      taps += n_bytes;
      slot += ring.dilation;
      slot -= slot >= n_slots ? n_slots : 0;
    }
  });

  interpreter.Invoke();  // its kernels were prepared for these very tensors and cannot fail any more

  for_each_ring(decoder, [&](size_t i, const decoder_tflm_ring_t &ring, uint8_t *bytes) {
    // The interpreter may have used an input's memory for something else, so the frame comes from our copy.
    const void *newest = ring.new_tap == DECODER_TFLM_FRAME
                             ? frame_values
                             : interpreter.output(static_cast<size_t>(ring.new_tap))->data.data;
    const size_t n_bytes = slot_bytes(model, ring);
    std::memcpy(bytes + decoder->oldest[i] * n_bytes, newest, n_bytes);
    decoder->oldest[i] = static_cast<uint16_t>((decoder->oldest[i] + 1u) % ring_n_slots(ring));
  });
  const void *outputs = interpreter.output(model->logits_output)->data.data;
  (is_int8 ? load<int8_t> : load<int16_t>)(outputs, DECODER_N_OUTPUTS, logits);
}
