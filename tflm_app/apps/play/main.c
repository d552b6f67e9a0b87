/* The instrument: MIDI in, sound out, a console beside it; on boards with an input, sound in, too.
 *
 * The audio interrupt does no more than count (see play_board.h). The main loop renders a block as soon as a
 * half of the output is free, after it has handled every MIDI byte that has come, and otherwise serves the
 * console. The watchdog is fed by blocks: a loop that renders none for 100 ms is reset.
 *
 * Live, the frames come from what is heard instead of from notes. A block of input is full just before a
 * block of output begins to play; it is analysed and answered while that one plays, and the answer is heard
 * in the next, two blocks after what it answers:
 *
 *     input      | n     | n + 1 | n + 2 |      4 ms at most until the block is full
 *     main loop  |       | n     | n + 1 |      4 ms while it is answered, and up to 0.3 ms for which it has
 *     output     |       |       | n     |        been full before (boards/ports/stm32/input.c)
 *
 * With 10 ms from the middle of the analysis' window to its end and 4 ms for the ramp of the answer (see
 * analysis/analysis.h) that is 22.3 ms at most from sound in to sound out. The upsampler adds 1 ms, and the
 * filter of the converter 20 of its samples if it is a PCM5102A: 23.5 ms at 16 kHz, 23.7 ms at 48 kHz.
 */
#include "board.h"
#include "player/console.h"
#include "play_board.h"
#ifdef PLAY_REVERB
#include "reverb/reverb.h"
static reverb_t reverb;
#endif
#if BOARD_SAMPLE_RATE == 48000
#include "upsampler/upsampler.h"
static upsampler_t upsampler;
static int16_t output[BOARD_BLOCK_SAMPLES];
#else
#define output samples
#endif

#ifdef PLAY_LIVE
#include "analysis/analysis.h"
#define LIVE_MIN_F0_HZ 100.0f /* of voices and most instruments; pipeline.transfer has the same bounds */
#define LIVE_MAX_F0_HZ 1500.0f
static analysis_t analysis;
#define INPUT &live
#else
#define INPUT NULL /* nobody to listen */
#endif

static live_t live;
static player_t player;
static midi_parser_t parser;
static demo_phrase_t phrase;
static console_t console;
static play_stats_t stats;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));

static volatile uint32_t n_begun;    /* halves that began to play; the interrupt's */
static volatile uint32_t n_rendered; /* blocks put for them; the main loop's */

/* In the audio interrupt. */
static void tick(void) { n_begun++; }

#ifdef PLAY_LIVE
/* Takes the input's block, whether it is wanted or not, so that none is old when it is. */
static void listen(void) {
    live.is_heard = board_audio_get(samples);
    live.n_lost = board_audio_lost();
    if (!live.is_on) {
        player_follow(&player, NULL);
        return;
    }
    if (!player.is_live) {
        analysis_reset(&analysis);
    }
    const frame_t heard = analysis_step(&analysis, samples);
    player_follow(&player, &heard);
}
#else
static void listen(void) {}
#endif

static void receive_midi(void) {
    uint8_t bytes[32];
    midi_message_t message;
    size_t n;
    while ((n = board_midi_read(bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < n; i++) {
            if (midi_parser_feed(&parser, bytes[i], &message)) {
                player_receive(&player, &message);
            }
        }
    }
}

static void receive_panel(void) {
    uint8_t control, value;
    while (board_panel_read(&control, &value)) {
        if (control == BOARD_PANEL_DEMO) {
            live.is_on = false;
            demo_phrase_start(&phrase, &player);
        } else if (control == BOARD_PANEL_LIVE) {
            phrase.is_playing = false;
            live.is_on = !live.is_on;
        } else {
            const uint8_t channel = player.channel == PLAYER_ALL_CHANNELS ? 0 : player.channel;
            const midi_message_t message = {MIDI_CONTROL_CHANGE, channel, {control, value}};
            player_receive(&player, &message);
        }
    }
}

/* Renders the block that is wanted; whatever could not be rendered in time was silence. */
static void render_block(void) {
    const uint32_t start = board_cycles();
    listen();
    receive_midi();
    receive_panel();
    demo_phrase_step(&phrase, &player);
    player_render(&player, samples);
#ifdef PLAY_REVERB
    reverb_process_in(&reverb, reverb_presets[player.program], samples);
#endif
#if BOARD_SAMPLE_RATE == 48000
    upsampler_process(&upsampler, samples, output);
#endif
    board_audio_put(output);
    const uint32_t n_late =
        n_begun - n_rendered - 1u; /* now: a half that begins to play meanwhile is counted */
    n_rendered += n_late + 1u;
    stats.n_underruns += n_late;
    stats.n_blocks++;
    stats.last_cycles = board_cycles() - start;
    if (stats.last_cycles > stats.worst_cycles) {
        stats.worst_cycles = stats.last_cycles;
    }
}

static void serve_console(void) {
    char typed[8];
    const size_t n_typed = board_console_read(typed, sizeof typed);
    stats.n_midi_lost = board_midi_lost();
    stats.stack_bytes = n_typed > 0 ? board_stack_used() : stats.stack_bytes;
    for (size_t i = 0; i < n_typed; i++) {
        console_receive(&console, typed[i]);
    }
    size_t n_pending;
    const char *const text = console_pending(&console, &n_pending);
    if (n_pending > 0) {
        console_sent(&console, board_console_write(text, n_pending));
    }
}

int main(void) {
    board_init();
    player_init(&player);
#ifdef PLAY_REVERB
    reverb_init(&reverb, reverb_presets[player.program]);
#endif
#if BOARD_SAMPLE_RATE == 48000
    upsampler_reset(&upsampler);
#endif
    stats.block_cycles = board_cycles_per_block();
#ifdef PLAY_LIVE
    analysis_init(&analysis, LIVE_MIN_F0_HZ, LIVE_MAX_F0_HZ);
#endif
    console_init(&console, &player, &phrase, &stats, INPUT);
    board_watchdog_start();
    board_audio_start(tick);
    while (board_wait()) {
        if (n_begun != n_rendered) {
            render_block();
            board_watchdog_feed();
        } else {
            serve_console();
        }
    }
    return 0;
}
