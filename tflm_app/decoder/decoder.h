/* The decoder: a causal network that maps each frame of pitch and loudness to six operator logits.
 *
 * There are two engines behind this interface; a firmware is built with one of them:
 *     aot   (default)              decoder_aot.h: C generated from the .tflite by pipeline.codegen
 *     tflm  (DECODER_ENGINE_TFLM)  decoder_tflm.h: the TensorFlow Lite Micro interpreter
 *
 * Each defines `struct decoder_model`, which is constant, generated and begins with `const decoder_io_t *io`,
 * and `struct decoder`, the caller-owned state, whose size is set by the generated decoder_config.h. Both
 * engines output the same bytes for the same frames. Nothing is allocated. Their headers state the cost.
 */
#ifndef DECODER_H
#define DECODER_H

#include <stdint.h>

#include "shared_constants.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DECODER_N_INPUTS SHARED_N_INPUTS     /* 2: f0_scaled, loudness_scaled */
#define DECODER_N_OUTPUTS SHARED_N_OPERATORS /* 6: one logit per operator */

typedef struct decoder_model decoder_model_t;
typedef struct decoder decoder_t;

/* Data that both engines use: the mapping from logits to levels, and the state after silence. */
typedef struct {
    int16_t bits;              /* width of quantized values: 8 (-128 to 127) or 16 (-32768 to 32767) */
    float logit_scale;         /* logit = logit_scale * (quantized - logit_zero_point) */
    int16_t logit_zero_point;  /* 16x8: 0 */
    const int32_t *levels_q32; /* [257] 0.32 * sigmoid(logit) turns, Q32, at every 2^bits / 256
                                * steps; 0 if below one PCM step, -90 dB */
    const int16_t *silence;    /* the vector in all slots of each ring after 440 Hz at -80 dB for ever; each
                                * vector is padded to an even size; aligned to 4 bytes */
} decoder_io_t;

/* Binds the state to a model, which must outlive it, and resets it. */
void decoder_init(decoder_t *decoder, const decoder_model_t *model);

/* Resets the state to that after silence, 440 Hz at -80 dB for ever. The code generator has run the network
 * for this, so it is only a copy: about 1 300 instructions with aot, 2 700 on Cortex-M0+. */
void decoder_reset(decoder_t *decoder);

/* Advances by one frame (4 ms). `frame` and `logits` are quantized; `frame` is clamped to the range of
 * `io->bits`. */
void decoder_step(decoder_t *decoder, const int16_t frame[DECODER_N_INPUTS],
                  int16_t logits[DECODER_N_OUTPUTS]);

/* Advances two decoders of the same model by one frame, with the same results as decoder_step for each. Where
 * the aot engine reads the weights once for both, this takes less time: see decoder_aot.h. */
void decoder_step_pair(decoder_t *const decoders[2], const int16_t *const frames[2],
                       int16_t *const logits[2]);

/* Maps logits from decoder_step to operator levels in turns, Q32, 0 to 0.32 (1374389535). int8 logits index
 * the table; 16-bit logits interpolate linearly between its entries. */
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
