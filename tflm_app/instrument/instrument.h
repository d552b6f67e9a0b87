/* An instrument: frames in, samples out.
 *
 * It connects the decoder network with the FM voice and the noise. A frame (pitch and loudness, 250 per
 * second) becomes six operator levels for the end of a block of 64 samples, and the voice ramps to them while
 * it renders the block. Any frame is valid input: it is clamped first (instrument/frame.h).
 *
 *     frame -> clamp, quantize -> decoder -> logits -> table, gate -> levels -> FM voice -> + -> 64 samples
 *                └────────────────────────────────────────────────────┴─> gains -> noise ──┘
 *
 * Cost: the sum of its five stages; the decoder is nearly all of it. State: that of the decoder and the voice
 * and about 100 bytes. Nothing is allocated.
 */
#ifndef INSTRUMENT_H
#define INSTRUMENT_H

#include "decoder/decoder.h"
#include "fm/fm_voice.h"
#include "instrument/frame.h"
#include "noise/noise.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A playable combination. pipeline.codegen generates `instrument_presets`, which are in flash. */
typedef struct {
    const char *name;
    const decoder_model_t *model;
    const fm_patch_t *patch;
    const noise_preset_t *noise;
    frame_scaling_t scaling; /* of the model's input */
} instrument_preset_t;

extern const instrument_preset_t instrument_presets[];
extern const size_t instrument_n_presets;

/* All FM patches that are compiled in; instruments that are loaded at run time can use them. */
extern const fm_patch_t *const instrument_patches[];
extern const size_t instrument_n_patches;

typedef struct {
    const instrument_preset_t *preset;
    decoder_t decoder;
    fm_voice_t voice;
    noise_t noise;
    uint32_t seed; /* seed of the noise */

    /* Values of the last block, read-only for the caller. */
    frame_t frame; /* after clamping */
    float log2_f0;
    int16_t quantized[DECODER_N_INPUTS];
    int16_t logits[DECODER_N_OUTPUTS];
    int32_t levels_q32[DECODER_N_OUTPUTS]; /* turns, Q32 */
} instrument_t;

/* Binds the state to `preset`, which must outlive it, and resets it. `seed`: NOISE_SEED of the voice. */
void instrument_init(instrument_t *instrument, const instrument_preset_t *preset, uint32_t seed);

/* Resets the state: the decoder to that after 440 Hz at -80 dB for ever, phases and levels to 0. */
void instrument_reset(instrument_t *instrument);

/* Renders the block of 64 samples, int16 at 16 kHz, that ramps to `frame`. All values of the frame are valid,
 * because they are clamped. `samples` is aligned to 4 bytes. */
void instrument_render(instrument_t *instrument, const frame_t *frame, int16_t samples[FM_BLOCK_SAMPLES]);

/* The rest of instrument_render, after instrument_set_frame and instrument_decode. */
void instrument_render_decoded(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]);

/* Renders a block in which the sound fades to silence, without running the decoder; call instrument_reset
 * then. */
void instrument_fade(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]);

/* The five stages that instrument_render runs in this order; public so that each can be measured. */
void instrument_set_frame(instrument_t *instrument, const frame_t *frame);
void instrument_decode(instrument_t *instrument);
void instrument_set_levels(instrument_t *instrument);
void instrument_play(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]);
void instrument_add_noise(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]);

/* As instrument_decode for both instruments, which have the same preset; see decoder_step_pair. */
void instrument_decode_pair(instrument_t *first, instrument_t *second);

#ifdef __cplusplus
}
#endif

#endif
