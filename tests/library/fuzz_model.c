/* libFuzzer target: loads files of models whose checksum is right whatever else is wrong, and plays those
 * that are accepted.
 *
 * Inputs are files. The mutator changes numbers in place, half of them in the header, because a file of
 * another size is always refused. The checksum is computed anew, so that all other checks are reached. A file
 * is in memory of just its size, where the sanitizers find accesses beyond it.
 */
#include <stdlib.h>
#include <string.h>

#include "crc32/crc32.h"
#include "ddx7/ddx7_model.h"

#define HEADER_BYTES 248u
#define CRC_AT 244u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static ddx7_model_t model;
static player_t player;

static void check(int is_true) {
    if (!is_true) {
        abort();
    }
}

static uint32_t draw(uint32_t *state, uint32_t n) {
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(*state) * n) >> 32);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    if (size <= HEADER_BYTES) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    uint32_t random = seed;
    for (uint32_t n = 1 + draw(&random, 3); n > 0; n--) {
        const size_t bytes = (size_t)1 << draw(&random, 3); /* of a number */
        const uint32_t end = draw(&random, 2) == 0 ? HEADER_BYTES : (uint32_t)size;
        const size_t place = draw(&random, end / (uint32_t)bytes) * bytes;
        LLVMFuzzerMutate(data + place, bytes, bytes);
    }
    return size;
}

static void seal(uint8_t *file, size_t size) {
    uint32_t n_bytes;
    memcpy(&n_bytes, file + 8, sizeof n_bytes);
    if (n_bytes >= HEADER_BYTES && n_bytes <= size) {
        const uint32_t crc = crc32(crc32(0, file, CRC_AT), file + HEADER_BYTES, n_bytes - HEADER_BYTES);
        memcpy(file + CRC_AT, &crc, sizeof crc);
    }
}

static void receive(uint8_t kind, uint8_t first, uint8_t second) {
    const midi_message_t message = {kind, 0, {first, second}};
    player_receive(&player, &message);
}

static void render(int n_blocks) {
    int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
    while (n_blocks-- > 0) {
        player_render(&player, samples);
        for (int i = 0; i < PLAYER_N_VOICES; i++) {
            const instrument_t *const instrument = &player.voices[i].instrument;
            for (int k = 0; k < DECODER_N_OUTPUTS; k++) {
                check(instrument->levels_q32[k] >= 0 && instrument->levels_q32[k] <= SHARED_MAX_LEVEL_Q32);
            }
        }
    }
}

/* Plays the lowest and the highest notes and frames. */
static void play(void) {
    static const frame_t frames[] = {{20.0f, 0.0f}, {4000.0f, -80.0f}, {4000.0f, 0.0f}};
    player_init_presets(&player, &model.preset, 1);
    receive(MIDI_CONTROL_CHANGE, 1, 127);
    receive(MIDI_NOTE_ON, 0, 127);
    receive(MIDI_NOTE_ON, 127, 1);
    render(3);
    receive(MIDI_NOTE_ON, 60, 127);
    receive(MIDI_NOTE_OFF, 0, 0);
    receive(MIDI_NOTE_OFF, 127, 0);
    render(3);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        player_follow(&player, &frames[i]);
        render(1);
    }
    player_panic(&player);
    player_follow(&player, NULL);
    render(2);
    check(player_n_sounding(&player) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *const file = malloc(size > 0 ? size : 1); /* malloc aligns to 16 */
    memcpy(file, data, size);
    if (size >= HEADER_BYTES) {
        seal(file, size);
    }
    if (ddx7_load(&model, file, size) == DDX7_LOADED) {
        play();
    } else {
        check(model.preset.instrument == NULL && model.preset.expression == NULL);
    }
    free(file);
    return 0;
}
