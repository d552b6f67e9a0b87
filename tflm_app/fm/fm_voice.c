#include "fm/fm_voice.h"

#include <string.h>

#include "fm/fm_block.h"

void fm_voice_init(fm_voice_t *voice, const fm_patch_t *patch) {
    voice->patch = patch;
    fm_voice_reset(voice);
}

void fm_voice_reset(fm_voice_t *voice) {
    voice->phase = 0;
    voice->increment = 0;
    voice->stretch = 0;
    memset(voice->levels, 0, sizeof voice->levels);
}

void fm_voice_render(fm_voice_t *voice, float f0_hz, const int32_t levels_q32[FM_N_OPERATORS],
                     int16_t pcm[FM_BLOCK_SAMPLES]) {
    voice->patch->render(voice, f0_hz, levels_q32, pcm);
}

/* Returns the increment of the base oscillator, 2^64 per turn. The truncated bits amount to 2^-20 turns per
 * hour. */
static uint64_t phase_increment(const fm_patch_t *patch, uint32_t f0) {
    const uint32_t integer = (uint32_t)(patch->increment_per_f0 >> 32);
    const uint32_t fraction = (uint32_t)(patch->increment_per_f0 >> 16) & 0xFFFFu;
    return (uint64_t)f0 * integer + (f0 >> 16) * fraction;
}

/* The increment of sample i = 1 .. 64 is first + (last - first) * i / 64, so their mean is the value at i =
 * 32.5. The phase of the voice advances by 64 times the mean, with 64 bits. The 32-bit increments of the loop
 * form a straight line, too, and go through the same mean: both phases agree at the end, and rounding errors
 * do not accumulate. */
void fm_block_ramp_f0(fm_block_t *block, fm_voice_t *voice, float f0_hz) {
    const uint64_t last = phase_increment(voice->patch, fm_fixed_f0(f0_hz));
    const uint64_t first = voice->increment != 0 ? voice->increment : last;
    const int64_t half_step = (int64_t)(last - first) >> 7;
    const uint64_t mean = ((first + last) >> 1) + (uint64_t)half_step;
    const int32_t step = (int32_t)((half_step + (1 << 30)) >> 31);
    block->phase = (uint32_t)(voice->phase >> 32);
    block->increment = (uint32_t)((mean + (1u << 31)) >> 32) - (uint32_t)((63 * step) >> 1);
    block->increment_step = (uint32_t)step;
    voice->phase += mean << 6;
    voice->increment = last;
}
