/* The MIDI input of the player: the bytes of one cable in, notes and controllers out.
 *
 * Besides channel messages (midi/midi_parser.h) it handles what can leave a note without its end:
 *
 *   damaged or lost bytes   a note-off may have been among them: all notes end
 *   active sensing (FE)     a sender that has sent one sends a byte at least every 300 ms; if none comes, its
 *                           cable was unplugged: all notes end, and the input waits for the next FE
 *   system reset (FF)       player_reset
 *
 * Notes that end here die away like released ones; the sustain pedal is lifted.
 *
 * Source: MIDI 1.0 Detailed Specification, "Active Sensing" and "System Reset". State: 5 bytes. Cost: 15
 * instructions per byte besides those of parser and player, and 5 per block.
 */
#ifndef MIDI_INPUT_H
#define MIDI_INPUT_H

#include "midi/midi_parser.h"
#include "player/player.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MIDI_INPUT_SENSING_BLOCKS 84 /* 330 ms, a tenth more than 300, and the block of the last byte */

/* Caller-owned state. All zero is the initial state. */
typedef struct {
    midi_parser_t parser;
    bool is_sensing;  /* the sender has sent active sensing */
    uint8_t n_silent; /* blocks without a byte, while is_sensing; at most MIDI_INPUT_SENSING_BLOCKS */
} midi_input_t;

/* Handles a byte, any of 256, or MIDI_DAMAGED in place of bytes that were damaged or lost; its effect starts
 * with the next block. */
void midi_input_receive(midi_input_t *input, player_t *player, uint8_t byte);

/* Measures the silence on the cable; call it once before each block, after the bytes that have arrived. */
void midi_input_step(midi_input_t *input, player_t *player);

#ifdef __cplusplus
}
#endif

#endif
