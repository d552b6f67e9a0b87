#include "instrument/instrument.h"

/* Stores and quantizes a clamped frame. */
static void take_frame(instrument_t *instrument, frame_t frame) {
    instrument->frame = frame;
    instrument->log2_f0 = frame_log2(frame.f0_hz);
    frame_quantize(&instrument->preset->scaling, instrument->log2_f0, frame.loudness_db,
                   instrument->quantized);
}

void instrument_init(instrument_t *instrument, const instrument_preset_t *preset, uint32_t seed) {
    instrument->preset = preset;
    instrument->seed = seed;
    decoder_init(&instrument->decoder, preset->model);
    fm_voice_init(&instrument->voice, preset->patch);
    instrument_reset(instrument);
}

void instrument_reset(instrument_t *instrument) {
    fm_voice_reset(&instrument->voice);
    noise_reset(&instrument->noise, instrument->seed);
    take_frame(instrument, (frame_t){.f0_hz = FRAME_DEFAULT_F0_HZ, .loudness_db = FRAME_MIN_LOUDNESS_DB});
    decoder_reset(&instrument->decoder);
    for (int i = 0; i < DECODER_N_OUTPUTS; i++) {
        instrument->logits[i] = 0;
        instrument->levels_q32[i] = 0;
    }
}

void instrument_set_frame(instrument_t *instrument, const frame_t *frame) {
    take_frame(instrument, frame_clamp(*frame, instrument->frame.f0_hz));
}

void instrument_decode(instrument_t *instrument) {
    decoder_step(&instrument->decoder, instrument->quantized, instrument->logits);
}

void instrument_decode_pair(instrument_t *first, instrument_t *second) {
    decoder_t *const decoders[2] = {&first->decoder, &second->decoder};
    const int16_t *const frames[2] = {first->quantized, second->quantized};
    int16_t *const logits[2] = {first->logits, second->logits};
    decoder_step_pair(decoders, frames, logits);
}

void instrument_set_levels(instrument_t *instrument) {
    decoder_levels(instrument->preset->model, instrument->logits, instrument->levels_q32);
    if (frame_is_gated(instrument->frame.loudness_db)) {
        const int32_t gate_q10 = frame_gate_q10((int32_t)(instrument->frame.loudness_db * 256.0f));
        for (int i = 0; i < DECODER_N_OUTPUTS; i++) {
            instrument->levels_q32[i] = (instrument->levels_q32[i] >> FRAME_GATE_BITS) * gate_q10;
        }
    }
}

void instrument_play(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]) {
    fm_voice_render(&instrument->voice, instrument->frame.f0_hz, instrument->levels_q32, samples);
}

void instrument_add_noise(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]) {
    const noise_preset_t *const preset = instrument->preset->noise;
    const noise_gain_t gain =
        noise_gain(preset, instrument->log2_f0, instrument->frame.loudness_db, instrument->levels_q32);
    noise_add(&instrument->noise, preset, gain, samples);
}

void instrument_render(instrument_t *instrument, const frame_t *frame, int16_t samples[FM_BLOCK_SAMPLES]) {
    instrument_set_frame(instrument, frame);
    instrument_decode(instrument);
    instrument_render_decoded(instrument, samples);
}

void instrument_render_decoded(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]) {
    instrument_set_levels(instrument);
    instrument_play(instrument, samples);
    instrument_add_noise(instrument, samples);
}

void instrument_fade(instrument_t *instrument, int16_t samples[FM_BLOCK_SAMPLES]) {
    for (int i = 0; i < DECODER_N_OUTPUTS; i++) {
        instrument->levels_q32[i] = 0;
    }
    instrument_play(instrument, samples);
    noise_add(&instrument->noise, instrument->preset->noise, NOISE_SILENCE, samples);
}
