/* Parses MIDI bytes, on any board.
 *
 *     parse BYTES MESSAGES
 *
 * MESSAGES receives 4 bytes per message: kind, channel and two data bytes.
 */
#include "board.h"
#include "board_files.h"
#include "midi/midi_parser.h"

int main(int argc, char **argv) {
    board_init();
    if (argc != 3) {
        return 2;
    }
    const int from = board_open_read(argv[1]), to = board_open_write(argv[2]);
    midi_parser_t parser = {0};
    midi_message_t message;
    uint8_t bytes[256];
    size_t n;
    while ((n = board_read(from, bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < n; i++) {
            if (midi_parser_feed(&parser, bytes[i], &message)) {
                const uint8_t out[4] = {message.kind, message.channel, message.data[0], message.data[1]};
                board_write(to, out, sizeof out);
            }
        }
    }
    return board_close(to);
}
