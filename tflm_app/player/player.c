#include "player/player.h"

#include <string.h>

#include "player/channels.h"
#include "player/keys.h"
#include "player/midi_controllers.h"
#include "player/second_core.h"
#include "player/voices.h"

void player_init(player_t *player) { player_init_presets(player, player_presets, instrument_n_presets); }

void player_init_presets(player_t *player, const player_preset_t *presets, size_t n_presets) {
    memset(player, 0, sizeof *player);
    player->presets = presets;
    player->n_presets = (uint8_t)n_presets;
    player->channel = PLAYER_ALL_CHANNELS;
    for (int i = 0; i < PLAYER_N_CHANNELS; i++) {
        player->channels[i].start_volume = PLAYER_USUAL_VOLUME;
    }
    limiter_init(&player->limiter);
    player_reset(player);
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        player_voice_bind_preset(player, voice, 0, NOISE_SEED(i));
        expression_reset(&voice->expression, SHARED_RANDOM_SEED_STEP * (uint32_t)(i + 1));
    }
}

void player_reset(player_t *player) {
    player_panic(player);
    player->is_mono = PLAYER_N_VOICES == 1 || player->start_is_mono;
    player->is_multi = player->start_is_multi;
    player_init_channels(player);
    player->program = player->channels[0].program;
}

static bool is_received(const player_t *player, uint8_t channel) {
    if (player->channel == PLAYER_ALL_CHANNELS) {
        return channel != PLAYER_DRUM_CHANNEL || player_is_member(player, channel);
    }
    return player->channel == PLAYER_EVERY_CHANNEL || player->channel == channel;
}

static void change_program(player_t *player, uint8_t channel, uint8_t program) {
    player->program = program;
    for (uint8_t i = 0; i < PLAYER_N_CHANNELS; i++) {
        if (!player->is_multi || player_acts_on(player, channel, i)) {
            player->channels[i].program = program;
        }
    }
}

static void handle(player_t *player, uint8_t channel, const midi_message_t *message) {
    const uint8_t first = message->data[0], second = message->data[1];
    if (message->kind != MIDI_NOTE_OFF && !(message->kind == MIDI_NOTE_ON && second == 0)) {
        player_settle_keys(player);
    }
    switch (message->kind) {
        case MIDI_NOTE_ON:
            if (second > 0) {
                player_key_down(player, channel, first, second);
            } else {
                player_key_up(player, channel, first);
            }
            break;
        case MIDI_NOTE_OFF:
            player_key_up(player, channel, first);
            break;
        case MIDI_CONTROL_CHANGE:
            player_change_control(player, channel, first, second);
            break;
        case MIDI_KEY_PRESSURE:
            player_press_key(player, channel, first, second);
            break;
        case MIDI_CHANNEL_PRESSURE:
            player->channels[channel].pressure = first;
            break;
        case MIDI_PROGRAM_CHANGE:
            if (first < player->n_presets) {
                change_program(player, channel, first);
            }
            break;
        case MIDI_PITCH_BEND:
            player->channels[channel].bend = (uint16_t)(first | second << 7);
            break;
        default:
            break;
    }
}

/* Whether a zone adds what a message sets to that of its members. */
static bool is_added(const player_t *player, uint8_t channel, const midi_message_t *message) {
    return message->kind == MIDI_PITCH_BEND ||
           (message->kind == MIDI_CONTROL_CHANGE &&
            player_is_added_control(&player->channels[channel], message->data[0]));
}

void player_receive(player_t *player, const midi_message_t *message) {
    if (is_received(player, message->channel)) {
        player->latest_channel = message->channel;
        handle(player, message->channel, message);
    }
}

void player_receive_everywhere(player_t *player, const midi_message_t *message) {
    for (uint8_t channel = 0; channel < PLAYER_N_CHANNELS; channel++) {
        if (!(player_is_member(player, channel) && is_added(player, channel, message))) {
            handle(player, channel, message);
        }
    }
}

