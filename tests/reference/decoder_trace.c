/* Runs the aot engine over frames and records its complete observable state.
 *
 *     trace FRAMES TRACE [ROUNDS [pair]]
 *
 * FRAMES holds pairs of int16. TRACE receives int32: for each frame the vector that each ring has stored,
 * padded to an even size, then 6 logits and 6 levels. Each round starts from a reset. Prints the size of the
 * state and, if the board counts instructions, the largest number for any frame, and that of the last reset.
 * With `pair`, a second decoder runs in step with the first. It is given both values of each frame in reverse
 * order, once before the first frame, so that its rings are elsewhere; its part of the trace follows that of
 * the first.
 */
#include <stdint.h>

#include "boards/board.h"
#include "boards/board_files.h"
#include "decoder/decoder.h"
#include "trace_model.h"

static decoder_t decoders[2];
static int trace;

/* Output is buffered because a write through semihosting is slow. */
static int32_t buffer[1024];
static uint32_t n_buffered;

static void flush(void) {
    board_write(trace, buffer, n_buffered * sizeof *buffer);
    n_buffered = 0;
}

static void put(int32_t value) {
    buffer[n_buffered++] = value;
    if (n_buffered == sizeof buffer / sizeof *buffer) {
        flush();
    }
}

static void print(const char *name, uint32_t number) {
    char text[12];
    char *digit = text + sizeof text - 1;
    *digit = '\0';
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    board_print(name);
    board_print(digit);
    board_print("\n");
}

static void put_rings(const decoder_t *decoder) {
    for (uint32_t i = 0; i < trace_model.n_layers; ++i) {
        const decoder_layer_t *layer = &trace_model.layers[i];
        if (layer->add == NULL) {
            const uint32_t oldest = decoder->oldest[layer->ring];
            const uint32_t newest = (oldest ? oldest : layer->ring_slots) - 1u;
            const int16_t *slot = decoder->rings + layer->ring_start + newest * layer->slot_values;
            for (uint32_t channel = 0; channel < layer->slot_values; ++channel) {
                put(slot[channel]);
            }
        }
    }
}

static void put_step(const decoder_t *decoder, const int16_t logits[DECODER_N_OUTPUTS]) {
    int32_t levels_q32[DECODER_N_OUTPUTS];
    decoder_levels(&trace_model, logits, levels_q32);
    put_rings(decoder);
    for (int i = 0; i < DECODER_N_OUTPUTS; ++i) {
        put(logits[i]);
    }
    for (int i = 0; i < DECODER_N_OUTPUTS; ++i) {
        put(levels_q32[i]);
    }
}

/* Decodes a frame with one decoder or both; returns the number of instructions. */
static uint32_t step(const int16_t frame[DECODER_N_INPUTS], int is_pair, int is_first) {
    const int16_t reversed[DECODER_N_INPUTS] = {frame[1], frame[0]};
    int16_t logits[2][DECODER_N_OUTPUTS];
    if (is_pair && is_first) {
        decoder_step(&decoders[1], reversed, logits[1]);
    }
    const uint32_t start = board_instruction_count();
    if (is_pair) {
        decoder_t *const both[2] = {&decoders[0], &decoders[1]};
        const int16_t *const frames[2] = {frame, reversed};
        int16_t *const results[2] = {logits[0], logits[1]};
        decoder_step_pair(both, frames, results);
    } else {
        decoder_step(&decoders[0], frame, logits[0]);
    }
    const uint32_t instructions = board_instruction_count() - start;
    for (int i = 0; i <= is_pair; ++i) {
        put_step(&decoders[i], logits[i]);
    }
    return instructions;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        return 2;
    }
    const int n_rounds = argc > 3 ? argv[3][0] - '0' : 1;
    const int is_pair = argc > 4;
    uint32_t most = 0, reset = 0;
    trace = board_open_write(argv[2]);
    decoder_init(&decoders[0], &trace_model);
    decoder_init(&decoders[1], &trace_model);
    for (int round = 0; round < n_rounds; ++round) {
        const int frames = board_open_read(argv[1]);
        int16_t frame[DECODER_N_INPUTS];
        int is_first = 1;
        const uint32_t begin = board_instruction_count();
        decoder_reset(&decoders[0]);
        reset = board_instruction_count() - begin;
        decoder_reset(&decoders[1]);
        while (board_read(frames, frame, sizeof frame) == sizeof frame) {
            const uint32_t instructions = step(frame, is_pair, is_first);
            most = instructions > most ? instructions : most;
            is_first = 0;
        }
        board_close(frames);
    }
    flush();
    board_close(trace);
    print("state_bytes ", (uint32_t)sizeof decoders[0]);
    print("instructions ", most);
    print("reset_instructions ", reset);
    return 0;
}
