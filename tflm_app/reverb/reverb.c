#include "reverb/reverb.h"

#include <math.h>
#include <string.h>

#include "arm_common_tables.h"
#include "dsp/transform_functions.h"

enum {
    GROUP_FLOATS = 8, /* four bins */
    HEAD_FLOATS = 2 * REVERB_BLOCK_SAMPLES,
    HEAD_GROUPS = HEAD_FLOATS / GROUP_FLOATS,
};

void reverb_init(reverb_t *reverb, const reverb_response_t *room) {
    reverb->room = room;
    reverb_reset(reverb);
}

void reverb_reset(reverb_t *reverb) {
    const reverb_response_t *const room = reverb->room;
    memset(reverb, 0, sizeof *reverb);
    reverb->room = room;
}

/* Puts a spectrum of the input into a ring, which has the layout of a room, before the newest. */
static void push_spectrum(float *ring, size_t *newest, const float *spectrum, size_t n_groups,
                          size_t n_partitions) {
    *newest = (*newest > 0 ? *newest : n_partitions) - 1;
    for (size_t group = 0; group < n_groups; group++) {
        memcpy(ring + (group * n_partitions + *newest) * GROUP_FLOATS, spectrum + group * GROUP_FLOATS,
               GROUP_FLOATS * sizeof *ring);
    }
}

/* Where a ring meets a room: the newest spectrum and those behind it meet the first partitions, the ones from
 * the start of the ring the others. Partitions of a group lie one behind the other. */
typedef struct {
    const float *x[2]; /* of the ring */
    const float *h[2]; /* of the room */
    size_t n_floats[2];
} runs_t;

/* Adds up the products of a group's four bins.
 *
 * The sums stay in registers, so a bin of a partition costs four loads and four multiplications. These are
 * fused by name, for the compiler may not do so itself, lest the cores differ. */
static void multiply_group(float sum[GROUP_FLOATS], const runs_t *runs) {
    float re0 = 0.0f, im0 = 0.0f, re1 = 0.0f, im1 = 0.0f;
    float re2 = 0.0f, im2 = 0.0f, re3 = 0.0f, im3 = 0.0f;
    for (int run = 0; run < 2; run++) {
        const float *x = runs->x[run], *h = runs->h[run];
        for (const float *const end = x + runs->n_floats[run]; x != end;
             x += GROUP_FLOATS, h += GROUP_FLOATS) {
            re0 = fmaf(x[0], h[0], re0), im0 = fmaf(x[0], h[1], im0);
            re1 = fmaf(x[2], h[2], re1), im1 = fmaf(x[2], h[3], im1);
            re2 = fmaf(x[4], h[4], re2), im2 = fmaf(x[4], h[5], im2);
            re3 = fmaf(x[6], h[6], re3), im3 = fmaf(x[6], h[7], im3);
            re0 = fmaf(-x[1], h[1], re0), im0 = fmaf(x[1], h[0], im0);
            re1 = fmaf(-x[3], h[3], re1), im1 = fmaf(x[3], h[2], im1);
            re2 = fmaf(-x[5], h[5], re2), im2 = fmaf(x[5], h[4], im2);
            re3 = fmaf(-x[7], h[7], re3), im3 = fmaf(x[7], h[6], im3);
        }
    }
    sum[0] = re0, sum[1] = im0, sum[2] = re1, sum[3] = im1;
    sum[4] = re2, sum[5] = im2, sum[6] = re3, sum[7] = im3;
}

/* Bin 0 is two real ones: of frequency zero, and of half the rate. */
static void multiply_real_bins(float sum[2], const runs_t *runs) {
    float zero = 0.0f, half = 0.0f;
    for (int run = 0; run < 2; run++) {
        for (size_t i = 0; i < runs->n_floats[run]; i += GROUP_FLOATS) {
            zero = fmaf(runs->x[run][i], runs->h[run][i], zero);
            half = fmaf(runs->x[run][i + 1], runs->h[run][i + 1], half);
        }
    }
    sum[0] = zero, sum[1] = half;
}

/* Multiplies the groups from `first` to before `last` of a ring with a room's. */
static void multiply(float *product, const float *ring, const float *room, size_t n_partitions, size_t newest,
                     size_t first, size_t last) {
    const size_t n_old = newest * GROUP_FLOATS, n_new = n_partitions * GROUP_FLOATS - n_old;
    for (size_t group = first; group < last; group++) {
        const float *const x = ring + group * n_partitions * GROUP_FLOATS;
        const float *const h = room + group * n_partitions * GROUP_FLOATS;
        const runs_t runs = {.x = {x + n_old, x}, .h = {h, h + n_new}, .n_floats = {n_new, n_old}};
        multiply_group(product + group * GROUP_FLOATS, &runs);
        if (group == 0) {
            multiply_real_bins(product, &runs);
        }
    }
}

/* --- head: all of it within the block ---------------------------------------------------------------- */

/* Instances as arm_rfft_fast_init_128_f32 and arm_rfft_fast_init_512_f32 make them, but in flash. */
static const arm_rfft_fast_instance_f32 head_fft = {
    .Sint = {REVERB_BLOCK_SAMPLES, twiddleCoef_64, armBitRevIndexTable64,
             ARMBITREVINDEXTABLE_64_TABLE_LENGTH},
    .fftLenRFFT = HEAD_FLOATS,
    .pTwiddleRFFT = twiddleCoef_rfft_128,
};

