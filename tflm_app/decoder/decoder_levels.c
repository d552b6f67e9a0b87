/* The mapping from logits to operator levels, common to both engines. */
#include "decoder/decoder.h"

void decoder_levels(const decoder_model_t *model, const int16_t logits[DECODER_N_OUTPUTS],
                    int32_t levels_q32[DECODER_N_OUTPUTS]) {
    const int32_t one_step = 1 << (16 - model->io->bits); /* in 1/65536 of the range of the logits */
    for (int i = 0; i < DECODER_N_OUTPUTS; ++i) {
        const uint32_t position = (uint32_t)(logits[i] * one_step + 32768) & 0xffffu;
        const int32_t *entry = &model->io->levels_q32[position >> 8];
        /* The entries differ by less than 2^31; dropping eight bits makes room for the fraction. */
        levels_q32[i] = entry[0] + ((entry[1] - entry[0]) >> 8) * (int32_t)(position & 255u);
    }
}
