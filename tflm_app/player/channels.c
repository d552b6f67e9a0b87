#include "player/channels.h"

#include <string.h>

#include "player/pitch.h"
#include "player/voices.h"

#define VOLUME_100_DB_Q8 1063 /* 40 log10(127 / 100): the corpus was rendered at volume 100 */
#define FULL_VIBRATO PITCH_Q16(0.5)
#define FULL_PRESSURE_DB DB_Q16(12)
#define BEND_SEMITONES 2
#define MEMBER_BEND_SEMITONES 48
#define CONTROL_SMOOTHING 2 /* per block, the gain moves by a quarter of the distance, the bend by half */

SHARED_ASSERT(sizeof(player_channel_t) == 32, "the state is as channels.h says");

void player_reset_channel(player_channel_t *channel) {
    channel->modulation = PLAYER_USUAL_MODULATION;
    channel->breath = 127;
    channel->expression = 127;
    channel->pressure = 0;
    channel->is_soft = false;
    channel->bend = BEND_CENTRE;
    channel->has_portamento = false;
    channel->parameter = RPN_NONE;
}

/* Resets all but the tuning and the volume. */
static void renew_channel(player_channel_t *channel, uint8_t bend_semitones) {
    player_reset_channel(channel);
    channel->is_pedal_down = false;
    channel->is_sostenuto_down = false;
    channel->bend_semitones = bend_semitones;
    channel->bend_cents = 0;
    channel->portamento_time = 0;
    channel->last_note = PLAYER_NO_NOTE;
}

static void init_channel(player_channel_t *channel, uint8_t bend_semitones, uint8_t volume) {
    renew_channel(channel, bend_semitones);
    channel->volume = volume;
    channel->fine_tuning = BEND_CENTRE;
    channel->coarse_tuning = COARSE_CENTRE;
}

void player_init_channels(player_t *player) {
    memset(player->n_members, 0, sizeof player->n_members);
    for (int i = 0; i < PLAYER_N_CHANNELS; i++) {
        player_channel_t *const channel = &player->channels[i];
        init_channel(channel, BEND_SEMITONES, channel->start_volume);
        channel->program = channel->start_program;
    }
}

void player_set_zone(player_t *player, uint8_t manager, uint8_t n_members) {
    const int zone = manager == UPPER_MANAGER;
    const int n_left = PLAYER_N_CHANNELS - 2 - n_members; /* for members of the other zone */
    uint8_t before[PLAYER_N_CHANNELS], volumes[PLAYER_N_CHANNELS];
    for (uint8_t i = 0; i < PLAYER_N_CHANNELS; i++) {
        before[i] = player_manager_number(player, i);
        volumes[i] = player->channels[before[i]].volume;
    }
    player_fade_all(player);
    player->n_members[zone] = n_members;
    if (n_members > 0 && player->n_members[1 - zone] > n_left) {
        player->n_members[1 - zone] = (uint8_t)(n_left > 0 ? n_left : 0);
    }
    for (uint8_t i = 0; i < PLAYER_N_CHANNELS; i++) {
        player_channel_t *const channel = &player->channels[i];
        const uint8_t now = player_manager_number(player, i);
        if (now != i && (now != before[i] || now == manager)) {
            init_channel(channel, MEMBER_BEND_SEMITONES, PLAYER_USUAL_VOLUME);
            if (now != before[i]) {
                channel->program = player->channels[now].program;
            }
        } else if (now != before[i]) {
            init_channel(channel, BEND_SEMITONES, volumes[i]);
        } else if (i == manager) {
            renew_channel(channel, BEND_SEMITONES);
        }
    }
}

int player_sounding_note(const player_t *player, uint8_t channel, uint8_t key) {
    int note = key + player->transpose + player->channels[channel].coarse_tuning - COARSE_CENTRE;
    if (player_is_member(player, channel)) {
        note += player_manager(player, channel)->coarse_tuning - COARSE_CENTRE;
    }
    return note < 0 ? 0 : note > 127 ? 127 : note;
}

int32_t player_pressure_db(const player_t *player, const player_voice_t *voice) {
    const uint8_t of_channel = player->channels[voice->channel].pressure;
    const uint8_t of_zone = player_manager(player, voice->channel)->pressure;
    uint8_t greatest = of_channel > of_zone ? of_channel : of_zone;
    greatest = greatest > voice->pressure ? greatest : voice->pressure;
    return greatest * FULL_PRESSURE_DB / 127;
}

/* Returns the controls that the messages of a channel ask for. */
static expression_controls_t own_controls(const player_channel_t *channel) {
    const int gain_q8 = gain_db_q8[channel->breath] + gain_db_q8[channel->expression] +
                        gain_db_q8[channel->volume] + VOLUME_100_DB_Q8;
    const int32_t range = (channel->bend_semitones << 16) + channel->bend_cents * (65536 / 100);
    const int32_t bend =
        (int32_t)(((int64_t)((int32_t)channel->bend - (int32_t)BEND_CENTRE) * (range >> 3)) >> 10);
    const int32_t tuning = ((int32_t)channel->fine_tuning - (int32_t)BEND_CENTRE) * (65536 / 8192);
    return (expression_controls_t){
        .bend = bend + tuning,
        .gain_db = gain_q8 * 256,
        .vibrato_depth = channel->modulation == PLAYER_USUAL_MODULATION
                             ? EXPRESSION_USUAL_VIBRATO
                             : channel->modulation * FULL_VIBRATO / 127,
    };
}

static expression_controls_t controls_goal(const player_t *player, uint8_t channel) {
    expression_controls_t goal = own_controls(&player->channels[channel]);
    goal.bend += player->tuning_cents * 65536 / 100;
    if (player_is_member(player, channel)) {
        const expression_controls_t manager = own_controls(player_manager(player, channel));
        goal.bend += manager.bend;
        goal.gain_db += manager.gain_db;
        if (goal.vibrato_depth == EXPRESSION_USUAL_VIBRATO) {
            goal.vibrato_depth = manager.vibrato_depth;
        }
    }
    return goal;
}

void player_smooth_controls(player_t *player) {
    uint32_t sounding = 0;
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        const player_voice_t *const voice = &player->voices[i];
        sounding |= voice->phase != VOICE_IDLE ? 1u << voice->channel : 0u;
    }
    for (uint8_t i = 0; i < PLAYER_N_CHANNELS; i++) {
        if (!((sounding >> i) & 1u)) {
            continue;
        }
        expression_controls_t *const controls = &player->channels[i].controls;
        expression_controls_t goal = controls_goal(player, i);
        if ((player->sounding >> i) & 1u) {
            goal.gain_db = controls->gain_db + ((goal.gain_db - controls->gain_db) >> CONTROL_SMOOTHING);
            goal.bend = controls->bend + ((goal.bend - controls->bend) >> 1);
        }
        *controls = goal;
    }
    player->sounding = sounding;
}
