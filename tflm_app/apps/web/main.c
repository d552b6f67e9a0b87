/* The instrument for a web page: a WebAssembly module that plays blocks of 64 samples, as apps/play does on a
 * board. pipeline/pages/assets/web/synth.js calls it from the audio thread of a browser.
 *
 * The module has no imports, files, clock or allocation. It exchanges bytes, samples and figures through
 * static buffers, whose addresses it returns:
 *
 *     web_init              starts with silence, at 16 or 48 kHz
 *     web_midi              buffer for MIDI bytes; web_receive(n) handles the first n of them, and
 *                           web_receive_everywhere(n) takes them for controllers of all channels
 *     web_input             buffer for a block of sound at 16 kHz, which web_render follows in live mode
 *     web_render            renders the next block; returns 64 samples at 16 kHz or 192 at 48 kHz
 *     web_view              what the voices do, for the picture (VIEW_* below)
 *     web_set_*             live mode, input gain, reverb, noise
 *     web_demo              plays the demo phrase; web_panic ends all sound
 *
 * In live mode each block is rendered from the block of input that web_input holds, as apps/transfer does.
 */
#include "analysis/input_gain.h"
#include "player/demo_phrase.h"
#include "player/midi_input.h"
#include "reverb/reverb.h"
#include "upsampler/upsampler.h"

#define EXPORT(name) __attribute__((export_name(#name), used)) name

#define MIDI_BYTES 256
#define OUTPUT_SAMPLES (UPSAMPLER_FACTOR * FM_BLOCK_SAMPLES)

/* Entries of the view: those of the input and the player, then of each voice. */
enum {
    VIEW_INPUT_F0_HZ,
    VIEW_INPUT_DB,
    VIEW_INPUT_APERIODICITY,
    VIEW_INPUT_GAIN_DB,
    VIEW_STOLEN,
    VIEW_IS_DEMO,
    VIEW_PROGRAM,
    VIEW_IS_MONO,
    VIEW_VOLUME,
    VIEW_N_INPUT
};
enum { VIEW_PHASE, VIEW_PRESET, VIEW_F0_HZ, VIEW_LOUDNESS_DB, VIEW_LEVELS };
#define VIEW_N_VOICE (VIEW_LEVELS + DECODER_N_OUTPUTS)

static player_t player;
static midi_input_t cable;
static demo_phrase_t phrase;
static reverb_t reverb;
static upsampler_t upsampler;
static analysis_t analysis;
static input_gain_t input_gain;
static bool is_upsampled, has_reverb, has_noise, is_live;
static float live_ratio; /* of the pitch that is played to that of the input */
static frame_t heard;    /* the last frame of the input, after its gain */

static uint8_t midi[MIDI_BYTES];
static int16_t input[FM_BLOCK_SAMPLES];
static int16_t samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
static int16_t output[OUTPUT_SAMPLES];
static float view[VIEW_N_INPUT + PLAYER_N_VOICES * VIEW_N_VOICE];

/* Starts with silence and the first instrument. `sample_rate`: 48000, or 16000 for output as it is. */
void EXPORT(web_init)(int sample_rate) {
    player_init(&player);
    player.channel = PLAYER_EVERY_CHANNEL; /* the page leaves out the drums of a file */
    cable = (midi_input_t){0};
    phrase = (demo_phrase_t){0};
    reverb_init(&reverb, reverb_response(0));
    upsampler_reset(&upsampler);
    analysis_init(&analysis, SHARED_LIVE_MIN_F0_HZ, SHARED_LIVE_MAX_F0_HZ);
    input_gain_set(&input_gain, 0);
    is_upsampled = sample_rate == UPSAMPLER_FACTOR * SHARED_SAMPLE_RATE;
    has_reverb = REVERB_IS_PRESENT;
    has_noise = true;
    is_live = false;
    live_ratio = 1.0f;
    heard = (frame_t){440.0f, FRAME_MIN_LOUDNESS_DB};
}

int EXPORT(web_n_voices)(void) { return PLAYER_N_VOICES; }

int EXPORT(web_n_presets)(void) { return (int)instrument_n_presets; }

uint8_t *EXPORT(web_midi)(void) { return midi; }

int EXPORT(web_midi_capacity)(void) { return MIDI_BYTES; }

/* Handles the first `n_bytes` of web_midi; their effect starts with the next block. */
void EXPORT(web_receive)(int n_bytes) {
    for (int i = 0; i < n_bytes && i < MIDI_BYTES; i++) {
        midi_input_receive(&cable, &player, midi[i]);
    }
}

