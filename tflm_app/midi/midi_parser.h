/* MIDI parser: bytes in, channel messages out.
 *
 * A parser takes the bytes of one cable, one at a time, and reports when a channel message is complete. It
 * supports running status. Real-time bytes (F8 to FF) may occur anywhere and have no effect. SysEx and other
 * system messages are skipped and end running status. Malformed input is ignored: a message that is cut short
 * by the next status byte, and data bytes that belong to no message. After any input, the next complete
 * message with its own status byte is parsed correctly.
 *
 * player/midi_input.h connects a parser with the player.
 *
 * Source: MIDI 1.0 Detailed Specification, "Data Format". State: 3 bytes. Cost: 30 instructions per byte.
 */
#ifndef MIDI_PARSER_H
#define MIDI_PARSER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { /* kinds of channel message: the upper half of the status byte */
       MIDI_NOTE_OFF = 0x80,
       MIDI_NOTE_ON = 0x90, /* a note off if the velocity is 0 */
       MIDI_KEY_PRESSURE = 0xA0,
       MIDI_CONTROL_CHANGE = 0xB0,
       MIDI_PROGRAM_CHANGE = 0xC0,
       MIDI_CHANNEL_PRESSURE = 0xD0,
       MIDI_PITCH_BEND = 0xE0, /* data: lower 7 bits, upper 7 bits */
};

enum { /* system messages of one byte that the player obeys */
       MIDI_ACTIVE_SENSING = 0xFE,
       MIDI_SYSTEM_RESET = 0xFF,
};

/* Takes the place of bytes that were damaged on the line or lost in the receiver, so that the next byte is
 * not taken for data of an earlier message. MIDI defines no message with this status byte. */
#define MIDI_DAMAGED 0xF5

typedef struct {
    uint8_t kind;    /* one of the kinds above */
    uint8_t channel; /* 0 to 15 */
    uint8_t data[2]; /* 0 to 127; the second is 0 if the message has one data byte */
} midi_message_t;

/* Caller-owned state. All zero is the initial state, in which the parser waits for a status byte. */
typedef struct {
    uint8_t status; /* status byte that the next data bytes belong to; 0: none */
    uint8_t first;  /* first data byte, until the second arrives */
    bool has_first;
} midi_parser_t;

/* Parses the next byte. If it completes a message, fills `message` and returns true. */
bool midi_parser_feed(midi_parser_t *parser, uint8_t byte, midi_message_t *message);

#ifdef __cplusplus
}
#endif

#endif
