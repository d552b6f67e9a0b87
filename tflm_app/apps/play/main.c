/* The instrument itself, for boards that are played: MIDI in, sound out, a console; live sound in on some
 * boards.
 *
 * The audio interrupt only counts (see play_board.h). The main loop renders a block as soon as half of the
 * output buffer is free, after it has handled every MIDI byte that has arrived, and otherwise serves the
 * console. Each rendered block feeds the watchdog: if the loop renders none for 100 ms, the board is reset.
 *
 * In live mode the frames are measured in the sound input instead of made from notes. A block of input is
 * complete just before a block of output begins to play. It is analysed and answered while that block plays,
 * and the answer plays in the next one, two blocks after the input:
 *
 *     input      | n     | n + 1 | n + 2 |      at most 4 ms until the block is complete
 *     main loop  |       | n     | n + 1 |      4 ms to render the answer, plus up to 0.3 ms since the block
 *     output     |       |       | n     |      was complete (boards/ports/stm32/input.c)
 *
 * With 10 ms from the middle of the analysis window to its end and 4 ms for the ramp of the answer (see
 * analysis/analysis.h), and 1 ms for the filter of the input, the latency from sound in to sound out is at
 * most 23.3 ms. The upsampler adds 1 ms, and the filter of a PCM5102A converter adds 20 of its samples: 24.5
 * ms at 16 kHz, 24.7 ms at 48 kHz.
 */
#include "board.h"
#include "play_board.h"
#include "player/console.h"
#include "player/midi_input.h"
#include "player/second_core.h"
#include "reverb/reverb.h"
#include "settings/settings.h"
#if BOARD_SAMPLE_RATE == 48000
#include "upsampler/upsampler.h"
static upsampler_t upsampler;
static int16_t output[BOARD_BLOCK_SAMPLES];
#else
#define output samples
#endif

#ifdef PLAY_LIVE
#include "analysis/input_gain.h"
static analysis_t analysis;
static input_gain_t input_gain;
#define LIVE_STATE &live
#else
#define LIVE_STATE NULL /* the console then refuses live mode */
#endif

#ifdef BOARD_USB
static midi_input_t usb_input;
#endif

#define MIDI_BYTES 96 /* 32 messages, the most that the USB brings in a block, however fast a host sends */
#define FADE_STEP_Q15 (32768 / BOARD_BLOCK_SAMPLES)

static live_t live;
static player_t player;
static reverb_t reverb;
static midi_input_t input; /* of the MIDI socket */
static demo_phrase_t phrase;
static console_t console;
static play_stats_t stats;
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));

static volatile uint32_t n_begun;    /* number of halves that have begun to play; written by the interrupt */
static volatile uint32_t n_rendered; /* number of blocks handled for them; written by the main loop */
static bool has_faded;               /* the sound has faded out because the main loop rendered no block */

/* Runs in the audio interrupt. */
static void tick(void) { n_begun++; }

#ifdef PLAY_LIVE
/* Takes over a gain from the console. */
static void change_gain(void) {
    if (live.is_automatic) {
        input_gain_follow(&input_gain);
    } else {
        input_gain_set(&input_gain, (float)live.gain_db);
    }
    live.is_gain_new = false;
}

/* Takes the next block of input and analyses it in live mode. Otherwise it drops the block, so that live mode
 * never starts with stale input. */
static void read_input(void) {
    live.has_input = board_audio_get(samples);
    live.n_lost = board_audio_lost();
    if (live.is_gain_new) {
        change_gain();
    }
    if (!live.is_on) {
        player_follow(&player, NULL);
        return;
    }
    if (!player.is_live) {
        analysis_reset(&analysis);
    }
    const frame_t frame = input_gain_analyse(&input_gain, &analysis, samples);
    live.gain_db = (int)(input_gain.gain_db + 0.5f) - (input_gain.gain_db < -0.5f);
    player_follow(&player, &frame);
}
#else
static void read_input(void) {}
#endif

static void play_bytes(midi_input_t *from, const uint8_t *bytes, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i++) {
        midi_input_receive(from, &player, bytes[i]);
    }
}

