#include "settings/settings.h"

#include <string.h>

#include "settings/record_log.h"

#define VERSION 1u /* of settings_t */

/* What a record holds. Only bytes, so the layout is the same on every board. */
typedef struct {
    uint8_t channel;
    uint8_t is_multi;
    uint8_t is_mono;
    uint8_t velocity_curve;
    int8_t transpose;
    int8_t tuning_cents;
    uint8_t volumes[PLAYER_N_CHANNELS];
    uint8_t programs[PLAYER_N_CHANNELS];
    uint8_t is_live;
    uint8_t is_gain_automatic;
    int8_t gain_db;
} settings_t;
SHARED_ASSERT(sizeof(settings_t) <= RECORD_DATA_BYTES, "the settings fit a record");

static const settings_t defaults = {
    .channel = PLAYER_ALL_CHANNELS,
    .volumes = {[0 ... PLAYER_N_CHANNELS - 1] = PLAYER_USUAL_VOLUME},
};

static bool is_within(int value, int limit) { return value >= -limit && value <= limit; }

/* Replaces values that this firmware does not have. */
static void correct(settings_t *settings, size_t n_presets) {
    if (settings->channel > PLAYER_ALL_CHANNELS) {
        settings->channel = defaults.channel;
    }
    if (settings->velocity_curve >= VELOCITY_N_CURVES) {
        settings->velocity_curve = defaults.velocity_curve;
    }
    if (!is_within(settings->transpose, PLAYER_MAX_TRANSPOSE)) {
        settings->transpose = defaults.transpose;
    }
    if (!is_within(settings->tuning_cents, PLAYER_MAX_TUNING_CENTS)) {
        settings->tuning_cents = defaults.tuning_cents;
    }
    for (int i = 0; i < PLAYER_N_CHANNELS; i++) {
        if (settings->volumes[i] > 127) {
            settings->volumes[i] = defaults.volumes[i];
        }
        if (settings->programs[i] >= n_presets) {
            settings->programs[i] = defaults.programs[i];
        }
    }
    if (!is_within(settings->gain_db, (int)SHARED_MAX_GAIN_DB)) {
        settings->gain_db = defaults.gain_db;
    }
}

/* Makes settings those that player_reset restores. */
static void restore_later(const settings_t *settings, player_t *player) {
    player->start_is_multi = settings->is_multi == 1;
    player->start_is_mono = settings->is_mono == 1;
    for (int i = 0; i < PLAYER_N_CHANNELS; i++) {
        player->channels[i].start_program = settings->programs[i];
        player->channels[i].start_volume = settings->volumes[i];
    }
}

static void apply(settings_t settings, player_t *player, live_t *live) {
    correct(&settings, player->n_presets);
    player->channel = settings.channel;
    player->transpose = settings.transpose;
    player->tuning_cents = settings.tuning_cents;
    player->velocity_curve = settings.velocity_curve;
    restore_later(&settings, player);
    player_reset(player);
    if (live != NULL) {
        live->is_on = settings.is_live == 1;
        live->is_automatic = settings.is_gain_automatic == 1;
        live->gain_db = settings.gain_db;
        live->is_gain_new = true;
    }
}

void settings_load(player_t *player, live_t *live) {
    uint8_t data[RECORD_DATA_BYTES];
    settings_t settings = defaults;
    if (record_log_read(VERSION, data)) {
        memcpy(&settings, data, sizeof settings);
    }
    apply(settings, player, live);
}

void settings_reset(player_t *player, live_t *live) { apply(defaults, player, live); }

bool settings_save(player_t *player, const live_t *live) {
    uint8_t data[RECORD_DATA_BYTES] = {0};
    settings_t settings = {
        .channel = player->channel,
        .is_multi = player->is_multi,
        /* A single voice leaves no choice, so the choice made with more voices is kept. */
        .is_mono = PLAYER_N_VOICES > 1 ? player->is_mono : player->start_is_mono,
        .velocity_curve = player->velocity_curve,
        .transpose = player->transpose,
        .tuning_cents = player->tuning_cents,
    };
    for (int i = 0; i < PLAYER_N_CHANNELS; i++) {
        settings.programs[i] = player->channels[i].program;
        settings.volumes[i] = player->channels[i].volume;
    }
    if (live != NULL) {
        settings.is_live = live->is_on;
        settings.is_gain_automatic = live->is_automatic;
        settings.gain_db = live->is_automatic ? 0 : (int8_t)live->gain_db;
    }
    memcpy(data, &settings, sizeof settings);
    if (!record_log_append(VERSION, data)) {
        return false;
    }
    restore_later(&settings, player);
    return true;
}