void player_set_program(player_t *player, uint8_t program) {
    player->program = program;
    for (int i = 0; i < PLAYER_N_CHANNELS; i++) {
        player->channels[i].program = program;
    }
}

void player_panic(player_t *player) {
    for (int i = 0; i < PLAYER_N_CHANNELS; i++) {
        player->channels[i].is_pedal_down = false;
        player->channels[i].is_sostenuto_down = false;
    }
    player_fade_all(player);
}

uint8_t player_volume(const player_t *player) {
    return player_manager(player, player->latest_channel)->volume;
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

/* --- blocks ----------------------------------------------------------------------------------------- */

/* A part of the voices of a block. One core renders it; it reads the rest of the player, but
 * writes only its own voices. */
typedef struct {
    player_t *player;
    const uint16_t *voices; /* their numbers */
    int n_voices;
    int32_t *mix; /* their sum, zeros before */
} share_t;

/* Decodes the frames of the voices that have one, in pairs of the same instrument. */
static void decode_frames(const share_t *share) {
    instrument_t *alone = NULL;
    for (int i = 0; i < share->n_voices; i++) {
        player_voice_t *const voice = &share->player->voices[share->voices[i]];
        instrument_t *const instrument = &voice->instrument;
        if (!voice->has_frame) {
            continue;
        }
        if (alone != NULL && alone->preset == instrument->preset) {
            instrument_decode_pair(alone, instrument);
            alone = NULL;
        } else {
            if (alone != NULL) {
                instrument_decode(alone);
            }
            alone = instrument;
        }
    }
    if (alone != NULL) {
        instrument_decode(alone);
    }
}

static void render_share(void *argument) {
    const share_t *const share = argument;
    int16_t voice_samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
    int32_t *const mix = share->mix;
    for (int i = 0; i < share->n_voices; i++) {
        player_voice_set_frame(share->player, &share->player->voices[share->voices[i]]);
    }
    decode_frames(share);
    for (int i = 0; i < share->n_voices; i++) {
        player_voice_t *const voice = &share->player->voices[share->voices[i]];
        if (player_voice_render(voice, voice_samples)) {
            for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
                mix[n] += voice_samples[n];
            }
        }
    }
}

/* Lists the voices that sound, those of the same instrument together, so that their frames can be decoded in
 * pairs; returns their number. */
static int list_voices(const player_t *player, uint16_t voices[PLAYER_N_VOICES]) {
    const uint32_t n_presets = player->n_presets;
    int n = 0;
    for (uint32_t preset = 0; preset < n_presets; preset++) {
        for (int i = 0; i < PLAYER_N_VOICES; i++) {
            const player_voice_t *const voice = &player->voices[i];
            if (voice->phase != VOICE_IDLE && voice->preset == preset) {
                voices[n++] = (uint16_t)i;
            }
        }
    }
    return n;
}

void player_render(player_t *player, int16_t samples[FM_BLOCK_SAMPLES]) {
    uint16_t voices[PLAYER_N_VOICES];
    int32_t mix[FM_BLOCK_SAMPLES] = {0};
    player_settle_keys(player);
    player_start_live_voice(player);
    player_smooth_controls(player);
    player_rest_voices(player);
    const int n_voices = list_voices(player, voices);
#if PLAYER_N_CORES == 2
    int32_t second_mix[FM_BLOCK_SAMPLES] = {0};
    const int n_first = n_voices / 2; /* the first core has other work, too */
    share_t second = {player, voices + n_first, n_voices - n_first, second_mix};
    second_core_start(render_share, &second);
#else
    const int n_first = n_voices;
#endif
    share_t first = {player, voices, n_first, mix};
    render_share(&first);
#if PLAYER_N_CORES == 2
    second_core_wait();
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        mix[n] += second_mix[n];
    }
#endif
    player_start_waiting_notes(player);
    limiter_process(&player->limiter, mix, samples);
}
