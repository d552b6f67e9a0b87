/* What a microphone hears, as frames: pitch and A-weighted loudness of live sound, block by block.
 *
 * A frame describes the last 320 samples (20 ms) and so, in effect, their middle, 10 ms ago. With it the
 * instrument renders the block that plays next:
 *
 *     10 ms   from the middle of the window to the end of the block that completes it
 *      4 ms   at most, for a sound waits for the end of the block in which it comes
 *      4 ms   while the block is rendered and another one plays
 *      4 ms   until the ramps of the block have reached the frame
 *     -----
 *     22 ms   at most from sound in to sound out, 20 in the mean; 1 ms more through the upsampler
 *
 * A leap of pitch is told once the window holds more of the new tone than of the old one, which may take
 * another 5 ms.
 *
 * Pitch is found by YIN (de Cheveigne and Kawahara, "YIN, a fundamental frequency estimator for speech and
 * music", JASA 111, 2002), with two changes. The difference function sums up every pair of samples in the
 * window that is a lag apart, so that all lags describe the same moment; it comes from one real FFT and one
 * back, each of 512 samples. And not the first dip below a threshold is taken, but the first one that is
 * nearly as deep as the deepest, for half the period of a trumpet dips below every threshold that the period
 * of a breathy flute meets. That lag is then made finer at its multiples, where an error counts less. Where
 * no dip is deep, the pitch is held.
 *
 * Loudness is the mean square of the A-weighted samples under a Hann-like window of five steps, in dB
 * re a full-scale sine of 1 kHz; pipeline.features has a window of 128 ms instead.
 *
 * The same bits on every core and on the host; pipeline.live_features runs this very code there. Needs an FPU
 * of single precision, and CMSIS-DSP.
 *
 * Cost: 70 000 instructions a block on Cortex-M4F, M7F and M33, of which the FFTs take 55 000. State 5.4 kB,
 * stack 470 bytes; flash 1.2 kB, and 10 kB of CMSIS-DSP's FFT and tables, which a room of over 0.2 s brings
 * along.
 */
#ifndef ANALYSIS_H
#define ANALYSIS_H

#include <stdint.h>

#include "instrument/frame.h"

#define ANALYSIS_BLOCK_SAMPLES 64
#define ANALYSIS_N_BLOCKS 5
#define ANALYSIS_WINDOW_SAMPLES (ANALYSIS_N_BLOCKS * ANALYSIS_BLOCK_SAMPLES)
#define ANALYSIS_FFT_SAMPLES 512       /* at least the window and the longest lag */
#define ANALYSIS_MIN_F0_HZ 100.0f      /* two periods in the window */
#define ANALYSIS_MAX_F0_HZ 4000.0f     /* of instrument/frame.h */
#define ANALYSIS_MAX_APERIODICITY 0.5f /* with more the pitch is held */

/* Owned by the caller, who reads no more than `aperiodicity`. */
typedef struct {
    uint32_t shortest_lag, longest_lag; /* of a pitch that is looked for, samples */
    float f0_hz;                        /* the last one that was found */
    float aperiodicity;                 /* of the last block: 0 for a perfect repetition, 1 for noise */
    float filter[6];
    float window[ANALYSIS_WINDOW_SAMPLES]; /* oldest first */
    float energies[ANALYSIS_N_BLOCKS];     /* of weighted blocks, oldest first */
    float time[ANALYSIS_FFT_SAMPLES];      /* scratch */
    float spectrum[ANALYSIS_FFT_SAMPLES];  /* scratch */
} analysis_t;

/* Prepares to listen for pitches between two bounds, which are held within 100 and 4000 Hz; the narrower they
 * are, the fewer octaves are mistaken. They are a little wider than what the player plays. */
void analysis_init(analysis_t *analysis, float f0_min_hz, float f0_max_hz);

/* Forgets the past: as if silence had lasted for ever. */
void analysis_reset(analysis_t *analysis);

/* Takes the next block, 16 kHz, any values, and returns what is heard now: f0 within the bounds, before the
 * first pitch 440 Hz, and loudness of -80 to 0 dB. */
frame_t analysis_step(analysis_t *analysis, const int16_t samples[ANALYSIS_BLOCK_SAMPLES]);

/* Sections of the A-weighting, b0 b1 b2 -a1 -a2 each (analysis_tables.c). */
#define ANALYSIS_N_SECTIONS 3
extern const float analysis_weighting[5 * ANALYSIS_N_SECTIONS];

#endif
