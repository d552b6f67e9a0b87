/* Where blocks of sound go when they go to a file: raw little-endian int16, gathered so that the file
 * system is asked once in 16 blocks.
 *
 * State: 2 kB.
 */
#ifndef AUDIO_PCM_WRITER_H
#define AUDIO_PCM_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCM_WRITER_SAMPLES 1024

typedef struct {
    int file;
    bool failed; /* something was not taken, for instance by a full disk */
    size_t n_samples;
    int16_t samples[PCM_WRITER_SAMPLES];
} pcm_writer_t;

/* Opens `path`; returns false where it cannot be written. */
bool pcm_writer_open(pcm_writer_t *writer, const char *path);

/* Appends samples. */
void pcm_writer_write(pcm_writer_t *writer, const int16_t *samples, size_t n_samples);

/* Writes what is left; returns false where anything was lost since it was opened. */
bool pcm_writer_close(pcm_writer_t *writer);

#endif
