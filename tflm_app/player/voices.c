#include "player/voices.h"

#include "player/channels.h"

#define DB_PER_Q16 (1.0f / 65536.0f)
#define PRESSURE_SMOOTHING 2             /* per block, a quarter of the distance */
#define NOTE_OF_1_HZ SHARED_NOTE_OF_1_HZ /* 69 - 12 log2(440) */

/* --- notes ------------------------------------------------------------------------------------------ */

void player_voice_bind_preset(const player_t *player, player_voice_t *voice, uint8_t preset, uint32_t seed) {
    instrument_init(&voice->instrument, player->presets[preset].instrument, seed);
    voice->table = player->presets[preset].expression;
    voice->preset = preset;
}

/* Starts the note of a voice's key. */
static void start_voice(player_t *player, player_voice_t *voice, int velocity, uint8_t phase,
                        uint8_t preset) {
    player_channel_t *const channel = &player->channels[voice->channel];
    const bool was_idle = voice->phase == VOICE_IDLE;
    const uint32_t glide_frames = player_portamento_frames(channel);
    const int note = player_sounding_note(player, voice->channel, voice->note);
    int32_t from = (glide_frames > 0 ? channel->last_note : note) << 16;
    if (was_idle) {
        if (voice->preset != preset) {
            player_voice_bind_preset(player, voice, preset, voice->instrument.seed);
        }
        expression_reset(&voice->expression, voice->expression.noise);
        voice->is_fresh = true;
    } else if (glide_frames > 0) {      /* monophonic: the note follows a released one */
        from = voice->expression.pitch; /* the current pitch of an unfinished glide */
    }
    expression_start(&voice->expression, voice->table, note, velocity, from, glide_frames);
    voice->phase = phase;
    channel->last_note = (uint8_t)note;
    if (was_idle) {
        voice->pressure_db = player_pressure_db(player, voice);
    }
}

void player_voice_begin_note(player_t *player, player_voice_t *voice, player_key_t key) {
    if (voice->channel != key.channel || voice->note != key.note) {
        voice->caught = 0;
    }
    voice->channel = key.channel;
    voice->note = key.note;
    voice->pressure = 0; /* until a message presses the key, even while its note waits */
    const uint8_t program = player->channels[key.channel].program;
    const bool follows = player->is_mono && voice->phase == VOICE_RELEASED && voice->preset == program;
    if (voice->phase == VOICE_IDLE || follows) {
        start_voice(player, voice, key.velocity, VOICE_HELD, program);
    } else {
        voice->phase = VOICE_FADING;
        voice->next_velocity = key.velocity;
        voice->next_phase = VOICE_HELD;
        voice->next_preset = program;
    }
}

void player_voice_release(player_t *player, player_voice_t *voice) {
    expression_release(&voice->expression);
    voice->phase = VOICE_RELEASED;
    voice->released = player->n_released++;
}

void player_voice_fade(player_voice_t *voice) {
    voice->caught = 0;
    if (voice->phase != VOICE_IDLE) {
        voice->phase = VOICE_FADING;
        voice->next_phase = VOICE_IDLE;
    }
}

void player_fade_all(player_t *player) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_fade(&player->voices[i]);
    }
    player->n_keys = 0;
}

/* --- blocks ----------------------------------------------------------------------------------------- */

void player_start_live_voice(player_t *player) {
    player_voice_t *const voice = &player->voices[0];
    if (player->is_live && voice->phase == VOICE_IDLE) {
        if (voice->preset != player->program) {
            player_voice_bind_preset(player, voice, player->program, voice->instrument.seed);
        }
        voice->phase = VOICE_LIVE;
        voice->is_fresh = true;
    }
    if (voice->phase == VOICE_LIVE) {
        voice->channel = player->latest_channel;
    }
}

void player_rest_voices(player_t *player) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (voice->phase != VOICE_IDLE) {
            continue;
        }
        voice->event = VOICE_SILENT;
        if (voice->preset != player->program) {
            /* Binding the voice while it is idle saves that time when a note starts. */
            player_voice_bind_preset(player, voice, player->program, voice->instrument.seed);
        }
    }
}

void player_start_waiting_notes(player_t *player) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (voice->next_phase != VOICE_IDLE && voice->phase == VOICE_IDLE) {
            start_voice(player, voice, voice->next_velocity, voice->next_phase, voice->next_preset);
            voice->next_phase = VOICE_IDLE;
        }
    }
}

/* Ends the sound of a voice. Returns whether there was a sound to fade. */
static bool fade_voice(player_voice_t *voice, int16_t samples[FM_BLOCK_SAMPLES]) {
    const bool sounds = !voice->is_fresh;
    if (sounds) {
        instrument_fade(&voice->instrument, samples);
        instrument_reset(&voice->instrument);
    }
    voice->event = sounds ? VOICE_FADED : VOICE_SILENT;
    voice->phase = VOICE_IDLE;
    return sounds;
}

/* Returns the next frame of a voice that is held, dies away or is live. */
static frame_t next_frame(const player_t *player, player_voice_t *voice) {
    expression_controls_t controls = player->channels[voice->channel].controls;
    frame_t frame;
    if (voice->phase == VOICE_LIVE) {
        frame = player->live_frame;
        frame.loudness_db += (float)controls.gain_db * DB_PER_Q16;
        return frame;
    }
    voice->pressure_db += (player_pressure_db(player, voice) - voice->pressure_db) >> PRESSURE_SMOOTHING;
    controls.gain_db += voice->pressure_db;
    if (!expression_step(&voice->expression, voice->table, &controls, &frame)) {
        voice->phase = VOICE_FADING;
    }
    return frame;
}

void player_voice_set_frame(const player_t *player, player_voice_t *voice) {
    voice->played = voice->preset;
    if (voice->phase == VOICE_LIVE && voice->preset != player->program) {
        voice->phase = VOICE_FADING;
    }
    voice->has_frame = voice->phase != VOICE_FADING;
    if (!voice->has_frame) {
        return;
    }
    const bool is_live = voice->phase == VOICE_LIVE;
    const frame_t frame = next_frame(player, voice);
    instrument_set_frame(&voice->instrument, &frame);
    if (is_live) { /* for the console */
        voice->note = (uint8_t)(12.0f * voice->instrument.log2_f0 + (NOTE_OF_1_HZ + 0.5f));
    }
}

bool player_voice_render(player_voice_t *voice, int16_t samples[FM_BLOCK_SAMPLES]) {
    if (!voice->has_frame) {
        return fade_voice(voice, samples);
    }
    voice->event = voice->is_fresh ? VOICE_BEGUN : VOICE_PLAYED;
    voice->is_fresh = false;
    instrument_render_decoded(&voice->instrument, samples);
    return true;
}
