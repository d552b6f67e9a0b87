/* The whole instrument behind one header: MIDI or measured frames in, samples at any usual rate out.
 *
 *     static ddx7_t synth;
 *     ddx7_init(&synth, sizeof synth, 48000);
 *     ddx7_note_on(&synth, 69, 100);
 *     ddx7_read(&synth, samples, n);    whenever n samples are needed
 *
 * All state that changes is in ddx7_t, which the caller owns; everything else is constant. Nothing is
 * allocated. Several ddx7_t play at the same time, independently of each other. Functions for the same ddx7_t
 * must not interrupt each other: call them from one thread, or from one interrupt.
 *
 * The sound is rendered in blocks of 64 samples at 16 kHz, 4 ms, by integer arithmetic and float32 operations
 * in a fixed order: every core and compiler gives the same samples. What a message changes begins to sound
 * with the next block. ddx7_read renders a block whenever it runs out of samples. So most calls only copy,
 * and the longest one takes a block for each 4 ms that it returns, rounded up.
 *
 * Cost: that of player/player.h. At every rate but 16 kHz the filter adds 20 100 instructions per block of
 * 4 ms on Cortex-M4F and 40 500 on M0+, more than a voice of a tiny model takes; interpolation to rates other
 * than 48 kHz adds about 55 per sample of the output on M4F and 105 on M0+. State: that of the player and
 * 0.8 kB.
 */
#ifndef DDX7_H
#define DDX7_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ddx7/ddx7_model.h"
#include "player/midi_input.h"
#include "player/player.h"
#include "upsampler/upsampler.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DDX7_SAMPLE_RATE SHARED_SAMPLE_RATE /* 16000 Hz: the rate of the synthesizer */
#define DDX7_MAX_SAMPLE_RATE 192000

/* Caller-owned state, private to the functions below. */
typedef struct {
    player_t player;
    midi_input_t input;
    upsampler_t upsampler;
    int16_t waiting[UPSAMPLER_FACTOR * UPSAMPLER_BLOCK_SAMPLES]; /* rendered samples, 16 or 48 kHz */
    uint16_t n_waiting;
    uint16_t n_read; /* of the waiting samples */
    int16_t past[4]; /* the samples at 48 kHz around the next one of the output */
    uint32_t place;  /* of the next sample between past[1] and past[2], Q32 */
    uint64_t step;   /* samples at 48 kHz per sample of the output, Q32; 0 at 16 kHz */
} ddx7_t;

/* Initializes a synthesizer: silent, instrument 0, polyphonic if it has more than one voice.
 *
 *     n_bytes         sizeof *synth; another value means that the caller was compiled with another number of
 *                     voices than the library
 *     sample_rate_hz  rate of ddx7_read, 16000 to 192000
 *
 * At 16000 the samples are those of the synthesizer. At 48000 every third one is, and a filter of 96 taps
 * computes the others, with a delay of 1 ms. Other rates are interpolated from 48000 by cubic polynomials.
 *
 * Returns false, and leaves the state as it is, if the number of bytes or the rate is not allowed. */
bool ddx7_init(ddx7_t *synth, size_t n_bytes, uint32_t sample_rate_hz);

/* Writes the next n samples, int16, full scale; any n. */
void ddx7_read(ddx7_t *synth, int16_t *samples, size_t n);

/* Handles n bytes of MIDI as they arrive, in pieces of any size; all bytes are valid. player/player.h lists
 * the messages that have an effect, player/midi_input.h what ends notes whose end is lost. Time is counted in
 * samples that were read: where a sender sends active sensing, read at most 300 ms between two calls, or its
 * notes end. */
void ddx7_midi(ddx7_t *synth, const uint8_t *bytes, size_t n);

/* Presses or releases a key, moves a controller, or bends the pitch, as MIDI channel 1 does. note, velocity,
 * controller and value: 0 to 127; velocity 0 releases the key. bend: -8192 to 8191 spans the bend range, 2
 * semitones each way unless RPN 0 sets another. Calls with other values are ignored. */
void ddx7_note_on(ddx7_t *synth, int note, int velocity);
void ddx7_note_off(ddx7_t *synth, int note);
void ddx7_control(ddx7_t *synth, int controller, int value);
void ddx7_bend(ddx7_t *synth, int bend);

/* Selects the instrument of later notes by its number, from 0; numbers that the synthesizer does not have are
 * ignored. */
void ddx7_select(ddx7_t *synth, int instrument);

/* Returns the instruments that are compiled in, and their number. A synthesizer has these after ddx7_init. */
const ddx7_preset_t *ddx7_presets(void);
int ddx7_n_instruments(void);

/* Returns the name of one of them, such as "flute_reduced_cd"; NULL if there is none of that number. */
const char *ddx7_instrument_name(int instrument);

/* Makes the synthesizer play n other instruments, 1 to 128: any that are compiled in or were loaded
 * (ddx7_model.h), numbered in this order. The array must stay as it is. All sound ends at once, and
 * everything but the rate is as after ddx7_init.
 *
 * Returns false, and changes nothing, if one of them is no instrument, such as one that could not be
 * loaded, or a copy of one in whose place another then could not. */
bool ddx7_use(ddx7_t *synth, const ddx7_preset_t *presets, int n);

/* Makes the first voice follow a measured sound instead of the keys: pitch in Hz, 20 to 4000, and A-weighted
 * loudness in dB relative to full scale, -80 to 0; values outside are clamped, and NaN keeps the last pitch
 * or is silence. The values hold until the next call; give them up to 250 times per second. When the player
 * turns from keys to a sound or back, all sound fades out within a block and all keys are forgotten. */
void ddx7_follow(ddx7_t *synth, float f0_hz, float loudness_db);
void ddx7_follow_keys(ddx7_t *synth);

/* Fades all sound out within a block and releases every key. */
void ddx7_panic(ddx7_t *synth);

/* Returns the number of voices that sound or are about to. */
int ddx7_n_sounding(const ddx7_t *synth);

#ifdef __cplusplus
}
#endif

#endif
