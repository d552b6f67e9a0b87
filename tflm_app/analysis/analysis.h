/* Live analysis: pitch and A-weighted loudness of a sound input, one frame per block.
 *
 * A frame describes the last 320 samples (20 ms), so in effect it refers to their middle, 10 ms ago. The
 * instrument renders the next block from it. The latency is the sum of:
 *
 *     10 ms   from the middle of the window to the end of the block that completes it
 *      4 ms   at most, until the block in which a sound arrives is complete
 *      4 ms   while the block is rendered and another one plays
 *      4 ms   until the ramps of the block have reached the frame
 *     -----
 *     22 ms   at most from sound in to sound out, 20 ms on average; the upsampler adds 1 ms
 *
 * A jump of the pitch is detected once the window contains more of the new tone than of the old one, which
 * may take another 5 ms.
 *
 * The pitch is found by YIN (de Cheveigne and Kawahara, "YIN, a fundamental frequency estimator for speech
 * and music", JASA 111, 2002), with two changes. The difference function sums over every pair of samples in
 * the window that is a lag apart, so that all lags describe the same moment; it takes one real FFT and one
 * inverse FFT of 512 samples each. Instead of the first dip below a threshold, the first one that is nearly
 * as deep as the deepest is selected: at half the period, a trumpet dips below every threshold that a breathy
 * flute reaches at its full period. In unsteady sound, where no dip is deep, a shorter lag is selected more
 * readily: in the attack of an overblown note the lower register sounds first. The lag is then refined at its
 * multiples, where an error counts less. If no dip is deep, the pitch is held.
 *
 * Loudness is the mean square of the A-weighted samples under a Hann-like window of five steps, in dB
 * relative to a full-scale sine of 1 kHz. The features of the training data use a window of 128 ms instead.
 *
 * Digital silence, samples of at most the last bit, is not sound that fades: once it fills the window, the
 * loudness is at its floor, although the filters would ring for 0.1 s. The pitch is held.
 *
 * Every core and the host give the same bits; pipeline/target/live_features.py runs this code on the host. It
 * needs a single-precision FPU and CMSIS-DSP.
 *
 * Cost: 70 000 instructions per block on Cortex-M4F, M7F and M33, of which the FFTs take 55 000. State: 5.4
 * kB; stack: 470 bytes. Flash: 1.2 kB, plus 10 kB for the FFT and its tables in CMSIS-DSP, which a reverb of
 * more than 0.2 s shares.
 */
#ifndef ANALYSIS_H
#define ANALYSIS_H

#include <stdint.h>

#include "instrument/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ANALYSIS_BLOCK_SAMPLES SHARED_HOP_SAMPLES  /* 64 */
#define ANALYSIS_N_BLOCKS SHARED_ANALYSIS_N_BLOCKS /* blocks in the window */
#define ANALYSIS_WINDOW_SAMPLES (ANALYSIS_N_BLOCKS * ANALYSIS_BLOCK_SAMPLES)
#define ANALYSIS_FFT_SAMPLES 512                     /* at least the window plus the longest lag */
#define ANALYSIS_MIN_F0_HZ SHARED_ANALYSIS_MIN_F0_HZ /* the window contains two periods */
#define ANALYSIS_MAX_F0_HZ FRAME_MAX_F0_HZ
#define ANALYSIS_MAX_APERIODICITY 0.5f /* above this value, the pitch is held */
#define ANALYSIS_FLOOR_POWER 1e-8f     /* -80 dB; added to the power of every block */

/* Caller-owned state; the caller may read `aperiodicity` and `power`. */
typedef struct {
    uint32_t shortest_lag, longest_lag; /* bounds of the search, in samples */
    uint32_t n_silent;                  /* digital silence before now, in samples, at most the window */
    float f0_hz;                        /* the last detected pitch */
    float aperiodicity;                 /* last block: 0 for a perfectly periodic sound, 1 for noise */
    float power; /* last block: A-weighted, 1 for a full-scale sine of 1 kHz, at least the floor */
    float filter[6];
    float window[ANALYSIS_WINDOW_SAMPLES]; /* oldest first */
    float energies[ANALYSIS_N_BLOCKS];     /* energies of the weighted blocks, oldest first */
    float time[ANALYSIS_FFT_SAMPLES];      /* scratch */
    float spectrum[ANALYSIS_FFT_SAMPLES];  /* scratch */
} analysis_t;

/* Initializes the analysis for pitches between two bounds, which are clamped to 100 to 4000 Hz. Choose them a
 * little wider than the range to be played; narrower bounds cause fewer octave errors. */
void analysis_init(analysis_t *analysis, float f0_min_hz, float f0_max_hz);

/* Resets to the state after infinitely long silence. */
void analysis_reset(analysis_t *analysis);

/* Analyses the next block, int16 at 16 kHz; all sample values are valid. Returns f0 within the bounds, or 440
 * Hz before the first detected pitch, and a loudness of -80 to 0 dB. */
frame_t analysis_step(analysis_t *analysis, const int16_t samples[ANALYSIS_BLOCK_SAMPLES]);

/* Returns the loudness of a power in dB, at most 0; -80 dB for ANALYSIS_FLOOR_POWER, the least one. */
float analysis_loudness_db(float power);

/* Sections of the A-weighting filter, b0 b1 b2 -a1 -a2 each (analysis_tables.c). */
#define ANALYSIS_N_SECTIONS 3
extern const float analysis_weighting[5 * ANALYSIS_N_SECTIONS];

#ifdef __cplusplus
}
#endif

#endif