static void receive_midi(void) {
    uint8_t bytes[MIDI_BYTES];
    size_t n;
    while ((n = board_midi_read(bytes, sizeof bytes)) > 0) {
        play_bytes(&input, bytes, n);
#ifdef BOARD_USB
        board_usb_midi_write(bytes, n); /* the host gets what is played at the socket */
#endif
    }
    midi_input_step(&input, &player);
#ifdef BOARD_USB
    n = board_usb_midi_read(bytes, sizeof bytes);
    play_bytes(&usb_input, bytes, n);
    midi_input_step(&usb_input, &player);
#endif
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
            const midi_message_t message = {MIDI_CONTROL_CHANGE, 0, {control, value}};
            player_receive_everywhere(&player, &message);
        }
    }
}

/* Makes the block that plays after `output` if the next one is late: the same backwards, so that the sound
 * continues without a step, and fading out. */
static void make_end(int16_t end[BOARD_BLOCK_SAMPLES]) {
    int32_t gain_q15 = BOARD_BLOCK_SAMPLES * FADE_STEP_Q15;
    for (int n = 0; n < BOARD_BLOCK_SAMPLES; n++) {
        end[n] = (int16_t)((output[BOARD_BLOCK_SAMPLES - 1 - n] * gain_q15) >> 15);
        gain_q15 -= FADE_STEP_Q15;
    }
}

/* Fades `output` in after blocks that were late. */
static void fade_in(void) {
    for (int n = 0; n < BOARD_BLOCK_SAMPLES; n++) {
        output[n] = (int16_t)((output[n] * n * FADE_STEP_Q15) >> 15);
    }
}

/* Renders the block that is due. It plays later if it is late: the sound has then faded out. */
static void render_block(void) {
    int16_t end[BOARD_BLOCK_SAMPLES];
    const uint32_t start = board_cycles();
    read_input();
    receive_midi();
    receive_panel();
    demo_phrase_step(&phrase, &player);
    player_render(&player, samples);
    reverb_process_in(&reverb, reverb_response(player.program), samples);
#if BOARD_SAMPLE_RATE == 48000
    upsampler_process(&upsampler, samples, output);
#endif
    make_end(end);
    if (has_faded || n_begun - n_rendered > 1u) {
        fade_in();
    }
    has_faded = false;
    board_audio_put(output, end);
    /* Read n_begun last, so that a half that has begun to play meanwhile counts as late. */
    const uint32_t n_late = n_begun - n_rendered - 1u;
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
    stats.n_midi_errors = board_midi_errors();
#if PLAYER_N_CORES > 1
    stats.n_core_late = second_core_n_late();
#endif
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

/* Does what the console asks for, and returns the answer. */
static const char *obey(console_request_t request) {
    if (request == CONSOLE_START_LOADER) {
        return board_start_loader() ? "" : "this board has no boot loader\r\n";
    }
    if (request == CONSOLE_SAVE_DEFAULTS) {
        settings_reset(&player, LIVE_STATE);
    }
    return settings_save(&player, LIVE_STATE) ? "saved\r\n" : "not saved: the flash does not keep it\r\n";
}

/* Keeps the settings for the next start, or starts the boot loader. No block is rendered meanwhile, so the
 * sound fades out before, as it does if a block is late, and in again afterwards. */
static void serve_request(void) {
    if (console.request == CONSOLE_NO_REQUEST) {
        return;
    }
    const uint32_t start = n_begun;
    while (n_begun - start < 3u && board_wait()) { /* the last block, its end, silence */
    }
    board_watchdog_feed();
    console_print(&console, obey(console.request));
    console.request = CONSOLE_NO_REQUEST;
    n_rendered = n_begun;
    has_faded = true;
}

int main(void) {
    board_init();
    player_init(&player);
    settings_load(&player, LIVE_STATE);
    reverb_init(&reverb, reverb_response(player.program));
#if BOARD_SAMPLE_RATE == 48000
    upsampler_reset(&upsampler);
#endif
    stats.block_cycles = board_cycles_per_block();
#ifdef PLAY_LIVE
    analysis_init(&analysis, SHARED_LIVE_MIN_F0_HZ, SHARED_LIVE_MAX_F0_HZ);
    change_gain();
#endif
    console_init(&console, &player, &phrase, &stats, LIVE_STATE);
    board_watchdog_start();
    board_audio_start(tick);
    while (board_wait()) {
        if (n_begun != n_rendered) {
            render_block();
            board_watchdog_feed();
        } else {
            serve_console();
            serve_request();
        }
    }
    return 0;
}
