#include "player/player.h"

#include <string.h>

#include "player/pitch.h"
#include "fm/fm_sine.h"

#define RPN_BEND_RANGE 0u
#define RPN_NONE 0x3FFFu
#define BEND_CENTRE 8192u
#define MAX_BEND_SEMITONES 24
#define GENERAL_MIDI_VOLUME 100
#define VOLUME_100_DB_Q8 1063 /* 40 log10(127 / 100): the corpus was rendered at volume 100 */
#define FULL_VIBRATO PITCH_Q16(0.5)
#define CONTROL_SMOOTHING 2 /* controllers go a quarter of their way a block, bend half of it */
#define MIX_SHIFT (PLAYER_N_VOICES > 1 ? 1 : 0)

enum { /* controllers */
       CC_MODULATION = 1,
       CC_BREATH = 2,
       CC_PORTAMENTO_TIME = 5,
       CC_DATA_ENTRY = 6,
       CC_VOLUME = 7,
       CC_EXPRESSION = 11,
       CC_DATA_ENTRY_FINE = 38,
       CC_SUSTAIN = 64,
       CC_PORTAMENTO = 65,
       CC_NRPN_FINE = 98,
       CC_NRPN = 99,
       CC_RPN_FINE = 100,
       CC_RPN = 101,
       CC_ALL_SOUND_OFF = 120,
       CC_RESET_CONTROLLERS = 121,
       CC_ALL_NOTES_OFF = 123,
       CC_OMNI_OFF = 124,
       CC_OMNI_ON = 125,
       CC_MONO = 126,
       CC_POLY = 127,
};

/* --- voices ----------------------------------------------------------------------------------------- */

static uint32_t portamento_frames(const player_t *player) {
    const uint32_t time = player->portamento_time;
    return player->has_portamento && player->last_pitch >= 0 ? (time * time * 127) >> 12 : 0;
}

/* Binds an idle voice to an instrument, which takes about as long as a block of its sound. */
static void adopt(player_voice_t *voice, uint8_t preset, uint32_t seed) {
    instrument_init(&voice->instrument, &instrument_presets[preset], seed);
    voice->table = expression_presets[preset];
    voice->preset = preset;
}

static void start_voice(player_t *player, player_voice_t *voice, player_key_t key, uint8_t phase,
                        uint8_t preset) {
    const bool was_idle = voice->phase == VOICE_IDLE;
    const uint32_t glide_frames = portamento_frames(player);
    int32_t from = glide_frames > 0 ? player->last_pitch : key.note << 16;
    if (was_idle) {
        if (voice->preset != preset) {
            adopt(voice, preset, voice->instrument.seed);
        }
        expression_reset(&voice->expression, voice->expression.noise);
        voice->is_fresh = true;
    } else if (glide_frames > 0 && player->is_mono) {
        from = voice->expression.pitch; /* wherever a glide had come to */
    }
    expression_start(&voice->expression, key.note, key.velocity, from, glide_frames);
    voice->note = key.note;
    voice->phase = phase;
    voice->is_live = false;
    player->last_pitch = key.note << 16;
}

/* Begins a note on a voice, whatever the voice is doing. */
static void play(player_t *player, player_voice_t *voice, player_key_t key) {
    if (voice->phase == VOICE_FADING || (voice->phase != VOICE_IDLE && voice->preset != player->program)) {
        voice->phase = VOICE_FADING;
        voice->note = key.note;
        voice->next = key;
        voice->next_phase = VOICE_HELD;
        voice->next_preset = player->program;
    } else {
        start_voice(player, voice, key, VOICE_HELD, player->program);
    }
}

static void release_voice(player_t *player, player_voice_t *voice) {
    expression_release(&voice->expression);
    voice->phase = VOICE_RELEASED;
    voice->released = player->n_released++;
}

