/* Loads files: load_files FILE... prints for each the ddx7_load_t that ddx7_load returns.
 *
 * load_files --damage FILE loads a model with every wrong value of its first bytes, every flipped bit of its
 * header, and every inverted byte; that ends after every number of bytes; and that begins at every wrong
 * address. It ends with status 1 and a message if one of these is not refused for the right reason. Each is
 * in memory of just its size, so that AddressSanitizer finds accesses beyond it.
 *
 * load_files --again FILE also loads a damaged file into the same model; --end FILE plays a note of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddx7.h"

#define HEADER_BYTES 248u
#define FIRST_BYTES 16u

static ddx7_model_t model;
static ddx7_t synth;

static uint8_t *read_file(const char *name, size_t *n_bytes) {
    FILE *const file = fopen(name, "rb");
    if (file == NULL) {
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    *n_bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *const bytes = aligned_alloc(8, (*n_bytes + 7) / 8 * 8);
    if (fread(bytes, 1, *n_bytes, file) != *n_bytes) {
        exit(2);
    }
    fclose(file);
    return bytes;
}

static void expect(int is_right, const char *what, size_t place, int result) {
    if (!is_right || model.preset.instrument != NULL || model.preset.expression != NULL) {
        printf("%s %u: %d\n", what, (unsigned)place, result);
        exit(1);
    }
}

/* Returns whether a changed byte is refused as it should be. */
static int is_damage(size_t place, int result) {
    if (place < 4) {
        return result == DDX7_NOT_A_MODEL;
    }
    if (place < 6) {
        return result == DDX7_OTHER_VERSION;
    }
    return result == DDX7_DAMAGED || (place >= 8 && place < 12 && result == DDX7_TRUNCATED);
}

static void change_bytes(uint8_t *bytes, size_t n_bytes) {
    for (size_t place = 0; place < n_bytes; place++) {
        const uint8_t right = bytes[place];
        const unsigned n_changes = place < FIRST_BYTES ? 255 : place < HEADER_BYTES ? 8 : 1;
        for (unsigned n = 1; n <= n_changes; n++) {
            const unsigned bits = n_changes == 255 ? n : n_changes == 8 ? 1u << (n - 1) : 255u;
            bytes[place] = (uint8_t)(right ^ bits);
            const int result = ddx7_load(&model, bytes, n_bytes);
            expect(is_damage(place, result), "byte", place, result);
        }
        bytes[place] = right;
    }
}

static void truncate_file(const uint8_t *bytes, size_t n_bytes) {
    for (size_t n = 0; n < n_bytes; n++) {
        uint8_t *const part = malloc(n > 0 ? n : 1); /* malloc aligns to 16 */
        memcpy(part, bytes, n);
        const int result = ddx7_load(&model, part, n);
        expect(result == DDX7_TRUNCATED, "end", n, result);
        free(part);
    }
}

static void misalign(const uint8_t *bytes, size_t n_bytes) {
    for (size_t shift = 1; shift < 8; shift++) {
        uint8_t *const moved = malloc(n_bytes + shift);
        memcpy(moved + shift, bytes, n_bytes);
        const int result = ddx7_load(&model, moved + shift, n_bytes);
        expect(result == DDX7_UNALIGNED, "address", shift, result);
        free(moved);
    }
}

/* Prints whether a synthesizer takes a copy of a loaded instrument, and again after the model could not be
 * loaded once more. */
static void reload(uint8_t *bytes, size_t n_bytes) {
    const ddx7_preset_t preset = model.preset;
    ddx7_init(&synth, sizeof synth, 16000);
    printf("%d\n", ddx7_use(&synth, &preset, 1));
    bytes[0] = 0;
    printf("%d\n", ddx7_load(&model, bytes, n_bytes));
    printf("%d\n", ddx7_use(&synth, &preset, 1));
}

/* Prints how many blocks a note of the loaded instrument sounds after its end, at most 10000. */
static void play_to_the_end(void) {
    int16_t samples[64];
    int n_blocks = 0;
    ddx7_init(&synth, sizeof synth, 16000);
    ddx7_use(&synth, &model.preset, 1);
    ddx7_note_on(&synth, 60, 127);
    ddx7_read(&synth, samples, 64);
    ddx7_note_off(&synth, 60);
    while (ddx7_n_sounding(&synth) > 0 && n_blocks < 10000) {
        ddx7_read(&synth, samples, 64);
        n_blocks++;
    }
    printf("%d\n", n_blocks);
}

int main(int argc, char **argv) {
    const char *const mode = argc == 3 && argv[1][0] == '-' ? argv[1] : "";
    for (int i = mode[0] != 0 ? 2 : 1; i < argc; i++) {
        size_t n_bytes;
        uint8_t *const bytes = read_file(argv[i], &n_bytes);
        const int result = ddx7_load(&model, bytes, n_bytes);
        printf("%d\n", result);
        if (result == DDX7_LOADED && strcmp(mode, "--damage") == 0) {
            change_bytes(bytes, n_bytes);
            truncate_file(bytes, n_bytes);
            misalign(bytes, n_bytes);
        } else if (result == DDX7_LOADED && strcmp(mode, "--again") == 0) {
            reload(bytes, n_bytes);
        } else if (result == DDX7_LOADED && strcmp(mode, "--end") == 0) {
            play_to_the_end();
        }
        free(bytes);
    }
    return 0;
}
