/* The player of the self-test: some boards have no memory for two. Each check that plays starts it anew. */
#ifndef SELFTEST_PLAYER_H
#define SELFTEST_PLAYER_H

#include "player/midi_input.h"

extern player_t selftest_player;

#endif