static void fade_all(player_t *player) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (voice->phase != VOICE_IDLE) {
            voice->phase = VOICE_FADING;
            voice->next_phase = VOICE_IDLE;
        }
    }
    player->n_keys = 0;
}

/* --- keys, polyphonic ------------------------------------------------------------------------------- */

static bool has_key(const player_voice_t *voice) {
    return voice->phase == VOICE_HELD || voice->phase == VOICE_PEDAL ||
           (voice->phase == VOICE_FADING && voice->next_phase != VOICE_IDLE);
}

/* How willingly a voice is given to a new note: larger is sooner. */
static int64_t availability(const player_t *player, const player_voice_t *voice) {
    switch (voice->phase) {
        case VOICE_IDLE:
            return INT64_MAX;
        case VOICE_FADING:
            return voice->next_phase == VOICE_IDLE ? INT64_MAX - 1 : INT64_MIN;
        case VOICE_RELEASED:
            return ((int64_t)1 << 40) + (player->n_released - voice->released);
        default:
            return -(int64_t)voice->expression.level_db;
    }
}

static void press_poly(player_t *player, player_key_t key) {
    player_voice_t *best = &player->voices[0];
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (voice->phase != VOICE_IDLE && voice->note == key.note) {
            best = voice; /* a key struck again is the same string */
            break;
        }
        if (availability(player, voice) > availability(player, best)) {
            best = voice;
        }
    }
    player->n_stolen += has_key(best) && best->note != key.note ? 1u : 0u;
    play(player, best, key);
}

static void lift_poly(player_t *player, uint8_t note) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (voice->note != note) {
            continue;
        }
        if (voice->phase == VOICE_FADING && voice->next_phase == VOICE_HELD) {
            voice->next_phase = player->is_pedal_down ? VOICE_PEDAL : VOICE_IDLE;
        } else if (voice->phase == VOICE_HELD && player->is_pedal_down) {
            voice->phase = VOICE_PEDAL;
        } else if (voice->phase == VOICE_HELD) {
            release_voice(player, voice);
        }
    }
}

static void lift_pedal_poly(player_t *player) {
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        if (voice->phase == VOICE_PEDAL) {
            release_voice(player, voice);
        } else if (voice->phase == VOICE_FADING && voice->next_phase == VOICE_PEDAL) {
            voice->next_phase = VOICE_IDLE;
        }
    }
}

/* --- keys, monophonic ------------------------------------------------------------------------------- */

static void remove_key(player_t *player, int index) {
    for (int i = index; i + 1 < player->n_keys; i++) {
        player->keys[i] = player->keys[i + 1];
    }
    const uint32_t below = (1u << index) - 1;
    player->keys_up = (player->keys_up & below) | ((player->keys_up >> 1) & ~below);
    player->n_keys--;
}

static int find_key(const player_t *player, uint8_t note) {
    for (int i = 0; i < player->n_keys; i++) {
        if (player->keys[i].note == note) {
            return i;
        }
    }
    return -1;
}

/* Moves the voice to the key on top, slurred where it sounds and its instrument can; or ends the note. */
static void follow_keys(player_t *player, bool was_held) {
    player_voice_t *const voice = &player->voices[0];
    if (player->n_keys == 0) {
        if (voice->phase == VOICE_HELD) {
            release_voice(player, voice);
        } else if (voice->phase == VOICE_FADING) {
            voice->next_phase = VOICE_IDLE;
        }
        return;
    }
    const player_key_t key = player->keys[player->n_keys - 1];
    const bool slurs = was_held && voice->phase == VOICE_HELD && voice->preset == player->program &&
                       voice->table->slur_frames > 0;
    if (slurs) {
        const uint32_t portamento = portamento_frames(player);
        const uint32_t glide = portamento > 0 ? portamento : voice->table->slur_frames;
        expression_slur(&voice->expression, key.note, key.velocity, glide);
        voice->note = key.note;
        player->last_pitch = key.note << 16;
    } else {
        play(player, voice, key);
    }
}

