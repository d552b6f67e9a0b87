#include "midi/midi_parser.h"

static bool has_two_data_bytes(uint8_t kind) {
    return kind != MIDI_PROGRAM_CHANGE && kind != MIDI_CHANNEL_PRESSURE;
}

bool midi_parser_feed(midi_parser_t *parser, uint8_t byte, midi_message_t *message) {
    if (byte >= 0xF8) { /* a real-time message */
        return false;
    }
    if (byte >= 0x80) {
        parser->status = byte < 0xF0 ? byte : 0; /* data bytes of system messages are ignored */
        parser->has_first = false;
        return false;
    }
    if (parser->status == 0) {
        return false;
    }
    const uint8_t kind = parser->status & 0xF0u;
    if (has_two_data_bytes(kind) && !parser->has_first) {
        parser->first = byte;
        parser->has_first = true;
        return false;
    }
    message->kind = kind;
    message->channel = parser->status & 0x0Fu;
    message->data[0] = parser->has_first ? parser->first : byte;
    message->data[1] = parser->has_first ? byte : 0;
    parser->has_first = false; /* with running status, the next message has no status byte */
    return true;
}
