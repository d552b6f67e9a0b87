/* A frame of control data: clamped to a playable range and quantized for the decoder.
 *
 * A MIDI player or a pitch tracker sets the pitch and the loudness of the instrument 250 times per second.
 * Neither number is trusted: they may be out of range, infinite or NaN. The output of this module is always
 * playable.
 *
 * The arithmetic is float32, multiplications and additions in a fixed order without contraction, so every
 * core, with or without an FPU, and pipeline/reference/device.py compute the same bits.
 *
 * Cost: 116 instructions per frame on Cortex-M4F, 2 700 on Cortex-M0+.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "shared_constants.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FRAME_MIN_F0_HZ SHARED_MIN_F0_HZ
#define FRAME_MAX_F0_HZ SHARED_MAX_F0_HZ
#define FRAME_DEFAULT_F0_HZ SHARED_DEFAULT_F0_HZ /* before the first frame */
#define FRAME_MIN_LOUDNESS_DB SHARED_MIN_LOUDNESS_DB
#define FRAME_MAX_LOUDNESS_DB SHARED_MAX_LOUDNESS_DB

typedef struct {
    float f0_hz;
    float loudness_db; /* A-weighted, relative to full scale */
} frame_t;

/* How the input tensor of a decoder encodes a frame, in steps of the tensor: the notes of the instrument from
 * the lowest to the highest, and -80 to 0 dB, span all its steps. pipeline.codegen computes it for each
 * preset. */
typedef struct {
    float f0_gain;         /* steps per octave */
    float f0_offset;       /* input at 1 Hz */
    float loudness_gain;   /* steps per dB */
    float loudness_offset; /* input at 0 dB */
    float lowest;          /* input at the lowest note and at -80 dB */
    float highest;
} frame_scaling_t;

/* Returns `raw` clamped to 20 to 4000 Hz and -80 to 0 dB. A NaN pitch becomes `held_f0_hz`, that of the
 * previous frame; a NaN loudness becomes silence. */
frame_t frame_clamp(frame_t raw, float held_f0_hz);

/* Quantizes a clamped frame, given as log2(f0 in Hz) and dB, to the input of the decoder: f0, then
 * loudness. A pitch outside the notes of the instrument becomes the nearest note inside. */
void frame_quantize(const frame_scaling_t *scaling, float log2_f0, float loudness_db, int16_t quantized[2]);

/* The gate: operator levels and noise gains fade to zero between -76 dB, where the sound is a few steps of 16
 * bits, and the floor of the loudness. Without it, the rounded network would leave the last bit moving in
 * silence. */
#define FRAME_GATE_BITS 10
#define FRAME_GATE_OPEN_Q10 (1 << FRAME_GATE_BITS)

SHARED_ASSERT(SHARED_GATE_DB * 256 == FRAME_GATE_OPEN_Q10, "a step of the gate is one of the loudness in Q8");

/* Returns whether the gate is not fully open at the loudness of a clamped frame. As integers, the bits of
 * floats up to 0 ascend while the floats descend; on cores without an FPU, comparing them is cheaper. */
static inline bool frame_is_gated(float loudness_db) {
    uint32_t bits;
    memcpy(&bits, &loudness_db, sizeof bits);
    return bits > SHARED_GATE_OPEN_BITS;
}

/* Returns the factor, 1024 from -76 dB up and 0 at -80 dB, linear in dB. loudness_q8: clamped, dB in Q8. */
static inline int32_t frame_gate_q10(int32_t loudness_q8) {
    const int32_t factor = loudness_q8 - (int32_t)(FRAME_MIN_LOUDNESS_DB * 256.0f);
    return factor < FRAME_GATE_OPEN_Q10 ? factor : FRAME_GATE_OPEN_Q10;
}

/* Returns log2(x) for a positive normal number, with an error of at most 1 ulp + 3e-7. */
float frame_log2(float x);

#ifdef __cplusplus
}
#endif

#endif
