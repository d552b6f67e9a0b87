/* Plays a score through the player faster than real time, for pipeline.render and tests: MIDI bytes in,
 * samples out.
 *
 *     perform SCORE PCM [TRACE]
 *
 * SCORE: records of 8 bytes in order of time: the number of the block before which the bytes arrive (uint32),
 * the number of MIDI bytes (1 to 3), the bytes; all channels play, that of drums, too. PCM: int16, 64 samples
 * per block. TRACE: a record of 16 bytes per block and sounding voice: block (uint32), voice, preset,
 * voice_event_t, 0, and the frame that the voice played, f0_hz and loudness_db (float32); "-" for no trace.
 * All files are little-endian. The program ends when nothing sounds any more; notes that still sound
 * TAIL_BLOCKS after the last byte are ended. If responses were generated, the output has the reverb of the
 * player's instrument and lasts until it has died away. Prints one line of JSON.
 */
#include <string.h>

#include "apps/report.h"
#include "audio/pcm_writer.h"
#include "board.h"
#include "board_files.h"
#include "player/midi_input.h"
#include "reverb/reverb.h"

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

SHARED_ASSERT(sizeof(score_record_t) == 8 && sizeof(trace_record_t) == 16, "records must have no padding");

static player_t player;
static reverb_t reverb;
static midi_input_t input;
static pcm_writer_t writer;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));

static void receive(const score_record_t *record) {
    for (int i = 0; i < record->n_bytes && i < 3; i++) {
        midi_input_receive(&input, &player, record->bytes[i]);
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
    player.channel = PLAYER_EVERY_CHANNEL;
    reverb_init(&reverb, reverb_response(player.program));
    score_record_t record;
    bool has_record = board_read(score, &record, sizeof record) == sizeof record;
    bool is_trace_lost = false;
    uint64_t instructions = 0;
    uint32_t worst = 0, block = 0, last = 0;
    uint32_t n_silent = 0, n_echoing = 0; /* blocks since the last voice, and duration of the reverb */
    while (has_record || (player_n_sounding(&player) > 0 && block <= last + TAIL_BLOCKS + 1) ||
           n_silent < n_echoing) {
        const uint32_t start = board_instruction_count();
        while (has_record && record.block <= block) {
            receive(&record);
            last = block;
            has_record = board_read(score, &record, sizeof record) == sizeof record;
        }
        midi_input_step(&input, &player);
        if (!has_record && block == last + TAIL_BLOCKS) {
            player_panic(&player);
        }
        if (REVERB_IS_PRESENT) {
            n_echoing = reverb_n_blocks(reverb_response(player.program));
            n_silent = player_n_sounding(&player) > 0 ? 0 : n_silent + 1;
        }
        player_render(&player, samples);
        reverb_process_in(&reverb, reverb_response(player.program), samples);
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
