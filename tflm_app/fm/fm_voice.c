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

void fm_block_ramp_f0(fm_block_t *block, fm_voice_t *voice, float f0_hz) {
    fm_block_ramp_phase(block, voice, fm_fixed_f0(fm_f0_bits(f0_hz)));
}
