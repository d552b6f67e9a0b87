/* MIDI controllers, pitch bend, RPN 0, program change and channel modes; internal to player/. */
#ifndef PLAYER_MIDI_CONTROLLERS_H
#define PLAYER_MIDI_CONTROLLERS_H

#include "player/player.h"

/* Resets all controllers but volume and bend range to their defaults (CC 121). */
void player_reset_controllers(player_t *player);

/* Handles a control change: its number and value, 0 to 127 each. Unknown controllers are ignored. */
void player_change_control(player_t *player, uint8_t control, uint8_t value);

/* Moves the smoothed controls one block closer to the controllers. Controllers change in steps, which would
 * be audible; while nothing sounds, the controls jump instead. */
void player_smooth_controls(player_t *player);

#endif
