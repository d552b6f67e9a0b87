/* Performs a score as fast as it can: MIDI bytes in, samples out.
 *
 *     perform SCORE PCM [TRACE]
 *
 * SCORE: records of 8 bytes in the order of time: the number of the block before which they come (uint32),
 * how many MIDI bytes (1 to 3), the bytes. PCM: int16, 64 a block. TRACE: a record of 16 bytes for every
 * voice that sounds in a block: block (uint32), voice, preset, what it did (voice_event_t), 0, and the frame
 * that it was given, f0_hz and loudness_db (float32); "-" for none. All little-endian. It ends when nothing
 * sounds any more; what still does TAIL_BLOCKS after the last byte is ended. Where rooms were generated, the
 * player's instrument plays in its own, and is heard until that has died away. Prints one line of JSON.
 */
#include <string.h>

#include "apps/report.h"
#include "audio/pcm_writer.h"
#include "board.h"
#include "player/player.h"
#ifdef PLAY_REVERB
#include "reverb/reverb.h"
static reverb_t reverb;
#endif

#define TAIL_BLOCKS 2500u /* 10 s */

typedef struct {
    uint32_t block;
    uint8_t n_bytes;
    uint8_t bytes[3];
} score_record_t;

typedef struct {
    uint32_t block;
    uint8_t voice, preset, event, zero;
    frame_t frame;
} trace_record_t;

static player_t player;
static midi_parser_t parser;
static pcm_writer_t writer;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));

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
        if (voice->event != VOICE_SILENT) {
            const trace_record_t record = {block, i, voice->played, voice->event, 0, voice->instrument.frame};
            is_written &= board_write(trace, &record, sizeof record) == sizeof record;
        }
    }
    return is_written;
}

int main(int argc, char **argv) {
    board_init();
    if (argc < 3) {
        return report_failure("usage:", "perform SCORE PCM [TRACE]");
    }
    const int score = board_open_read(argv[1]);
    if (score < 0) {
        return report_failure("cannot read", argv[1]);
    }
    if (!pcm_writer_open(&writer, argv[2])) {
        return report_failure("cannot write", argv[2]);
    }
    const bool is_traced = argc > 3 && strcmp(argv[3], "-") != 0;
    const int trace = is_traced ? board_open_write(argv[3]) : -1;
    if (is_traced && trace < 0) {
        return report_failure("cannot write", argv[3]);
    }

    player_init(&player);
#ifdef PLAY_REVERB
    reverb_init(&reverb, reverb_presets[player.program]);
#endif
    score_record_t record;
    bool has_record = board_read(score, &record, sizeof record) == sizeof record;
    bool is_trace_lost = false;
    uint64_t instructions = 0;
    uint32_t worst = 0, block = 0, last = 0;
    uint32_t n_silent = 0, n_echoing = 0; /* blocks: of the player; for which its room sounds on */
    while (has_record || (player_n_sounding(&player) > 0 && block <= last + TAIL_BLOCKS + 1) ||
           n_silent < n_echoing) {
        const uint32_t start = board_instruction_count();
        while (has_record && record.block <= block) {
            receive(&record);
            last = block;
            has_record = board_read(score, &record, sizeof record) == sizeof record;
        }
        if (!has_record && block == last + TAIL_BLOCKS) {
            player_panic(&player);
        }
#ifdef PLAY_REVERB
        n_echoing = reverb_n_blocks(reverb_presets[player.program]);
        n_silent = player_n_sounding(&player) > 0 ? 0 : n_silent + 1;
#endif
        player_render(&player, samples);
#ifdef PLAY_REVERB
        reverb_process_in(&reverb, reverb_presets[player.program], samples);
#endif
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
        return report_failure("cannot write all of", argv[2]);
    }
    if (is_traced && (board_close(trace) != 0 || is_trace_lost)) {
        return report_failure("cannot write all of", argv[3]);
    }

    board_print("{");
    report_entry("n_blocks", block, ", ");
    report_entry("n_voices", PLAYER_N_VOICES, ", ");
    report_entry("n_stolen", player.n_stolen, ", ");
    report_entry("n_sounding", (uint64_t)player_n_sounding(&player), ", ");
    report_entry("instructions", instructions, ", ");
    report_entry("worst_block_instructions", worst, ", ");
    report_entry("player_state_bytes", sizeof player, ", ");
    report_entry("stack_bytes", board_stack_used(), "}\n");
    return 0;
}
