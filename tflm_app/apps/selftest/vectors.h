/* The frames of the self-test and what the reference makes of them. pipeline/target/selftest.py generates
 * both, with pipeline/reference/device.py. */
#ifndef SELFTEST_VECTORS_H
#define SELFTEST_VECTORS_H

#include <stdint.h>

#define SELFTEST_N_FRAMES 132 /* more than the receptive field of the largest model, 125 */

/* Checksums of the results of a frame. */
typedef struct {
    uint32_t decoder; /* logits, int16 */
    uint32_t levels;  /* levels, int32 */
    uint32_t fm;      /* samples without noise, int16 */
    uint32_t noise;   /* samples, int16 */
} selftest_expected_t;

typedef struct {
    uint32_t model_checksum;             /* of the .tflite */
    const selftest_expected_t *expected; /* [SELFTEST_N_FRAMES] */
} selftest_vectors_t;

/* f0 in Hz and loudness in dB, the bits of float32. */
extern const uint32_t selftest_frames[SELFTEST_N_FRAMES][2];

/* One for each of instrument_presets, in the same order. */
extern const selftest_vectors_t selftest_vectors[];

#endif
