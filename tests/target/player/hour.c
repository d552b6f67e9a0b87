/* Endurance test of the player: two players perform for many minutes of sound.
 *
 *     hour SECONDS SEED RATIO...
 *
 * RATIO is the base ratio of the patch of each preset. One player holds a single note all the time, with
 * bends and vibrato. The other receives random MIDI messages of all kinds and rests for five of every 25
 * seconds. Prints JSON: the largest difference in turns between the phase of a voice and one accumulated in
 * double precision, and how often something sounded at the end of a rest or a frame was not finite.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "board.h"
#include "player/player.h"

#define BLOCKS_PER_SECOND 250u
#define MAX_PRESETS 4

static player_t drone, busy;
static double turns[2][PLAYER_N_VOICES], last_f0_hz[2][PLAYER_N_VOICES], base_ratio[MAX_PRESETS];
static double drone_error, busy_error;
static uint32_t random_state, n_not_finite, n_stuck, n_sounding_most, n_notes;

static uint32_t draw(uint32_t below) {
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(random_state >> 8) * below >> 24);
}

static void send(player_t *player, unsigned kind, unsigned first, unsigned second) {
    const midi_message_t message = {(uint8_t)kind, 0, {(uint8_t)first, (uint8_t)second}};
    player_receive(player, &message);
}

static void send_anything(void) {
    static const uint8_t controls[] = {1,  2,  5,  6,  7,   11,  38,  64,  65,  66,  67,
                                       96, 97, 98, 99, 100, 101, 121, 123, 120, 126, 127};
    const uint32_t kind = draw(100);
    if (kind < 45) {
        send(&busy, MIDI_NOTE_ON, 30 + draw(80), 1 + draw(127));
        n_notes++;
    } else if (kind < 80) {
        send(&busy, MIDI_NOTE_OFF, 30 + draw(80), 64);
    } else if (kind < 86) {
        send(&busy, MIDI_PITCH_BEND, draw(128), draw(128));
    } else if (kind < 87) {
        send(&busy, MIDI_KEY_PRESSURE, 30 + draw(80), draw(128));
    } else if (kind < 88) {
        send(&busy, MIDI_CHANNEL_PRESSURE, draw(128), 0);
    } else if (kind < 91) {
        send(&busy, MIDI_PROGRAM_CHANGE, draw((uint32_t)instrument_n_presets + 1), 0);
    } else {
        send(&busy, MIDI_CONTROL_CHANGE, controls[draw(sizeof controls)], draw(128));
    }
}

static void rest(void) {
    for (unsigned note = 0; note < 128; note++) {
        send(&busy, MIDI_NOTE_OFF, note, 0);
    }
    send(&busy, MIDI_CONTROL_CHANGE, 64, 0);
    send(&busy, MIDI_CONTROL_CHANGE, 66, 0);
}

static void check_phases(const player_t *player, int which, double *worst) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        const player_voice_t *const voice = &player->voices[i];
        if (voice->event != VOICE_BEGUN && voice->event != VOICE_PLAYED) {
            continue;
        }
        const double f0_hz = (double)voice->instrument.frame.f0_hz;
        if (!isfinite(f0_hz) || !isfinite(voice->instrument.frame.loudness_db)) {
            n_not_finite++;
        }
        double *const phase = &turns[which][i], *const last = &last_f0_hz[which][i];
        if (voice->event == VOICE_BEGUN) {
            *phase = 0;
            *last = f0_hz;
        }
        *phase += (64.0 * *last + 32.5 * (f0_hz - *last)) * base_ratio[voice->played] / 16000.0;
        *phase -= (double)(int64_t)*phase;
        *last = f0_hz;
        const double is = (double)(voice->instrument.voice.phase >> 11) * 0x1p-53;
        const double apart = fabs(is - *phase), error = apart < 0.5 ? apart : 1.0 - apart;
        *worst = error > *worst ? error : *worst;
    }
}

int main(int argc, char **argv) {
    static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
    board_init();
    if (argc < 4) {
        return 2;
    }
    const uint32_t n_blocks = (uint32_t)atoi(argv[1]) * BLOCKS_PER_SECOND;
    random_state = (uint32_t)atoi(argv[2]);
    for (int i = 3; i < argc && i < 3 + MAX_PRESETS; i++) {
        base_ratio[i - 3] = atof(argv[i]);
    }
    player_init(&drone);
    player_init(&busy);
    send(&drone, MIDI_NOTE_ON, 69, 100);
    for (uint32_t block = 0; block < n_blocks; block++) {
        const uint32_t within = block % (25 * BLOCKS_PER_SECOND);
        if (block % 50 == 0) {
            send(&drone, MIDI_PITCH_BEND, draw(128), draw(128));
            send(&drone, MIDI_CONTROL_CHANGE, 1, draw(128));
        }
        if (within < 20 * BLOCKS_PER_SECOND) {
            for (uint32_t n = draw(50) == 0 ? 1 + draw(8) : 0; n > 0; n--) {
                send_anything();
            }
        } else if (within == 20 * BLOCKS_PER_SECOND) {
            rest();
        } else if (within == 25 * BLOCKS_PER_SECOND - 1) {
            n_stuck += (uint32_t)player_n_sounding(&busy);
        }
        player_render(&drone, samples);
        check_phases(&drone, 0, &drone_error);
        player_render(&busy, samples);
        check_phases(&busy, 1, &busy_error);
        const uint32_t n_sounding = (uint32_t)player_n_sounding(&busy);
        n_sounding_most = n_sounding > n_sounding_most ? n_sounding : n_sounding_most;
    }
    printf(
        "{\"drone_error_turns\": %.3e, \"busy_error_turns\": %.3e, \"n_stuck\": %u, \"n_not_finite\": %u, "
        "\"n_notes\": %u, \"n_stolen\": %u, \"n_sounding_most\": %u, \"drone_sounds\": %d}\n",
        drone_error, busy_error, n_stuck, n_not_finite, n_notes, busy.n_stolen, n_sounding_most,
        player_n_sounding(&drone));
    return 0;
}
