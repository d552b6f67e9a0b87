/* A phrase that the firmware knows, to hear a board without a keyboard: seven seconds for the instrument that
 * is chosen, with slurs, a swell, vibrato, a bend, and three notes at once in the end. A table of messages
 * with the block before which each comes, and how far it has been played. State: 12 bytes.
 */
#ifndef DEMO_PHRASE_H
#define DEMO_PHRASE_H

#include "player/player.h"

/* Owned by the caller; all zero, it does not play. */
typedef struct {
    bool is_playing;
    uint8_t next;   /* message */
    uint32_t block; /* since the phrase began */
} demo_phrase_t;

/* Begins the phrase, also where it plays already: all sound ends first, and all controllers go back to where
 * they were at the beginning. */
void demo_phrase_start(demo_phrase_t *phrase, player_t *player);

/* Sends the player what comes before the next block; called once before every block. */
void demo_phrase_step(demo_phrase_t *phrase, player_t *player);

#endif