/* Handles the first `n_bytes` of web_midi, whole messages, on all channels (player_receive_everywhere). */
void EXPORT(web_receive_everywhere)(int n_bytes) {
    midi_parser_t own = {0};
    midi_message_t message;
    for (int i = 0; i < n_bytes && i < MIDI_BYTES; i++) {
        if (midi_parser_feed(&own, midi[i], &message)) {
            player_receive_everywhere(&player, &message);
        }
    }
}

void EXPORT(web_demo)(void) { demo_phrase_start(&phrase, &player); }

void EXPORT(web_panic)(void) {
    phrase.is_playing = false;
    player_panic(&player);
}

/* Sets whether the reverb of the instrument is played, if the module has one. */
void EXPORT(web_set_reverb)(int is_on) {
    if (!has_reverb && is_on) {
        reverb_reset(&reverb); /* its state is old */
    }
    has_reverb = is_on != 0;
}

/* Sets whether the noise of the instruments is played. The linker leads their calls of noise_gain to
 * __wrap_noise_gain (CMakeLists.txt), so that the firmware needs no such switch. */
void EXPORT(web_set_noise)(int is_on) { has_noise = is_on != 0; }

noise_gain_t __real_noise_gain(const noise_preset_t *preset, float log2_f0, float loudness_db,
                               const int32_t levels_q32[NOISE_N_LEVELS]);
noise_gain_t __wrap_noise_gain(const noise_preset_t *preset, float log2_f0, float loudness_db,
                               const int32_t levels_q32[NOISE_N_LEVELS]);

noise_gain_t __wrap_noise_gain(const noise_preset_t *preset, float log2_f0, float loudness_db,
                               const int32_t levels_q32[NOISE_N_LEVELS]) {
    return has_noise ? __real_noise_gain(preset, log2_f0, loudness_db, levels_q32) : NOISE_SILENCE;
}

/* Starts or ends live mode. `ratio`: factor of the pitch, such as 2 to play an octave higher. */
void EXPORT(web_set_live)(int is_on, float ratio) {
    if (!is_live && is_on) {
        phrase.is_playing = false;
        analysis_reset(&analysis);
    }
    is_live = is_on != 0;
    live_ratio = ratio;
}

/* Lets the gain of the input follow its level (1), or sets it in dB (0). */
void EXPORT(web_set_gain)(int is_automatic, float gain_db) {
    if (is_automatic) {
        input_gain_follow(&input_gain);
    } else {
        input_gain_set(&input_gain, gain_db);
    }
}

int16_t *EXPORT(web_input)(void) { return input; }

static void follow_input(void) {
    if (!is_live) {
        player_follow(&player, NULL);
        return;
    }
    heard = input_gain_analyse(&input_gain, &analysis, input);
    const frame_t frame = {heard.f0_hz * live_ratio, heard.loudness_db};
    player_follow(&player, &frame);
}

/* Renders the next block of 4 ms and returns its samples. */
const int16_t *EXPORT(web_render)(void) {
    follow_input();
    midi_input_step(&cable, &player);
    demo_phrase_step(&phrase, &player);
    player_render(&player, samples);
    if (has_reverb) {
        reverb_process_in(&reverb, reverb_response(player.program), samples);
    }
    if (!is_upsampled) {
        return samples;
    }
    upsampler_process(&upsampler, samples, output);
    return output;
}

/* Describes the last block; returns VIEW_N_INPUT entries, and VIEW_N_VOICE for each voice. Levels in turns.
 */
const float *EXPORT(web_view)(void) {
    view[VIEW_INPUT_F0_HZ] = heard.f0_hz;
    view[VIEW_INPUT_DB] = heard.loudness_db;
    view[VIEW_INPUT_APERIODICITY] = analysis.aperiodicity;
    view[VIEW_INPUT_GAIN_DB] = input_gain.gain_db;
    view[VIEW_STOLEN] = (float)player.n_stolen;
    view[VIEW_IS_DEMO] = phrase.is_playing;
    view[VIEW_PROGRAM] = player.program;
    view[VIEW_IS_MONO] = player.is_mono;
    view[VIEW_VOLUME] = player_volume(&player);
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        const player_voice_t *const voice = &player.voices[i];
        float *const entries = view + VIEW_N_INPUT + i * VIEW_N_VOICE;
        entries[VIEW_PHASE] = voice->phase;
        entries[VIEW_PRESET] = voice->preset;
        entries[VIEW_F0_HZ] = voice->instrument.frame.f0_hz;
        entries[VIEW_LOUDNESS_DB] = voice->instrument.frame.loudness_db;
        for (int n = 0; n < DECODER_N_OUTPUTS; n++) {
            entries[VIEW_LEVELS + n] = (float)voice->instrument.levels_q32[n] * 0x1p-32f;
        }
    }
    return view;
}