/* Takes a block and returns the head's part of what is heard of it and of the past. */
static float *head_play(reverb_head_t *head, const reverb_response_t *room, const float *block) {
    memcpy(head->window, head->window + REVERB_BLOCK_SAMPLES, REVERB_BLOCK_SAMPLES * sizeof *block);
    memcpy(head->window + REVERB_BLOCK_SAMPLES, block, REVERB_BLOCK_SAMPLES * sizeof *block);
    memcpy(head->time, head->window, sizeof head->time); /* the transform overwrites its input */
    arm_rfft_fast_f32(&head_fft, head->time, head->spectrum, 0);
    push_spectrum(head->ring, &head->newest, head->spectrum, HEAD_GROUPS, room->n_head);
    multiply(head->spectrum, head->ring, room->head, room->n_head, head->newest, 0, HEAD_GROUPS);
    arm_rfft_fast_f32(&head_fft, head->spectrum, head->time, 1);
    return head->time + REVERB_BLOCK_SAMPLES;
}

/* --- tail: a span of four blocks is worked on during the next four, and heard during those behind ---- */

#if REVERB_MAX_TAIL > 0
enum {
    N_STEPS = REVERB_TAIL_SAMPLES / REVERB_BLOCK_SAMPLES,
    TAIL_FLOATS = 2 * REVERB_TAIL_SAMPLES,
    TAIL_GROUPS = TAIL_FLOATS / GROUP_FLOATS,
};

/* Groups that are multiplied when each step ends. The first and the last step transform as well, so they get
 * less; with the 61 partitions of a whole second all four cost about the same. */
static const uint8_t groups_done[N_STEPS] = {10, TAIL_GROUPS / 2, TAIL_GROUPS - 10, TAIL_GROUPS};

static const arm_rfft_fast_instance_f32 tail_fft = {
    .Sint = {REVERB_TAIL_SAMPLES, twiddleCoef_256, armBitRevIndexTable256,
             ARMBITREVINDEXTABLE_256_TABLE_LENGTH},
    .fftLenRFFT = TAIL_FLOATS,
    .pTwiddleRFFT = twiddleCoef_rfft_512,
};

/* Takes a block, adds the tail's part to `wet`, and does a step of the work on the span before this one. */
static void tail_play(reverb_tail_t *tail, const reverb_response_t *room, const float *block,
                      float wet[REVERB_BLOCK_SAMPLES]) {
    const size_t step = tail->step, place = step * REVERB_BLOCK_SAMPLES;
    if (step == 0) {
        memcpy(tail->time, tail->window, sizeof tail->time);
        arm_rfft_fast_f32(&tail_fft, tail->time, tail->spectrum, 0);
        push_spectrum(tail->ring, &tail->newest, tail->spectrum, TAIL_GROUPS, room->n_tail);
        memcpy(tail->window, tail->window + REVERB_TAIL_SAMPLES, sizeof tail->window / 2);
    }
    memcpy(tail->window + REVERB_TAIL_SAMPLES + place, block, REVERB_BLOCK_SAMPLES * sizeof *block);
    for (size_t i = 0; i < REVERB_BLOCK_SAMPLES; i++) {
        wet[i] += tail->output[place + i];
    }
    multiply(tail->spectrum, tail->ring, room->tail, room->n_tail, tail->newest,
             step > 0 ? groups_done[step - 1] : 0, groups_done[step]);
    if (step == N_STEPS - 1) {
        arm_rfft_fast_f32(&tail_fft, tail->spectrum, tail->time, 1);
        memcpy(tail->output, tail->time + REVERB_TAIL_SAMPLES, sizeof tail->output);
    }
    tail->step = (step + 1) % N_STEPS;
}
#endif

/* --- both -------------------------------------------------------------------------------------------- */

/* Rounds to the nearest sample; what is beyond the largest, or no number, is held within. */
static int16_t saturate(float sample) {
    sample = sample < 32767.0f ? sample : 32767.0f;
    sample = sample > -32768.0f ? sample : -32768.0f;
    return (int16_t)((int32_t)(sample + 32768.5f) - 32768);
}

/* Adds `share` of the wet sound at the first sample, and `step` more of it at each other one. */
static void process(reverb_t *reverb, int16_t samples[REVERB_BLOCK_SAMPLES], float share, float step) {
    float block[REVERB_BLOCK_SAMPLES];
    for (size_t i = 0; i < REVERB_BLOCK_SAMPLES; i++) {
        block[i] = samples[i];
    }
    float *const wet = head_play(&reverb->head, reverb->room, block);
#if REVERB_MAX_TAIL > 0
    if (reverb->room->n_tail > 0) {
        tail_play(&reverb->tail, reverb->room, block, wet);
    }
#endif
    for (size_t i = 0; i < REVERB_BLOCK_SAMPLES; i++) {
        samples[i] = saturate(block[i] + (share + step * (float)i) * wet[i]);
    }
}

void reverb_process(reverb_t *reverb, int16_t samples[REVERB_BLOCK_SAMPLES]) {
    process(reverb, samples, 1.0f, 0.0f);
}

void reverb_process_in(reverb_t *reverb, const reverb_response_t *room, int16_t samples[REVERB_BLOCK_SAMPLES]) {
    if (room == reverb->room) {
        reverb_process(reverb, samples);
    } else {
        process(reverb, samples, 1.0f, -1.0f / REVERB_BLOCK_SAMPLES);
        reverb_init(reverb, room);
    }
}
