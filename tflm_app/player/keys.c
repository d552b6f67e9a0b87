#include "player/keys.h"

#include "player/channels.h"
#include "player/voices.h"

#define SOFT_Q8 181 /* the soft pedal takes 6 dB: 1 / sqrt(2) of the velocity */

/* --- polyphonic ------------------------------------------------------------------------------------- */

static bool has_key(const player_voice_t *voice) {
    return voice->phase == VOICE_HELD || voice->phase == VOICE_PEDAL ||
           (voice->phase == VOICE_FADING && voice->next_phase != VOICE_IDLE);
}

static bool plays_key(const player_voice_t *voice, uint8_t channel, uint8_t note) {
    return voice->channel == channel && voice->note == note;
}

/* Whether a pedal holds a note whose key is up. */
static bool pedal_holds(const player_t *player, uint8_t channel, uint8_t caught) {
    return caught != 0 || player->channels[channel].is_pedal_down ||
           player_manager(player, channel)->is_pedal_down;
}

/* Ranks voices for a new note: the one with the largest value takes it. */
static int64_t availability(const player_t *player, const player_voice_t *voice) {
    switch (voice->phase) {
        case VOICE_IDLE:
            return INT64_MAX;
        case VOICE_FADING:
            return voice->next_phase == VOICE_IDLE ? INT64_MAX - 1 : INT64_MIN;
        case VOICE_RELEASED:
            return ((int64_t)1 << 40) + (player->n_released - voice->released);
        default: /* a note that has not begun to sound has no level yet */
            return voice->is_fresh ? INT64_MIN : -(int64_t)voice->expression.level_db;
    }
}

static void key_down_poly(player_t *player, player_key_t key) {
    player_voice_t *best = &player->voices[0];
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (voice->phase != VOICE_IDLE && plays_key(voice, key.channel, key.note)) {
            best = voice; /* a repeated note uses the same voice */
            break;
        }
        if (availability(player, voice) > availability(player, best)) {
            best = voice;
        }
    }
    player->n_stolen += has_key(best) && !plays_key(best, key.channel, key.note) ? 1u : 0u;
    player_voice_begin_note(player, best, key);
}

/* Leaves the note of a voice to the pedals, whether it sounds or waits. */
static void lift_key(player_voice_t *voice) {
    if (voice->phase == VOICE_FADING && voice->next_phase == VOICE_HELD) {
        voice->next_phase = VOICE_PEDAL;
    } else if (voice->phase == VOICE_HELD) {
        voice->phase = VOICE_PEDAL;
    }
}

static void end_unheld_poly(player_t *player) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (pedal_holds(player, voice->channel, voice->caught)) {
            continue;
        }
        if (voice->phase == VOICE_PEDAL) {
            player_voice_release(player, voice);
        } else if (voice->phase == VOICE_FADING && voice->next_phase == VOICE_PEDAL) {
            voice->next_phase = VOICE_IDLE;
        }
    }
}

/* --- monophonic ------------------------------------------------------------------------------------- */

static void remove_key(player_t *player, int index) {
    for (int i = index; i + 1 < player->n_keys; i++) {
        player->keys[i] = player->keys[i + 1];
    }
    player->n_keys--;
}

static int find_key(const player_t *player, uint8_t channel, uint8_t note) {
    for (int i = 0; i < player->n_keys; i++) {
        if (player->keys[i].channel == channel && player->keys[i].note == note) {
            return i;
        }
    }
    return -1;
}

/* Whether a note ended since the last block, so that another one in its place leaves no gap: its release has
 * not begun to sound. */
static bool has_just_ended(const player_voice_t *voice) {
    return voice->phase == VOICE_RELEASED && voice->expression.tail_frames == 0;
}

/* Moves the voice to the latest held key, or ends the note if there is none. The move is a slur if the
 * instrument can slur and the voice sounds: the order of note off and note on within a block makes no
 * difference. A key that is struck again is no slur. */
