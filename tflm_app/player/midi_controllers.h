/* MIDI controllers, RPN 0, 1, 2 and 6, and channel modes; internal to player/. */
#ifndef PLAYER_MIDI_CONTROLLERS_H
#define PLAYER_MIDI_CONTROLLERS_H

#include "player/player.h"

/* Handles a control change on a channel, 0 to 15: its number and value, 0 to 127 each. Unknown controllers
 * are ignored. */
void player_change_control(player_t *player, uint8_t channel, uint8_t control, uint8_t value);

/* Whether a zone adds what a controller sets to that of its members: loudness, and tuning if the channel has
 * chosen it. */
bool player_is_added_control(const player_channel_t *channel, uint8_t control);

#endif
