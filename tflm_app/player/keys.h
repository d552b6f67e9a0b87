/* Keys and their pedals: which notes are held, and which voice plays them; internal to player/.
 *
 * A monophonic player remembers up to PLAYER_N_KEYS held keys and plays the latest; when that is released,
 * the previous one sounds again. A polyphonic player gives each key its own voice. Keys and pedals of one
 * channel, 0 to 15, are independent of those of others, except that those of channel 0 also act on the
 * members of its MPE zone.
 */
#ifndef PLAYER_KEYS_H
#define PLAYER_KEYS_H

#include "player/player.h"

/* Presses or releases a key. note: 0 to 127; velocity: 1 to 127. Key presses are ignored in live
 * mode. */
void player_key_down(player_t *player, uint8_t channel, uint8_t note, uint8_t velocity);
void player_key_up(player_t *player, uint8_t channel, uint8_t note);

/* Makes the keys that have gone up act, on a monophonic player: before any other message, and before each
 * block. Those that go up one after another act as one, so that the voice does not move from key to key. */
void player_settle_keys(player_t *player);

/* Moves the sustain pedal, which holds the notes whose keys go up while it is down, or the sostenuto pedal,
 * which holds those that sounded when it was pressed. Lifting a pedal ends the notes that it alone held. */
void player_set_pedal(player_t *player, uint8_t channel, bool is_down);
void player_set_sostenuto(player_t *player, uint8_t channel, bool is_down);

/* Lifts both pedals of a channel at once: a monophonic player does not move to a note that one of them alone
 * holds. */
void player_lift_pedals(player_t *player, uint8_t channel);

/* Sets the pressure on a key, 0 to 127, if its note sounds. */
void player_press_key(player_t *player, uint8_t channel, uint8_t note, uint8_t pressure);

/* Releases all keys of a channel at once; pedals still hold their notes. */
void player_release_keys(player_t *player, uint8_t channel);

/* Fades the voices of a channel out within a block, drops its notes that wait, and forgets its held keys; in
 * live mode, the voice that follows the input fades, too. */
void player_fade_channel(player_t *player, uint8_t channel);

#endif
