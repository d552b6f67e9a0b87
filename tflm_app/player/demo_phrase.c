#include "player/demo_phrase.h"

enum { MODULATION = 1, EXPRESSION = 11, SUSTAIN = 64, RESET_CONTROLLERS = 121 };

typedef struct {
    uint16_t block; /* the message is sent before this block of 4 ms */
    uint8_t kind;
    uint8_t data[2];
} event_t;

static const event_t events[] = {
    {0, MIDI_NOTE_ON, {67, 90}}, /* an ascending chord, slurred */
    {72, MIDI_NOTE_ON, {72, 96}},
    {75, MIDI_NOTE_OFF, {67, 0}},
    {147, MIDI_NOTE_ON, {76, 102}},
    {150, MIDI_NOTE_OFF, {72, 0}},
    {222, MIDI_NOTE_ON, {79, 110}},
    {225, MIDI_NOTE_OFF, {76, 0}},
    {300, MIDI_CONTROL_CHANGE, {MODULATION, 64}}, /* a long note, with vibrato */
    {375, MIDI_CONTROL_CHANGE, {MODULATION, 127}},
    {450, MIDI_CONTROL_CHANGE, {MODULATION, 0}},
    {455, MIDI_PITCH_BEND, {0, 72}}, /* a whole tone up, in steps */
    {460, MIDI_PITCH_BEND, {0, 88}},
    {465, MIDI_PITCH_BEND, {0, 104}},
    {470, MIDI_PITCH_BEND, {127, 127}},
    {560, MIDI_NOTE_OFF, {79, 0}},
    {562, MIDI_PITCH_BEND, {0, 64}},
    {600, MIDI_NOTE_ON, {76, 60}}, /* descending, detached, with a swell */
    {640, MIDI_NOTE_OFF, {76, 0}},
    {650, MIDI_CONTROL_CHANGE, {EXPRESSION, 100}},
    {650, MIDI_NOTE_ON, {74, 90}},
    {690, MIDI_NOTE_OFF, {74, 0}},
    {700, MIDI_CONTROL_CHANGE, {EXPRESSION, 127}},
    {700, MIDI_NOTE_ON, {71, 120}},
    {790, MIDI_NOTE_OFF, {71, 0}},
    {800, MIDI_CONTROL_CHANGE, {SUSTAIN, 127}}, /* three successive notes, held by the pedal */
    {800, MIDI_NOTE_ON, {60, 80}},
    {850, MIDI_NOTE_OFF, {60, 0}},
    {850, MIDI_NOTE_ON, {67, 90}},
    {900, MIDI_NOTE_OFF, {67, 0}},
    {900, MIDI_NOTE_ON, {72, 100}},
    {950, MIDI_NOTE_OFF, {72, 0}},
    {1250, MIDI_CONTROL_CHANGE, {SUSTAIN, 0}},
};
#define N_EVENTS (sizeof events / sizeof events[0])

static void send(player_t *player, uint8_t kind, uint8_t first, uint8_t second) {
    const uint8_t channel = player->channel < PLAYER_N_CHANNELS ? player->channel : 0;
    const midi_message_t message = {kind, channel, {first, second}};
    player_receive(player, &message);
}

void demo_phrase_start(demo_phrase_t *phrase, player_t *player) {
    const midi_message_t reset = {MIDI_CONTROL_CHANGE, 0, {RESET_CONTROLLERS, 0}};
    player_panic(player);
    player_receive_everywhere(player, &reset);
    *phrase = (demo_phrase_t){.is_playing = true};
}

void demo_phrase_step(demo_phrase_t *phrase, player_t *player) {
    while (phrase->is_playing && events[phrase->next].block <= phrase->block) {
        const event_t *const event = &events[phrase->next++];
        send(player, event->kind, event->data[0], event->data[1]);
        phrase->is_playing = phrase->next < N_EVENTS;
    }
    phrase->block++;
}
