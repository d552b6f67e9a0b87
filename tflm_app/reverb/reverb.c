#include "reverb/reverb.h"

#include <math.h>
#include <string.h>

#include "arm_common_tables.h"
#include "dsp/transform_functions.h"

enum {
    GROUP_FLOATS = SHARED_REVERB_GROUP_FLOATS, /* four bins */
    HEAD_FLOATS = 2 * REVERB_BLOCK_SAMPLES,
    HEAD_GROUPS = HEAD_FLOATS / GROUP_FLOATS,
};

SHARED_ASSERT(SHARED_REVERB_TAIL_START == 2 * REVERB_TAIL_SAMPLES,
              "the output of the tail must be due two spans after its input");

void reverb_init(reverb_t *reverb, const reverb_response_t *response) {
    reverb->response = response;
    reverb_reset(reverb);
}

void reverb_reset(reverb_t *reverb) {
    const reverb_response_t *const response = reverb->response;
    memset(reverb, 0, sizeof *reverb);
    reverb->response = response;
}

/* Stores a spectrum of the input in a ring, which has the layout of a response, before the newest one. */
static void push_spectrum(float *ring, size_t *newest, const float *spectrum, size_t n_groups,
                          size_t n_partitions) {
    *newest = (*newest > 0 ? *newest : n_partitions) - 1;
    for (size_t group = 0; group < n_groups; group++) {
        memcpy(ring + (group * n_partitions + *newest) * GROUP_FLOATS, spectrum + group * GROUP_FLOATS,
               GROUP_FLOATS * sizeof *ring);
    }
}

/* The two runs in which a ring is multiplied with a response: the spectra from the newest to the end of the
 * ring with the first partitions, then those from the start of the ring with the others. The partitions of a
 * group are contiguous. */
typedef struct {
    const float *x[2]; /* in the ring */
    const float *h[2]; /* in the response */
    size_t n_floats[2];
} runs_t;

/* Sums the products of the four bins of a group.
 *
 * The sums stay in registers, so each bin of a partition costs four loads and four multiply-adds. They are
 * fused explicitly because the compiler must not fuse on its own: the cores would then differ. */
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

/* Bin 0 holds two real bins: frequency zero, and half the sample rate. */
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

/* Multiplies the groups from `first` up to but not including `last` of a ring with those of a response. */
static void multiply(float *product, const float *ring, const float *response, size_t n_partitions,
                     size_t newest, size_t first, size_t last) {
    const size_t n_old = newest * GROUP_FLOATS, n_new = n_partitions * GROUP_FLOATS - n_old;
    for (size_t group = first; group < last; group++) {
        const float *const x = ring + group * n_partitions * GROUP_FLOATS;
        const float *const h = response + group * n_partitions * GROUP_FLOATS;
        const runs_t runs = {.x = {x + n_old, x}, .h = {h, h + n_new}, .n_floats = {n_new, n_old}};
        multiply_group(product + group * GROUP_FLOATS, &runs);
        if (group == 0) {
            multiply_real_bins(product, &runs);
        }
    }
}

/* --- head: computed within the block ------------------------------------------------------------------ */

/* This instance and tail_fft equal those of arm_rfft_fast_init_128_f32 and arm_rfft_fast_init_512_f32, but
 * are in flash. */
static const arm_rfft_fast_instance_f32 head_fft = {
    .Sint = {REVERB_BLOCK_SAMPLES, twiddleCoef_64, armBitRevIndexTable64,
             ARMBITREVINDEXTABLE_64_TABLE_LENGTH},
    .fftLenRFFT = HEAD_FLOATS,
    .pTwiddleRFFT = twiddleCoef_rfft_128,
};

/* Convolves the next block with the head; returns its 64 wet samples. */
static float *head_process(reverb_head_t *head, const reverb_response_t *response, const float *block) {
    memcpy(head->window, head->window + REVERB_BLOCK_SAMPLES, REVERB_BLOCK_SAMPLES * sizeof *block);
    memcpy(head->window + REVERB_BLOCK_SAMPLES, block, REVERB_BLOCK_SAMPLES * sizeof *block);
    memcpy(head->time, head->window, sizeof head->time); /* the transform overwrites its input */
    arm_rfft_fast_f32(&head_fft, head->time, head->spectrum, 0);
    push_spectrum(head->ring, &head->newest, head->spectrum, HEAD_GROUPS, response->n_head);
    multiply(head->spectrum, head->ring, response->head, response->n_head, head->newest, 0, HEAD_GROUPS);
    arm_rfft_fast_f32(&head_fft, head->spectrum, head->time, 1);
    return head->time + REVERB_BLOCK_SAMPLES;
}

