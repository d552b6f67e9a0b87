/* libFuzzer target: feeds bytes to the MIDI input of the player, to its console, or to both.
 *
 * The first byte selects the destination. In MIDI input, 0xF9, which MIDI leaves undefined, renders a block,
 * so that intermediate states are rendered, too. At the console, a byte above 0x7F sends part of the pending
 * output. In live mode the player follows arbitrary frames. After each input, all sound off must
 * silence the player within two blocks, and console and parser must not have exceeded their bounds.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "player/console.h"
#include "player/midi_input.h"

#define MOST_BLOCKS 4 /* per input, because rendering takes nearly all of the time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static player_t player, fresh_player;
static midi_input_t cable;
static console_t console;
static demo_phrase_t phrase;
static play_stats_t stats;
static live_t live;
static int n_blocks;

static void check(int is_true) {
    if (!is_true) {
        abort();
    }
}

static void render(void) {
    static const frame_t live_frames[] = {{440.0f, -20.0f}, {NAN, NAN}, {-INFINITY, INFINITY}, {1e9f, -1e9f}};
    int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
    player_follow(&player, live.is_on ? &live_frames[n_blocks % 4] : NULL);
    midi_input_step(&cable, &player);
    demo_phrase_step(&phrase, &player);
    player_render(&player, samples);
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        const player_voice_t *const voice = &player.voices[i];
        const frame_t *const frame = &voice->instrument.frame;
        check(voice->phase <= VOICE_FADING && voice->preset < player.n_presets && voice->note < 128);
        check(frame->f0_hz >= FRAME_MIN_F0_HZ && frame->f0_hz <= FRAME_MAX_F0_HZ);
        check(frame->loudness_db >= FRAME_MIN_LOUDNESS_DB && frame->loudness_db <= FRAME_MAX_LOUDNESS_DB);
    }
    check(player.n_keys <= PLAYER_N_KEYS && player.program < player.n_presets);
}

static void feed_midi(uint8_t byte) {
    if (byte == 0xF9 && n_blocks++ < MOST_BLOCKS) {
        render();
    }
    midi_input_receive(&cable, &player, byte);
}

static void send_some(size_t n_bytes) {
    size_t n_pending;
    const char *const text = console_pending(&console, &n_pending);
    check(text >= console.out && text + n_pending <= console.out + CONSOLE_OUT_BYTES);
    for (size_t i = 0; i < n_pending; i++) {
        check((text[i] >= ' ' && text[i] <= '~') || text[i] == '\r' || text[i] == '\n');
    }
    console_sent(&console, n_bytes < n_pending ? n_bytes : n_pending);
}

static void feed_console(uint8_t byte) {
    if (byte > 0x7F) {
        send_some(byte);
    } else {
        console_receive(&console, (char)byte);
    }
    check(console.n_line <= CONSOLE_LINE_BYTES);
    check(console.n_written - console.n_sent <= CONSOLE_OUT_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (fresh_player.voices[0].table == NULL) {
        player_init(&fresh_player);
    }
    player = fresh_player;
    memset(&cable, 0, sizeof cable);
    memset(&phrase, 0, sizeof phrase);
    memset(&stats, 0, sizeof stats);
    memset(&live, 0, sizeof live);
    console_init(&console, &player, &phrase, &stats, &live);
    n_blocks = 0;
    for (size_t i = 1; i < size; i++) {
        const unsigned which = data[0] % 3u;
        if (which == 0 || (which == 2 && i % 2 == 0)) {
            feed_midi(data[i]);
        } else {
            feed_console(data[i]);
        }
    }
    phrase.is_playing = false;
    live.is_on = false;
    player_panic(&player);
    render();
    render();
    check(player_n_sounding(&player) == 0);
    return 0;
}
