/* The room that was learnt with an instrument: its impulse response, up to a second, by partitioned FFT
 * convolution in blocks of 64 samples, without latency.
 *
 * The response is 1 at time 0, which is the dry sound and passes unchanged, bit for bit, and a wet part,
 * which is cut into partitions whose spectra lie in flash (pipeline.room makes them). Those of the head, 64
 * taps each, are multiplied within the block. Behind the 8th of them a long response goes on in partitions of
 * 256 taps, the tail, which have two such spans of time until they are heard, so that their work is spread
 * over four blocks: transform; multiply; multiply; transform back. All is overlap-save with float32 spectra
 * and CMSIS-DSP's real FFT. The output is the integer samples plus the rounded wet part, saturated; no gain
 * is taken off, so a room of gain 3 clips where the float model's recording does.
 *
 * float32, because the learnt rooms are loud (the root of their taps' sum of squares is 0.4 to 0.9): 16-bit
 * spectra, at a scale that a full-scale tone does not overflow, would add noise of some 6 LSB however soft
 * the music. Every core and the host give the same bits; float64 convolution differs from them by at most 1
 * LSB, where a float32 sum falls on the other side of a half. Nothing is fed back, so that no input can do
 * harm for longer than the response.
 *
 * Cost, in instructions a block on Cortex-M4F, M7F and M33, mean and worst, and bytes:
 *
 *     response       mean      worst   flash: room, code and FFT tables   RAM
 *     1 s          70 800     72 800      129 kB, 11.2 kB                137.7 kB
 *     0.25 s       43 800     56 000       33 kB, 11.2 kB                 41.5 kB
 *     0.1 s        29 300     29 400       13 kB,  5.7 kB                 14.3 kB
 *
 * The spectra are kept in flash, because making them at start-up from 16-bit taps, which are a quarter of
 * their size, would take as much RAM again, and RAM is what chips have less of. Stack: 500 bytes.
 */
#ifndef REVERB_H
#define REVERB_H

#include <stddef.h>
#include <stdint.h>

#include "reverb_config.h" /* generated: REVERB_MAX_HEAD and REVERB_MAX_TAIL, the most partitions of any room */

#define REVERB_BLOCK_SAMPLES 64 /* taps of a partition of the head, too */
#define REVERB_TAIL_SAMPLES 256 /* taps of a partition of the tail */

/* Spectra of a room, constant. One is [group][partition][4][2]: groups of four neighbouring bins, real and
 * imaginary part, but for bin 0, whose imaginary part is zero and gives its place to the bin of half the
 * rate. */
typedef struct {
    const float *head; /* n_head partitions of 64 bins: 8 if there is a tail */
    const float *tail; /* n_tail partitions of 256 bins */
    size_t n_head, n_tail;
} reverb_response_t;

extern const reverb_response_t *const reverb_presets[]; /* by preset, generated */

/* Owned by the caller, but only the functions below look inside. */
typedef struct {
    size_t newest;                            /* place in the ring that the last block's spectrum took */
    float window[2 * REVERB_BLOCK_SAMPLES];   /* the block before, and this one */
    float time[2 * REVERB_BLOCK_SAMPLES];     /* scratch */
    float spectrum[2 * REVERB_BLOCK_SAMPLES]; /* scratch */
    float ring[REVERB_MAX_HEAD * 2 * REVERB_BLOCK_SAMPLES]; /* past spectra of the input */
} reverb_head_t;

#if REVERB_MAX_TAIL > 0
typedef struct {
    size_t newest;
    size_t step;                             /* of the work, and place of this block in its span: 0 to 3 */
    float window[2 * REVERB_TAIL_SAMPLES];   /* the span before, and this one as far as it has come */
    float time[2 * REVERB_TAIL_SAMPLES];     /* scratch */
    float spectrum[2 * REVERB_TAIL_SAMPLES]; /* products, as far as the steps have come */
    float output[REVERB_TAIL_SAMPLES];       /* of this span */
    float ring[REVERB_MAX_TAIL * 2 * REVERB_TAIL_SAMPLES];
} reverb_tail_t;
#endif

typedef struct {
    const reverb_response_t *room;
    reverb_head_t head;
#if REVERB_MAX_TAIL > 0
    reverb_tail_t tail;
#endif
} reverb_t;

/* Takes a room, from silence; `room` stays in use and has at most the firmware's most partitions. */
void reverb_init(reverb_t *reverb, const reverb_response_t *room);

/* Forgets the past. */
void reverb_reset(reverb_t *reverb);

/* Puts the next block of samples, int16 at 16 kHz, any values, into the room, in place. */
void reverb_process(reverb_t *reverb, int16_t samples[REVERB_BLOCK_SAMPLES]);

/* The same in `room`, which may change from block to block: in the block of a change, what the last room
 * still sounds fades out, and the new one begins from silence behind it. */
void reverb_process_in(reverb_t *reverb, const reverb_response_t *room, int16_t samples[REVERB_BLOCK_SAMPLES]);

/* Blocks for which a room sounds on. */
static inline uint32_t reverb_n_blocks(const reverb_response_t *room) {
    return (uint32_t)(room->n_head + room->n_tail * (REVERB_TAIL_SAMPLES / REVERB_BLOCK_SAMPLES));
}

#endif