static void press_mono(player_t *player, player_key_t key) {
    const bool was_held = player->n_keys > 0;
    const int found = find_key(player, key.note);
    if (found >= 0) {
        remove_key(player, found);
    } else if (player->n_keys == PLAYER_N_KEYS) {
        remove_key(player, 0);
    }
    player->keys_up &= ~(1u << player->n_keys);
    player->keys[player->n_keys++] = key;
    follow_keys(player, was_held);
}

static void lift_mono(player_t *player, uint8_t note) {
    const int found = find_key(player, note);
    if (found < 0) {
        return;
    }
    if (player->is_pedal_down) {
        player->keys_up |= 1u << found;
        return;
    }
    const bool was_top = found == player->n_keys - 1;
    remove_key(player, found);
    if (was_top) {
        follow_keys(player, true);
    }
}

static void lift_pedal_mono(player_t *player) {
    const uint8_t top = player->n_keys > 0 ? player->keys[player->n_keys - 1].note : 0;
    const uint8_t n_before = player->n_keys;
    for (int i = player->n_keys - 1; i >= 0; i--) {
        if ((player->keys_up >> i) & 1u) {
            remove_key(player, i);
        }
    }
    if (player->n_keys < n_before && (player->n_keys == 0 || player->keys[player->n_keys - 1].note != top)) {
        follow_keys(player, true);
    }
}

/* --- messages --------------------------------------------------------------------------------------- */

static void press(player_t *player, uint8_t note, uint8_t velocity) {
    const player_key_t key = {note, velocity};
    if (player->is_live) {
        return;
    }
    (player->is_mono ? press_mono : press_poly)(player, key);
}

static void lift(player_t *player, uint8_t note) { (player->is_mono ? lift_mono : lift_poly)(player, note); }

static void move_pedal(player_t *player, bool is_down) {
    if (player->is_pedal_down && !is_down) {
        (player->is_mono ? lift_pedal_mono : lift_pedal_poly)(player);
    }
    player->is_pedal_down = is_down;
}

static void lift_all(player_t *player) {
    if (player->is_mono) {
        for (int i = player->n_keys - 1; i >= 0; i--) {
            lift_mono(player, player->keys[i].note);
        }
    } else {
        for (int i = 0; i < PLAYER_N_VOICES; i++) {
            lift_poly(player, player->voices[i].note);
        }
    }
}

static void reset_controllers(player_t *player) {
    move_pedal(player, false);
    player->controls.vibrato_depth = EXPRESSION_USUAL_VIBRATO;
    player->breath = 127;
    player->expression = 127;
    player->bend = BEND_CENTRE;
    player->has_portamento = false;
    player->parameter = RPN_NONE;
}

static void enter_data(player_t *player, uint8_t *coarse_or_fine, uint8_t value, uint8_t highest) {
    if (player->parameter == RPN_BEND_RANGE) {
        *coarse_or_fine = value < highest ? value : highest;
    }
}

static void change_control(player_t *player, uint8_t control, uint8_t value) {
    switch (control) {
        case CC_MODULATION:
            player->controls.vibrato_depth = value * FULL_VIBRATO / 127;
            break;
        case CC_BREATH:
            player->breath = value;
            break;
        case CC_PORTAMENTO_TIME:
            player->portamento_time = value;
            break;
        case CC_DATA_ENTRY:
            enter_data(player, &player->bend_semitones, value, MAX_BEND_SEMITONES);
            break;
        case CC_VOLUME:
            player->volume = value;
            break;
        case CC_EXPRESSION:
            player->expression = value;
            break;
        case CC_DATA_ENTRY_FINE:
            enter_data(player, &player->bend_cents, value, 99);
            break;
        case CC_SUSTAIN:
            move_pedal(player, value >= 64);
            break;
        case CC_PORTAMENTO:
            player->has_portamento = value >= 64;
            break;
        case CC_NRPN_FINE:
        case CC_NRPN:
            player->parameter = RPN_NONE;
            break;
        case CC_RPN_FINE:
            player->parameter = (uint16_t)((player->parameter & 0x3F80u) | value);
            break;
        case CC_RPN:
            player->parameter = (uint16_t)((player->parameter & 0x7Fu) | (unsigned)value << 7);
            break;
        case CC_ALL_SOUND_OFF:
            fade_all(player);
            break;
        case CC_RESET_CONTROLLERS:
            reset_controllers(player);
            break;
        case CC_ALL_NOTES_OFF:
        case CC_OMNI_OFF:
        case CC_OMNI_ON:
            lift_all(player);
            break;
        case CC_MONO:
        case CC_POLY:
            fade_all(player);
            player->is_mono = control == CC_MONO || PLAYER_N_VOICES == 1;
            break;
        default:
            break;
    }
}

