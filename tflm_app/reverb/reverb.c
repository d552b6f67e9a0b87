#include "reverb/reverb.h"

#include <string.h>

#include "arm_common_tables.h"
#include "dsp/transform_functions.h"

enum {
    GROUP_FLOATS = 8, /* four bins */
    N_STEPS = REVERB_TAIL_SAMPLES / REVERB_BLOCK_SAMPLES,
    HEAD_FLOATS = 2 * REVERB_BLOCK_SAMPLES,
    TAIL_FLOATS = 2 * REVERB_TAIL_SAMPLES,
    HEAD_GROUPS = HEAD_FLOATS / GROUP_FLOATS,
    TAIL_GROUPS = TAIL_FLOATS / GROUP_FLOATS,
};

/* Groups of the tail that are multiplied when each step ends. The first and the last step transform as well, so
 * they get less; with the 61 partitions of a whole second all four steps cost about the same. */
static const uint8_t groups_done[N_STEPS] = {TAIL_GROUPS / 8, TAIL_GROUPS / 2, TAIL_GROUPS * 7 / 8, TAIL_GROUPS};

/* What arm_rfft_fast_init_128_f32 and arm_rfft_fast_init_512_f32 would write, in flash. */
static const arm_rfft_fast_instance_f32 head_fft = {
    .Sint = {REVERB_BLOCK_SAMPLES, twiddleCoef_64, armBitRevIndexTable64, ARMBITREVINDEXTABLE_64_TABLE_LENGTH},
    .fftLenRFFT = HEAD_FLOATS,
    .pTwiddleRFFT = twiddleCoef_rfft_128,
};
static const arm_rfft_fast_instance_f32 tail_fft = {
    .Sint = {REVERB_TAIL_SAMPLES, twiddleCoef_256, armBitRevIndexTable256, ARMBITREVINDEXTABLE_256_TABLE_LENGTH},
    .fftLenRFFT = TAIL_FLOATS,
    .pTwiddleRFFT = twiddleCoef_rfft_512,
};

void reverb_init(reverb_t *reverb, const reverb_room_t *room) {
    reverb->room = room;
    reverb_reset(reverb);
}

void reverb_reset(reverb_t *reverb) {
    const reverb_room_t *const room = reverb->room;
    memset(reverb, 0, sizeof *reverb);
    reverb->room = room;
}

/* Puts a spectrum of the input into place `slot` of a ring with the layout of a room. */
static void push_spectrum(float *ring, const float *spectrum, size_t n_groups, size_t n_partitions, size_t slot) {
    for (size_t group = 0; group < n_groups; group++) {
        memcpy(ring + (group * n_partitions + slot) * GROUP_FLOATS, spectrum + group * GROUP_FLOATS,
               GROUP_FLOATS * sizeof *ring);
    }
}

/* sum[] += x[k][] * h[k][], complex, for n partitions of a group, one behind the other in memory.
 *
 * The sums stay in registers, so a bin of a partition costs four loads and four multiplications. */
static void multiply_group(float sum[GROUP_FLOATS], const float *x, const float *h, size_t n) {
    float re0 = sum[0], im0 = sum[1], re1 = sum[2], im1 = sum[3];
    float re2 = sum[4], im2 = sum[5], re3 = sum[6], im3 = sum[7];
    for (const float *const end = x + n * GROUP_FLOATS; x != end; x += GROUP_FLOATS, h += GROUP_FLOATS) {
        re0 += x[0] * h[0], im0 += x[0] * h[1], re0 -= x[1] * h[1], im0 += x[1] * h[0];
        re1 += x[2] * h[2], im1 += x[2] * h[3], re1 -= x[3] * h[3], im1 += x[3] * h[2];
        re2 += x[4] * h[4], im2 += x[4] * h[5], re2 -= x[5] * h[5], im2 += x[5] * h[4];
        re3 += x[6] * h[6], im3 += x[6] * h[7], re3 -= x[7] * h[7], im3 += x[7] * h[6];
    }
    sum[0] = re0, sum[1] = im0, sum[2] = re1, sum[3] = im1;
    sum[4] = re2, sum[5] = im2, sum[6] = re3, sum[7] = im3;
}

/* Bin 0 is two real ones: of frequency zero, and of half the rate. */
static void multiply_real_bins(float sum[2], const float *x, const float *h, size_t n) {
    for (size_t k = 0; k < n; k++) {
        sum[0] += x[k * GROUP_FLOATS] * h[k * GROUP_FLOATS];
        sum[1] += x[k * GROUP_FLOATS + 1] * h[k * GROUP_FLOATS + 1];
    }
}

/* Multiplies the groups from `first` to before `last` of a ring with a room's and adds partitions up. The newest
 * spectrum meets partition 0, the ones behind it in the ring, and then those from its start, the next. */
