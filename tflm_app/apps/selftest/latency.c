/* The main loop is that of apps/play: when a half of the output begins to play, it reads the bytes that have
 * arrived, renders a block, and puts it into the other half. The first note arrives just after the bytes were
 * read, which is the worst moment, and the others at even distances until the next half begins. */
#include <string.h>

#include "apps/selftest/checks.h"
#include "apps/selftest/report.h"
#include "apps/selftest/selftest_player.h"
#include "play_board.h"

#define N_NOTES 32u
#define LONGEST_BLOCKS \
    12u /* from a note to its sound, from its end to silence, and from one half to the next */
#define REPEATS (BOARD_BLOCK_SAMPLES / FM_BLOCK_SAMPLES) /* at 48 kHz, each sample plays three times */

static midi_input_t input;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
static uint32_t latencies[N_NOTES];

static const uint8_t note_on[] = {MIDI_NOTE_ON, 69, 127};
static const uint8_t note_end[] = {MIDI_CONTROL_CHANGE, 120, 0}; /* ends all sound within a block */

/* Waits until the next half begins to play; returns false if the output stands still. */
static bool wait_for_half(const selftest_board_t *board) {
    const uint32_t n_begun = board->sound->count(), start = selftest_count();
    while (board->sound->count() == n_begun) {
        if (selftest_count() - start > LONGEST_BLOCKS * board->counts_per_block) {
            return false;
        }
    }
    return true;
}

static void read_bytes(const selftest_sound_t *sound) {
    uint8_t bytes[8];
    size_t n;
    while ((n = sound->read(bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < n; i++) {
            midi_input_receive(&input, &selftest_player, bytes[i]);
        }
    }
    midi_input_step(&input, &selftest_player);
}

/* Puts the next block into the half that is free; returns whether there is sound in it. */
static bool render(const selftest_sound_t *sound) {
    static const int16_t silence[BOARD_BLOCK_SAMPLES];
    int16_t output[BOARD_BLOCK_SAMPLES];
    bool is_sound = false;
    player_render(&selftest_player, samples);
    for (size_t i = 0; i < BOARD_BLOCK_SAMPLES; i++) {
        output[i] = samples[i / REPEATS];
        is_sound |= output[i] != 0;
    }
    sound->put(output, silence);
    return is_sound;
}

/* Hands a message on; returns the moment before its last byte. */
static uint32_t receive(const selftest_sound_t *sound, const uint8_t message[3]) {
    sound->receive(message[0]);
    sound->receive(message[1]);
    const uint32_t moment = selftest_count();
    sound->receive(message[2]);
    return moment;
}

/* Plays until a half begins whose block has sound, or none. Returns false if that takes too long. */
static bool play_until(const selftest_board_t *board, bool is_sound) {
    bool is_next = !is_sound;
    for (uint32_t block = 0; block < LONGEST_BLOCKS && wait_for_half(board); block++) {
        if (is_next == is_sound) {
            return true;
        }
        read_bytes(board->sound);
        is_next = render(board->sound);
    }
    return false;
}

/* Plays a note at a phase from 0 to N_NOTES - 1; returns whether it has sounded. */
static bool measure(const selftest_board_t *board, uint32_t phase, uint32_t *latency) {
    const selftest_sound_t *const sound = board->sound;
    if (!wait_for_half(board)) {
        return false;
    }
    const uint32_t start = selftest_count();
    uint32_t arrived;
    read_bytes(sound);
    if (phase == 0) {
        arrived = receive(sound, note_on);
        render(sound);
    } else {
        render(sound);
        while (selftest_count() - start < board->counts_per_block / N_NOTES * phase) {
        }
        arrived = receive(sound, note_on);
    }
    const bool has_sounded = play_until(board, true);
    *latency = has_sounded ? selftest_count() - arrived : 0;
    render(sound);
    (void)receive(sound, note_end);
    return play_until(board, false) && has_sounded;
}

void check_latency(const selftest_board_t *board) {
    if (board->sound == NULL) {
        return;
    }
    uint32_t n_sounded = 0;
    memset(&input, 0, sizeof input);
    player_init(&selftest_player);
    for (uint32_t phase = 0; phase < N_NOTES; phase++) {
        n_sounded += measure(board, phase, &latencies[n_sounded]);
    }
    report_begin("latency");
    report_number("notes", N_NOTES);
    report_number("sounded", n_sounded);
    report_spread(latencies, n_sounded > 0 ? n_sounded : 1);
    report_check(n_sounded == N_NOTES);
    report_end();
}
