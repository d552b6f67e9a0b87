/* A built-in phrase for trying out a board without a keyboard: seven seconds for the selected instrument,
 * with slurs, a swell, vibrato, a bend, and three simultaneous notes at the end.
 *
 * It is a table of MIDI messages, each with the block before which it is sent. Flash: 0.2 kB. State: 12
 * bytes. Cost: a few instructions per block.
 */
#ifndef DEMO_PHRASE_H
#define DEMO_PHRASE_H

#include "player/player.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Caller-owned state. All zero is the initial state, in which the phrase does not play. */
typedef struct {
    bool is_playing;
    uint8_t next;   /* index of the next message */
    uint32_t block; /* number of the next block of the phrase */
} demo_phrase_t;

/* Starts the phrase, or restarts it if it already plays. All sound ends first, and all controllers are
 * reset. */
void demo_phrase_start(demo_phrase_t *phrase, player_t *player);

/* Sends the messages that are due before the next block; call it once before each block. */
void demo_phrase_step(demo_phrase_t *phrase, player_t *player);

#ifdef __cplusplus
}
#endif

#endif
