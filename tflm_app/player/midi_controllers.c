#include "player/midi_controllers.h"

#include "player/channels.h"
#include "player/keys.h"
#include "player/voices.h"

#define RPN_BEND_RANGE 0u
#define MAX_BEND_SEMITONES 24

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

static void enter_data(const player_channel_t *to, uint8_t *coarse_or_fine, uint8_t value, uint8_t highest) {
    if (to->parameter == RPN_BEND_RANGE) {
        *coarse_or_fine = value < highest ? value : highest;
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
            enter_data(to, &to->bend_semitones, value, MAX_BEND_SEMITONES);
            break;
        case CC_VOLUME:
            to->volume = value;
            break;
        case CC_EXPRESSION:
            to->expression = value;
            break;
        case CC_DATA_ENTRY_FINE:
            enter_data(to, &to->bend_cents, value, 99);
            break;
        case CC_SUSTAIN:
            player_set_pedal(player, channel, value >= 64);
            break;
        case CC_PORTAMENTO:
            to->has_portamento = value >= 64;
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
            player_set_pedal(player, channel, false);
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
