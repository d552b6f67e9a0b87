/* Performs a score as fast as it can: MIDI bytes in, samples out.
 *
 *     perform SCORE PCM [TRACE]
 *
 * SCORE: records of 8 bytes in the order of time: the number of the block before which they come (uint32),
 * how many MIDI bytes (1 to 3), the bytes. PCM: int16, 64 a block. TRACE: a record of 16 bytes for every
 * voice that sounds in a block: block (uint32), voice, preset, what it did (voice_act_t), 0, and the frame
 * that it was given, f0_hz and loudness_db (float32); "-" for none. All little-endian. It ends when nothing
 * sounds any more; what still does TAIL_BLOCKS after the last byte is ended. Prints one line of JSON.
 */
#include <string.h>

#include "audio/pcm_writer.h"
#include "board.h"
#include "control/player.h"

#define TAIL_BLOCKS 2500u /* 10 s */

typedef struct {
    uint32_t block;
    uint8_t n_bytes;
    uint8_t bytes[3];
} score_record_t;

typedef struct {
    uint32_t block;
    uint8_t voice, preset, act, zero;
    frame_t frame;
} trace_record_t;

static player_t player;
static midi_parser_t parser;
static pcm_writer_t writer;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));

static void print_entry(const char *name, uint64_t number, const char *after) {
    char digits[21];
    char *text = digits + sizeof digits - 1;
    *text = '\0';
    do {
        *--text = (char)('0' + number % 10u);
        number /= 10u;
    } while (number != 0);
    board_print("\"");
    board_print(name);
    board_print("\": ");
    board_print(text);
    board_print(after);
}

static int fail(const char *what, const char *path) {
    board_print("error: ");
    board_print(what);
    board_print(" ");
    board_print(path);
    board_print("\n");
    return 2;
}

static void receive(const score_record_t *record) {
    midi_message_t message;
    for (int i = 0; i < record->n_bytes && i < 3; i++) {
        if (midi_parser_feed(&parser, record->bytes[i], &message)) {
            player_receive(&player, &message);
        }
    }
}

static bool trace_voices(int trace, uint32_t block) {
    bool is_written = true;
    for (uint8_t i = 0; i < PLAYER_N_VOICES; i++) {
        const player_voice_t *const voice = &player.voices[i];
        if (voice->act != VOICE_SILENT) {
            const trace_record_t record = {block, i, voice->played, voice->act, 0, voice->instrument.frame};
            is_written &= board_write(trace, &record, sizeof record) == sizeof record;
        }
    }
    return is_written;
}

int main(int argc, char **argv) {
    board_init();
    if (argc < 3) {
        return fail("usage:", "perform SCORE PCM [TRACE]");
    }
    const int score = board_open_read(argv[1]);
    if (score < 0) {
        return fail("cannot read", argv[1]);
    }
    if (!pcm_writer_open(&writer, argv[2])) {
        return fail("cannot write", argv[2]);
    }
    const bool is_traced = argc > 3 && strcmp(argv[3], "-") != 0;
    const int trace = is_traced ? board_open_write(argv[3]) : -1;
    if (is_traced && trace < 0) {
        return fail("cannot write", argv[3]);
    }

    player_init(&player);
    score_record_t record;
    bool has_record = board_read(score, &record, sizeof record) == sizeof record;
    bool is_trace_lost = false;
    uint64_t instructions = 0;
    uint32_t worst = 0, block = 0, last = 0;
    while (has_record || (player_n_sounding(&player) > 0 && block <= last + TAIL_BLOCKS + 1)) {
        const uint32_t start = board_instruction_count();
        while (has_record && record.block <= block) {
            receive(&record);
            last = block;
            has_record = board_read(score, &record, sizeof record) == sizeof record;
        }
        if (!has_record && block == last + TAIL_BLOCKS) {
            player_panic(&player);
        }
        player_render(&player, samples);
        const uint32_t taken = board_instruction_count() - start;
        instructions += taken;
        worst = taken > worst ? taken : worst;
        pcm_writer_write(&writer, samples, FM_BLOCK_SAMPLES);
        if (is_traced) {
            is_trace_lost |= !trace_voices(trace, block);
        }
        block++;
    }
    board_close(score);
    if (!pcm_writer_close(&writer)) {
        return fail("cannot write all of", argv[2]);
    }
    if (is_traced && (board_close(trace) != 0 || is_trace_lost)) {
        return fail("cannot write all of", argv[3]);
    }

    board_print("{");
    print_entry("n_blocks", block, ", ");
    print_entry("n_voices", PLAYER_N_VOICES, ", ");
    print_entry("n_stolen", player.n_stolen, ", ");
    print_entry("n_sounding", (uint64_t)player_n_sounding(&player), ", ");
    print_entry("instructions", instructions, ", ");
    print_entry("worst_block_instructions", worst, ", ");
    print_entry("player_state_bytes", sizeof player, ", ");
    print_entry("stack_bytes", board_stack_used(), "}\n");
    return 0;
}
