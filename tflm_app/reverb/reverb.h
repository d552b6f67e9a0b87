/* The learnt reverb of an instrument: its impulse response, up to a second long, by partitioned FFT
 * convolution in blocks of 64 samples, without latency.
 *
 * A firmware whose code was generated without responses includes reverb_none.h instead, which has the same
 * functions and does nothing, so that applications call them in either case.
 *
 * The response is 1 at time 0, which is the dry sound and passes unchanged, bit for bit, followed by a wet
 * part. The wet part is cut into partitions whose spectra are stored in flash (pipeline/emit/reverb.py makes
 * them). Partitions of the head have 64 taps each and are multiplied within the block. After the 8th of them,
 * a long response continues in partitions of 256 taps, the tail. The output of the tail is due two such spans
 * later, so its work is spread over four blocks: transform; multiply; multiply; transform back. All of it is
 * overlap-save with float32 spectra and the real FFT of CMSIS-DSP. The output is the integer samples plus the
 * rounded wet part, saturated. The gain is not reduced, so a response of gain 3 clips in the same places as
 * the recording of the float model.
 *
 * The spectra are float32 because the learnt responses are loud (the root of the sum of their squared taps is
 * 0.4 to 0.9): 16-bit spectra, scaled so that a full-scale tone does not overflow, would add noise of about
 * 6 LSB even to soft music. Every core and the host give the same bits. Convolution in float64 differs
 * from them by at most 1 LSB, where a float32 sum falls on the other side of a half. There is no feedback, so
 * the effect of any input ends with the response.
 *
 * Cost in instructions per block on Cortex-M4F, M7F and M33, mean and worst, and in bytes:
 *
 *     response       mean      worst   flash: response, code and FFT tables   RAM
 *     1 s          70 800     72 800      129 kB, 11.2 kB                    137.7 kB
 *     0.25 s       43 800     56 000       33 kB, 11.2 kB                     41.5 kB
 *     0.1 s        29 300     29 400       13 kB,  5.7 kB                     14.3 kB
 *
 * The spectra are stored in flash. Computing them at start-up from 16-bit taps, a quarter of their size,
 * would double the RAM, which is scarcer than flash. Stack: 500 bytes.
 */
#ifndef REVERB_H
#define REVERB_H

#if !__has_include("reverb_config.h") /* generated together with the responses */
#include "reverb/reverb_none.h"
#else

#include <stddef.h>
#include <stdint.h>

#include "reverb_config.h" /* REVERB_MAX_HEAD and REVERB_MAX_TAIL: the most partitions of any response */
#include "shared_constants.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REVERB_IS_PRESENT 1
#define REVERB_ONLY(entry) entry /* a list entry that exists only with a reverb */

#define REVERB_BLOCK_SAMPLES SHARED_HOP_SAMPLES        /* 64, also the taps of a partition of the head */
#define REVERB_TAIL_SAMPLES SHARED_REVERB_TAIL_SAMPLES /* 256, the taps of a partition of the tail */

/* Spectra of a response, constant. The layout of a table is [group][partition][4][2]: groups of four
 * neighbouring bins, with their real and imaginary parts. The imaginary part of bin 0 is zero, so its place
 * holds the real bin at half the sample rate. */
typedef struct {
    const float *head; /* n_head partitions of 64 bins: 8 if there is a tail */
    const float *tail; /* n_tail partitions of 256 bins */
    size_t n_head, n_tail;
} reverb_response_t;

extern const reverb_response_t *const reverb_presets[]; /* by preset, generated */

/* Caller-owned state, private to the functions below. */
typedef struct {
    size_t newest;                            /* slot of the ring that holds the spectrum of the last block */
    float window[2 * REVERB_BLOCK_SAMPLES];   /* the previous block and this one */
    float time[2 * REVERB_BLOCK_SAMPLES];     /* scratch */
    float spectrum[2 * REVERB_BLOCK_SAMPLES]; /* scratch */
    float ring[REVERB_MAX_HEAD * 2 * REVERB_BLOCK_SAMPLES]; /* past spectra of the input */
} reverb_head_t;

#if REVERB_MAX_TAIL > 0
typedef struct {
    size_t newest;
    size_t step;                             /* 0 to 3: step of the work and block within the span */
    float window[2 * REVERB_TAIL_SAMPLES];   /* the previous span, and this one so far */
    float time[2 * REVERB_TAIL_SAMPLES];     /* scratch */
    float spectrum[2 * REVERB_TAIL_SAMPLES]; /* the sum of products so far */
    float output[REVERB_TAIL_SAMPLES];       /* output for this span */
    float ring[REVERB_MAX_TAIL * 2 * REVERB_TAIL_SAMPLES];
} reverb_tail_t;
#endif

typedef struct {
    const reverb_response_t *response;
    reverb_head_t head;
#if REVERB_MAX_TAIL > 0
    reverb_tail_t tail;
#endif
} reverb_t;

/* Returns the response of a preset of this firmware. */
static inline const reverb_response_t *reverb_response(size_t preset) { return reverb_presets[preset]; }

/* Binds the state to a response and resets it. `response` must outlive it and have no more partitions than
 * REVERB_MAX_HEAD and REVERB_MAX_TAIL. */
void reverb_init(reverb_t *reverb, const reverb_response_t *response);

/* Resets the state to silence. */
void reverb_reset(reverb_t *reverb);

/* Adds the reverb to the next block in place; int16 at 16 kHz, all values are valid. Saturates. */
void reverb_process(reverb_t *reverb, int16_t samples[REVERB_BLOCK_SAMPLES]);

/* Does the same with `response`, which may change from block to block: during the block of a change the
 * reverb of the old response fades out, and the new one starts from silence after it. */
void reverb_process_in(reverb_t *reverb, const reverb_response_t *response,
                       int16_t samples[REVERB_BLOCK_SAMPLES]);

/* Returns the duration of a response in blocks. */
static inline uint32_t reverb_n_blocks(const reverb_response_t *response) {
    return (uint32_t)(response->n_head + response->n_tail * (REVERB_TAIL_SAMPLES / REVERB_BLOCK_SAMPLES));
}

#ifdef __cplusplus
}
#endif

#endif
#endif