void player_receive(player_t *player, const midi_message_t *message) {
    if (player->channel != PLAYER_ALL_CHANNELS && message->channel != player->channel) {
        return;
    }
    const uint8_t first = message->data[0], second = message->data[1];
    switch (message->kind) {
        case MIDI_NOTE_ON:
            if (second > 0) {
                press(player, first, second);
            } else {
                lift(player, first);
            }
            break;
        case MIDI_NOTE_OFF:
            lift(player, first);
            break;
        case MIDI_CONTROL_CHANGE:
            change_control(player, first, second);
            break;
        case MIDI_PROGRAM_CHANGE:
            if (first < instrument_n_presets) {
                player->program = first;
            }
            break;
        case MIDI_PITCH_BEND:
            player->bend = (uint16_t)(first | second << 7);
            break;
        default:
            break;
    }
}

/* --- sound ------------------------------------------------------------------------------------------ */

void player_init(player_t *player) {
    memset(player, 0, sizeof *player);
    player->channel = PLAYER_ALL_CHANNELS;
    player->is_mono = PLAYER_N_VOICES == 1;
    player->volume = GENERAL_MIDI_VOLUME;
    player->bend_semitones = 2;
    player->last_pitch = -1;
    reset_controllers(player);
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        adopt(voice, 0, NOISE_SEED(i));
        expression_reset(&voice->expression, 0x9E3779B9u * (uint32_t)(i + 1));
    }
}

void player_panic(player_t *player) {
    move_pedal(player, false);
    fade_all(player);
}

int player_n_sounding(const player_t *player) {
    int n = 0;
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        n += player->voices[i].phase != VOICE_IDLE;
    }
    return n;
}

static int32_t gain_goal(const player_t *player) {
    const int gain_q8 = gain_db_q8[player->breath] + gain_db_q8[player->expression] +
                        gain_db_q8[player->volume] + VOLUME_100_DB_Q8;
    return gain_q8 * 256;
}

static int32_t bend_goal(const player_t *player) {
    const int32_t range = (player->bend_semitones << 16) + player->bend_cents * (65536 / 100);
    return (((int32_t)player->bend - (int32_t)BEND_CENTRE) * (range >> 3)) >> 10;
}

/* Controllers come in steps; these are rounded off, unless nothing sounds that they could disturb. */
static void move_controls(player_t *player) {
    expression_controls_t *const controls = &player->controls;
    const int32_t gain_db = gain_goal(player), bend = bend_goal(player);
    if (player_n_sounding(player) == 0) {
        controls->gain_db = gain_db;
        controls->bend = bend;
    } else {
        controls->gain_db += (gain_db - controls->gain_db) >> CONTROL_SMOOTHING;
        controls->bend += (bend - controls->bend) >> 1;
    }
}

/* Gives the first voice, once it is silent, to what is heard. */
static void start_live(player_t *player) {
    player_voice_t *const voice = &player->voices[0];
    if (player->is_live && voice->phase == VOICE_IDLE) {
        if (voice->preset != player->program) {
            adopt(voice, player->program, voice->instrument.seed);
        }
        voice->phase = VOICE_LIVE;
        voice->is_live = true;
        voice->is_fresh = true;
    }
}

