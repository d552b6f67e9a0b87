/* A frame of control data, made safe and turned into the decoder's integers.
 *
 * 250 times a second a player, a MIDI part or a pitch tracker says how high and how loud the instrument
 * is to sound. Nothing is believed of these two numbers: they may be out of range, infinite or NaN, and
 * what leaves this module is always playable.
 *
 * The arithmetic is float32, multiplications and additions in a fixed order without contraction, so every
 * core, with an FPU or without, and pipeline/device.py arrive at the same bits.
 *
 * Cost: 116 instructions a frame on Cortex-M4F, 2 700 on Cortex-M0+.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdint.h>

#define FRAME_MIN_F0_HZ 20.0f
#define FRAME_MAX_F0_HZ 4000.0f
#define FRAME_DEFAULT_F0_HZ 440.0f
#define FRAME_MIN_LOUDNESS_DB -80.0f
#define FRAME_MAX_LOUDNESS_DB 0.0f

typedef struct {
    float f0_hz;
    float loudness_db; /* A-weighted, relative to full scale */
} frame_t;

/* How the decoder's input tensor encodes its two numbers: q = round(x / scale) + zero_point, where
 * x is midi(f0) / 127 or loudness_db / 80 + 1; precomputed as one gain and offset each. */
typedef struct {
    float f0_gain; /* per octave */
    float f0_offset;
    float loudness_gain; /* per dB */
    float loudness_offset;
    float lowest; /* of the integers */
    float highest;
} frame_scaling_t;

/* Prepares a scaling from the input tensor's parameters: scale > 0, and 8 or 16 bits. */
void frame_scaling_init(frame_scaling_t *scaling, float scale, int32_t zero_point, int bits);

/* Returns `raw` within 20 to 4000 Hz and -80 to 0 dB. A pitch that is NaN becomes `held_f0_hz`
 * (the previous frame's), a loudness that is NaN becomes silence. */
frame_t frame_clamp(frame_t raw, float held_f0_hz);

/* Quantizes a clamped frame, its pitch as log2(f0 in Hz), to the decoder's input: f0 first, then loudness. */
void frame_quantize(const frame_scaling_t *scaling, float log2_f0, float loudness_db, int16_t quantized[2]);

/* log2(x) of a positive normal number, within 1 ulp + 3e-7. */
float frame_log2(float x);

#endif
