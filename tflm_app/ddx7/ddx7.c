#include "ddx7/ddx7.h"

#include <string.h>

#define UPSAMPLED_RATE (UPSAMPLER_FACTOR * DDX7_SAMPLE_RATE)
#define ONE_STEP ((uint64_t)1 << 32)

SHARED_ASSERT(FM_BLOCK_SAMPLES == UPSAMPLER_BLOCK_SAMPLES, "the upsampler takes blocks of the player");

bool ddx7_init(ddx7_t *synth, size_t n_bytes, uint32_t sample_rate_hz) {
    if (n_bytes != sizeof *synth || sample_rate_hz < DDX7_SAMPLE_RATE ||
        sample_rate_hz > DDX7_MAX_SAMPLE_RATE) {
        return false;
    }
    memset(synth, 0, sizeof *synth);
    player_init(&synth->player);
    upsampler_reset(&synth->upsampler);
    synth->step = sample_rate_hz == DDX7_SAMPLE_RATE ? 0 : UPSAMPLED_RATE * ONE_STEP / sample_rate_hz;
    return true;
}

/* --- messages --------------------------------------------------------------------------------------- */

void ddx7_midi(ddx7_t *synth, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        midi_input_receive(&synth->input, &synth->player, bytes[i]);
    }
}

/* Sends a message on the first channel, unless a data byte is out of range. */
static void receive(ddx7_t *synth, uint8_t kind, int first, int second) {
    if (((unsigned)first | (unsigned)second) <= 127u) {
        const midi_message_t message = {kind, 0, {(uint8_t)first, (uint8_t)second}};
        player_receive(&synth->player, &message);
    }
}

void ddx7_note_on(ddx7_t *synth, int note, int velocity) { receive(synth, MIDI_NOTE_ON, note, velocity); }

void ddx7_note_off(ddx7_t *synth, int note) { receive(synth, MIDI_NOTE_OFF, note, 0); }

void ddx7_control(ddx7_t *synth, int controller, int value) {
    receive(synth, MIDI_CONTROL_CHANGE, controller, value);
}

void ddx7_bend(ddx7_t *synth, int bend) {
    if (bend >= -8192 && bend <= 8191) {
        receive(synth, MIDI_PITCH_BEND, (bend + 8192) & 127, (bend + 8192) >> 7);
    }
}

void ddx7_select(ddx7_t *synth, int instrument) { receive(synth, MIDI_PROGRAM_CHANGE, instrument, 0); }

bool ddx7_use(ddx7_t *synth, const ddx7_preset_t *presets, int n) {
    if (n < 1 || n > PLAYER_MAX_PRESETS) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        const ddx7_preset_t *const preset = &presets[i];
        if (preset->instrument == NULL || preset->expression == NULL || preset->instrument->model == NULL) {
            return false;
        }
    }
    player_init_presets(&synth->player, presets, (size_t)n);
    memset(&synth->input, 0, sizeof synth->input);
    synth->n_read = synth->n_waiting; /* drops the rest of the block */
    return true;
}

const ddx7_preset_t *ddx7_presets(void) { return player_presets; }

int ddx7_n_instruments(void) { return (int)instrument_n_presets; }

const char *ddx7_instrument_name(int instrument) {
    return instrument >= 0 && instrument < ddx7_n_instruments() ? instrument_presets[instrument].name : NULL;
}

void ddx7_follow(ddx7_t *synth, float f0_hz, float loudness_db) {
    const frame_t frame = {f0_hz, loudness_db};
    player_follow(&synth->player, &frame);
}

void ddx7_follow_keys(ddx7_t *synth) { player_follow(&synth->player, NULL); }

void ddx7_panic(ddx7_t *synth) { player_panic(&synth->player); }

int ddx7_n_sounding(const ddx7_t *synth) { return player_n_sounding(&synth->player); }

/* --- samples ---------------------------------------------------------------------------------------- */

static void render_block(ddx7_t *synth) {
    int16_t block[FM_BLOCK_SAMPLES] __attribute__((aligned(4)));
    midi_input_step(&synth->input, &synth->player);
    player_render(&synth->player, block);
    if (synth->step == 0) {
        memcpy(synth->waiting, block, sizeof block);
        synth->n_waiting = FM_BLOCK_SAMPLES;
    } else {
        upsampler_process(&synth->upsampler, block, synth->waiting);
        synth->n_waiting = UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES;
    }
    synth->n_read = 0;
}

/* Copies the next n samples at 16 or 48 kHz. */
static void read_waiting(ddx7_t *synth, int16_t *samples, size_t n) {
    while (n > 0) {
        if (synth->n_read == synth->n_waiting) {
            render_block(synth);
        }
        const size_t left = (size_t)(synth->n_waiting - synth->n_read), part = n < left ? n : left;
        memcpy(samples, synth->waiting + synth->n_read, part * sizeof *samples);
        synth->n_read = (uint16_t)(synth->n_read + part);
        samples += part;
        n -= part;
    }
}

/* Returns the value at `place`, Q11, between y[1] and y[2] of the cubic polynomial through both whose slopes
 * there are those of the lines through their neighbours (Catmull and Rom). Q11 lets all products fit into 32
 * bits. */
static int16_t interpolate(const int16_t y[4], int32_t place) {
    const int32_t slope = y[2] - y[0]; /* coefficients, times two */
    const int32_t square = 2 * y[0] - 5 * y[1] + 4 * y[2] - y[3];
    const int32_t cube = y[3] - y[0] + 3 * (y[1] - y[2]);
    const int32_t rise = ((((cube * place) >> 11) + square) * place) >> 11;
    const int32_t value = y[1] + (((rise + slope) * place + (1 << 11)) >> 12);
    return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

void ddx7_read(ddx7_t *synth, int16_t *samples, size_t n) {
    if (synth->step == 0 || synth->step == ONE_STEP) {
        read_waiting(synth, samples, n);
        return;
    }
    int16_t *const past = synth->past;
    for (; n > 0; n--) {
        const uint64_t next = synth->place + synth->step;
        *samples++ = interpolate(past, (int32_t)(synth->place >> 21));
        for (uint32_t passed = (uint32_t)(next >> 32); passed > 0; passed--) {
            if (synth->n_read == synth->n_waiting) {
                render_block(synth);
            }
            past[0] = past[1];
            past[1] = past[2];
            past[2] = past[3];
            past[3] = synth->waiting[synth->n_read++];
        }
        synth->place = (uint32_t)next;
    }
}
