/* The score does what pipeline/target/worst_block.py does: a program change together with a chord for all
 * voices, all voices struck again, stolen, or released by the pedal, glides, and bends and controllers in
 * every block. */
#include "apps/selftest/checks.h"
#include "apps/selftest/report.h"
#include "apps/selftest/selftest_player.h"

#define CHORD_BLOCKS 8u /* from one chord to the next, enough for a fade and an attack */
#define TURN_BLOCKS (3u * CHORD_BLOCKS)
#define N_TURNS 8u
#define PROGRESS_BLOCKS 500u

player_t selftest_player;
static midi_input_t input;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));

static void send(uint32_t status, uint32_t first, uint32_t second) {
    const uint8_t bytes[] = {(uint8_t)status, (uint8_t)first, (uint8_t)second};
    for (size_t i = 0; i < (status == MIDI_PROGRAM_CHANGE ? 2 : sizeof bytes); i++) {
        midi_input_receive(&input, &selftest_player, bytes[i]);
    }
}

static void send_chord(uint32_t status, uint32_t lowest, uint32_t velocity) {
    for (uint32_t voice = 0; voice < PLAYER_N_VOICES; voice++) {
        send(status, (lowest + 2u * voice) & 127u, velocity);
    }
}

static void send_block(uint32_t block) {
    static const uint8_t controllers[] = {1, 2, 11};
    const uint32_t turn = block / TURN_BLOCKS % N_TURNS, phase = block % TURN_BLOCKS;
    const uint32_t lowest = 36u + 5u * turn;
    if (phase == 0) {
        send(MIDI_PROGRAM_CHANGE, turn % (uint32_t)instrument_n_presets, 0);
        send(MIDI_CONTROL_CHANGE, 64, 127);
    }
    if (phase % CHORD_BLOCKS == 0) { /* the same notes twice, then others, which take all voices */
        send_chord(MIDI_NOTE_ON, lowest + (phase == 2u * CHORD_BLOCKS), 127);
    } else if (phase == TURN_BLOCKS - 3u) {
        send_chord(MIDI_NOTE_OFF, lowest + 1u, 0);
    } else if (phase == TURN_BLOCKS - 2u) {
        send(MIDI_CONTROL_CHANGE, 64, 0);
    }
    send(MIDI_PITCH_BEND, 0, 32u + block % 64u);
    send(MIDI_CONTROL_CHANGE, controllers[block % 3u], 64u + block % 64u);
}

void check_worst_block(const selftest_board_t *board) {
    uint32_t worst = 0, worst_at = 0, n_late = 0;
    uint64_t total = 0;
    player_init(&selftest_player);
    send(MIDI_CONTROL_CHANGE, 65, 127); /* all notes glide */
    send(MIDI_CONTROL_CHANGE, 5, 10);
    for (uint32_t block = 0; block < SELFTEST_BLOCKS; block++) {
        const uint32_t start = selftest_count();
        send_block(block);
        midi_input_step(&input, &selftest_player);
        player_render(&selftest_player, samples);
        const uint32_t spent = selftest_count() - start;
        total += spent;
        n_late += board->counts_per_block > 0 && spent > board->counts_per_block;
        if (spent > worst) {
            worst = spent;
            worst_at = block;
        }
        if (block % PROGRESS_BLOCKS == PROGRESS_BLOCKS - 1u) {
            report_begin("progress");
            report_number("block", block + 1u);
            report_number("blocks", SELFTEST_BLOCKS);
            report_end();
        }
    }
    report_begin("worst_block");
    report_number("blocks", SELFTEST_BLOCKS);
    report_number("voices", PLAYER_N_VOICES);
    report_number("mean", (uint32_t)(total / SELFTEST_BLOCKS));
    report_number("max", worst);
    report_number("at_block", worst_at);
    report_number("late", n_late);
    report_check(n_late == 0);
    report_end();
}
