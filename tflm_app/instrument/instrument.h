/* An instrument: frames in, samples out.
 *
 * Ties the decoder network to the FM voice. A frame (pitch and loudness, 250 Hz) becomes the six operator
 * levels reached at the end of a block of 64 samples, and the voice ramps to them while it renders the
 * block. Any frame may come: it is made safe first (instrument/frame.h).
 *
 *     frame -> clamp, quantize -> decoder -> logits -> level table -> levels -> FM voice -> + -> 64 samples
 *                └────────────────────────────────────────────────────┴─> gains -> noise ──┘
 *
 * Cost: the sum of its five stages, of which the decoder is nearly all. State: that of decoder and voice
 * and about 100 bytes; no allocation.
 */
#ifndef INSTRUMENT_H
#define INSTRUMENT_H

#include "instrument/frame.h"
#include "decoder/decoder.h"
#include "noise/noise.h"
#include "fm/fm_voice.h"

/* A playable combination; pipeline.codegen writes `instrument_presets`, which live in flash. */
typedef struct {
    const char *name;
    const decoder_model_t *model;
    const fm_patch_t *patch;
    const noise_preset_t *noise;
} instrument_preset_t;

extern const instrument_preset_t instrument_presets[];
extern const size_t instrument_n_presets;

typedef struct {
    const instrument_preset_t *preset;
    frame_scaling_t scaling;
    decoder_t decoder;
    fm_voice_t voice;
    noise_t noise;
    uint32_t seed; /* of the noise */

    /* The last block's, to be read only. */
    frame_t frame; /* after clamping */
    float log2_f0;
    int16_t quantized[DECODER_N_INPUTS];
    int16_t logits[DECODER_N_OUTPUTS];
    int32_t levels_q32[DECODER_N_OUTPUTS]; /* turns, Q32 */
} instrument_t;

/* Makes `instrument` play `preset`, from silence; `seed` is NOISE_SEED of the voice. */
void instrument_init(instrument_t *instrument, const instrument_preset_t *preset, uint32_t seed);

/* Forgets the past: as if 440 Hz at -80 dB had sounded for ever; phases and levels are 0. */
void instrument_reset(instrument_t *instrument);

/* Renders the block of 64 samples at whose end `frame` is reached; `samples` is aligned to 4 bytes. */
void instrument_render(instrument_t *instrument, const frame_t *frame, int16_t samples[FM_BLOCK_SAMPLES]);

/* Renders a block in which the sound fades to silence, without asking the decoder; reset it then. */
void instrument_fade(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]);

/* The five stages that instrument_render runs one after the other, for those who measure them. */
void instrument_set_frame(instrument_t *instrument, const frame_t *frame);
void instrument_decode(instrument_t *instrument);
void instrument_set_levels(instrument_t *instrument);
void instrument_play(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]);
void instrument_add_noise(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]);

#endif
