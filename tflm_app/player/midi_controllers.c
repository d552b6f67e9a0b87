#include "player/midi_controllers.h"

#include "player/keys.h"
#include "player/pitch.h"
#include "player/voices.h"

#define RPN_BEND_RANGE 0u
#define RPN_NONE 0x3FFFu
#define BEND_CENTRE 8192u
#define MAX_BEND_SEMITONES 24
#define VOLUME_100_DB_Q8 1063 /* 40 log10(127 / 100): the corpus was rendered at volume 100 */
#define FULL_VIBRATO PITCH_Q16(0.5)
#define CONTROL_SMOOTHING 2 /* per block, the gain moves by a quarter of the distance, the bend by half */

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

void player_reset_controllers(player_t *player) {
    player_set_pedal(player, false);
    player->controls.vibrato_depth = EXPRESSION_USUAL_VIBRATO;
    player->breath = 127;
    player->expression = 127;
    player->bend = BEND_CENTRE;
    player->has_portamento = false;
    player->parameter = RPN_NONE;
}

static void enter_data(player_t *player, uint8_t *coarse_or_fine, uint8_t value, uint8_t highest) {
    if (player->parameter == RPN_BEND_RANGE) {
        *coarse_or_fine = value < highest ? value : highest;
    }
}

void player_change_control(player_t *player, uint8_t control, uint8_t value) {
    switch (control) {
        case CC_MODULATION:
            player->controls.vibrato_depth = value * FULL_VIBRATO / 127;
            break;
        case CC_BREATH:
            player->breath = value;
            break;
        case CC_PORTAMENTO_TIME:
            player->portamento_time = value;
            break;
        case CC_DATA_ENTRY:
            enter_data(player, &player->bend_semitones, value, MAX_BEND_SEMITONES);
            break;
        case CC_VOLUME:
            player->volume = value;
            break;
        case CC_EXPRESSION:
            player->expression = value;
            break;
        case CC_DATA_ENTRY_FINE:
            enter_data(player, &player->bend_cents, value, 99);
            break;
        case CC_SUSTAIN:
            player_set_pedal(player, value >= 64);
            break;
        case CC_PORTAMENTO:
            player->has_portamento = value >= 64;
            break;
        case CC_NRPN_FINE:
        case CC_NRPN:
            player->parameter = RPN_NONE;
            break;
        case CC_RPN_FINE:
            player->parameter = (uint16_t)((player->parameter & 0x3F80u) | value);
            break;
        case CC_RPN:
            player->parameter = (uint16_t)((player->parameter & 0x7Fu) | (unsigned)value << 7);
            break;
        case CC_ALL_SOUND_OFF:
            player_fade_all(player);
            break;
        case CC_RESET_CONTROLLERS:
            player_reset_controllers(player);
            break;
        case CC_ALL_NOTES_OFF:
        case CC_OMNI_OFF:
        case CC_OMNI_ON:
            player_release_keys(player);
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

/* --- smoothing -------------------------------------------------------------------------------------- */

static int32_t gain_goal(const player_t *player) {
    const int gain_q8 = gain_db_q8[player->breath] + gain_db_q8[player->expression] +
                        gain_db_q8[player->volume] + VOLUME_100_DB_Q8;
    return gain_q8 * 256;
}

static int32_t bend_goal(const player_t *player) {
    const int32_t range = (player->bend_semitones << 16) + player->bend_cents * (65536 / 100);
    return (((int32_t)player->bend - (int32_t)BEND_CENTRE) * (range >> 3)) >> 10;
}

void player_smooth_controls(player_t *player) {
    expression_controls_t *const controls = &player->controls;
    const int32_t gain_db = gain_goal(player), bend = bend_goal(player);
    if (player_n_sounding(player) == 0) {
        controls->gain_db = gain_db;
        controls->bend = bend;
    } else {
        controls->gain_db += (gain_db - controls->gain_db) >> CONTROL_SMOOTHING;
        controls->bend += (bend - controls->bend) >> 1;
    }
}
