/* The MIDI channels: what their messages have set, and what follows from it for the voices; internal to
 * player/.
 */
#ifndef PLAYER_CHANNELS_H
#define PLAYER_CHANNELS_H

#include "player/player.h"

#define BEND_CENTRE 8192u
#define RPN_NONE 0x3FFFu

/* Restores the settings of player_init on all channels. */
void player_init_channels(player_t *player);

/* Resets all controllers of a channel but volume and bend range to their defaults (CC 121), except its pedal.
 */
void player_reset_channel(player_channel_t *channel);

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
