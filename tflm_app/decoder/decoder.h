/* The decoder: a causal network that turns one frame of pitch and loudness into six operator logits.
 *
 * One interface and two engines, of which the firmware is built with one:
 *     aot   (default)              decoder_aot.h: C made from the .tflite by pipeline.codegen
 *     tflm  (DECODER_ENGINE_TFLM)  decoder_tflm.h: the TensorFlow Lite Micro interpreter
 *
 * Both define `struct decoder_model`, which is constant, generated and begins with `const decoder_io_t *io`,
 * and `struct decoder`, the caller's state, whose size the generated decoder_config.h sets. Both give the
 * same bytes for the same frames. Nothing is allocated. The engines' headers say what they cost.
 */
#ifndef DECODER_H
#define DECODER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DECODER_N_INPUTS 2  /* f0_scaled, loudness_scaled */
#define DECODER_N_OUTPUTS 6 /* one logit an operator */

typedef struct decoder_model decoder_model_t;
typedef struct decoder decoder_t;

/* What the engines share: how a frame is quantized, and the way from logits to levels. */
typedef struct {
    float frame_scale;         /* a frame's value is frame_scale * (quantized - frame_zero_point) */
    int16_t frame_zero_point;  /* 16x8: 0 */
    int16_t bits;              /* of a quantized value: 8, -128 to 127; or 16, -32768 to 32767 */
    float logit_scale;         /* a logit is logit_scale * (quantized - logit_zero_point) */
    int16_t logit_zero_point;  /* 16x8: 0 */
    const int32_t *levels_q32; /* [257] 0.32 * sigmoid(logit) turns, Q32, at every 2^bits / 256
                                * steps; 0 below a step of the samples, -90 dB */
} decoder_io_t;

/* Binds the state to a model, which must outlive it, and resets it. */
void decoder_init(decoder_t *decoder, const decoder_model_t *model);

/* Forgets the past: every ring holds its zero point, as before the first frame. */
void decoder_reset(decoder_t *decoder);

/* Sets the rings as if `frame`, as for decoder_step, had been decoded for ever. Costs about a step with aot,
 * one for every ring with tflm. */
void decoder_prime(decoder_t *decoder, const int16_t frame[DECODER_N_INPUTS]);

/* Advances by one frame (4 ms). `frame` is quantized, and clamped to the range of `io->bits`; so are
 * `logits`. */
void decoder_step(decoder_t *decoder, const int16_t frame[DECODER_N_INPUTS],
                  int16_t logits[DECODER_N_OUTPUTS]);

/* Sets operator levels in turns, Q32, 0 to 0.32 (1374389535): the table's entries for int8 logits, linear
 * interpolation between them for 16-bit ones. Logits are those of decoder_step. */
void decoder_levels(const decoder_model_t *model, const int16_t logits[DECODER_N_OUTPUTS],
                    int32_t levels_q32[DECODER_N_OUTPUTS]);

#ifdef __cplusplus
}
#endif

#ifdef DECODER_ENGINE_TFLM
#include "decoder/decoder_tflm.h"
#else
#include "decoder/decoder_aot.h"
#endif

#endif