static void multiply(float *product, const float *ring, const float *room, size_t n_partitions, size_t newest,
                     size_t first, size_t last) {
    const size_t n_old = newest, n_new = n_partitions - newest;
    for (size_t group = first; group < last; group++) {
        const float *const x = ring + group * n_partitions * GROUP_FLOATS;
        const float *const h = room + group * n_partitions * GROUP_FLOATS;
        float *const sum = product + group * GROUP_FLOATS;
        memset(sum, 0, GROUP_FLOATS * sizeof *sum);
        multiply_group(sum, x + newest * GROUP_FLOATS, h, n_new);
        multiply_group(sum, x, h + n_new * GROUP_FLOATS, n_old);
        if (group == 0) {
            sum[0] = sum[1] = 0.0f;
            multiply_real_bins(sum, x + newest * GROUP_FLOATS, h, n_new);
            multiply_real_bins(sum, x, h + n_new * GROUP_FLOATS, n_old);
        }
    }
}

static size_t place_before(size_t place, size_t n_places) { return (place > 0 ? place : n_places) - 1; }

/* The wet part of the first 512 taps; returns 64 samples that stay until the scratch is used again. */
static const float *process_head(reverb_t *reverb, const float window[HEAD_FLOATS]) {
    float *const time = reverb->scratch, *const spectrum = time + HEAD_FLOATS;
    reverb->head_newest = place_before(reverb->head_newest, REVERB_HEAD_PARTITIONS);
    memcpy(time, window, HEAD_FLOATS * sizeof *time);
    arm_rfft_fast_f32(&head_fft, time, spectrum, 0);
    push_spectrum(reverb->head_ring, spectrum, HEAD_GROUPS, REVERB_HEAD_PARTITIONS, reverb->head_newest);
    multiply(spectrum, reverb->head_ring, reverb->room->head, REVERB_HEAD_PARTITIONS, reverb->head_newest, 0,
             HEAD_GROUPS);
    arm_rfft_fast_f32(&head_fft, spectrum, time, 1);
    return time + REVERB_BLOCK_SAMPLES;
}

/* Transforms the span of input that has just ended, which is then the past of the next one. */
static void take_span(reverb_t *reverb) {
    const size_t n_tail = reverb->room->n_tail;
    if (n_tail > 0) {
        reverb->tail_newest = place_before(reverb->tail_newest, n_tail);
        memcpy(reverb->scratch, reverb->input, sizeof reverb->scratch);
        arm_rfft_fast_f32(&tail_fft, reverb->scratch, reverb->product, 0);
        push_spectrum(reverb->tail_ring, reverb->product, TAIL_GROUPS, n_tail, reverb->tail_newest);
    }
    memcpy(reverb->input, reverb->input + REVERB_TAIL_SAMPLES, REVERB_TAIL_SAMPLES * sizeof *reverb->input);
}

/* Does a step's share of the multiplications; after the last, the span is heard from the next block on. */
static void process_tail(reverb_t *reverb) {
    const size_t step = reverb->step;
    multiply(reverb->product, reverb->tail_ring, reverb->room->tail, reverb->room->n_tail, reverb->tail_newest,
             step > 0 ? groups_done[step - 1] : 0, groups_done[step]);
    if (step == N_STEPS - 1) {
        arm_rfft_fast_f32(&tail_fft, reverb->product, reverb->scratch, 1);
        memcpy(reverb->tail_output, reverb->scratch + REVERB_TAIL_SAMPLES, sizeof reverb->tail_output);
    }
}

/* Rounds to the nearest sample; what is beyond the largest, or no number, is held within. */
static int16_t saturate(float sample) {
    sample = sample < 32767.0f ? sample : 32767.0f;
    sample = sample > -32768.0f ? sample : -32768.0f;
    return (int16_t)((int32_t)(sample + 32768.5f) - 32768);
}

void reverb_process(reverb_t *reverb, int16_t samples[REVERB_BLOCK_SAMPLES]) {
    const size_t start = reverb->step * REVERB_BLOCK_SAMPLES;
    if (reverb->step == 0) {
        take_span(reverb);
    }
    float *const block = reverb->input + REVERB_TAIL_SAMPLES + start;
    for (size_t i = 0; i < REVERB_BLOCK_SAMPLES; i++) {
        block[i] = samples[i];
    }
    const float *const head = process_head(reverb, block - REVERB_BLOCK_SAMPLES);
    const float *const tail = reverb->tail_output + start;
    for (size_t i = 0; i < REVERB_BLOCK_SAMPLES; i++) {
        samples[i] = saturate(block[i] + (head[i] + tail[i]));
    }
    if (reverb->room->n_tail > 0) {
        process_tail(reverb);
    }
    reverb->step = (reverb->step + 1) % N_STEPS;
}
