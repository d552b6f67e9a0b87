/* Prints the pitch, loudness and volume of the first voice after MIDI messages,
 * each in hexadecimal:
 *
 *     everywhere MESSAGE...
 *
 * A message after an asterisk is that of a control of the instrument itself,
 * for all channels.
 */
#include <stdio.h>
#include <stdlib.h>

#include "player/player.h"

#define N_BLOCKS 60 /* until the controls have settled */

static player_t player;

static void send(const char *text) {
    midi_parser_t parser = {0};
    midi_message_t message;
    const int is_everywhere = text[0] == '*';
    for (text += is_everywhere; text[0] != '\0'; text += 2) {
        const char byte[] = {text[0], text[1], '\0'};
        if (midi_parser_feed(&parser, (uint8_t)strtoul(byte, NULL, 16), &message)) {
            (is_everywhere ? player_receive_everywhere : player_receive)(&player, &message);
        }
    }
}

int main(int argc, char **argv) {
    int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
    player_init(&player);
    for (int i = 1; i < argc; i++) {
        send(argv[i]);
    }
    for (int i = 0; i < N_BLOCKS; i++) {
        player_render(&player, samples);
    }
    const frame_t *const frame = &player.voices[0].instrument.frame;
    printf("%.3f %.3f %d\n", (double)frame->f0_hz, (double)frame->loudness_db, player_volume(&player));
    return 0;
}
