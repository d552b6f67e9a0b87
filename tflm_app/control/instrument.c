#include "control/instrument.h"

#include "control/shimmer.h"

void instrument_init(instrument_t *instrument, const instrument_preset_t *preset) {
    instrument->preset = preset;
    const decoder_io_t *io = preset->model->io;
    frame_scaling_init(&instrument->scaling, io->frame_scale, io->frame_zero_point, io->bits);
    decoder_init(&instrument->decoder, preset->model);
    fm_voice_init(&instrument->voice, preset->patch);
    instrument_reset(instrument);
}

void instrument_reset(instrument_t *instrument) {
    fm_voice_reset(&instrument->voice);
    instrument->shimmer = SHIMMER_RESET;
    instrument->frame = (frame_t){.f0_hz = FRAME_DEFAULT_F0_HZ, .loudness_db = FRAME_MIN_LOUDNESS_DB};
    frame_quantize(&instrument->scaling, instrument->frame, instrument->quantized);
    decoder_settle(&instrument->decoder, instrument->quantized);
    for (int i = 0; i < DECODER_N_OUTPUTS; i++) {
        instrument->logits[i] = 0;
        instrument->levels_q32[i] = 0;
    }
}

void instrument_set_frame(instrument_t *instrument, const frame_t *frame) {
    instrument->frame = frame_clamp(*frame, instrument->frame.f0_hz);
    frame_quantize(&instrument->scaling, instrument->frame, instrument->quantized);
}

void instrument_decode(instrument_t *instrument) {
    decoder_step(&instrument->decoder, instrument->quantized, instrument->logits);
}

void instrument_set_levels(instrument_t *instrument) {
    const instrument_preset_t *preset = instrument->preset;
    decoder_levels(preset->model, instrument->logits, instrument->levels_q32);
    instrument->shimmer =
        shimmer(instrument->shimmer, preset->shimmer_q16, instrument->levels_q32, DECODER_N_OUTPUTS);
}

void instrument_play(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]) {
    fm_voice_render(&instrument->voice, instrument->frame.f0_hz, instrument->levels_q32, samples);
}

void instrument_render(instrument_t *instrument, const frame_t *frame, int16_t samples[FM_BLOCK_SAMPLES]) {
    instrument_set_frame(instrument, frame);
    instrument_decode(instrument);
    instrument_set_levels(instrument);
    instrument_play(instrument, samples);
}

void instrument_fade(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]) {
    for (int i = 0; i < DECODER_N_OUTPUTS; i++) {
        instrument->levels_q32[i] = 0;
    }
    instrument_play(instrument, samples);
}
