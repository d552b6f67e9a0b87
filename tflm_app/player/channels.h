/* The MIDI channels: what their messages have set, and what follows from it for the voices; internal to
 * player/.
 *
 * State: 32 bytes per channel. Cost: part of the player's (player.h).
 */
#ifndef PLAYER_CHANNELS_H
#define PLAYER_CHANNELS_H

#include "player/player.h"

#define BEND_CENTRE 8192u
#define RPN_NONE 0x3FFFu
#define COARSE_CENTRE 64

/* Restores the settings of player_init on all channels. */
void player_init_channels(player_t *player);

/* Resets the controllers, pressure and bend of a channel, but not its volume, bend range, tuning and pedals
 * (CC 121). */
void player_reset_channel(player_channel_t *channel);

#define LOWER_MANAGER 0
#define UPPER_MANAGER 15

/* Makes the `n_members` channels beside a manager, at most 15, the members of its MPE zone, with no
 * controllers set; 0 ends it. New members begin with the program of the manager. The other zone loses the
 * members that it would share, and ends if none is left. Channels that leave a zone begin with the volume of
 * its manager, and no controllers set either. All sound fades out within a block. */
void player_set_zone(player_t *player, uint8_t manager, uint8_t n_members);

/* Returns the number of the channel whose messages apply to another one besides its own: that which manages
 * its zone, or else the channel itself. */
static inline uint8_t player_manager_number(const player_t *player, uint8_t channel) {
    if (channel > LOWER_MANAGER && channel <= player->n_members[0]) {
        return LOWER_MANAGER;
    }
    return channel + player->n_members[1] >= UPPER_MANAGER ? UPPER_MANAGER : channel;
}

static inline bool player_is_member(const player_t *player, uint8_t channel) {
    return player_manager_number(player, channel) != channel;
}

static inline const player_channel_t *player_manager(const player_t *player, uint8_t channel) {
    return &player->channels[player_manager_number(player, channel)];
}

/* Whether pedals and ends of notes on channel `from` or PLAYER_EVERY_CHANNEL apply to notes of a channel. */
static inline bool player_acts_on(const player_t *player, uint8_t from, uint8_t channel) {
    return channel == from || from == PLAYER_EVERY_CHANNEL || player_manager_number(player, channel) == from;
}

/* Returns the MIDI note that a key of a channel sounds with its coarse tuning and the transposition, 0 to
 * 127. */
int player_sounding_note(const player_t *player, uint8_t channel, uint8_t key);

/* Returns the gain by the pressure on a voice's key, its channel or its zone, whichever is greatest, in dB,
 * Q16. */
int32_t player_pressure_db(const player_t *player, const player_voice_t *voice);

/* Moves the smoothed controls of the channels that sound one block closer to their messages. Messages change
 * them in steps, which would be audible; on a channel that begins to sound, the controls jump instead. */
void player_smooth_controls(player_t *player);

/* Returns the duration of the glide to the next note of a channel in frames; 0 without portamento or without
 * a previous note. */
static inline uint32_t player_portamento_frames(const player_channel_t *channel) {
    const uint32_t time = channel->portamento_time;
    return channel->has_portamento && channel->last_note != PLAYER_NO_NOTE ? (time * time * 127) >> 12 : 0;
}

#endif
