/* Plays a score with an exported library: play_score SCORE PCM RATE [N_COMPILED FILE...].
 *
 * SCORE: records of 8 bytes, as apps/perform reads them; the last one ends the sound at its block. PCM:
 * int16. FILE: models that follow the first N_COMPILED instruments of the library; without any, all of these
 * play. A second synthesizer plays something else meanwhile, which must change nothing.
 */
#include <string.h>

#include "board.h"
#include "board_files.h"
#include "ddx7.h"

#define MAX_FILES 4
#define FILE_BYTES 12288u

typedef struct {
    uint32_t block;
    uint8_t n_bytes;
    uint8_t bytes[3];
} record_t;

static ddx7_t synth, other;
static uint64_t files[MAX_FILES][FILE_BYTES / sizeof(uint64_t)];
static ddx7_model_t models[MAX_FILES];
static ddx7_preset_t presets[8];

static uint32_t parse(const char *digits) {
    uint32_t number = 0;
    while (*digits != 0) {
        number = 10u * number + (uint32_t)(*digits++ - '0');
    }
    return number;
}

/* Makes the synthesizer play some compiled instruments and the files; returns whether all could be loaded. */
static bool use_files(uint32_t n_compiled, char **names, int n_files) {
    memcpy(presets, ddx7_presets(), n_compiled * sizeof *presets);
    for (int i = 0; i < n_files; i++) {
        const int file = board_open_read(names[i]);
        const size_t n_bytes = board_read(file, files[i], FILE_BYTES);
        board_close(file);
        if (ddx7_load(&models[i], files[i], n_bytes) != DDX7_LOADED) {
            return false;
        }
        presets[n_compiled + (uint32_t)i] = models[i].preset;
    }
    return ddx7_use(&synth, presets, (int)n_compiled + n_files);
}

int main(int argc, char **argv) {
    static int16_t samples[64 * 12], unused[48];
    record_t record;
    board_init();
    const uint32_t rate = argc > 3 ? parse(argv[3]) : 0;
    if (!ddx7_init(&synth, sizeof synth, rate) || !ddx7_init(&other, sizeof other, 16000) ||
        (argc > 4 && !use_files(parse(argv[4]), argv + 5, argc - 5))) {
        return 1;
    }
    const int score = board_open_read(argv[1]), pcm = board_open_write(argv[2]);
    ddx7_select(&other, 1);
    uint32_t n_samples = 0;
    for (uint32_t block = 0; board_read(score, &record, sizeof record) == sizeof record;) {
        for (; block < record.block; block++) {
            const uint32_t end = (uint32_t)((uint64_t)(block + 1u) * rate / 250u);
            ddx7_note_on(&other, (int)(60u + block % 7u), 100);
            ddx7_read(&synth, samples, end - n_samples);
            ddx7_read(&other, unused, sizeof unused / sizeof *unused);
            board_write(pcm, samples, (end - n_samples) * sizeof *samples);
            n_samples = end;
        }
        ddx7_midi(&synth, record.bytes, record.n_bytes);
    }
    board_close(score);
    return board_close(pcm);
}
