/* Models in files: instruments that are loaded at run time instead of being compiled in.
 *
 *     static ddx7_model_t cello;
 *     static ddx7_preset_t presets[2];
 *     presets[0] = ddx7_presets()[0];
 *     if (ddx7_load(&cello, file, n_bytes) == DDX7_LOADED) {
 *         presets[1] = cello.preset;
 *         ddx7_use(&synth, presets, 2);
 *     }
 *
 * python -m pipeline.export writes two files for each model: NAME.dsp.ddx7 for cores with the DSP extension
 * (Cortex-M4, M7, most M33), NAME.armv6m.ddx7 for all others. A file contains everything of an instrument but
 * its FM patch, which is code. That has to be in the library, and so does state for its decoder: those of the
 * instruments that are compiled in, and of those that --load of pipeline.export named.
 *
 * Nothing is copied or allocated: weights and tables are used where the file is, in RAM or in flash that is
 * mapped into memory. Every byte of a file is checked before it is used. A file that was made with other
 * values on purpose can sound like anything, but cannot make the library read or write outside of its memory,
 * divide or shift out of range, or play for ever.
 *
 * Format, version 1. All numbers are little-endian, and floats are IEEE 754; on a big-endian core all files
 * are refused. Each part begins at a multiple of 8 bytes; the file's address must be one, too.
 *
 *     at     type          field
 *       0    uint8[4]      "DDX7"
 *       4    uint16        version: 1
 *       6    uint8         bits of an activation: 8 or 16
 *       7    uint8         order of the weights: 0 armv6m, 1 dsp (decoder/decoder_aot.h)
 *       8    uint32        bytes of the file, a multiple of 8
 *      12    uint32        id of the FM patch (fm/fm_voice.h)
 *      16    char[48]      name of the instrument, printable ASCII, filled up with zeros
 *      64    char[32]      name of the FM patch, for readers
 *      96    uint16        channels of the hidden layers: 1 to 512
 *      98    uint8         blocks of the network: 2 to 8
 *      99    uint8         taps of its convolutions: 1 to 4
 *     100    int16         zero point of the logits
 *     102    uint8         curves of the expression: 2 to 12
 *     103    uint8         its lowest note: 0 to 120
 *     104    float         scale of the logits
 *     108    float[6]      frame_scaling_t (instrument/frame.h)
 *     132    int32[2][9]   noise_layer_t (noise/noise.h)
 *     204    int16[11]     the expression's slur, and so on as in expression_t (player/expression.h):
 *     226    uint8         slur_frames
 *     227    uint8         vibrato_delay
 *     228    uint16        vibrato_growth_q16
 *     230    uint16        vibrato_depth
 *     232    uint32        vibrato_rate
 *     236    uint16        pitch_drift
 *     238    uint16        loudness_drift
 *     240    int32         loudest_db
 *     244    uint32        CRC-32 of all other bytes (crc32/crc32.h)
 *     248                  for each layer, in the order in which they run (pipeline/model/topology.py):
 *                            decoder_channels_t[outputs / 4]
 *                            weights: uint8[outputs][inputs]
 *                            decoder_add_t, if it is a residual
 *                          decoder_io_t.levels_q32: int32[257], ascending
 *                          decoder_io_t.silence: int16 of each convolution's input channels
 *                          noise_pair_t[1152]
 *                          expression_curves_t of each curve
 *
 * Inputs and outputs are rounded up to multiples of 8, channels in the rings and in `silence` to even
 * numbers, as decoder_layer_t says.
 */
#ifndef DDX7_MODEL_H
#define DDX7_MODEL_H

#include "player/player.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DDX7_MODEL_ALIGNMENT 8

/* An instrument as a synthesizer plays it, compiled in or loaded. */
typedef player_preset_t ddx7_preset_t;

typedef enum {
    DDX7_LOADED,
    DDX7_UNALIGNED,      /* the address is no multiple of DDX7_MODEL_ALIGNMENT */
    DDX7_TRUNCATED,      /* the file is longer than n_bytes, or these are less than a header */
    DDX7_NOT_A_MODEL,    /* the file does not begin with "DDX7" */
    DDX7_OTHER_VERSION,  /* of the format: export the model again with the version of the library */
    DDX7_DAMAGED,        /* the checksum is wrong */
    DDX7_OTHER_CORE,     /* the weights are in the order of other cores: load the other file of the model */
    DDX7_UNKNOWN_PATCH,  /* the library was compiled without the model's FM patch */
    DDX7_TOO_LARGE,      /* the decoder of the library has no state for such a large model */
    DDX7_INVALID_VALUES, /* the checksum is right, but a value is out of range or parts have wrong sizes */
} ddx7_load_t;

/* A loaded model; must not be copied or moved, because its parts point to each other. */
typedef struct {
    ddx7_preset_t preset; /* to be played; NULL pointers if loading failed */

    /* Private. */
    instrument_preset_t instrument;
    decoder_io_t io;
    decoder_model_t decoder;
    decoder_layer_t layers[DECODER_N_RINGS + 2]; /* two convolutions per block, and two residuals */
    noise_preset_t noise;
    expression_t expression;
} ddx7_model_t;

/* Loads a model.
 *
 *     model    filled in
 *     file     its address is a multiple of DDX7_MODEL_ALIGNMENT
 *     n_bytes  at least the size of the file; more may follow it
 *
 * Model and file must stay as they are while a synthesizer plays the model: a load that fails ends what was
 * in the model before, and ddx7_use then refuses it. Cost: 13 instructions per byte on
 * Cortex-M4F, 21 on M0+. */
ddx7_load_t ddx7_load(ddx7_model_t *model, const void *file, size_t n_bytes);

#ifdef __cplusplus
}
#endif

#endif
