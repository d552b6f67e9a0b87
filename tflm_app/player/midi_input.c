#include "player/midi_input.h"

void midi_input_receive(midi_input_t *input, player_t *player, uint8_t byte) {
    midi_message_t message;
    input->n_silent = 0;
    if (midi_parser_feed(&input->parser, byte, &message)) {
        player_receive(player, &message);
    } else if (byte == MIDI_DAMAGED) {
        player_release_all(player);
    } else if (byte == MIDI_ACTIVE_SENSING) {
        input->is_sensing = true;
    } else if (byte == MIDI_SYSTEM_RESET) {
        *input = (midi_input_t){0};
        player_reset(player);
    }
}

void midi_input_step(midi_input_t *input, player_t *player) {
    if (!input->is_sensing) {
        return;
    }
    if (input->n_silent == MIDI_INPUT_SENSING_BLOCKS) {
        *input = (midi_input_t){0};
        player_release_all(player);
    } else {
        input->n_silent++;
    }
}
