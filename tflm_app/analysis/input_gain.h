/* Input gain: brings the sound input to the level that the instruments were trained with.
 *
 * A gain changes nothing in a frame but its loudness, so it is applied there, after the analysis: samples do
 * not clip, and the pitch needs no gain. Digital silence stays silence.
 *
 * The gain is set by hand, or follows the input. Then it brings the 95th percentile of the loudness of
 * pitched frames to SHARED_CALIBRATED_LEVEL_DB. The percentile is tracked in steps: up by 95 parts where a
 * frame is louder, down by 5 parts where it is softer. Steps are large at first and shrink within two seconds
 * of pitched sound, so a few notes suffice; later the gain falls by at most 10 dB and rises by at most 0.5 dB
 * per second, so that a soft phrase stays soft. Frames without a clear pitch, and those 40 dB softer than the
 * level, change nothing: the gain is frozen in pauses.
 *
 * Every core and the host give the same bits (pipeline/reference/input_gain.py).
 *
 * Cost: 120 instructions per block on Cortex-M4F if it follows. State: 20 bytes.
 */
#ifndef INPUT_GAIN_H
#define INPUT_GAIN_H

#include <stdbool.h>

#include "analysis/analysis.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    bool is_automatic;
    float gain_db;  /* of the next frame */
    float power;    /* the same as a factor of power */
    float level_db; /* automatic: the level of the input so far; below the floor: none yet */
    float step_db;  /* automatic: size of the next step */
} input_gain_t;

/* Sets the gain by hand, -80 to 80 dB. */
void input_gain_set(input_gain_t *gain, float gain_db);

/* Lets the gain follow the input from now on, beginning with 0 dB, whatever was played before. */
void input_gain_follow(input_gain_t *gain);

/* Analyses the next block and amplifies its frame; see analysis_step. */
frame_t input_gain_analyse(input_gain_t *gain, analysis_t *analysis,
                           const int16_t samples[ANALYSIS_BLOCK_SAMPLES]);

#ifdef __cplusplus
}
#endif

#endif
