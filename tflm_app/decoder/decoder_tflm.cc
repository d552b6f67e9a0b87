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
#include "tensorflow/lite/micro/kernels/fully_connected.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

// Functions of board.h. The references are weak because another project may link the decoder without a board.
extern "C" {
void board_print(const char *text) __attribute__((weak));
void board_exit(int status) __attribute__((weak, noreturn));
}

namespace {

constexpr int kExitStatus = 71;  // exit status if the decoder cannot start

#define TEXT_OF_VALUE(value) #value
#define TEXT_OF(macro) TEXT_OF_VALUE(macro)

// Ends the program with a message on the console, or without a board with a processor fault.
[[noreturn]] void fail(const char *reason, const char *detail = "") {
    if (board_print != nullptr && board_exit != nullptr) {
        board_print("error: ");
        board_print(reason);
        board_print(detail);
        board_print("\n");
        board_exit(kExitStatus);
    }
    __builtin_trap();
}

}  // namespace

// Functions that TensorFlow Lite Micro needs from the C library, whose own versions would link stdio and
// malloc. Its output is discarded; a failed assertion ends the program.
extern "C" {
void DebugLog(const char *, va_list) {}
int DebugVsnprintf(char *, size_t, const char *, va_list) { return 0; }
void abort() { fail("TensorFlow Lite Micro failed an assertion"); }
void __assert_func(const char *, int, const char *, const char *) { abort(); }
}

namespace {

// The interpreter and its operations. They are placed at the end of the arena and never destroyed, because
// they own no other resources.
struct Engine {
    Engine(const tflite::Model *model, tflite::MicroAllocator *allocator)
        : interpreter(model, operations, allocator) {}

    tflite::MicroMutableOpResolver<4> operations;
    tflite::MicroInterpreter interpreter;
};

// The generated size suits the version of TensorFlow Lite Micro that the project was tested with.
constexpr char kArenaTooSmall[] =
    "AllocateTensors failed: TensorFlow Lite Micro needs a larger arena than "
    "DECODER_TFLM_ARENA_BYTES, " TEXT_OF(DECODER_TFLM_ARENA_BYTES) " bytes";

// Ends the program if the model uses an operator that is not registered.
void require_operators(const tflite::Model &model, const tflite::MicroOpResolver &operations) {
    for (const tflite::OperatorCode *code : *model.operator_codes()) {
        // Codes below 127 are stored in the deprecated field as well, and in old files only there.
        const int number = std::max<int>(code->builtin_code(), code->deprecated_builtin_code());
        if (operations.FindOp(static_cast<tflite::BuiltinOperator>(number)) == nullptr) {
            const char digits[] = {static_cast<char>('0' + number / 100),
                                   static_cast<char>('0' + number / 10 % 10),
                                   static_cast<char>('0' + number % 10), '\0'};
            fail("the decoder does not register an operator of the model: BuiltinOperator ", digits);
        }
    }
}

Engine *make_engine(decoder_t *decoder) {
    auto *allocator = tflite::MicroAllocator::Create(decoder->arena, sizeof decoder->arena);
    void *memory = allocator->AllocatePersistentBuffer(sizeof(Engine));
    if (memory == nullptr) {
        fail(kArenaTooSmall);
    }
    const tflite::Model *model = tflite::GetModel(decoder->model->tflite);
    auto *engine = new (memory) Engine(model, allocator);
    // Registering a single type keeps the code for float and int4 out of the firmware; registering only the
    // operators of the generated models keeps out that of the others.
    const bool is_int8 = decoder->model->io->bits == 8;
    if constexpr (DECODER_TFLM_FULLY_CONNECTED) {
        engine->operations.AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8());
    }
    if constexpr (DECODER_TFLM_CONV_2D) {
        engine->operations.AddConv2D(is_int8 ? tflite::Register_CONV_2D_INT8()
                                             : tflite::Register_CONV_2D_INT16());
    }
    engine->operations.AddAdd(is_int8 ? tflite::Register_ADD_INT8() : tflite::Register_ADD_INT16());
    engine->operations.AddConcatenation();
    require_operators(*model, engine->operations);
    if (engine->interpreter.AllocateTensors() != kTfLiteOk) {
        fail(kArenaTooSmall);
    }
    decoder->arena_used_bytes = engine->interpreter.arena_used_bytes();
    return engine;
}

size_t value_bytes(const decoder_model_t *model) { return static_cast<size_t>(model->io->bits) / 8; }

size_t slot_bytes(const decoder_model_t *model, const decoder_tflm_ring_t &ring) {
    return ring.n_channels * value_bytes(model);
}

size_t ring_n_slots(const decoder_tflm_ring_t &ring) {
    return static_cast<size_t>(ring.n_past) * ring.dilation;
}

// Calls visit(i, ring, bytes) for each ring, where `bytes` is its memory.
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
        const int value =
            std::clamp<int>(values[i], std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
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
    const decoder_model_t *model = decoder->model;
    const bool is_int8 = model->io->bits == 8;
    const int16_t *silence = model->io->silence;
    for_each_ring(decoder, [&](size_t i, const decoder_tflm_ring_t &ring, uint8_t *bytes) {
        for (size_t slot = 0; slot < ring_n_slots(ring); ++slot, bytes += slot_bytes(model, ring)) {
            (is_int8 ? store<int8_t> : store<int16_t>)(silence, ring.n_channels, bytes);
        }
        silence += (ring.n_channels + 1) / 2 * 2;
        decoder->oldest[i] = 0;
    });
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

    interpreter.Invoke();  // cannot fail: AllocateTensors has prepared the kernels for these tensors

    for_each_ring(decoder, [&](size_t i, const decoder_tflm_ring_t &ring, uint8_t *bytes) {
        // The interpreter may have reused the memory of its input, so the frame is taken from our copy.
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

void decoder_step_pair(decoder_t *const decoders[2], const int16_t *const frames[2],
                       int16_t *const logits[2]) {
    for (int voice = 0; voice < 2; ++voice) {
        decoder_step(decoders[voice], frames[voice], logits[voice]);
    }
}
