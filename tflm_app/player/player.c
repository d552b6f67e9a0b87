#include "player/player.h"

#include <string.h>

#include "fm/fm_sine.h"
#include "player/keys.h"
#include "player/midi_controllers.h"
#include "player/voices.h"

#define GENERAL_MIDI_VOLUME 100
#define MIX_SHIFT (PLAYER_N_VOICES > 1 ? 1 : 0)

void player_init(player_t *player) {
    memset(player, 0, sizeof *player);
    player->channel = PLAYER_ALL_CHANNELS;
    player->is_mono = PLAYER_N_VOICES == 1;
    player->volume = GENERAL_MIDI_VOLUME;
    player->bend_semitones = 2;
    player->last_pitch = -1;
    player_reset_controllers(player);
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        player_voice_bind_preset(voice, 0, NOISE_SEED(i));
        expression_reset(&voice->expression, SHARED_RANDOM_SEED_STEP * (uint32_t)(i + 1));
    }
}

void player_receive(player_t *player, const midi_message_t *message) {
    if (player->channel != PLAYER_ALL_CHANNELS && message->channel != player->channel) {
        return;
    }
    const uint8_t first = message->data[0], second = message->data[1];
    switch (message->kind) {
        case MIDI_NOTE_ON:
            if (second > 0) {
                player_key_down(player, first, second);
            } else {
                player_key_up(player, first);
            }
            break;
        case MIDI_NOTE_OFF:
            player_key_up(player, first);
            break;
        case MIDI_CONTROL_CHANGE:
            player_change_control(player, first, second);
            break;
        case MIDI_PROGRAM_CHANGE:
            if (first < instrument_n_presets) {
                player->program = first;
            }
            break;
        case MIDI_PITCH_BEND:
            player->bend = (uint16_t)(first | second << 7);
            break;
        default:
            break;
    }
}

void player_panic(player_t *player) {
    player_set_pedal(player, false);
    player_fade_all(player);
}

int player_n_sounding(const player_t *player) {
    int n = 0;
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        n += player->voices[i].phase != VOICE_IDLE;
    }
    return n;
}

void player_follow(player_t *player, const frame_t *live_frame) {
    if ((live_frame != NULL) != player->is_live) {
        player_fade_all(player);
        player->is_live = live_frame != NULL;
    }
    if (live_frame != NULL) {
        player->live_frame = *live_frame;
    }
}

/* Decodes the frames of all voices that have one, in pairs of the same instrument where there are two. */
static void decode_frames(player_t *player, const bool has_frame[PLAYER_N_VOICES]) {
    bool is_due[PLAYER_N_VOICES];
    memcpy(is_due, has_frame, sizeof is_due);
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        if (!is_due[i]) {
            continue;
        }
        player_voice_t *const voice = &player->voices[i];
        int other = i + 1;
        while (other < PLAYER_N_VOICES && !(is_due[other] && player->voices[other].preset == voice->preset)) {
            other++;
        }
        if (other < PLAYER_N_VOICES) {
            is_due[other] = false;
            instrument_decode_pair(&voice->instrument, &player->voices[other].instrument);
        } else {
            instrument_decode(&voice->instrument);
        }
    }
}

void player_render(player_t *player, int16_t samples[FM_BLOCK_SAMPLES]) {
    int16_t voice_samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
    int32_t mix[FM_BLOCK_SAMPLES] = {0};
    bool has_frame[PLAYER_N_VOICES];
    player_smooth_controls(player);
    player_start_live_voice(player);
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        has_frame[i] = player_voice_set_frame(player, &player->voices[i]);
    }
    decode_frames(player, has_frame);
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        const int32_t gain = voice->is_live ? 1 << MIX_SHIFT : 1; /* a live voice plays alone */
        if (player_voice_render(player, voice, has_frame[i], voice_samples)) {
            for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
                mix[n] += voice_samples[n] * gain;
            }
        }
    }
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        samples[n] = (int16_t)fm_saturate(mix[n] >> MIX_SHIFT);
    }
}