static void play_latest_key(player_t *player, bool was_held) {
    player_voice_t *const voice = &player->voices[0];
    if (player->n_keys == 0) {
        if (voice->phase == VOICE_HELD) {
            player_voice_release(player, voice);
        } else if (voice->phase == VOICE_FADING) {
            voice->next_phase = VOICE_IDLE;
        }
        return;
    }
    const player_key_t key = player->keys[player->n_keys - 1];
    const bool is_joined =
        (was_held && voice->phase == VOICE_HELD) || (has_just_ended(voice) && key.note != voice->note);
    if (is_joined && voice->preset == player->channels[key.channel].program &&
        voice->table->slur_frames > 0) {
        player_channel_t *const channel = &player->channels[key.channel];
        const uint32_t portamento = player_portamento_frames(channel);
        const uint32_t glide = portamento > 0 ? portamento : voice->table->slur_frames;
        const int note = player_sounding_note(player, key.channel, key.note);
        expression_slur(&voice->expression, note, key.velocity, glide);
        voice->channel = key.channel;
        voice->note = key.note;
        voice->pressure = 0;
        voice->phase = VOICE_HELD;
        channel->last_note = (uint8_t)note;
    } else {
        player_voice_begin_note(player, voice, key);
    }
}

static void key_down_mono(player_t *player, player_key_t key) {
    const bool was_held = player->n_keys > 0;
    const int found = find_key(player, key.channel, key.note);
    if (found >= 0) {
        key.caught = player->keys[found].caught;
        remove_key(player, found);
    } else if (player->n_keys == PLAYER_N_KEYS) {
        remove_key(player, 0);
    }
    player->keys[player->n_keys++] = key;
    play_latest_key(player, was_held);
}

static void end_unheld_mono(player_t *player) {
    const player_key_t latest = player->n_keys > 0 ? player->keys[player->n_keys - 1] : (player_key_t){0};
    const uint8_t n_before = player->n_keys;
    for (int i = player->n_keys - 1; i >= 0; i--) {
        const player_key_t key = player->keys[i];
        if (key.is_up && !pedal_holds(player, key.channel, key.caught)) {
            remove_key(player, i);
        }
    }
    if (player->n_keys < n_before && find_key(player, latest.channel, latest.note) < 0) {
        play_latest_key(player, true);
    }
}

/* --- both modes ------------------------------------------------------------------------------------- */

static void end_unheld(player_t *player) { (player->is_mono ? end_unheld_mono : end_unheld_poly)(player); }

/* Returns the velocity that a key strikes with, 1 to 127. */
static uint8_t shape_velocity(const player_t *player, uint8_t channel, uint8_t velocity) {
    int shaped = velocity;
    if (player->velocity_curve == VELOCITY_SOFT) {
        shaped = 127 - (127 - velocity) * (127 - velocity) / 127;
    } else if (player->velocity_curve == VELOCITY_HARD) {
        shaped = (velocity * velocity + 126) / 127;
    } else if (player->velocity_curve == VELOCITY_FIXED) {
        shaped = 100;
    }
    if (player->channels[channel].is_soft || player_manager(player, channel)->is_soft) {
        shaped = (shaped * SOFT_Q8 >> 8) | 1; /* never 0 */
    }
    return (uint8_t)shaped;
}

void player_key_down(player_t *player, uint8_t channel, uint8_t note, uint8_t velocity) {
    if (player->is_live) {
        return;
    }
    velocity = shape_velocity(player, channel, velocity);
    const player_key_t key = {.note = note, .velocity = velocity, .channel = channel & 15u};
    (player->is_mono ? key_down_mono : key_down_poly)(player, key);
}

void player_key_up(player_t *player, uint8_t channel, uint8_t note) {
    const int found = find_key(player, channel, note);
    if (found >= 0) {
        player->keys[found].is_up = true;
    }
    if (player->is_mono) {
        player->has_key_up |= found >= 0;
        return;
    }
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        if (plays_key(&player->voices[i], channel, note)) {
            lift_key(&player->voices[i]);
        }
    }
    end_unheld_poly(player);
}

