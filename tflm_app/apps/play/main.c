/* The instrument: MIDI in, sound out, a console beside it.
 *
 * The audio interrupt does no more than count (see play_board.h). The main loop renders a block as soon as a
 * half of the output is free, after it has handled every MIDI byte that has come, and otherwise serves the
 * console. The watchdog is fed by blocks: a loop that renders none for 100 ms is reset.
 */
#include "board.h"
#include "control/console.h"
#include "play_board.h"
#ifdef PLAY_ROOMS
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
            demo_phrase_start(&phrase, &player);
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
    receive_midi();
    receive_panel();
    demo_phrase_step(&phrase, &player);
    player_render(&player, samples);
#ifdef PLAY_ROOMS
    reverb_process_in(&reverb, reverb_rooms[player.program], samples);
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
#ifdef PLAY_ROOMS
    reverb_init(&reverb, reverb_rooms[player.program]);
#endif
#if BOARD_SAMPLE_RATE == 48000
    upsampler_reset(&upsampler);
#endif
    stats.block_cycles = board_cycles_per_block();
    console_init(&console, &player, &phrase, &stats);
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
