/* Keys and the sustain pedal: which notes are held, and which voice plays them; internal to player/.
 *
 * A monophonic player remembers up to PLAYER_N_KEYS held keys and plays the latest; when that is released,
 * the previous one sounds again. A polyphonic player gives each key its own voice.
 */
#ifndef PLAYER_KEYS_H
#define PLAYER_KEYS_H

#include "player/player.h"

/* Presses or releases a key. note: 0 to 127; velocity: 1 to 127. Key presses are ignored in live
 * mode. */
void player_key_down(player_t *player, uint8_t note, uint8_t velocity);
void player_key_up(player_t *player, uint8_t note);

/* Moves the sustain pedal; releasing it ends the notes whose keys are up. */
void player_set_pedal(player_t *player, bool is_down);

/* Releases all keys; the pedal still holds their notes. */
void player_release_keys(player_t *player);

#endif
