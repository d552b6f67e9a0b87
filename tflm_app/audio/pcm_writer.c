#include "audio/pcm_writer.h"

#include <string.h>

#include "board.h"
#include "board_files.h"

bool pcm_writer_open(pcm_writer_t *writer, const char *path) {
    writer->file = board_open_write(path);
    writer->failed = false;
    writer->n_samples = 0;
    return writer->file >= 0;
}

static void flush(pcm_writer_t *writer) {
    const size_t size = writer->n_samples * sizeof writer->samples[0];
    if (board_write(writer->file, writer->samples, size) != size) {
        writer->failed = true;
    }
    writer->n_samples = 0;
}

void pcm_writer_write(pcm_writer_t *writer, const int16_t *samples, size_t n_samples) {
    while (n_samples > 0) {
        const size_t n_free = PCM_WRITER_SAMPLES - writer->n_samples;
        const size_t n = n_samples < n_free ? n_samples : n_free;
        memcpy(writer->samples + writer->n_samples, samples, n * sizeof *samples);
        writer->n_samples += n;
        samples += n;
        n_samples -= n;
        if (writer->n_samples == PCM_WRITER_SAMPLES) {
            flush(writer);
        }
    }
}

bool pcm_writer_close(pcm_writer_t *writer) {
    flush(writer);
    return board_close(writer->file) == 0 && !writer->failed;
}
