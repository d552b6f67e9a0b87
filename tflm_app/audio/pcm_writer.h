/* Writes blocks of samples to a file as raw little-endian int16.
 *
 * Samples are buffered, so that the file system is called only once per 16 blocks; under semihosting a call
 * is slow. State: 2 kB. For boards with files (board_files.h).
 */
#ifndef AUDIO_PCM_WRITER_H
#define AUDIO_PCM_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PCM_WRITER_SAMPLES 1024

typedef struct {
    int file;
    bool failed; /* a write was incomplete, for instance because the disk is full */
    size_t n_samples;
    int16_t samples[PCM_WRITER_SAMPLES];
} pcm_writer_t;

/* Opens `path` for writing; returns false if that fails. */
bool pcm_writer_open(pcm_writer_t *writer, const char *path);

/* Appends samples. */
void pcm_writer_write(pcm_writer_t *writer, const int16_t *samples, size_t n_samples);

/* Writes buffered samples and closes the file; returns false if any sample since it was opened was lost. */
bool pcm_writer_close(pcm_writer_t *writer);

#ifdef __cplusplus
}
#endif

#endif
