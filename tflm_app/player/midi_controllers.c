#include "player/midi_controllers.h"

#include "player/channels.h"
#include "player/keys.h"
#include "player/voices.h"

#define MAX_BEND_SEMITONES 48

enum { /* registered parameters */
       RPN_BEND_RANGE = 0,
       RPN_FINE_TUNING = 1,
       RPN_COARSE_TUNING = 2,
       RPN_MPE = 6,
};

enum { /* controllers */
       CC_MODULATION = 1,
       CC_BREATH = 2,
       CC_PORTAMENTO_TIME = 5,
       CC_DATA_ENTRY = 6,
       CC_VOLUME = 7,
       CC_EXPRESSION = 11,
       CC_DATA_ENTRY_FINE = 38,
       CC_SUSTAIN = 64,
       CC_PORTAMENTO = 65,
       CC_SOSTENUTO = 66,
       CC_SOFT = 67,
       CC_DATA_INCREMENT = 96,
       CC_DATA_DECREMENT = 97,
       CC_NRPN_FINE = 98,
       CC_NRPN = 99,
       CC_RPN_FINE = 100,
       CC_RPN = 101,
       CC_ALL_SOUND_OFF = 120,
       CC_RESET_CONTROLLERS = 121,
       CC_ALL_NOTES_OFF = 123,
       CC_OMNI_OFF = 124,
       CC_OMNI_ON = 125,
       CC_MONO = 126,
       CC_POLY = 127,
};

/* Gives all members of a zone the bend range of one of them. */
static void share_bend_range(player_t *player, uint8_t channel) {
    const player_channel_t from = player->channels[channel];
    const uint8_t manager = player_manager_number(player, channel);
    for (uint8_t i = 0; i < PLAYER_N_CHANNELS && channel != manager; i++) {
        if (i != manager && player_manager_number(player, i) == manager) {
            player->channels[i].bend_semitones = from.bend_semitones;
            player->channels[i].bend_cents = from.bend_cents;
        }
    }
}

/* Enters the coarse or fine part of the chosen parameter. */
static void enter_data(player_t *player, uint8_t channel, uint8_t value, bool is_fine) {
    player_channel_t *const to = &player->channels[channel];
    switch (to->parameter) {
        case RPN_BEND_RANGE:
            if (is_fine) {
                to->bend_cents = value < 99 ? value : 99;
            } else {
                to->bend_semitones = value < MAX_BEND_SEMITONES ? value : MAX_BEND_SEMITONES;
            }
            share_bend_range(player, channel);
            break;
        case RPN_FINE_TUNING:
            to->fine_tuning = (uint16_t)(is_fine ? (to->fine_tuning & 0x3F80u) | value
                                                 : (to->fine_tuning & 0x7Fu) | (unsigned)value << 7);
            break;
        case RPN_COARSE_TUNING:
            to->coarse_tuning = is_fine ? to->coarse_tuning : value;
            break;
        case RPN_MPE:
            if ((channel == LOWER_MANAGER || channel == UPPER_MANAGER) && !is_fine) {
                const uint8_t most = PLAYER_N_CHANNELS - 1;
                player_set_zone(player, channel, value < most ? value : most);
            }
            break;
        default:
            break;
    }
}

static int within(int value, int highest) { return value < 0 ? 0 : value > highest ? highest : value; }

/* Moves the chosen parameter by one step, as Recommended Practice RP-018 says: a cent of the bend range, the
 * finest step of the fine tuning, a semitone of the coarse one. */
static void step_data(player_t *player, uint8_t channel, int step) {
    player_channel_t *const to = &player->channels[channel];
    if (to->parameter == RPN_BEND_RANGE) {
        const int cents =
            within(100 * to->bend_semitones + to->bend_cents + step, 100 * MAX_BEND_SEMITONES + 99);
        to->bend_semitones = (uint8_t)(cents / 100);
        to->bend_cents = (uint8_t)(cents % 100);
        share_bend_range(player, channel);
    } else if (to->parameter == RPN_FINE_TUNING) {
        to->fine_tuning = (uint16_t)within(to->fine_tuning + step, 0x3FFF);
    } else if (to->parameter == RPN_COARSE_TUNING) {
        to->coarse_tuning = (uint8_t)within(to->coarse_tuning + step, 127);
    }
}

bool player_is_added_control(const player_channel_t *channel, uint8_t control) {
    switch (control) {
        case CC_BREATH:
        case CC_VOLUME:
        case CC_EXPRESSION:
            return true;
        case CC_DATA_ENTRY:
        case CC_DATA_ENTRY_FINE:
        case CC_DATA_INCREMENT:
        case CC_DATA_DECREMENT:
            return channel->parameter == RPN_FINE_TUNING || channel->parameter == RPN_COARSE_TUNING;
        default:
            return false;
    }
}

void player_change_control(player_t *player, uint8_t channel, uint8_t control, uint8_t value) {
    player_channel_t *const to = &player->channels[channel];
    switch (control) {
        case CC_MODULATION:
            to->modulation = value;
            break;
        case CC_BREATH:
            to->breath = value;
            break;
        case CC_PORTAMENTO_TIME:
            to->portamento_time = value;
            break;
        case CC_DATA_ENTRY:
            enter_data(player, channel, value, false);
            break;
        case CC_VOLUME:
            to->volume = value;
            break;
        case CC_EXPRESSION:
            to->expression = value;
            break;
        case CC_DATA_ENTRY_FINE:
            enter_data(player, channel, value, true);
            break;
        case CC_SUSTAIN:
            player_set_pedal(player, channel, value >= 64);
            break;
        case CC_PORTAMENTO:
            to->has_portamento = value >= 64;
            break;
        case CC_SOSTENUTO:
            player_set_sostenuto(player, channel, value >= 64);
            break;
        case CC_SOFT:
            to->is_soft = value >= 64;
            break;
        case CC_DATA_INCREMENT:
            step_data(player, channel, 1);
            break;
        case CC_DATA_DECREMENT:
            step_data(player, channel, -1);
            break;
        case CC_NRPN_FINE:
        case CC_NRPN:
            to->parameter = RPN_NONE;
            break;
        case CC_RPN_FINE:
            to->parameter = (uint16_t)((to->parameter & 0x3F80u) | value);
            break;
        case CC_RPN:
            to->parameter = (uint16_t)((to->parameter & 0x7Fu) | (unsigned)value << 7);
            break;
        case CC_ALL_SOUND_OFF:
            player_fade_channel(player, channel);
            break;
        case CC_RESET_CONTROLLERS:
            player_lift_pedals(player, channel);
            player_reset_channel(to);
            break;
        case CC_ALL_NOTES_OFF:
        case CC_OMNI_OFF:
        case CC_OMNI_ON:
            player_release_keys(player, channel);
            break;
        case CC_MONO:
        case CC_POLY:
            player_fade_all(player);
            player->is_mono = control == CC_MONO || PLAYER_N_VOICES == 1;
            break;
        default:
            break;
    }
}
