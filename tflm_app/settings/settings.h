/* The settings of the player that survive power-off: MIDI channel, programs, monophonic or polyphonic, the
 * volume (CC 7) of each channel, transposition, tuning, velocity curve, live mode and the gain of its input.
 *
 * They are kept only when the player asks for it (`save` at the console), not after every change: otherwise a
 * sequence that ends with volume 0 would leave an instrument that is silent at its next start.
 *
 * Cost: at most 1.7 kB of code; no state.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "player/console.h"
#include "player/player.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Restores the settings that were saved last. Values that this firmware does not have, such as a program of a
 * build with more instruments, become the defaults; without saved settings all do. All sound fades out.
 * The program of live mode is then that of channel 1, also in multi mode. `live` is NULL if there is no sound
 * input. */
void settings_load(player_t *player, live_t *live);

/* Saves the present settings, also as those that a System Reset restores. Call it only while the output is
 * silent (boards/board_flash.h). A player with one voice keeps the choice between monophonic and polyphonic
 * that was loaded. Returns false if the flash does not keep them; the former ones are then still there, and
 * are still those that a System Reset restores. */
bool settings_save(player_t *player, const live_t *live);

/* Restores the defaults, but does not save them. All sound fades out. */
void settings_reset(player_t *player, live_t *live);

#ifdef __cplusplus
}
#endif

#endif