#define DB_PER_Q16 (1.0f / 65536.0f)
#define NOTE_OF_1_HZ (-36.3763166f) /* 69 - 12 log2(440) */

static void play_heard(player_t *player, player_voice_t *voice, int16_t samples[FM_BLOCK_SAMPLES]) {
    frame_t frame = player->heard;
    frame.loudness_db += (float)player->controls.gain_db * DB_PER_Q16;
    instrument_render(&voice->instrument, &frame, samples);
    voice->note = (uint8_t)(12.0f * voice->instrument.log2_f0 + (NOTE_OF_1_HZ + 0.5f)); /* to be shown */
}

/* Ends a voice's sound, and starts the note that waits for that. The decoder of a fading voice is not asked,
 * so that there is time to reset it. Returns whether there was a sound. */
static bool fade_voice(player_t *player, player_voice_t *voice, int16_t samples[FM_BLOCK_SAMPLES]) {
    const bool sounds = !voice->is_fresh;
    if (sounds) {
        instrument_fade(&voice->instrument, samples);
        instrument_reset(&voice->instrument);
    }
    voice->event = sounds ? VOICE_FADED : VOICE_SILENT;
    voice->phase = VOICE_IDLE;
    if (voice->next_phase != VOICE_IDLE) {
        start_voice(player, voice, voice->next, voice->next_phase, voice->next_preset);
        voice->next_phase = VOICE_IDLE;
    }
    return sounds;
}

/* Plays a voice's next block; returns whether it sounds. */
static bool play_voice(player_t *player, player_voice_t *voice, int16_t samples[FM_BLOCK_SAMPLES]) {
    voice->played = voice->preset;
    if (voice->phase == VOICE_LIVE && voice->preset != player->program) {
        voice->phase = VOICE_FADING;
    }
    if (voice->phase == VOICE_FADING) {
        return fade_voice(player, voice, samples);
    }
    if (voice->phase == VOICE_IDLE) {
        voice->event = VOICE_SILENT;
        if (voice->preset != player->program) {
            adopt(voice, player->program, voice->instrument.seed); /* before a note needs it */
        }
        return false;
    }
    voice->event = voice->is_fresh ? VOICE_BEGUN : VOICE_PLAYED;
    voice->is_fresh = false;
    if (voice->phase == VOICE_LIVE) {
        play_heard(player, voice, samples);
        return true;
    }
    frame_t frame;
    if (!expression_step(&voice->expression, voice->table, &player->controls, &frame)) {
        voice->phase = VOICE_FADING;
    }
    instrument_render(&voice->instrument, &frame, samples);
    return true;
}

void player_follow(player_t *player, const frame_t *heard) {
    if ((heard != NULL) != player->is_live) {
        fade_all(player);
        player->is_live = heard != NULL;
    }
    if (heard != NULL) {
        player->heard = *heard;
    }
}

void player_render(player_t *player, int16_t samples[FM_BLOCK_SAMPLES]) {
    int16_t voice_samples[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
    int32_t mix[FM_BLOCK_SAMPLES] = {0};
    move_controls(player);
    start_live(player);
    for (int i = 0; i < PLAYER_N_VOICES; i++) {
        player_voice_t *const voice = &player->voices[i];
        const int32_t gain = voice->is_live ? 1 << MIX_SHIFT : 1; /* a live one has nobody to make room for */
        if (play_voice(player, voice, voice_samples)) {
            for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
                mix[n] += voice_samples[n] * gain;
            }
        }
    }
    for (int n = 0; n < FM_BLOCK_SAMPLES; n++) {
        samples[n] = (int16_t)fm_saturate(mix[n] >> MIX_SHIFT);
    }
}