/* --- tail: a span of four blocks is computed during the next four, and output during the four after --- */

#if REVERB_MAX_TAIL > 0
enum {
    N_STEPS = REVERB_TAIL_SAMPLES / REVERB_BLOCK_SAMPLES,
    TAIL_FLOATS = 2 * REVERB_TAIL_SAMPLES,
    TAIL_GROUPS = TAIL_FLOATS / GROUP_FLOATS,
};

/* The number of groups multiplied by the end of each step. The first and the last step also transform, so
 * they multiply fewer; with the 61 partitions of a whole second, all four cost about the same. */
static const uint8_t groups_done[N_STEPS] = {10, TAIL_GROUPS / 2, TAIL_GROUPS - 10, TAIL_GROUPS};

static const arm_rfft_fast_instance_f32 tail_fft = {
    .Sint = {REVERB_TAIL_SAMPLES, twiddleCoef_256, armBitRevIndexTable256,
             ARMBITREVINDEXTABLE_256_TABLE_LENGTH},
    .fftLenRFFT = TAIL_FLOATS,
    .pTwiddleRFFT = twiddleCoef_rfft_512,
};

/* Takes the next block, adds the tail's output to `wet`, and does one step of the work on the span before. */
static void tail_process(reverb_tail_t *tail, const reverb_response_t *response, const float *block,
                         float wet[REVERB_BLOCK_SAMPLES]) {
    const size_t step = tail->step, place = step * REVERB_BLOCK_SAMPLES;
    if (step == 0) {
        memcpy(tail->time, tail->window, sizeof tail->time);
        arm_rfft_fast_f32(&tail_fft, tail->time, tail->spectrum, 0);
        push_spectrum(tail->ring, &tail->newest, tail->spectrum, TAIL_GROUPS, response->n_tail);
        memcpy(tail->window, tail->window + REVERB_TAIL_SAMPLES, sizeof tail->window / 2);
    }
    memcpy(tail->window + REVERB_TAIL_SAMPLES + place, block, REVERB_BLOCK_SAMPLES * sizeof *block);
    for (size_t i = 0; i < REVERB_BLOCK_SAMPLES; i++) {
        wet[i] += tail->output[place + i];
    }
    multiply(tail->spectrum, tail->ring, response->tail, response->n_tail, tail->newest,
             step > 0 ? groups_done[step - 1] : 0, groups_done[step]);
    if (step == N_STEPS - 1) {
        arm_rfft_fast_f32(&tail_fft, tail->spectrum, tail->time, 1);
        memcpy(tail->output, tail->time + REVERB_TAIL_SAMPLES, sizeof tail->output);
    }
    tail->step = (step + 1) % N_STEPS;
}
#endif

/* --- head and tail ----------------------------------------------------------------------------------- */

/* Rounds to the nearest sample and saturates; NaN becomes full scale. */
static int16_t saturate(float sample) {
    sample = sample < 32767.0f ? sample : 32767.0f;
    sample = sample > -32768.0f ? sample : -32768.0f;
    return (int16_t)((int32_t)(sample + 32768.5f) - 32768);
}

/* Adds the wet part, scaled by `share` at the first sample and by `step` more at each following one. */
static void process(reverb_t *reverb, int16_t samples[REVERB_BLOCK_SAMPLES], float share, float step) {
    float block[REVERB_BLOCK_SAMPLES];
    for (size_t i = 0; i < REVERB_BLOCK_SAMPLES; i++) {
        block[i] = samples[i];
    }
    float *const wet = head_process(&reverb->head, reverb->response, block);
#if REVERB_MAX_TAIL > 0
    if (reverb->response->n_tail > 0) {
        tail_process(&reverb->tail, reverb->response, block, wet);
    }
#endif
    for (size_t i = 0; i < REVERB_BLOCK_SAMPLES; i++) {
        samples[i] = saturate(block[i] + (share + step * (float)i) * wet[i]);
    }
}

void reverb_process(reverb_t *reverb, int16_t samples[REVERB_BLOCK_SAMPLES]) {
    process(reverb, samples, 1.0f, 0.0f);
}

void reverb_process_in(reverb_t *reverb, const reverb_response_t *response,
                       int16_t samples[REVERB_BLOCK_SAMPLES]) {
    if (response == reverb->response) {
        reverb_process(reverb, samples);
    } else {
        process(reverb, samples, 1.0f, -1.0f / REVERB_BLOCK_SAMPLES);
        reverb_init(reverb, response);
    }
}
