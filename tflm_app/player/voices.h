/* The life of a voice, from the start of a note to silence; internal to player/.
 *
 * idle -> held -> released -> fading -> idle, by way of `pedal` where the sustain pedal holds the note. A
 * live voice follows measured frames until it fades.
 */
#ifndef PLAYER_VOICES_H
#define PLAYER_VOICES_H

#include "player/player.h"

/* Binds an idle voice to an instrument of the player. This takes about as long as rendering one of its
 * blocks.
 */
void player_voice_bind_preset(const player_t *player, player_voice_t *voice, uint8_t preset, uint32_t seed);

/* Starts a note on a voice in any phase. A voice that sounds fades out first, except that a monophonic one
 * whose note was released, of the same instrument, rises out of that note's release. */
void player_voice_begin_note(player_t *player, player_voice_t *voice, player_key_t key);

/* Releases the note of a held voice, which then dies away. */
void player_voice_release(player_t *player, player_voice_t *voice);

/* Sets the frame of the next block of a voice that is not idle, if it does not fade, and `has_frame`. This
 * function and the next one write the voice alone, so that cores can work on different voices at the same
 * time. */
void player_voice_set_frame(const player_t *player, player_voice_t *voice);

/* Renders the next block of a voice after its frame, if it has one, was decoded; returns false and leaves
 * `samples` unchanged if the voice is silent. */
bool player_voice_render(player_voice_t *voice, int16_t samples[FM_BLOCK_SAMPLES]);

/* Prepares the idle voices for notes of the current instrument; they are silent in the next block. */
void player_rest_voices(player_t *player);

/* Starts the notes that waited for voices that have faded. */
void player_start_waiting_notes(player_t *player);

/* Fades a voice out within a block, drops its note that waits, and frees it from the sostenuto pedal. */
void player_voice_fade(player_voice_t *voice);

/* Fades every voice out within a block, drops notes that wait, and forgets all held keys. */
void player_fade_all(player_t *player);

/* Makes the first voice follow the measured frames once it is silent, if the player is live. */
void player_start_live_voice(player_t *player);

#endif