void player_settle_keys(player_t *player) {
    if (player->has_key_up) {
        player->has_key_up = false;
        end_unheld(player);
    }
}

void player_set_pedal(player_t *player, uint8_t channel, bool is_down) {
    player->channels[channel].is_pedal_down = is_down;
    end_unheld(player);
}

/* Returns the bits of `caught` that the sostenuto pedal of channel `from` sets in notes of a channel. */
static unsigned caught_by(const player_t *player, uint8_t from, uint8_t channel) {
    enum { CHANNEL = 1, ZONE = 2 };
    if (from == PLAYER_EVERY_CHANNEL) {
        return CHANNEL | ZONE;
    }
    return channel == from ? CHANNEL : player_acts_on(player, from, channel) ? ZONE : 0;
}

/* Catches the notes that a sostenuto pedal acts on, or lets them go. */
static void catch_notes(player_t *player, uint8_t from, bool is_down) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        const unsigned bits = caught_by(player, from, voice->channel);
        const bool is_caught = is_down && has_key(voice);
        voice->caught = (uint8_t)((voice->caught & ~bits) | (is_caught ? bits : 0u));
    }
    for (int i = 0; i < player->n_keys; i++) {
        player_key_t *const key = &player->keys[i];
        const unsigned bits = caught_by(player, from, key->channel);
        key->caught = (is_down ? key->caught | bits : key->caught & ~bits) & 3u;
    }
}

void player_set_sostenuto(player_t *player, uint8_t channel, bool is_down) {
    if (is_down != player->channels[channel].is_sostenuto_down) { /* a second press catches no more notes */
        player->channels[channel].is_sostenuto_down = is_down;
        catch_notes(player, channel, is_down);
        end_unheld(player);
    }
}

void player_lift_pedals(player_t *player, uint8_t channel) {
    for (uint8_t i = 0; i < PLAYER_N_CHANNELS; i++) {
        if (i == channel || channel == PLAYER_EVERY_CHANNEL) {
            player->channels[i].is_pedal_down = false;
            player->channels[i].is_sostenuto_down = false;
        }
    }
    catch_notes(player, channel, false);
    end_unheld(player);
}

void player_press_key(player_t *player, uint8_t channel, uint8_t note, uint8_t pressure) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (voice->phase != VOICE_IDLE && plays_key(voice, channel, note)) {
            voice->pressure = pressure;
        }
    }
}

/* Leaves the notes of a channel, or of PLAYER_EVERY_CHANNEL, to the pedals. */
static void lift_keys(player_t *player, uint8_t channel) {
    for (int i = 0; i < player->n_keys; i++) {
        player_key_t *const key = &player->keys[i];
        key->is_up |= player_acts_on(player, channel, key->channel);
    }
    for (int i = 0; i < PLAYER_N_VOICES && !player->is_mono; i++) {
        if (player_acts_on(player, channel, player->voices[i].channel)) {
            lift_key(&player->voices[i]);
        }
    }
}

void player_release_keys(player_t *player, uint8_t channel) {
    lift_keys(player, channel);
    end_unheld(player);
}

void player_release_all(player_t *player) {
    lift_keys(player, PLAYER_EVERY_CHANNEL);
    player_lift_pedals(player, PLAYER_EVERY_CHANNEL);
}

void player_fade_channel(player_t *player, uint8_t channel) {
    for (int i = player->n_keys - 1; i >= 0; i--) {
        if (player_acts_on(player, channel, player->keys[i].channel)) {
            remove_key(player, i);
        }
    }
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (player_acts_on(player, channel, voice->channel) || voice->phase == VOICE_LIVE) {
            player_voice_fade(voice);
        }
    }
    if (player->is_mono && player->n_keys > 0 && player->voices[0].phase == VOICE_FADING) {
        play_latest_key(player, false);
    }
}
